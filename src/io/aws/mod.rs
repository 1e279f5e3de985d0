//! What every way to AWS shares: how an SDK configuration is made, how long a call may
//! take, and how a failed one is sorted by what to do about it.
//!
//! It knows no service: CloudWatch's alarms live in `sink::cloudwatch`, asking for
//! evidence in `evidence`. It refuses to retry: whoever calls has a queue that does.

mod arrival;
mod failure;
mod role;
mod wording;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

pub(crate) use failure::sort;
pub use failure::{CallError, FailureKind};
pub(crate) use role::{assume, blame};

/// One call, reads' retries aside, is given up after this long: a batch is better sent
/// anew than waited for.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// To find a host that does not answer; within a region connecting takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The time limits of one attempt.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .build()
}

/// An SDK configuration: `base` where one was already made, else what the default chain
/// gives. A region that is known wins over both.
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
                // Or the chain would end up asking the instance metadata for one.
                loader = loader.region(region);
            }
            loader.load().await
        }
    }
}
