//! The daemon's metrics about itself, registered and rendered by the `prometheus` crate.
//!
//! Each of these metrics is declared once, in this file. The per-target metrics are in
//! `sink/prometheus`, which renders them without the `prometheus` crate, because the crate is too
//! slow for 10,000 targets.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::io::store::StoreMetrics;

/// Declares `DaemonMetrics` and the function that registers its metrics, from one list of fields.
macro_rules! daemon_metrics {
    ($($field:ident: $kind:ident = $create:ident($name:literal, $help:literal $(, $labels:expr)?);)*) => {
        /// The daemon's metrics about itself. Clones share the values.
        #[derive(Clone, Debug)]
        pub struct DaemonMetrics {
            registry: Registry,
            $(#[doc = $help] pub $field: $kind,)*
        }

        fn register_all(registry: Registry) -> Result<DaemonMetrics, prometheus::Error> {
            $(let $field = $create(&registry, $name, $help $(, $labels)?)?;)*
            Ok(DaemonMetrics { registry, $($field,)* })
        }
    };
}

daemon_metrics! {
    schedule_lag: Histogram = lags(
        "probecause_schedule_lag_seconds",
        "Delay from a probe's scheduled start to its actual start."
    );
    runtime_lag: Histogram = lags(
        "probecause_runtime_lag_seconds",
        "Delay of the daemon's timers, measured fifty times a second."
    );
    lagged: IntCounter = counter(
        "probecause_probes_lagged_total",
        "Probes during which the daemon's timers were late by 10 ms or more; own_lag_seconds in \
         the results shows the delay."
    );
    in_flight: IntGauge = gauge("probecause_probes_in_flight", "Probes in flight.");
    sink_dropped: IntCounterVec = counters(
        "probecause_sink_dropped_total",
        "Dropped reports and datapoints, by sink.",
        &["sink"]
    );
    spool_datapoints: IntGauge = gauge(
        "probecause_spool_datapoints",
        "Datapoints waiting to be sent to CloudWatch."
    );
    cloudwatch_requests: IntCounterVec = counters(
        "probecause_cloudwatch_requests_total",
        "Requests to CloudWatch by operation and outcome.",
        OUTCOME_LABELS
    );
    cloudwatch_maybe_duplicates: IntCounter = counter(
        "probecause_cloudwatch_maybe_duplicates_total",
        "Datapoints that CloudWatch may have received twice, because an earlier request received \
         no response."
    );
    // This gauge counts the metrics of two clock hours, because CloudWatch bills a metric for each
    // hour in which datapoints are sent.
    cloudwatch_series: IntGauge = gauge(
        "probecause_cloudwatch_series",
        "Distinct metrics sent to CloudWatch in the current or the previous hour."
    );
    evidence_requests: IntCounterVec = counters(
        "probecause_evidence_requests_total",
        "Evidence requests to AWS by operation and outcome.",
        OUTCOME_LABELS
    );
    evidence_dropped: IntCounterVec = counters(
        "probecause_evidence_dropped_total",
        "Dropped evidence requests and dropped parts of evidence requests, by reason.",
        &["reason"]
    );
    evidence_cost: Counter = cost(
        "probecause_evidence_cost_dollars_total",
        "Estimated cost, in US dollars, of the metrics requested from AWS as evidence."
    );
    controls_dropped: IntCounter = counter(
        "probecause_controls_dropped_total",
        "Control requests and follow-up requests after a failure, dropped because too many were in \
         flight."
    );
    alarm_updates_late: IntCounter = counter(
        "probecause_alarm_updates_late_total",
        "Datapoints sent before their alarm named the cause, because updating the alarm failed or \
         took too long."
    );
    alarms_drifted: IntGauge = gauge(
        "probecause_alarms_drifted",
        "Alarms that were changed or deleted by hand and have not been restored."
    );
    store_up: IntGauge = gauge(
        "probecause_store_up",
        "Whether incidents and unsent datapoints are stored on disk (1) or not (0)."
    );
    store_failures: IntCounter = counter(
        "probecause_store_failures_total",
        "Failed operations on the state directory."
    );
    config_reload_successful: IntGauge = gauge(
        "probecause_config_last_reload_successful",
        "Whether the last reload of the configuration succeeded (1) or failed (0)."
    );
    config_reload_time: Gauge = timestamp(
        "probecause_config_last_reload_success_timestamp_seconds",
        "Time at which the running configuration was loaded, as a Unix timestamp."
    );
}

/// Upper bounds of the buckets of the lag histograms in seconds. One of the bounds is 10 ms,
/// because the goal is a lag below 10 ms at the 99th percentile.
const LAG_BUCKETS: [f64; 8] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0, 10.0];

/// Label names of the metrics that count requests to AWS. The values of `outcome` are `ok`,
/// `throttled`, `denied` and `failed`.
const OUTCOME_LABELS: &[&str] = &["operation", "outcome"];

/// Values of the label `reason` of `probecause_evidence_dropped_total`.
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
    /// Returns an error if two metrics have the same name, which a test rules out.
    pub fn new() -> Result<Self, prometheus::Error> {
        let metrics = register_all(Registry::new())?;
        let build = Opts::new(
            "probecause_build_info",
            "The running version, as a label; the value is always 1.",
        );
        let build = register(&metrics.registry, IntGaugeVec::new(build, &["version"])?)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        // These counters are initialized to zero, because Prometheus's `rate()` ignores the first
        // value of a series: without the zero, the first increase would be missed.
        metrics
            .sink_dropped
            .with_label_values(&["cloudwatch"])
            .reset();
        for reason in REASONS {
            metrics
                .evidence_dropped
                .with_label_values(&[reason])
                .reset();
        }
        Ok(metrics)
    }

    /// Returns the metrics that the store updates.
    #[must_use]
    pub fn store_metrics(&self) -> StoreMetrics {
        StoreMetrics {
            up: self.store_up.clone(),
            failures: self.store_failures.clone(),
        }
    }

    /// Appends every metric to `out` in the text exposition format.
    ///
    /// # Errors
    /// Returns the error of the encoder.
    pub fn render_into(&self, out: &mut String) -> Result<(), prometheus::Error> {
        TextEncoder::new().encode_utf8(&self.registry.gather(), out)
    }
}

fn lags(registry: &Registry, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts::new(name, help).buckets(LAG_BUCKETS.to_vec());
    register(registry, Histogram::with_opts(options)?)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    register(registry, IntGauge::new(name, help)?)
}

fn timestamp(registry: &Registry, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    register(registry, Gauge::new(name, help)?)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    register(registry, IntCounter::new(name, help)?)
}

fn cost(registry: &Registry, name: &str, help: &str) -> Result<Counter, prometheus::Error> {
    register(registry, Counter::new(name, help)?)
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
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
