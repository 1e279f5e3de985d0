//! The composition root: builds every room, wires them, notices when one ends, and
//! takes them down in order.
//!
//! Decides nothing about targets. What may fail at start (a port in use, a bad rule
//! book) fails here, with a message for the user; afterwards the daemon goes on whatever
//! a sink or a target does.

mod probing;
mod reload;
mod share;
pub mod state;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::domain::diagnosis::aws::EvidenceUpdate;
use crate::domain::diagnosis::rulebook::{Rulebook, RulebookError};
use crate::domain::shard::IndexError;
use crate::engine::monitor::{ConfigChange, Inbox, Monitor, Outbox};
use crate::engine::scheduler::control_requests::ControlRequests;
use crate::engine::scheduler::{Command, Emission, Probe, Scheduler};
use crate::engine::server::{self, ReloadRequest, ServerState};
use crate::io::evidence::Evidence;
use crate::io::probe::{Prober, ProberError};
use crate::io::sd_notify::SdNotify;
use crate::io::sink::Sinks;
use crate::io::sink::cloudwatch::{CloudWatchSink, REVIEW_EVERY};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::sink::page::Board;
use crate::io::sink::prometheus::PrometheusSink;
use crate::io::store::{Memory, Store};
use crate::io::web_access::TlsError;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::target::Target;

/// What a daemon is started with.
#[derive(Debug)]
pub struct Options {
    /// The configuration.
    pub settings: Settings,
    /// Where a reload reads it anew; `None`: there is nothing to reload.
    pub reload_from: Option<PathBuf>,
    /// Credentials and region for AWS, where they are known already; `None`: the SDK's
    /// default chain.
    pub aws: Option<SdkConfig>,
    /// Where incidents, baselines and unsent datapoints outlive the process; `None`:
    /// nowhere.
    pub state: Option<PathBuf>,
    /// Who is told how the daemon is; the default is nobody.
    pub sd_notify: SdNotify,
}

/// Why a daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The rules cannot be read: the configuration was not checked, or ours are broken,
    /// which the tests rule out.
    #[error("{0}")]
    Rulebook(#[from] RulebookError),
    /// Two metrics under one name: a bug that the tests rule out.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// No prober could be made.
    #[error("{0}")]
    Prober(#[from] ProberError),
    /// The daemon's own endpoint.
    #[error("cannot listen on {address} ([server] listen): {source}; is another one running?")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// The TLS of the daemon's own endpoint, which `config` has tried out.
    #[error("[server] web_config: {0}")]
    Tls(#[from] TlsError),
    /// Which shard this daemon is cannot be told.
    #[error("{0}")]
    Shard(#[from] IndexError),
    /// The threads of the probes.
    #[error("no thread for the probes: {0}")]
    Threads(std::io::Error),
    /// A task ended while the daemon was starting.
    #[error("the {0} ended while the daemon was starting: see the log")]
    Ended(&'static str),
}

/// A running daemon.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    board: Arc<Board>,
    cloudwatch: Arc<CloudWatchSink>,
    control_requests: ControlRequests,
    evidence: Arc<Evidence>,
    store: Store,
    sd_notify: SdNotify,
    scheduler: mpsc::Sender<Command>,
    reload: mpsc::Sender<ReloadRequest>,
    grace: Duration,
    stop_server: watch::Sender<bool>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Tasks {
    scheduler: JoinHandle<()>,
    monitor: JoinHandle<()>,
    server: JoinHandle<()>,
    reloader: JoinHandle<()>,
}

/// What speaks to the monitor.
struct MonitorSenders {
    emissions: mpsc::Sender<Emission>,
    control_requests: mpsc::Sender<(Arc<Target>, Observation)>,
    configurations: mpsc::Sender<Configuration>,
}

/// How a configuration reaches the monitor, and what it changed comes back.
type Configuration = (Arc<Settings>, oneshot::Sender<ConfigChange>);

/// Emissions waiting for the monitor, which only ever computes: a short queue suffices,
/// and a full one holds back the scheduler instead of memory.
const EMISSIONS: usize = 1024;

/// Commands waiting for the scheduler: a confirming probe for each of a few thousand
/// targets that fail in one instant.
const COMMANDS: usize = 4096;

/// ControlProber requests under way or waiting for their moment: one for each of as many
/// incidents as a person could still look at.
const CONTROLS: usize = 64;

/// Answers of AWS waiting for the monitor: one for each question that may wait there.
const ANSWERS: usize = 256;

/// How long sinks may flush at the end, beside the grace of the probes.
const FLUSH: Duration = Duration::from_secs(5);

/// How long open connections of the daemon's own endpoint may finish at the end.
const CLOSE: Duration = Duration::from_secs(1);

impl App {
    /// Starts a daemon; it is probing when this returns.
    ///
    /// # Errors
    /// What [`StartError`] lists, with a message for the user.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let settings = Arc::new(share::of_this_daemon(options.settings)?);
        let metrics = DaemonMetrics::new()?;
        let (store, memory) = remember(options.state.as_deref(), &metrics).await;
        let rulebook = Rulebook::with(&settings.rules)?;
        let prober = Prober::new(&settings.resolver)?;
        let (listener, address) = listen(settings.server.listen).await?;
        let (sinks, evidence, answers) =
            start_sinks(&settings, &metrics, options.aws, store.clone());
        let (board, cloudwatch) = (Arc::clone(&sinks.board), Arc::clone(&sinks.cloudwatch));

        let (inbox, senders) = inbox(answers);
        let (scheduler, commands) = mpsc::channel(COMMANDS);
        let (reload, reload_requests) = mpsc::channel(1);
        let (stop_server, stopped) = watch::channel(false);

        let served = (Arc::clone(&sinks.prometheus), Arc::clone(&board));
        let state = ServerState::new(served.0, served.1, reload.clone(), &settings.server)?;
        let ready = state.readiness();
        let dropped = metrics.controls_dropped.clone();
        let control_requests =
            ControlRequests::start(prober.clone(), senders.control_requests, CONTROLS, dropped);
        let outbox = Outbox {
            sinks,
            scheduler: scheduler.clone(),
            control_requests: control_requests.clone(),
            evidence: Arc::clone(&evidence),
            sd_notify: options.sd_notify.clone(),
        };
        let runner = Scheduler::new(prober, senders.emissions, metrics.clone());
        let reloader = reload::Reloader {
            path: options.reload_from,
            running: Arc::clone(&settings),
            configure: senders.configurations,
            scheduler: scheduler.clone(),
            metrics,
            server: state.clone(),
            sd_notify: options.sd_notify.clone(),
            board: Arc::clone(&board),
        };
        let tasks = Tasks {
            scheduler: probing::spawn(probing::threads(&settings), runner.run(commands))
                .map_err(StartError::Threads)?,
            monitor: tokio::spawn(Monitor::new(rulebook, outbox, store.clone(), memory).run(inbox)),
            server: tokio::spawn(server::serve(listener, state, until(stopped))),
            reloader: tokio::spawn(reloader.run(reload_requests, ready)),
        };
        Ok(Self {
            address,
            board,
            cloudwatch,
            control_requests,
            evidence,
            store,
            sd_notify: options.sd_notify,
            scheduler,
            reload,
            grace: settings.scheduler.shutdown_grace,
            stop_server,
            tasks,
        })
    }

    /// Where the daemon's own endpoint listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the page shows.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Reads the configuration anew, as `POST /-/reload` does.
    ///
    /// # Errors
    /// Why the configuration was refused; the old one goes on.
    pub async fn reload(&self) -> Result<String, String> {
        let (answer, answered) = oneshot::channel();
        let gone = || "the daemon is ending".to_owned();
        self.reload.send(answer).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Waits until a background task ends by itself, which none should, and names it.
    pub async fn failed(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.tasks.scheduler => "scheduler",
            _ = &mut self.tasks.monitor => "monitor",
            _ = &mut self.tasks.server => "server",
            _ = &mut self.tasks.reloader => "reloader",
            () = self.cloudwatch.ended() => "CloudWatch sink",
            () = self.control_requests.ended() => "control_requests",
            () = self.evidence.ended() => "evidence",
            () = self.store.ended() => "store",
        }
    }

    /// Ends in order: no new probes, running ones within the grace, what they saw is
    /// told, sinks flush, what is left goes to disk, the endpoint closes.
    pub async fn stop(self) {
        let Self {
            scheduler,
            tasks,
            grace,
            ..
        } = self;
        self.sd_notify.stopping();
        tasks.reloader.abort();
        // A scheduler that is gone already has nothing left to stop.
        let _ = scheduler.send(Command::Stop(grace)).await;
        drop(scheduler);
        join("scheduler", tasks.scheduler).await;
        join("monitor", tasks.monitor).await;
        self.evidence.shutdown(CLOSE).await;
        self.cloudwatch.shutdown(FLUSH).await;
        self.store.close().await;
        // The server may have ended by itself: then nobody listens.
        let _ = self.stop_server.send(true);
        let mut server = tasks.server;
        if tokio::time::timeout(CLOSE, &mut server).await.is_err() {
            server.abort();
        }
    }
}

impl Probe for Prober {
    fn probe(&self, target: &Target) -> impl Future<Output = Observation> + Send {
        Self::probe(self, target)
    }
}

/// The monitor's ears, and what speaks to them.
fn inbox(answers: mpsc::Receiver<EvidenceUpdate>) -> (Inbox, MonitorSenders) {
    let (emitting, emissions) = mpsc::channel(EMISSIONS);
    let (controlling, control_requests) = mpsc::channel(CONTROLS);
    let (configuring, configurations) = mpsc::channel(1);
    let inbox = Inbox {
        emissions,
        control_requests,
        answers,
        configurations,
    };
    let senders = MonitorSenders {
        emissions: emitting,
        control_requests: controlling,
        configurations: configuring,
    };
    (inbox, senders)
}

/// The store, and what it remembers.
async fn remember(directory: Option<&Path>, metrics: &DaemonMetrics) -> (Store, Memory) {
    let gauges = metrics.store_gauges();
    match directory {
        Some(directory) => Store::open(directory, gauges).await,
        None => (Store::off(gauges), Memory::default()),
    }
}

/// Everything that talks to the world outside on the monitor's behalf, and AWS's answers.
fn start_sinks(
    settings: &Arc<Settings>,
    metrics: &DaemonMetrics,
    aws: Option<SdkConfig>,
    store: Store,
) -> (Sinks, Arc<Evidence>, mpsc::Receiver<EvidenceUpdate>) {
    let cloudwatch = CloudWatchSink::start_on(
        Arc::clone(settings),
        metrics.clone(),
        aws.clone(),
        store,
        REVIEW_EVERY,
    );
    let sinks = Sinks {
        prometheus: Arc::new(PrometheusSink::new(metrics.clone())),
        board: Arc::new(Board::default()),
        cloudwatch: Arc::new(cloudwatch),
    };
    let (sender, answers) = mpsc::channel(ANSWERS);
    let evidence = Evidence::start_with(settings, metrics.clone(), sender, aws);
    (sinks, Arc::new(evidence), answers)
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| StartError::Listen { address, source })?;
    // Port 0 is any free one.
    let bound = listener.local_addr().unwrap_or(address);
    Ok((listener, bound))
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone means the same as one that says so.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn join(name: &str, task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(task = name, %error, "a task did not end well");
    }
}
