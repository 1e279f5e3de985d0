//! Shared parts of all AWS clients: SDK configuration, time limits, assumed roles, and the
//! classification of failed calls by what to do about them.
//!
//! Nothing here depends on a service: alarms are in `alarms`, datapoints in `sink::cloudwatch`,
//! evidence in `evidence`. Calls are not retried here, because each caller has a queue that
//! retries.

mod arrival;
mod clock_skew;
mod denial;
mod failure;
mod role;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

pub(crate) use failure::classify;
pub use failure::{CallError, FailureKind};
pub(crate) use role::{assume, explain_role_failure};

/// Maximum duration of one attempt of a call. A call normally takes far less, so after this time
/// another attempt is more likely to succeed.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time to connect. Within a region, connecting takes milliseconds, so a host that takes
/// this long is not responding.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns the time limits of one attempt of a call.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .build()
}

/// Returns `base`, or the configuration of the SDK's default chain if `base` is `None`. `region`
/// overrides the region of both.
pub(crate) async fn configuration(base: Option<&SdkConfig>, region: Option<&str>) -> SdkConfig {
    let region = region.map(|region| Region::new(region.to_owned()));
    match base {
        Some(config) => match region {
            Some(region) => config.clone().into_builder().region(region).build(),
            None => config.clone(),
        },
        None => {
            let mut loader = aws_config::defaults(BehaviorVersion::latest());
            if let Some(region) = region {
                // The region is set before loading. Otherwise the SDK's chain may ask the instance
                // metadata service for one.
                loader = loader.region(region);
            }
            loader.load().await
        }
    }
}
