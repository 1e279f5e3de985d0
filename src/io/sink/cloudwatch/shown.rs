//! What one destination adds to the gauges that all destinations share.

use crate::io::sink::daemon_metrics::DaemonMetrics;

/// This destination's part.
pub(super) struct Shown {
    metrics: DaemonMetrics,
    waiting: i64,
    series: i64,
}

impl Shown {
    pub(super) const fn new(metrics: DaemonMetrics) -> Self {
        Self {
            metrics,
            waiting: 0,
            series: 0,
        }
    }

    /// Shows how many datapoints wait, and how many series were sent of late.
    pub(super) fn set(&mut self, waiting: u64, series: usize) {
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        let gauge = &self.metrics.spool_datapoints;
        gauge.add(waiting - self.waiting);
        self.waiting = waiting;
        let series = i64::try_from(series).unwrap_or(i64::MAX);
        let gauge = &self.metrics.cloudwatch_series;
        gauge.add(series - self.series);
        self.series = series;
    }
}
