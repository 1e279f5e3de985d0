//! The room `maintenance`.
