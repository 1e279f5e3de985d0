//! Clients for a region and role, made when first needed and kept.
//!
//! Nothing is retried here: the docket asks again.

use std::collections::HashMap;

use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};

use crate::io::aws::{
    CALL_TIMEOUT, CallError, FailureKind, assume, blame, configuration, sort, timeouts,
};
use crate::io::evidence::place::Place;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;

/// The services of one place. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) metrics: aws_sdk_cloudwatch::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
}

/// What is asked of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    GetMetricData,
    FilterLogEvents,
}

/// Every place's clients.
#[derive(Debug)]
pub(super) struct Clients {
    base: Option<SdkConfig>,
    endpoint: Option<String>,
    metrics: DaemonMetrics,
    made: tokio::sync::Mutex<HashMap<Place, Account>>,
}

/// Credentials first, then the call: twice one attempt's time.
const WHOLE_TIMEOUT: std::time::Duration = CALL_TIMEOUT.saturating_mul(2);

impl Operation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::GetMetricData => "GetMetricData",
            Self::FilterLogEvents => "FilterLogEvents",
        }
    }

    /// The service's prefix in IAM's action names.
    const fn service(self) -> &'static str {
        match self {
            Self::GetMetricData => "cloudwatch",
            Self::FilterLogEvents => "logs",
        }
    }
}

impl Clients {
    /// `base`: an SDK configuration that was already made; without it the default chain.
    pub(super) fn new(
        settings: &Settings,
        base: Option<SdkConfig>,
        metrics: DaemonMetrics,
    ) -> Self {
        let own = settings.evidence.endpoint_url.clone();
        Self {
            base,
            endpoint: own.or_else(|| settings.cloudwatch.endpoint_url.clone()),
            metrics,
            made: tokio::sync::Mutex::new(HashMap::new()),
        }
    }

    /// The same for other settings, without a client yet.
    pub(super) fn anew(&self, settings: &Settings) -> Self {
        Self::new(settings, self.base.clone(), self.metrics.clone())
    }

    /// The clients of a place.
    pub(super) async fn account(&self, place: &Place) -> Result<Account, CallError> {
        let mut made = self.made.lock().await;
        if let Some(account) = made.get(place) {
            return Ok(account.clone());
        }
        let config = self.configuration(place).await?;
        let account = Account {
            metrics: aws_sdk_cloudwatch::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
        };
        made.insert(place.clone(), account.clone());
        Ok(account)
    }

    async fn configuration(&self, place: &Place) -> Result<SdkConfig, CallError> {
        let config = configuration(self.base.as_ref(), place.region.as_deref()).await;
        if config.region().map(Region::as_ref).is_none() {
            return Err(CallError {
                operation: "connect",
                kind: FailureKind::Denied,
                text: "no AWS region is known: set `aws.region` of the target, \
                       `cloudwatch.region` or AWS_REGION"
                    .to_owned(),
            });
        }
        let limits = timeouts().to_builder().operation_timeout(WHOLE_TIMEOUT);
        let limits: TimeoutConfig = limits.build();
        let mut builder = config
            .into_builder()
            .timeout_config(limits)
            .retry_config(RetryConfig::disabled());
        if let Some(url) = &self.endpoint {
            builder = builder.endpoint_url(url);
        }
        let config = builder.build();
        Ok(match &place.role {
            Some(role) => assume(config, role).await,
            None => config,
        })
    }

    /// Counts a call's outcome and sorts its failure.
    pub(super) fn settle<T, E>(
        &self,
        place: &Place,
        operation: Operation,
        result: Result<T, SdkError<E>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let result = result.map_err(|error| {
            let failure = sort(operation.service(), operation.name(), &error);
            blame(place.role.as_ref(), &error, failure)
        });
        self.count(operation, &result);
        result
    }

    fn count<T>(&self, operation: Operation, result: &Result<T, CallError>) {
        let outcome = match result {
            Ok(_) => "ok",
            Err(failure) => failure.kind.as_str(),
        };
        let requests = &self.metrics.evidence_requests;
        requests
            .with_label_values(&[operation.name(), outcome])
            .inc();
    }
}
