//! The room `expectation`.
