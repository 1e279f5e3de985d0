//! The page sink.
