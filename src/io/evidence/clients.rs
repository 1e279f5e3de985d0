//! Builds and caches the AWS clients of each region and role.
//!
//! The clients do not retry calls, because `pending` schedules retries.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};

use crate::io::aws::{
    CALL_TIMEOUT, CallError, FailureKind, assume, classify, configuration, explain_role_failure,
    timeouts,
};
use crate::io::evidence::scope::AwsScope;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;

/// The AWS clients of one scope. A clone is cheap.
#[derive(Clone, Debug)]
pub(super) struct ScopeClients {
    pub(super) metrics: aws_sdk_cloudwatch::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
}

/// An AWS operation that reads evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    GetMetricData,
    FilterLogEvents,
}

/// The AWS clients of all scopes used so far, and the configuration from which clients are built.
#[derive(Debug)]
pub(super) struct ClientCache {
    base: Option<SdkConfig>,
    endpoint: Option<String>,
    metrics: DaemonMetrics,
    clients: tokio::sync::Mutex<HashMap<AwsScope, ScopeClients>>,
}

/// Maximum duration of an AWS operation. It allows one call for credentials and one attempt of the
/// operation itself.
const OPERATION_TIMEOUT: Duration = CALL_TIMEOUT.saturating_mul(2);

impl Operation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::GetMetricData => "GetMetricData",
            Self::FilterLogEvents => "FilterLogEvents",
        }
    }

    /// Returns the service prefix of IAM actions, such as `logs` in `logs:FilterLogEvents`.
    const fn service(self) -> &'static str {
        match self {
            Self::GetMetricData => "cloudwatch",
            Self::FilterLogEvents => "logs",
        }
    }
}

impl ClientCache {
    /// Creates an empty cache. `base` is an existing SDK configuration. If `base` is `None`, the
    /// SDK's default provider chain provides credentials and region.
    pub(super) fn new(
        settings: &Settings,
        base: Option<SdkConfig>,
        metrics: DaemonMetrics,
    ) -> Self {
        let endpoint = settings.evidence.endpoint_url.clone();
        Self {
            base,
            endpoint: endpoint.or_else(|| settings.cloudwatch.endpoint_url.clone()),
            metrics,
            clients: tokio::sync::Mutex::new(HashMap::new()),
        }
    }

    /// Creates an empty cache for new settings, with the same base configuration.
    pub(super) fn with_settings(&self, settings: &Settings) -> Self {
        Self::new(settings, self.base.clone(), self.metrics.clone())
    }

    /// Returns the clients of a scope. Builds the clients on first use. Returns an error if no
    /// region is known.
    pub(super) async fn get(&self, scope: &AwsScope) -> Result<ScopeClients, CallError> {
        let mut clients = self.clients.lock().await;
        if let Some(cached) = clients.get(scope) {
            return Ok(cached.clone());
        }
        let config = self.configuration(scope).await?;
        let built = ScopeClients {
            metrics: aws_sdk_cloudwatch::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
        };
        clients.insert(scope.clone(), built.clone());
        Ok(built)
    }

    async fn configuration(&self, scope: &AwsScope) -> Result<SdkConfig, CallError> {
        let config = configuration(self.base.as_ref(), scope.region.as_deref()).await;
        if config.region().map(Region::as_ref).is_none() {
            return Err(CallError {
                operation: "connect",
                kind: FailureKind::Denied,
                text: "no AWS region is known; set `aws.region` of the target, \
                       `cloudwatch.region` or the environment variable `AWS_REGION`"
                    .to_owned(),
            });
        }
        let limits = timeouts().to_builder().operation_timeout(OPERATION_TIMEOUT);
        let mut builder = config
            .into_builder()
            .timeout_config(limits.build())
            .retry_config(RetryConfig::disabled());
        if let Some(url) = &self.endpoint {
            builder = builder.endpoint_url(url);
        }
        let config = builder.build();
        Ok(match &scope.role {
            Some(role) => assume(config, role).await,
            None => config,
        })
    }

    /// Counts the outcome of an AWS call in the metrics. Converts an SDK error into a classified
    /// [`CallError`].
    pub(super) fn record_outcome<T, E>(
        &self,
        scope: &AwsScope,
        operation: Operation,
        result: Result<T, SdkError<E>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let result = result.map_err(|error| {
            let failure = classify(operation.service(), operation.name(), &error);
            explain_role_failure(scope.role.as_ref(), &error, failure)
        });
        let outcome = match &result {
            Ok(_) => "ok",
            Err(failure) => failure.kind.as_str(),
        };
        let requests = &self.metrics.evidence_requests;
        requests
            .with_label_values(&[operation.name(), outcome])
            .inc();
        result
    }
}
