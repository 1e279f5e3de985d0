//! A CloudWatch sink for tests that need every datapoint to wait for its cause.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use probecause::io::sink::cloudwatch::{CloudWatchSink, Timing};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::store::Store;
use probecause::model::settings::Settings;

/// Starts a sink that reviews its alarms every `review_every`. Its datapoints wait much longer
/// for their causes than in the daemon, because on a loaded machine an emulator may need longer
/// to update an alarm than the daemon waits.
pub(crate) fn patient(
    settings: &Arc<Settings>,
    metrics: &DaemonMetrics,
    base: SdkConfig,
    review_every: Duration,
) -> CloudWatchSink {
    let timing = Timing {
        review_every,
        update_wait: Duration::from_secs(300),
    };
    let store = Store::disabled(metrics.store_metrics());
    CloudWatchSink::start_on(
        Arc::clone(settings),
        metrics.clone(),
        Some(base),
        store,
        timing,
    )
}
