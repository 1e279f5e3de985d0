//! x
pub fn detail() {}
