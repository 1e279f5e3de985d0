//! The CloudWatch clients of a destination, built from its settings.
//!
//! Every call is counted, and every failure is classified by how to handle it. The SDK does not
//! retry writes. Callers queue and retry failed writes, so that a failing write never delays the
//! following writes.

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use prometheus::IntCounterVec;

use crate::domain::alarm::destination::DestinationView;
use crate::io::aws::{CallError, FailureKind, assume, classify, explain_role_failure};
use crate::model::settings::Role;

/// The CloudWatch clients of one destination. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Api {
    /// The client for writes, and for reads of alarms by name. The client does not retry, because
    /// callers retry failed calls of these kinds.
    pub(crate) writes: Client,
    /// The client for all other reads. The client retries, because otherwise one failed page would
    /// restart the read of all alarms of a location.
    pub(crate) reads: Client,
    role: Option<Role>,
    /// The destination's name; `None` for the main destination.
    name: Option<String>,
    /// The counter of calls by operation and outcome; `None` if calls are not counted.
    requests: Option<IntCounterVec>,
}

/// Maximum number of attempts per read, with the SDK's backoff between them. Five attempts outlast
/// a few seconds of throttling.
const READ_ATTEMPTS: u32 = 5;

impl Api {
    /// Builds the clients. The credentials and the region come from `base`, or from the SDK's
    /// default chain if `base` is `None`. The region and the endpoint URL of the destination's
    /// settings take precedence.
    ///
    /// # Errors
    /// Returns an error if no region is known.
    pub async fn connect(
        view: &DestinationView,
        base: Option<&SdkConfig>,
        requests: Option<IntCounterVec>,
    ) -> Result<Self, CallError> {
        let settings = &view.cloudwatch;
        let mut config = crate::io::aws::configuration(base, settings.region.as_deref()).await;
        if config.region().is_none() {
            return Err(CallError {
                operation: "connect",
                kind: FailureKind::Denied,
                text: format!(
                    "no AWS region is known; set `{}` or the environment variable `AWS_REGION`",
                    key(view)
                ),
            });
        }
        if let Some(url) = &settings.endpoint_url {
            config = config.into_builder().endpoint_url(url).build();
        }
        if let Some(role) = &settings.role {
            config = assume(config, role).await;
        }
        let builder = aws_sdk_cloudwatch::config::Builder::from(&config)
            .timeout_config(crate::io::aws::timeouts())
            .retry_config(RetryConfig::disabled());
        let retries = RetryConfig::standard().with_max_attempts(READ_ATTEMPTS);
        Ok(Self {
            writes: Client::from_conf(builder.clone().build()),
            reads: Client::from_conf(builder.retry_config(retries).build()),
            role: settings.role.clone(),
            name: view.name.clone(),
            requests,
        })
    }

    /// Counts a call by operation and outcome, and converts the SDK's error to a [`CallError`].
    pub(crate) fn settle<T, E>(
        &self,
        operation: &'static str,
        result: Result<T, SdkError<E>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let result = result.map_err(|error| {
            let failure = classify("cloudwatch", operation, &error);
            self.named(explain_role_failure(self.role.as_ref(), &error, failure))
        });
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) => error.kind.as_str(),
        };
        if let Some(requests) = &self.requests {
            requests.with_label_values(&[operation, outcome]).inc();
        }
        result
    }

    /// Prepends the name of the destination to a failure's text, except for the main
    /// destination.
    fn named(&self, failure: CallError) -> CallError {
        match &self.name {
            Some(name) => CallError {
                text: format!("destination `{name}`: {}", failure.text),
                ..failure
            },
            None => failure,
        }
    }
}

/// Returns the configuration key of a destination's region.
fn key(view: &DestinationView) -> String {
    match &view.name {
        Some(name) => format!("cloudwatch.destination.{name}.region"),
        None => "cloudwatch.region".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;

    use super::*;
    use crate::model::settings::Settings;

    #[tokio::test]
    async fn a_missing_region_is_an_error_that_names_the_key() {
        let base = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .build();
        let error = Api::connect(
            &DestinationView::of_all(&Settings::default()),
            Some(&base),
            None,
        )
        .await
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "connect: no AWS region is known; set `cloudwatch.region` or the environment variable \
             `AWS_REGION`"
        );
    }
}
