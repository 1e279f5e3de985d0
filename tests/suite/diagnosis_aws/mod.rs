//! AWS's own words about a failed request: its log line, the metrics around it, and the
//! verdicts that follow.

mod log;
mod metrics;
mod support;
mod verdict;
