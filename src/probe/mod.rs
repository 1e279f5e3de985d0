//! Runs one probe and observes it.
