//! The way to CloudWatch: clients built from settings, every call counted, every
//! failure sorted by what to do about it.
//!
//! The SDK does not retry writes: our queues do, so that a failing call never holds back
//! what comes after it. It refuses to decide what is sent.

use std::fmt;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::settings::CloudWatchSettings;
use crate::sink::daemon_metrics::DaemonMetrics;

/// A connection to CloudWatch in one region. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Api {
    /// For calls that must not wait for retries: the caller queues.
    pub(crate) writes: Client,
    /// For reads of the whole account, which would be begun anew if one page failed.
    pub(crate) reads: Client,
    metrics: Option<DaemonMetrics>,
}

/// A call that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}: {text}")]
pub struct CallError {
    /// The operation, such as `PutMetricData`.
    pub operation: &'static str,
    /// What to do about it.
    pub kind: FailureKind,
    /// What happened and the mend, in one line.
    pub text: String,
}

/// Failures by what to do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Too many calls: later.
    Throttled,
    /// No credentials, or not allowed: somebody has to act; later.
    Denied,
    /// The request itself is wrong: the same again would fail again.
    Refused,
    /// Anything else: later.
    Failed,
}

/// One call, reads' retries aside, is given up after this long: a datapoint's batch is
/// better sent anew than waited for.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// To find a host that does not answer; within a region connecting takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Attempts of a read, with the SDK's own backoff.
const READ_ATTEMPTS: u32 = 5;

impl FailureKind {
    /// The outcome as a label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Refused | Self::Failed => "failed",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Api {
    /// Builds the clients. `base` is an SDK configuration that was already made; without
    /// it the default chain is asked for credentials and region. Region and endpoint of
    /// the settings win over both.
    ///
    /// # Errors
    /// When no region is known.
    pub async fn connect(
        settings: &CloudWatchSettings,
        base: Option<&SdkConfig>,
        metrics: Option<DaemonMetrics>,
    ) -> Result<Self, CallError> {
        let config = match base {
            Some(config) => config.clone(),
            None => {
                let mut loader = aws_config::defaults(BehaviorVersion::latest());
                if let Some(region) = &settings.region {
                    // Or the chain would end up asking the instance metadata for one.
                    loader = loader.region(Region::new(region.clone()));
                }
                loader.load().await
            }
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(CALL_TIMEOUT)
            .build();
        let mut builder = aws_sdk_cloudwatch::config::Builder::from(&config)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        if let Some(region) = &settings.region {
            builder = builder.region(Region::new(region.clone()));
        } else if config.region().is_none() {
            return Err(CallError {
                operation: "connect",
                kind: FailureKind::Denied,
                text: "no AWS region is known: set `cloudwatch.region` or AWS_REGION".to_owned(),
            });
        }
        if let Some(url) = &settings.endpoint_url {
            builder = builder.endpoint_url(url.clone());
        }
        let retries = RetryConfig::standard().with_max_attempts(READ_ATTEMPTS);
        Ok(Self {
            writes: Client::from_conf(builder.clone().build()),
            reads: Client::from_conf(builder.retry_config(retries).build()),
            metrics,
        })
    }

    /// Counts a call's outcome and sorts its failure.
    pub(crate) fn settle<T, E>(
        &self,
        operation: &'static str,
        result: Result<T, SdkError<E>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let result = result.map_err(|error| sort(operation, &error));
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) => error.kind.as_str(),
        };
        if let Some(metrics) = &self.metrics {
            let requests = &metrics.cloudwatch_requests;
            requests.with_label_values(&[operation, outcome]).inc();
        }
        result
    }
}

fn sort<E>(operation: &'static str, error: &SdkError<E>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code);
    let whole = DisplayErrorContext(error).to_string();
    let kind = kind_of(code.unwrap_or_default(), status, &whole);
    let message = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .unwrap_or(&whole);
    // The SDK appends its whole debug output in brackets: useless in a log line.
    let message = message.split(" (").next().unwrap_or_default();
    let text = match (kind, code) {
        (FailureKind::Denied, Some(code)) if code.contains("AccessDenied") => format!(
            "access denied: allow `cloudwatch:{operation}` to the daemon's role ({message})"
        ),
        (FailureKind::Denied, _) => format!(
            "no valid AWS credentials: give the daemon a role, a profile or AWS_ACCESS_KEY_ID ({message})"
        ),
        (_, Some(code)) => format!("{code}: {message}"),
        (_, None) => match status {
            Some(status) => format!("status {status}: {message}"),
            None => message.to_owned(),
        },
    };
    CallError {
        operation,
        kind,
        text,
    }
}

fn kind_of(code: &str, status: Option<u16>, whole: &str) -> FailureKind {
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    if has(&["Throttl", "RequestLimitExceeded", "TooManyRequests"]) || status == Some(429) {
        FailureKind::Throttled
    } else if has(&[
        "AccessDenied",
        "UnrecognizedClient",
        "InvalidClientTokenId",
        "ExpiredToken",
        "Signature",
        "MissingAuthentication",
        "OptInRequired",
    ]) || (code.is_empty() && whole.contains("credentials"))
    {
        FailureKind::Denied
    } else if has(&[
        "InvalidParameter",
        "MissingRequiredParameter",
        "MissingParameter",
        "Validation",
        "InvalidFormat",
        "Serialization",
        "ResourceNotFound",
        "LimitExceeded",
    ]) || status == Some(413)
    {
        FailureKind::Refused
    } else {
        FailureKind::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_sorted_by_what_to_do_about_them() {
        for (code, status, whole, expected) in [
            ("ThrottlingException", Some(400), "", FailureKind::Throttled),
            ("", Some(429), "", FailureKind::Throttled),
            ("AccessDeniedException", Some(403), "", FailureKind::Denied),
            ("ExpiredToken", Some(403), "", FailureKind::Denied),
            (
                "",
                None,
                "no providers in chain provided credentials",
                FailureKind::Denied,
            ),
            ("InvalidParameterValue", Some(400), "", FailureKind::Refused),
            ("", Some(413), "", FailureKind::Refused),
            ("InternalServiceFault", Some(500), "", FailureKind::Failed),
            ("", None, "dispatch failure", FailureKind::Failed),
        ] {
            assert_eq!(kind_of(code, status, whole), expected, "{code} {status:?}");
        }
    }

    #[tokio::test]
    async fn a_missing_region_is_an_error_that_names_the_mend() {
        let base = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .build();
        let error = Api::connect(&CloudWatchSettings::default(), Some(&base), None)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "connect: no AWS region is known: set `cloudwatch.region` or AWS_REGION"
        );
    }
}
