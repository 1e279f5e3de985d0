//! Reads each account of `[[discovery.aws]]` repeatedly at its interval, and reloads the
//! configuration when the targets found in the account have changed.
//!
//! The accounts are read one after another. If an account cannot be read, its previous targets are
//! kept. If targets may be missing because an account was not read completely, new targets are
//! added, but no target is changed or removed.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::domain::discovery::{Discovery, discover, extended, render, same_targets};
use crate::engine::server::ReloadRequest;
use crate::io::aws::read::ReadError;
use crate::io::discovery::lists::TargetLists;
use crate::io::discovery::{Extent, Progress, Reading, connect, read};
use crate::model::settings::Settings;
use crate::model::settings::discovery::AwsSource;

/// Minimum time from the end of a reading to the next reading of the same account, in case a
/// reading takes longer than the interval.
const MIN_PAUSE: Duration = Duration::from_secs(30);

/// Reads AWS accounts. Tests replace the implementation.
trait ReadAccount: Send + Sync + 'static {
    /// Reads the resources of an account that targets depend on. `settings` contains the URL of an
    /// emulator, if one is used.
    fn read(
        &self,
        source: &AwsSource,
        settings: &Settings,
    ) -> impl Future<Output = Result<Reading, ReadError>> + Send;
}

/// Reads accounts from AWS with this SDK configuration; `None` means the configuration from the
/// SDK's default chain.
struct Aws(Option<SdkConfig>);

/// The task that finds targets in AWS accounts.
struct Discoverer<R> {
    reader: R,
    lists: TargetLists,
    settings: watch::Receiver<Arc<Settings>>,
    reload: mpsc::Sender<ReloadRequest>,
    sources: BTreeMap<AwsSource, SourceState>,
}

/// The schedule and the state of one account.
struct SourceState {
    interval: Duration,
    /// The time of the next reading.
    due: Instant,
    /// The problem of the last reading, which was logged; `None` if there was no problem.
    problem: Option<String>,
    /// Whether the list has changed, and no reload has applied it yet.
    must_reload: bool,
}

/// Starts the task. Returns the channel for new settings, and the task, which ends when the channel
/// is closed.
pub(super) fn start(
    aws: Option<SdkConfig>,
    lists: TargetLists,
    settings: Arc<Settings>,
    reload: mpsc::Sender<ReloadRequest>,
) -> (watch::Sender<Arc<Settings>>, JoinHandle<()>) {
    let (sender, receiver) = watch::channel(settings);
    let discoverer = Discoverer::new(Aws(aws), lists, receiver, reload);
    (sender, tokio::spawn(discoverer.run()))
}

impl ReadAccount for Aws {
    async fn read(&self, source: &AwsSource, settings: &Settings) -> Result<Reading, ReadError> {
        let endpoint = settings.evidence.endpoint_url.as_deref();
        let endpoint = endpoint.or(settings.cloudwatch.endpoint_url.as_deref());
        let extent = Extent::Targets;
        let reader = Box::pin(connect(source, extent, self.0.as_ref(), endpoint)).await?;
        let progress = watch::Sender::new(Progress::default());
        Ok(Box::pin(read(&reader, source, extent, &progress)).await)
    }
}

impl<R: ReadAccount> Discoverer<R> {
    fn new(
        reader: R,
        lists: TargetLists,
        settings: watch::Receiver<Arc<Settings>>,
        reload: mpsc::Sender<ReloadRequest>,
    ) -> Self {
        Self {
            reader,
            lists,
            settings,
            reload,
            sources: BTreeMap::new(),
        }
    }

    /// Reads each account when it is due, until the channel of the settings is closed.
    async fn run(mut self) {
        loop {
            self.apply_settings();
            let next = self.sources.iter().min_by_key(|(_, state)| state.due);
            let Some((source, due)) = next.map(|(source, state)| (source.clone(), state.due))
            else {
                if self.settings.changed().await.is_err() {
                    return;
                }
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(due) => self.look(&source).await,
                changed = self.settings.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    /// Adds and removes accounts, and changes their intervals, according to the newest settings. A
    /// new account is due at once.
    fn apply_settings(&mut self) {
        let settings = Arc::clone(&self.settings.borrow_and_update());
        let mut before = std::mem::take(&mut self.sources);
        for one in &settings.discovery {
            let state = before.remove(&one.source);
            let mut state = state.unwrap_or_else(|| SourceState {
                interval: one.interval,
                due: Instant::now(),
                problem: None,
                must_reload: false,
            });
            state.interval = one.interval;
            state.due = state.due.min(Instant::now() + one.interval);
            self.sources.insert(one.source.clone(), state);
        }
    }

    /// Reads an account, stores the list of its targets, and reloads the configuration if the list
    /// has changed or if the reload for an earlier change failed.
    async fn look(&mut self, source: &AwsSource) {
        let started = Instant::now();
        let settings = Arc::clone(&self.settings.borrow());
        let result = self.reader.read(source, &settings).await;
        let (problem, has_changed) = match result {
            Ok(reading) => {
                let problem = problem(&reading);
                (problem, self.store(source, &reading).await)
            }
            Err(error) => (
                Some(format!("{error}; the previous targets are kept")),
                false,
            ),
        };
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
        state.due = (started + state.interval).max(Instant::now() + MIN_PAUSE);
        if state.problem != problem {
            let region = source.region.as_str();
            match &problem {
                Some(problem) => tracing::warn!(region, "discovery is not complete: {problem}"),
                None => tracing::info!(region, "discovery is complete again"),
            }
            state.problem = problem;
        }
        state.must_reload |= has_changed;
        if state.must_reload {
            tracing::info!(
                region = source.region.as_str(),
                "the discovered targets have changed, reloading the configuration"
            );
            state.must_reload = !reload(&self.reload).await;
        }
    }

    /// Stores a new list of targets if its targets differ from those of the previous list, or if
    /// there is no previous list. Returns whether this was the case. An incomplete reading only
    /// adds targets to the previous list.
    async fn store(&self, source: &AwsSource, reading: &Reading) -> bool {
        let (lists, source) = (self.lists.clone(), source.clone());
        let (list, complete) = (list(reading), reading.complete);
        let stored = tokio::task::spawn_blocking(move || {
            let region = source.region.as_str();
            let old = match lists.read(&source) {
                Ok(old) => old,
                Err(error) => {
                    tracing::warn!(
                        region, %error, "cannot read the targets that were found earlier"
                    );
                    // Targets may be missing, so the list must not be replaced.
                    if !complete {
                        return false;
                    }
                    None
                }
            };
            let new = match &old {
                Some(old) if !complete => extended(old, &list),
                _ => list,
            };
            if old.is_some_and(|old| same_targets(&old, &new)) {
                return false;
            }
            if let Err(error) = lists.replace(&source, &new) {
                tracing::warn!(region, %error, "cannot store the targets that were found");
            }
            true
        });
        stored.await.unwrap_or(false)
    }
}

/// Returns the targets to probe as TOML, without targets that are only proposed.
fn list(reading: &Reading) -> String {
    let found = discover(&reading.account);
    render(&Discovery {
        proposals: Vec::new(),
        notes: Vec::new(),
        not_read: Vec::new(),
        ..found
    })
}

/// Returns a message that says what was not read and what the consequence is; `None` if everything
/// was read.
fn problem(reading: &Reading) -> Option<String> {
    let not_read = &reading.account.not_read;
    let reasons = (!not_read.is_empty()).then(|| not_read.join("; "))?;
    Some(if reading.complete {
        reasons
    } else {
        format!("{reasons}; until this can be read, targets are added, but not changed or removed")
    })
}

/// Reloads the configuration. Returns whether it was accepted; the reload itself logs the reason if
/// it was not.
async fn reload(requests: &mpsc::Sender<ReloadRequest>) -> bool {
    let (reply, result) = oneshot::channel();
    requests.send(reply).await.is_ok() && matches!(result.await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests;
