//! Shared parts of all AWS clients: SDK configuration, time limits, assumed roles, and the
//! classification of failed calls.
//!
//! This module does not depend on a service: alarms are in `alarms`, datapoints in
//! `sink::cloudwatch`, and evidence in `evidence`. Each caller decides whether and how to retry a
//! failed call.

mod arrival;
mod clock_skew;
mod credentials_cache;
mod denial;
mod failure;
pub mod read;
mod role;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

pub(crate) use credentials_cache::CredentialsCache;
pub(crate) use failure::classify;
pub use failure::{CallError, FailureKind};
pub(crate) use role::{assume, explain_role_failure};

/// Maximum duration of one attempt of an AWS call. A call normally takes far less time, so after
/// this duration another attempt is more likely to succeed than waiting.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time to connect to AWS. Connecting within a region takes milliseconds, so a host that
/// takes this long is not responding.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns the time limits of one attempt of an AWS call.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .build()
}

/// Returns the SDK configuration: `base`, or that of the SDK's default chain if `base` is `None`.
/// If `region` is set, it overrides the region of the configuration.
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
                // Set the region before loading. Without a region, the SDK's chain may query the
                // instance metadata service for a region.
                loader = loader.region(region);
            }
            loader.load().await
        }
    }
}
