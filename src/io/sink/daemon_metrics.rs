//! The daemon's metrics about itself, kept by the `prometheus` crate.
//!
//! Every name is declared here once. The per-target metrics are in `sink/prometheus`, which
//! renders them itself, because the crate is too slow for 10,000 targets.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::io::store::Gauges;

/// The daemon's metrics about itself. Clones share the values.
#[derive(Clone, Debug)]
pub struct DaemonMetrics {
    registry: Registry,
    /// Delay from a probe's slot to its start, in seconds.
    pub schedule_lag: Histogram,
    /// Delay of the runtime's timers, in seconds.
    pub runtime_lag: Histogram,
    /// Probes during which the daemon itself was noticeably late.
    pub lagged: IntCounter,
    /// Probes in flight.
    pub in_flight: IntGauge,
    /// Dropped reports and datapoints, by sink.
    pub sink_dropped: IntCounterVec,
    /// Datapoints waiting to be sent to CloudWatch.
    pub spool_datapoints: IntGauge,
    /// Requests to CloudWatch by operation and outcome (`ok`, `throttled`, `denied`, `failed`).
    pub cloudwatch_requests: IntCounterVec,
    /// Datapoints sent again because the response to the first request was lost.
    pub cloudwatch_maybe_duplicates: IntCounter,
    /// Metrics sent to CloudWatch in the current or the previous hour, which it bills by the
    /// hour.
    pub cloudwatch_series: IntGauge,
    /// Requests to AWS for evidence by operation and outcome (as above).
    pub evidence_requests: IntCounterVec,
    /// Dropped evidence requests, or parts of them, by reason.
    pub evidence_dropped: IntCounterVec,
    /// Estimated cost of the requested metrics, in US dollars.
    pub evidence_cost: Counter,
    /// Control requests not sent because too many were in flight.
    pub controls_dropped: IntCounter,
    /// Alarms whose tags were not written before the datapoint that changes their state.
    pub alarm_updates_late: IntCounter,
    /// 1 while incidents and datapoints are stored on disk, else 0.
    pub store_up: IntGauge,
    /// Failed operations on the state directory.
    pub store_failures: IntCounter,
    /// Alarms that differ from their planned configuration.
    pub alarms_drifted: IntGauge,
    /// 1 after a successful reload, 0 after a failed one.
    pub config_reload_successful: IntGauge,
    /// When the running configuration was loaded, as a Unix timestamp.
    pub config_reload_time: Gauge,
}

/// Upper bounds of the lag histograms in seconds; the budget is 10 ms at the 99th percentile.
const LAG_BUCKETS: [f64; 8] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0, 10.0];

// Name and help of each metric.
const SCHEDULE_LAG: [&str; 2] = [
    "probecause_schedule_lag_seconds",
    "Delay from a probe's slot to its start.",
];
const RUNTIME_LAG: [&str; 2] = [
    "probecause_runtime_lag_seconds",
    "Delay of the daemon's timers, measured fifty times a second.",
];
const LAGGED: [&str; 2] = [
    "probecause_probes_lagged_total",
    "Probes during which the daemon itself was late by 10 ms or more; their times are marked.",
];
const IN_FLIGHT: [&str; 2] = ["probecause_probes_in_flight", "Probes in flight."];
const SPOOL: [&str; 2] = [
    "probecause_spool_datapoints",
    "Datapoints waiting to be sent to CloudWatch.",
];
const MAYBE_DUPLICATES: [&str; 2] = [
    "probecause_cloudwatch_maybe_duplicates_total",
    "Datapoints sent again because the response to the first request was lost.",
];
const SERIES: [&str; 2] = [
    "probecause_cloudwatch_series",
    "Metrics sent to CloudWatch in the current or the previous hour.",
];
const EVIDENCE_COST: [&str; 2] = [
    "probecause_evidence_cost_dollars_total",
    "Estimated cost, in US dollars, of the metrics requested from AWS as evidence.",
];
const CONTROLS_DROPPED: [&str; 2] = [
    "probecause_controls_dropped_total",
    "Control requests not sent because too many were in flight.",
];
const UPDATES_LATE: [&str; 2] = [
    "probecause_alarm_updates_late_total",
    "Alarms whose tags were not written before the datapoint that changes their state.",
];
const STORE_UP: [&str; 2] = [
    "probecause_store_up",
    "Whether incidents and unsent datapoints are stored on disk (1) or not (0).",
];
const STORE_FAILURES: [&str; 2] = [
    "probecause_store_failures_total",
    "Failed operations on the state directory.",
];
const RELOAD: [&str; 2] = [
    "probecause_config_last_reload_successful",
    "Whether the last reload of the configuration succeeded (1) or failed (0).",
];
const RELOAD_TIME: [&str; 2] = [
    "probecause_config_last_reload_success_timestamp_seconds",
    "When the running configuration was loaded, as a Unix timestamp.",
];
const SINK_DROPPED: [&str; 2] = [
    "probecause_sink_dropped_total",
    "Dropped reports and datapoints, by sink.",
];
const CLOUDWATCH_REQUESTS: [&str; 2] = [
    "probecause_cloudwatch_requests_total",
    "Requests to CloudWatch by operation and outcome.",
];
const EVIDENCE_REQUESTS: [&str; 2] = [
    "probecause_evidence_requests_total",
    "Requests to AWS for evidence by operation and outcome.",
];
const EVIDENCE_DROPPED: [&str; 2] = [
    "probecause_evidence_dropped_total",
    "Dropped evidence requests, or parts of them, by reason.",
];

const ALARMS_DRIFTED: [&str; 2] = [
    "probecause_alarms_drifted",
    "Alarms that differ from their planned configuration and are not restored.",
];

/// The reasons for dropping an evidence request or a part of it.
const REASONS: [&str; 6] = [
    "cost-bound",
    "denied",
    "failed",
    "queue-full",
    "throttled",
    "too-many",
];

impl DaemonMetrics {
    /// Registers every metric in a new registry.
    ///
    /// # Errors
    /// Two metrics have the same name, which a test excludes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build = Opts::new("probecause_build_info", "The running version; always 1.");
        let build = register(&registry, IntGaugeVec::new(build, &["version"])?)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let outcomes = &["operation", "outcome"];
        let dropped = counters(&registry, SINK_DROPPED, &["sink"])?;
        // Initialized, because `rate()` misses the first increase of a series that appears with
        // it.
        dropped.with_label_values(&["cloudwatch"]).reset();
        let given_up = counters(&registry, EVIDENCE_DROPPED, &["reason"])?;
        for reason in REASONS {
            given_up.with_label_values(&[reason]).reset();
        }
        let cost = Counter::new(EVIDENCE_COST[0], EVIDENCE_COST[1])?;
        let reload_time = Gauge::new(RELOAD_TIME[0], RELOAD_TIME[1])?;
        Ok(Self {
            schedule_lag: lags(&registry, SCHEDULE_LAG)?,
            runtime_lag: lags(&registry, RUNTIME_LAG)?,
            lagged: counter(&registry, LAGGED)?,
            in_flight: gauge(&registry, IN_FLIGHT)?,
            sink_dropped: dropped,
            spool_datapoints: gauge(&registry, SPOOL)?,
            cloudwatch_requests: counters(&registry, CLOUDWATCH_REQUESTS, outcomes)?,
            cloudwatch_maybe_duplicates: counter(&registry, MAYBE_DUPLICATES)?,
            cloudwatch_series: gauge(&registry, SERIES)?,
            evidence_requests: counters(&registry, EVIDENCE_REQUESTS, outcomes)?,
            evidence_dropped: given_up,
            evidence_cost: register(&registry, cost)?,
            controls_dropped: counter(&registry, CONTROLS_DROPPED)?,
            alarm_updates_late: counter(&registry, UPDATES_LATE)?,
            alarms_drifted: gauge(&registry, ALARMS_DRIFTED)?,
            store_up: gauge(&registry, STORE_UP)?,
            store_failures: counter(&registry, STORE_FAILURES)?,
            config_reload_successful: gauge(&registry, RELOAD)?,
            config_reload_time: register(&registry, reload_time)?,
            registry,
        })
    }

    /// The gauges that the store updates.
    #[must_use]
    pub fn store_gauges(&self) -> Gauges {
        Gauges {
            up: self.store_up.clone(),
            failures: self.store_failures.clone(),
        }
    }

    /// Appends every metric in the text exposition format.
    ///
    /// # Errors
    /// The encoder's error.
    pub fn render_into(&self, out: &mut String) -> Result<(), prometheus::Error> {
        TextEncoder::new().encode_utf8(&self.registry.gather(), out)
    }
}

fn lags(registry: &Registry, [name, help]: [&str; 2]) -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts::new(name, help).buckets(LAG_BUCKETS.to_vec());
    register(registry, Histogram::with_opts(options)?)
}

fn gauge(registry: &Registry, [name, help]: [&str; 2]) -> Result<IntGauge, prometheus::Error> {
    register(registry, IntGauge::new(name, help)?)
}

fn counter(registry: &Registry, [name, help]: [&str; 2]) -> Result<IntCounter, prometheus::Error> {
    register(registry, IntCounter::new(name, help)?)
}

fn counters(
    registry: &Registry,
    [name, help]: [&str; 2],
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_registers_and_renders() {
        let metrics = DaemonMetrics::new().unwrap();
        metrics.schedule_lag.observe(0.002);
        let mut text = String::new();
        metrics.render_into(&mut text).unwrap();
        assert!(text.contains("probecause_build_info{version="), "{text}");
        assert!(text.contains("probecause_schedule_lag_seconds_bucket{le=\"0.0025\"} 1"));
    }
}
