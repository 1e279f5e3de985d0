//! AWS's own words about a failed request: its log line, the metrics around it, and the
//! verdicts that follow.

#[cfg(test)]
mod log;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod support;
#[cfg(test)]
mod verdict;
