//! Reloads the configuration of a running daemon.
//!
//! Reload requests are queued and processed one at a time. An invalid configuration changes nothing
//! except the metric that reports the failed reload.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Configuration, shard};
use crate::engine::monitor::{ConfigChange, Outbox};
use crate::engine::scheduler::Command;
use crate::engine::server::{ReloadRequest, ServerState};
use crate::io::config;
use crate::io::discovery::lists::TargetLists;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;

/// The task that reloads the configuration.
pub(super) struct Reloader {
    pub(super) path: Option<PathBuf>,
    pub(super) running: Arc<Settings>,
    pub(super) configure: mpsc::Sender<Configuration>,
    pub(super) metrics: DaemonMetrics,
    pub(super) server: ServerState,
    pub(super) outbox: Outbox,
    /// The lists of the targets that were found in AWS accounts.
    pub(super) lists: TargetLists,
    /// Sends each applied configuration to the task that finds targets in AWS accounts.
    pub(super) discovery: watch::Sender<Arc<Settings>>,
}

/// The error message of a reload that is interrupted by the shutdown of the daemon.
pub(super) const STOPPING: &str = "the daemon is stopping";

impl Reloader {
    /// Applies the initial configuration and reports that the daemon is ready. Then processes
    /// reload requests until the channel closes.
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
        self.report_ready();
        while let Some(reply) = requests.recv().await {
            self.outbox.sd_notify.reloading();
            let result = self.reload().await;
            self.metrics
                .config_reload_successful
                .set(i64::from(result.is_ok()));
            match &result {
                Ok(summary) => tracing::info!("configuration reloaded: {summary}"),
                Err(error) => {
                    tracing::error!("reload failed, keeping the previous configuration: {error}");
                }
            }
            // After a failed reload, the daemon is ready with the previous configuration.
            self.report_ready();
            // The send fails if the requester has stopped waiting.
            let _ = reply.send(result);
        }
    }

    fn report_ready(&self) {
        let status = self.outbox.sinks.board.summary();
        self.outbox.sd_notify.ready(&status);
    }

    async fn reload(&mut self) -> Result<String, String> {
        let mut settings = self.read().await?;
        let deferred = changes_needing_restart(&self.running, &settings);
        keep_until_restart(&self.running, &mut settings);
        let settings = Arc::new(settings);
        let (total, rules) = (settings.targets.len(), settings.rules.len());
        let change = self.apply(settings).await?;
        let ConfigChange {
            added,
            changed,
            removed,
        } = change;
        let plural = |count| if count == 1 { "" } else { "s" };
        let mut summary = format!(
            "{total} target{} ({added} added, {changed} changed, {removed} removed)",
            plural(total)
        );
        if rules > 0 {
            summary.push_str(&format!("; {rules} file{} of custom rules", plural(rules)));
        }
        if !deferred.is_empty() {
            summary.push_str("; restart the daemon to apply: ");
            summary.push_str(&deferred.join(", "));
        }
        Ok(summary)
    }

    async fn read(&self) -> Result<Settings, String> {
        let Some(path) = self.path.clone() else {
            return Err("the daemon was started without a configuration file; \
                        restart it with `probecause run --config FILE`"
                .to_owned());
        };
        let lists = self.lists.clone();
        let read = move || load(&path, &lists);
        match tokio::task::spawn_blocking(read).await {
            Ok(result) => result,
            Err(error) => Err(format!(
                "loading the configuration failed: {error}; this is a bug, please report it"
            )),
        }
    }

    async fn apply(&mut self, settings: Arc<Settings>) -> Result<ConfigChange, String> {
        self.server
            .configure(&settings.server)
            .map_err(|error| error.to_string())?;
        let (reply, result) = oneshot::channel();
        let stopping = || STOPPING.to_owned();
        let configuration = (Arc::clone(&settings), reply);
        self.configure
            .send(configuration)
            .await
            .map_err(|_| stopping())?;
        let change = result.await.map_err(|_| stopping())?;
        // The scheduler is configured after the monitor, because the monitor ignores the results of
        // targets that are not configured.
        let max_in_flight = settings.scheduler.max_in_flight;
        let command = Command::Configure(settings.targets.clone(), max_in_flight);
        self.outbox
            .scheduler
            .send(command)
            .await
            .map_err(|_| stopping())?;
        self.discovery.send_replace(Arc::clone(&settings));
        self.running = settings;
        self.metrics.config_reload_successful.set(1);
        self.metrics
            .config_reload_time
            .set(Timestamp::now().as_duration().as_secs_f64());
        Ok(change)
    }
}

fn load(path: &Path, lists: &TargetLists) -> Result<Settings, String> {
    let loaded = config::load_with(path, &|source| lists.get(source));
    let loaded = loaded.map_err(|error| error.to_string())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    shard::restrict(loaded.settings).map_err(|error| error.to_string())
}

/// Returns the names of the changed settings that take effect only after a restart. For example, a
/// new location would need time series with other labels.
fn changes_needing_restart(running: &Settings, wanted: &Settings) -> Vec<&'static str> {
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

/// Resets the settings that need a restart to the running values. If a new location were applied
/// only in part, datapoints would be published under the new location, and the alarms of the old
/// location would get no data.
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
    fn settings_that_need_a_restart_are_named_and_kept() {
        let running = Settings::default();
        let mut wanted = running.clone();
        wanted.scheduler.max_in_flight = 7;
        assert!(changes_needing_restart(&running, &wanted).is_empty());
        wanted.server.listen = ([127, 0, 0, 1], 1).into();
        wanted.log.level = "debug".to_owned();
        assert_eq!(
            changes_needing_restart(&running, &wanted),
            ["server.listen", "[log]"]
        );
        wanted.location = "elsewhere".to_owned();
        keep_until_restart(&running, &mut wanted);
        assert_eq!(wanted.scheduler.max_in_flight, 7);
        wanted.scheduler = running.scheduler.clone();
        assert_eq!(wanted, running);
    }
}
