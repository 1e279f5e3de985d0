//! Diagnosis with evidence from AWS: parsing of log lines, and verdicts from the log line and the
//! metrics of a failed request.

mod log_attribution;
mod log_lines;
mod log_phrases;
mod log_verdicts;
mod metric_verdicts;
mod support;
