//! The shared way to CloudWatch of the sender and the keeper: connected when first
//! needed, connected anew when the settings change, and its troubles told once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use tracing::{error, info};

use crate::domain::alarm::destination::DestinationView;
use crate::io::sink::cloudwatch::client::{Api, CallError, FailureKind};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::CloudWatchSettings;

/// A connection that is made when it is needed.
#[derive(Debug)]
pub(super) struct Link {
    base: Option<SdkConfig>,
    metrics: DaemonMetrics,
    connected: tokio::sync::Mutex<Option<(CloudWatchSettings, Api)>>,
    /// Operations whose present trouble has been told.
    told: Mutex<HashSet<(&'static str, FailureKind)>>,
}

impl Link {
    pub(super) fn new(base: Option<SdkConfig>, metrics: DaemonMetrics) -> Arc<Self> {
        Arc::new(Self {
            base,
            metrics,
            connected: tokio::sync::Mutex::new(None),
            told: Mutex::new(HashSet::new()),
        })
    }

    /// The connection for these settings.
    pub(super) async fn api(&self, view: &DestinationView) -> Result<Api, CallError> {
        let settings = &view.cloudwatch;
        let mut connected = self.connected.lock().await;
        if let Some((for_settings, api)) = &*connected
            && for_settings.region == settings.region
            && for_settings.role == settings.role
            && for_settings.endpoint_url == settings.endpoint_url
        {
            return Ok(api.clone());
        }
        let api = Api::connect(view, self.base.as_ref(), Some(self.metrics.clone())).await;
        if let Ok(api) = &api {
            self.well("connect");
            *connected = Some((settings.clone(), api.clone()));
        }
        api
    }

    /// Tells of a failure, once until the operation works again: a daemon without
    /// permission must not fill its log.
    pub(super) fn trouble(&self, failure: &CallError) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert((failure.operation, failure.kind)) {
            error!(
                operation = failure.operation,
                outcome = failure.kind.as_str(),
                "cloudwatch: {}; the daemon goes on and tries again",
                failure.text
            );
        }
    }

    /// An operation works.
    pub(super) fn well(&self, operation: &'static str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.len();
        told.retain(|(failing, _)| *failing != operation);
        if told.len() < before {
            info!(operation, "cloudwatch: works again");
        }
    }
}
