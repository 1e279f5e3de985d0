//! Reads, validates and explains the configuration.
