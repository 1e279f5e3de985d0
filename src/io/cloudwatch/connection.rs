//! A connection to CloudWatch that is established on demand.
//!
//! The connection is renewed when the settings change. A failure is logged only once until the
//! operation succeeds again, so that a missing permission does not fill the log.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use prometheus::IntCounterVec;
use tracing::{error, info};

use crate::domain::alarm::destination::DestinationView;
use crate::io::aws::{CallError, FailureKind};
use crate::io::cloudwatch::client::Api;
use crate::model::settings::CloudWatchSettings;

/// A connection to CloudWatch that is established when it is first needed.
#[derive(Debug)]
pub struct Connection {
    base: Option<SdkConfig>,
    /// The counter of calls by operation and outcome.
    requests: IntCounterVec,
    /// The clients, with the settings from which the clients were built; `None` until clients were
    /// built for the first time.
    connected: tokio::sync::Mutex<Option<(CloudWatchSettings, Api)>>,
    /// Operations that currently fail, with the kind of the failure that was logged.
    logged: Mutex<HashSet<(&'static str, FailureKind)>>,
}

impl Connection {
    /// Creates a connection that is not yet established. The credentials come from `base`, or from
    /// the SDK's default chain if `base` is `None`.
    #[must_use]
    pub fn new(base: Option<SdkConfig>, requests: IntCounterVec) -> Arc<Self> {
        Arc::new(Self {
            base,
            requests,
            connected: tokio::sync::Mutex::new(None),
            logged: Mutex::new(HashSet::new()),
        })
    }

    /// Returns the clients for the settings of `view`. Builds the clients if they do not exist or
    /// if the settings have changed.
    ///
    /// # Errors
    /// Returns an error if no region is known.
    pub async fn api(&self, view: &DestinationView) -> Result<Api, CallError> {
        let settings = &view.cloudwatch;
        let mut connected = self.connected.lock().await;
        if let Some((for_settings, api)) = &*connected
            && for_settings.region == settings.region
            && for_settings.role == settings.role
            && for_settings.endpoint_url == settings.endpoint_url
        {
            return Ok(api.clone());
        }
        let api = Api::connect(view, self.base.as_ref(), Some(self.requests.clone())).await;
        if let Ok(api) = &api {
            self.succeeded("connect");
            *connected = Some((settings.clone(), api.clone()));
        }
        api
    }

    /// Logs a failure, unless a failure of the same operation and kind was logged since the
    /// operation last succeeded.
    pub fn failed(&self, failure: &CallError) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.insert((failure.operation, failure.kind)) {
            let reaction = match failure.kind {
                // The same request would be rejected again.
                FailureKind::Rejected => "continues",
                _ => "continues and retries",
            };
            error!(
                operation = failure.operation,
                outcome = failure.kind.as_str(),
                "cloudwatch: {}; the daemon {reaction}",
                failure.text
            );
        }
    }

    /// Logs that an operation succeeds again, if its failure was logged.
    pub fn succeeded(&self, operation: &'static str) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let before = logged.len();
        logged.retain(|(failing, _)| *failing != operation);
        if logged.len() < before {
            info!(operation, "cloudwatch: operation succeeded again");
        }
    }
}
