//! Takes a new configuration into a running daemon, or refuses it and says why.
//!
//! One at a time: requests queue. A bad file changes nothing but the metric that tells.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Configuration, share};
use crate::engine::monitor::ConfigChange;
use crate::engine::scheduler::Command;
use crate::engine::server::{ReloadRequest, ServerState};
use crate::io::config;
use crate::io::sd_notify::SdNotify;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::sink::page::StatusBoard;
use crate::model::settings::Settings;

/// The reloading task.
pub(super) struct Reloader {
    pub(super) path: Option<PathBuf>,
    pub(super) running: Arc<Settings>,
    pub(super) configure: mpsc::Sender<Configuration>,
    pub(super) scheduler: mpsc::Sender<Command>,
    pub(super) metrics: DaemonMetrics,
    pub(super) server: ServerState,
    pub(super) sd_notify: SdNotify,
    pub(super) board: Arc<StatusBoard>,
}

const ENDING: &str = "the daemon is ending";

impl Reloader {
    /// Puts the first configuration to work, says that the daemon is ready, then serves
    /// requests until nobody can send one.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<ReloadRequest>,
        ready: watch::Sender<bool>,
    ) {
        let first = Arc::clone(&self.running);
        if self.apply(first).await.is_err() {
            return;
        }
        ready.send_replace(true);
        self.sd_notify.ready(&self.board.summary());
        while let Some(answer) = requests.recv().await {
            self.sd_notify.reloading();
            let result = self.reload().await;
            self.metrics
                .config_reload_successful
                .set(i64::from(result.is_ok()));
            match &result {
                Ok(summary) => tracing::info!("configuration reloaded: {summary}"),
                Err(why) => tracing::error!("configuration refused, the old one goes on: {why}"),
            }
            // Refused or not: the daemon does its work, on the one or the other.
            self.sd_notify.ready(&self.board.summary());
            // Whoever asked may have gone.
            let _ = answer.send(result);
        }
    }

    async fn reload(&mut self) -> Result<String, String> {
        let mut settings = self.read().await?;
        let restart = needs_restart(&self.running, &settings);
        keep_until_restart(&self.running, &mut settings);
        let settings = Arc::new(settings);
        let (total, rules) = (settings.targets.len(), settings.rules.len());
        let change = self.apply(settings).await?;
        let ConfigChange {
            added,
            changed,
            removed,
        } = change;
        let mut summary =
            format!("{total} targets ({added} added, {changed} changed, {removed} removed)");
        if rules > 0 {
            let plural = if rules == 1 { "" } else { "s" };
            summary.push_str(&format!("; {rules} file{plural} of own rules"));
        }
        if !restart.is_empty() {
            summary.push_str("; takes effect after a restart only: ");
            summary.push_str(&restart.join(", "));
        }
        Ok(summary)
    }

    async fn read(&self) -> Result<Settings, String> {
        let Some(path) = self.path.clone() else {
            return Err("this daemon was started without a configuration file".to_owned());
        };
        let read = move || load(&path);
        match tokio::task::spawn_blocking(read).await {
            Ok(result) => result,
            Err(error) => Err(format!("reading the configuration crashed: {error}")),
        }
    }

    async fn apply(&mut self, settings: Arc<Settings>) -> Result<ConfigChange, String> {
        self.server
            .configure(&settings.server)
            .map_err(|error| error.to_string())?;
        let (done, answered) = oneshot::channel();
        let ending = || ENDING.to_owned();
        let configuration = (Arc::clone(&settings), done);
        self.configure
            .send(configuration)
            .await
            .map_err(|_| ending())?;
        let change = answered.await.map_err(|_| ending())?;
        // The scheduler comes second: the monitor must know a target before its first
        // result arrives.
        let max_in_flight = settings.scheduler.max_in_flight;
        let command = Command::Configure(settings.targets.clone(), max_in_flight);
        self.scheduler.send(command).await.map_err(|_| ending())?;
        self.running = settings;
        self.metrics.config_reload_successful.set(1);
        self.metrics
            .config_reload_time
            .set(Timestamp::now().as_duration().as_secs_f64());
        Ok(change)
    }
}

fn load(path: &Path) -> Result<Settings, String> {
    let loaded = config::load(path).map_err(|error| error.to_string())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    share::of_this_daemon(loaded.settings).map_err(|error| error.to_string())
}

/// What is read once, at start: changing it under way would need new sockets, a new
/// resolver, or series that change their identity.
fn needs_restart(running: &Settings, wanted: &Settings) -> Vec<&'static str> {
    let differs = [
        ("location", running.location != wanted.location),
        (
            "server.listen",
            running.server.listen != wanted.server.listen,
        ),
        ("[resolver]", running.resolver != wanted.resolver),
        ("[log]", running.log != wanted.log),
    ];
    let names = differs.into_iter().filter(|(_, differs)| *differs);
    names.map(|(name, _)| name).collect()
}

/// What is read once stays as it is: half of a new location would silence the alarms of the
/// old one, and file its datapoints under the new.
fn keep_until_restart(running: &Settings, wanted: &mut Settings) {
    wanted.location.clone_from(&running.location);
    wanted.server.listen = running.server.listen;
    wanted.resolver = running.resolver.clone();
    wanted.log = running.log.clone();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart_is_named() {
        let running = Settings::default();
        let mut wanted = running.clone();
        wanted.scheduler.max_in_flight = 7;
        assert!(needs_restart(&running, &wanted).is_empty());
        wanted.server.listen = ([127, 0, 0, 1], 1).into();
        wanted.log.level = "debug".to_owned();
        assert_eq!(needs_restart(&running, &wanted), ["server.listen", "[log]"]);
        wanted.location = "elsewhere".to_owned();
        keep_until_restart(&running, &mut wanted);
        assert_eq!(wanted.scheduler.max_in_flight, 7);
        wanted.scheduler = running.scheduler.clone();
        assert_eq!(wanted, running, "the rest waits for the restart");
    }
}
