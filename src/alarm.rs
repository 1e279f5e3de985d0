//! The room `alarm`.
