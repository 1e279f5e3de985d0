//! Tests of the whole sink.
