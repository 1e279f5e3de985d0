//! Placeholder head for the check.
