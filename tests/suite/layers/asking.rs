//! Asks a front door for the cause.
