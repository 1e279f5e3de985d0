//! Starts and stops the demo's daemon, and converts the states of its targets to table rows. Only
//! this module of the demo depends on `engine`.

use std::collections::HashMap;
use std::net::SocketAddr;

use aws_config::SdkConfig;
use jiff::Timestamp;

use super::Row;
use super::plan::EVIDENCE_DELAY;
use crate::domain::health::HealthState;
use crate::domain::incident::Incident;
use crate::engine::app::{App, Options};
use crate::io::sd_notify::SdNotify;
use crate::io::sink::page::TargetView;
use crate::model::observation::Phases;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

/// The running daemon of the demo.
#[derive(Debug)]
pub(super) struct Daemon {
    app: App,
    /// The targets' names in the order of the configuration and of the table.
    names: Vec<TargetName>,
    started: Timestamp,
}

impl Daemon {
    /// Starts the daemon. `aws` is the SDK's configuration for the simulated AWS services.
    ///
    /// # Errors
    /// Returns an error if the daemon cannot start.
    pub(super) async fn start(settings: Settings, aws: SdkConfig) -> Result<Self, String> {
        let names = settings.targets.iter().map(|target| target.name.clone());
        let names = names.collect();
        let options = Options {
            settings,
            reload_from: None,
            aws: Some(aws),
            first_log_search: EVIDENCE_DELAY,
            // The demo stores no state, so that it leaves no files behind.
            state: None,
            sd_notify: SdNotify::default(),
        };
        let app = App::start(options)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self {
            app,
            names,
            started: Timestamp::now(),
        })
    }

    /// Returns the address at which the page and the metrics are served.
    pub(super) const fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// Returns the current row of every target, in the order of the configuration.
    pub(super) fn rows(&self) -> Vec<Row> {
        let views = self.app.board().targets();
        let views = views
            .into_iter()
            .map(|view| (view.target.name.clone(), view));
        let views: HashMap<TargetName, TargetView> = views.collect();
        self.names
            .iter()
            .map(|name| self.row(name, views.get(name)))
            .collect()
    }

    /// Stops the daemon.
    pub(super) async fn stop(self) {
        self.app.stop().await;
    }

    fn row(&self, name: &TargetName, view: Option<&TargetView>) -> Row {
        let report = view.and_then(|view| view.report.as_deref());
        let showing = report.and_then(|report| report.showing.as_deref());
        let incident = report.and_then(|report| report.incident.as_deref());
        Row {
            target: name.clone(),
            probed: report.is_some(),
            health: report.map_or(HealthState::Unknown, |report| report.health),
            since: report.map_or(self.started, |report| report.since),
            cause: showing.map(|verdict| verdict.cause.clone()),
            certainty: showing.map(|verdict| verdict.certainty),
            change: incident.and_then(best_change),
            phases: report.map_or_else(Phases::default, |report| report.observation.phases),
        }
    }
}

/// Returns a summary of the change in the account that fits the cause of the incident best; `None`
/// if no change fits.
fn best_change(incident: &Incident) -> Option<String> {
    let fitting = incident.changes.fitting(&incident.verdict.cause);
    fitting.first().map(|change| change.summary())
}
