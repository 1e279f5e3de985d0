//! x
pub fn list() {}
