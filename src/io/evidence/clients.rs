//! Builds and caches the AWS clients of each region and role.
//!
//! The clients do not retry calls, because `pending` schedules retries. The readers of all scopes
//! share one HTTP client and its rate limits, also after a change of the settings.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::{Mutex, OnceCell};

use crate::io::aws::read::{AwsReader, RateLimits, ReadError, Transport};
use crate::io::aws::{
    CALL_TIMEOUT, CallError, FailureKind, assume, classify, configuration, explain_role_failure,
    timeouts,
};
use crate::io::evidence::operation::Operation;
use crate::io::evidence::scope::AwsScope;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;

/// The AWS clients of one scope. A clone is cheap.
#[derive(Clone, Debug)]
pub(super) struct ScopeClients {
    pub(super) metrics: aws_sdk_cloudwatch::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
}

/// The AWS clients of all scopes used so far, and the configuration from which clients are built.
#[derive(Debug)]
pub(super) struct ClientCache {
    base: Option<SdkConfig>,
    endpoint: Option<String>,
    metrics: DaemonMetrics,
    clients: Mutex<HashMap<AwsScope, ScopeClients>>,
    readers: Mutex<HashMap<AwsScope, Arc<AwsReader>>>,
    /// The HTTP client of all readers. Created on first use, because its creation reads
    /// certificates.
    transport: Arc<OnceCell<Transport>>,
}

/// Maximum duration of an AWS operation. It allows one call for credentials and one attempt of the
/// operation itself.
const OPERATION_TIMEOUT: Duration = CALL_TIMEOUT.saturating_mul(2);

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
            clients: Mutex::new(HashMap::new()),
            readers: Mutex::new(HashMap::new()),
            transport: Arc::default(),
        }
    }

    /// Creates an empty cache for new settings, with the same base configuration and rate limits.
    pub(super) fn with_settings(&self, settings: &Settings) -> Self {
        Self {
            transport: Arc::clone(&self.transport),
            ..Self::new(settings, self.base.clone(), self.metrics.clone())
        }
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

    /// Returns the reader of a scope. Builds the reader on first use. Returns an error if no region
    /// is known or the reader cannot be built.
    pub(super) async fn reader(&self, scope: &AwsScope) -> Result<Arc<AwsReader>, CallError> {
        let mut readers = self.readers.lock().await;
        if let Some(reader) = readers.get(scope) {
            return Ok(Arc::clone(reader));
        }
        let config = self.configuration(scope).await?;
        let create = || async { Transport::new(Arc::new(RateLimits::default())) };
        let transport = self.transport.get_or_try_init(create).await;
        let transport = transport.map_err(|error| connect_error(&error))?.clone();
        let role = scope.role.as_ref().map(|role| role.arn.as_str());
        let reader = AwsReader::new(transport, &config, role);
        let reader = Arc::new(reader.map_err(|error| connect_error(&error))?);
        readers.insert(scope.clone(), Arc::clone(&reader));
        Ok(reader)
    }

    /// Returns the SDK configuration of a scope, without a call to AWS. Returns an error if no
    /// region is known.
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
        self.count(operation, outcome);
        result
    }

    /// Counts the outcome of a read in the metrics. Converts an error into a [`CallError`].
    pub(super) fn record_read<T>(
        &self,
        operation: Operation,
        result: Result<T, ReadError>,
    ) -> Result<T, CallError> {
        let result = result.map_err(|error| CallError {
            operation: operation.name(),
            kind: error.kind(),
            text: error.to_string(),
        });
        let outcome = result.as_ref().err().map(|failure| failure.kind.as_str());
        self.count(operation, outcome.unwrap_or("ok"));
        result
    }

    fn count(&self, operation: Operation, outcome: &str) {
        let requests = &self.metrics.evidence_requests;
        requests
            .with_label_values(&[operation.name(), outcome])
            .inc();
    }
}

/// Converts the error from building a reader to the error of the call that needs the reader.
fn connect_error(error: &ReadError) -> CallError {
    CallError {
        operation: "connect",
        kind: error.kind(),
        text: error.to_string(),
    }
}
