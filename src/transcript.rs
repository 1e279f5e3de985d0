//! The room `transcript`.
