//! `probecause run`: runs the daemon in the foreground, for a terminal, systemd or a container.
//!
//! This module handles signals and file changes; `engine::app` contains the daemon.

use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::{Exit, Terminal};
use crate::engine::app::{App, Options, state_dir};
use crate::io::config;
use crate::io::discovery::lists::TargetLists;
use crate::io::evidence::FIRST_LOG_SEARCH;
use crate::io::logging;
use crate::io::sd_notify::SdNotify;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The daemon's configuration file.
    #[arg(long, short, value_name = "FILE")]
    pub config: PathBuf,

    /// The directory that stores incidents, baselines and unsent datapoints. $STATE_DIRECTORY
    /// takes precedence. [default: probecause in the user's state directory]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Reload when a configuration file changes, for example in a mounted ConfigMap.
    #[arg(long)]
    pub watch: bool,
}

/// The signals and file changes that the daemon handles.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
    /// Receives a message when a configuration file changes. Unused without `--watch`.
    changes: mpsc::Receiver<()>,
}

/// Runs the daemon until SIGTERM or SIGINT (exit code 0), or until a task of the daemon exits
/// unexpectedly (exit code 1, so that a service manager restarts the daemon).
///
/// # Errors
/// Returns an error if the configuration is invalid or the daemon cannot start.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let state = state_dir::resolve(args.state.as_deref(), |name| std::env::var_os(name));
    let lists = TargetLists::new(state.as_deref());
    let loaded = config::load_with(&args.config, &|source| lists.get(source));
    let loaded = loaded.map_err(|error| error.to_string())?;
    logging::start(&loaded.settings.log, terminal.progress && terminal.color)
        .map_err(|error| error.to_string())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    let (changed, changes) = mpsc::channel(1);
    let mut signals = Signals::listen(changes)
        .map_err(|error| format!("cannot install the signal handlers: {error}"))?;
    if state.is_none() {
        tracing::warn!(
            "no state directory found, open incidents will be lost at a restart; \
             set one with `--state`"
        );
    }
    if args.watch {
        tokio::spawn(watch(config::Watch::new(&args.config), changed));
    }
    let sd_notify = SdNotify::from_environment(|name| std::env::var_os(name), std::process::id())
        .map_err(|error| error.to_string())?;
    let targets = loaded.settings.targets.len();
    let scheme = loaded.settings.server.web.scheme();
    let mut app = App::start(Options {
        settings: loaded.settings,
        reload_from: Some(args.config),
        aws: None,
        first_log_search: FIRST_LOG_SEARCH,
        state,
        sd_notify,
    })
    .await
    .map_err(|error| error.to_string())?;
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(
        version,
        targets,
        "daemon started; status page at {scheme}://{}/",
        app.address()
    );
    let exit = signals.handle(&mut app).await;
    app.stop().await;
    tracing::info!("daemon stopped");
    Ok(exit)
}

/// Sends a message whenever a configuration file changes, until the receiver is dropped.
async fn watch(mut files: config::Watch, changed: mpsc::Sender<()>) {
    loop {
        files.changed().await;
        if changed.send(()).await.is_err() {
            return;
        }
    }
}

impl Signals {
    fn listen(changes: mpsc::Receiver<()>) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
            changes,
        })
    }

    /// Handles signals and file changes until the daemon must stop, and returns the exit status.
    async fn handle(&mut self, app: &mut App) -> Exit {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {
                    tracing::info!(signal = "SIGTERM", "signal received, shutting down");
                    return Exit::Fine;
                }
                _ = self.interrupt.recv() => {
                    tracing::info!(signal = "SIGINT", "signal received, shutting down");
                    return Exit::Fine;
                }
                // The result is ignored, since the reload task logs it.
                _ = self.reload.recv() => {
                    let _ = app.reload().await;
                }
                Some(()) = self.changes.recv() => {
                    tracing::info!("configuration files changed, reloading");
                    let _ = app.reload().await;
                }
                name = app.exited_task() => {
                    tracing::error!("task `{name}` exited unexpectedly; shutting down");
                    return Exit::Bad;
                }
            }
        }
    }
}
