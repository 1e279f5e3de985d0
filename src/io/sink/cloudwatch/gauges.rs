//! Tracks how much one destination contributes to the gauges that all destinations share.

use prometheus::IntGauge;

use crate::io::sink::daemon_metrics::DaemonMetrics;

/// The value of the label `sink` for this sink in `probecause_sink_dropped_total`.
pub(super) const SINK: &str = "cloudwatch";

/// The contribution of one destination to the shared gauges.
pub(super) struct DestinationGauges {
    waiting: Contribution,
    series: Contribution,
}

struct Contribution {
    gauge: IntGauge,
    value: i64,
}

impl DestinationGauges {
    pub(super) fn new(metrics: &DaemonMetrics) -> Self {
        let contribution = |gauge: &IntGauge| Contribution {
            gauge: gauge.clone(),
            value: 0,
        };
        Self {
            waiting: contribution(&metrics.spool_datapoints),
            series: contribution(&metrics.cloudwatch_series),
        }
    }

    /// Sets the destination's number of waiting datapoints and its number of series that were sent
    /// in the current or the previous hour.
    pub(super) fn set(&mut self, waiting: u64, series: usize) {
        self.waiting.set(waiting.try_into().unwrap_or(i64::MAX));
        self.series.set(series.try_into().unwrap_or(i64::MAX));
    }
}

impl Contribution {
    fn set(&mut self, value: i64) {
        self.gauge.add(value - self.value);
        self.value = value;
    }
}
