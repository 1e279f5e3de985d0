//! Creates and connects the daemon's components, detects a task that exits, and shuts the daemon
//! down in order.
//!
//! This module makes no decisions about targets. An error at startup, such as a port in use, is
//! returned with a message for the user. An error of a sink or a target does not stop a running
//! daemon.

mod connections;
mod discovery;
mod probe_runtime;
mod reload;
mod shard;
pub mod state_dir;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use self::connections::Connections;
use crate::domain::diagnosis::rulebook::{Rulebook, RulebookError};
use crate::domain::shard::IndexError;
use crate::engine::monitor::{ConfigChange, Monitor, Outbox};
use crate::engine::scheduler::{Command, Probe, Scheduler};
use crate::engine::server::{self, ReloadRequest, ServerState};
use crate::io::discovery::lists::TargetLists;
use crate::io::probe::{Prober, ProberError};
use crate::io::sd_notify::SdNotify;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::sink::page::StatusBoard;
use crate::io::store::{RestoredState, Store};
use crate::io::web_access::TlsError;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::target::Target;

/// The options for starting a daemon.
#[derive(Debug)]
pub struct Options {
    /// The daemon's configuration.
    pub settings: Settings,
    /// The configuration file that a reload reads. `None` means that the configuration cannot be
    /// reloaded.
    pub reload_from: Option<PathBuf>,
    /// The SDK configuration with credentials and region for AWS. `None` means the SDK's default
    /// provider chain.
    pub aws: Option<SdkConfig>,
    /// The time from the end of a failed request to the first search for its lines in AWS logs.
    pub first_log_search: Duration,
    /// The directory for incidents, baselines and unsent datapoints. `None` means that this state
    /// is lost when the process ends.
    pub state: Option<PathBuf>,
    /// The connection to the service manager. The default value sends nothing.
    pub sd_notify: SdNotify,
}

/// An error that prevents the daemon from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The rules are invalid. Invalid custom rules are normally reported when the configuration is
    /// loaded, and tests validate the embedded rules.
    #[error("{0}")]
    Rulebook(#[from] RulebookError),
    /// The metrics could not be registered, for example because two have the same name. This is a
    /// bug.
    #[error("cannot register the metrics: {0}; this is a bug, please report it")]
    Metrics(#[from] prometheus::Error),
    /// The prober could not be created.
    #[error("{0}")]
    Prober(#[from] ProberError),
    /// The daemon's HTTP server could not bind its address.
    #[error(
        "cannot listen on {address} ([server] listen): {source}; \
         set `listen` to another address or port of this host, or stop the process that uses \
         {address}"
    )]
    Listen {
        /// The configured address of the HTTP server.
        address: SocketAddr,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The TLS settings of the daemon's HTTP server are invalid. Such an error is normally reported
    /// when the configuration is loaded.
    #[error("[server] web_config: {0}")]
    Tls(#[from] TlsError),
    /// The index of this daemon's shard cannot be determined.
    #[error("{0}")]
    Shard(#[from] IndexError),
    /// The threads for the probes could not be created.
    #[error("cannot create threads for probes: {0}; raise `ulimit -u` or the cgroup's `pids.max`")]
    Threads(std::io::Error),
}

/// A running daemon.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    outbox: Outbox,
    store: Store,
    reload: mpsc::Sender<ReloadRequest>,
    grace: Duration,
    stop_server: watch::Sender<bool>,
    scheduler: JoinHandle<()>,
    monitor: JoinHandle<()>,
    reloader: JoinHandle<()>,
    discovery: JoinHandle<()>,
    server: JoinHandle<()>,
}

/// A configuration for the monitor, with the channel for the monitor's reply.
type Configuration = (Arc<Settings>, oneshot::Sender<ConfigChange>);

/// Time limit at shutdown for sending the queued CloudWatch datapoints, once the probes have ended.
/// With the default `shutdown_grace` for the probes, a shutdown takes much less than 30 s, the
/// default termination grace period of Kubernetes.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit at shutdown for closing the connections of the HTTP server. Also the time limit for
/// ending the evidence task and the task that searches for account changes. The limit is short,
/// because clients can repeat their requests and these tasks have no state to save.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

impl App {
    /// Starts a daemon. Returns once its tasks run and its HTTP server accepts connections.
    ///
    /// # Errors
    /// Returns a [`StartError`] if the daemon cannot start. The error's text is a message for the
    /// user.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let settings = Arc::new(shard::restrict(options.settings)?);
        let metrics = DaemonMetrics::new()?;
        let (store, restored) = open_store(options.state.as_deref(), &metrics).await;
        let rulebook = Rulebook::with(&settings.rules)?;
        let prober = Prober::new(&settings.resolver)?;
        let (listener, address) = listen(settings.server.listen).await?;
        let Connections {
            inbox,
            outbox,
            emissions,
            commands,
            configure,
        } = connections::start(
            (options.aws.clone(), options.first_log_search),
            options.sd_notify,
            &settings,
            &metrics,
            (&prober, &store),
        );
        let (reload, reload_requests) = mpsc::channel(1);
        let (stop_server, stop_requested) = watch::channel(false);
        let (prometheus, board) = (&outbox.sinks.prometheus, &outbox.sinks.board);
        let (prometheus, board) = (Arc::clone(prometheus), Arc::clone(board));
        let server = ServerState::new(prometheus, board, reload.clone(), &settings.server)?;
        let scheduler = Scheduler::new(prober, emissions, metrics.clone());
        let lists = TargetLists::new(options.state.as_deref());
        let (found, discovery) = discovery::start(
            options.aws,
            lists.clone(),
            Arc::clone(&settings),
            reload.clone(),
        );
        let reloader = reload::Reloader {
            path: options.reload_from,
            running: Arc::clone(&settings),
            configure,
            metrics,
            server: server.clone(),
            outbox: outbox.clone(),
            lists,
            discovery: found,
        };
        let monitor = Monitor::new(rulebook, outbox.clone(), store.clone(), restored);
        let scheduler = probe_runtime::spawn(&settings, scheduler.run(commands));
        Ok(Self {
            address,
            outbox,
            store,
            reload,
            grace: settings.scheduler.shutdown_grace,
            stop_server,
            scheduler: scheduler.map_err(StartError::Threads)?,
            monitor: tokio::spawn(monitor.run(inbox)),
            reloader: tokio::spawn(reloader.run(reload_requests, server.readiness())),
            discovery,
            server: tokio::spawn(server::serve(listener, server, is_true(stop_requested))),
        })
    }

    /// Returns the address on which the daemon's HTTP server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the status board, which contains the newest result of every target.
    #[must_use]
    pub fn board(&self) -> Arc<StatusBoard> {
        Arc::clone(&self.outbox.sinks.board)
    }

    /// Reloads the configuration, as `POST /-/reload` does, and returns a summary.
    ///
    /// # Errors
    /// Returns the reason if the configuration was rejected or the daemon is stopping. The previous
    /// configuration then stays in effect.
    pub async fn reload(&self) -> Result<String, String> {
        let (reply, result) = oneshot::channel();
        let stopping = || reload::STOPPING.to_owned();
        self.reload.send(reply).await.map_err(|_| stopping())?;
        result.await.map_err(|_| stopping())?
    }

    /// Waits until a background task exits unexpectedly, and returns the name of the task.
    pub async fn exited_task(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.scheduler => "scheduler",
            _ = &mut self.monitor => "monitor",
            _ = &mut self.server => "server",
            _ = &mut self.reloader => "reloader",
            _ = &mut self.discovery => "discovery",
            () = self.outbox.sinks.cloudwatch.ended() => "CloudWatch sink",
            () = self.outbox.follow_ups.ended() => "follow-up requests",
            () = self.outbox.evidence.ended() => "evidence",
            () = self.outbox.changes.ended() => "account changes",
            () = self.store.ended() => "store",
        }
    }

    /// Stops the daemon. No new probes start, and running probes may finish within the grace
    /// period. Then the last results are published, unsaved state is saved, and the server closes.
    pub async fn stop(self) {
        let outbox = self.outbox;
        outbox.sd_notify.stopping();
        self.discovery.abort();
        self.reloader.abort();
        // The send fails only if the scheduler has already exited.
        let _ = outbox.scheduler.send(Command::Stop(self.grace)).await;
        join("scheduler", self.scheduler).await;
        join("monitor", self.monitor).await;
        outbox.evidence.shutdown(CLOSE_TIMEOUT).await;
        outbox.changes.shutdown(CLOSE_TIMEOUT).await;
        outbox.sinks.cloudwatch.shutdown(FLUSH_TIMEOUT).await;
        self.store.close().await;
        // The send fails only if the server has already exited.
        let _ = self.stop_server.send(true);
        let mut server = self.server;
        if tokio::time::timeout(CLOSE_TIMEOUT, &mut server)
            .await
            .is_err()
        {
            server.abort();
        }
    }
}

impl Probe for Prober {
    fn probe(&self, target: &Target) -> impl Future<Output = Observation> + Send {
        Self::probe(self, target)
    }
}

/// Opens the store, and returns the store and the state of the previous run. Without a directory,
/// the store saves nothing and the state is empty.
async fn open_store(directory: Option<&Path>, metrics: &DaemonMetrics) -> (Store, RestoredState) {
    let gauges = metrics.store_metrics();
    match directory {
        Some(directory) => Store::open(directory, gauges).await,
        None => (Store::disabled(gauges), RestoredState::default()),
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| StartError::Listen { address, source })?;
    // The bound address differs from the configured address if the configured port is 0.
    let bound = listener.local_addr().unwrap_or(address);
    Ok((listener, bound))
}

/// Waits until the value is true or its sender is dropped.
async fn is_true(mut value: watch::Receiver<bool>) {
    // An error means that the sender was dropped.
    let _ = value.wait_for(|value| *value).await;
}

async fn join(name: &str, task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(task = name, %error, "task failed");
    }
}
