//! The room `scheduler`.
