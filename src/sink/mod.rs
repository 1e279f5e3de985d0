//! Where reports go. A slow or failing sink may lose data, which it counts, never time.

pub mod cloudwatch;
pub mod daemon_metrics;
pub mod page;
pub mod prometheus;
