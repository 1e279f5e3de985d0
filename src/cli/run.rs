//! `probecause run`: the daemon in the foreground, for a terminal, systemd or a container.

use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::{Exit, Terminal};
use crate::engine::app::{App, Options, state};
use crate::io::config;
use crate::io::evidence::FIRST_LOG_SEARCH;
use crate::io::logging;
use crate::io::sd_notify::SdNotify;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE")]
    pub config: PathBuf,

    /// Where incidents, baselines and unsent datapoints are kept over restarts
    /// [default: `$STATE_DIRECTORY`, which goes before this, else the user's state folder].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Reload when a file of the configuration changes, as a mounted ConfigMap does.
    #[arg(long)]
    pub watch: bool,
}

/// The signals a daemon listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
    /// Told when files of the configuration change; never, if nobody asked for it.
    changes: mpsc::Receiver<()>,
}

/// Runs until SIGTERM or SIGINT (exit code 0), or until a part of the daemon breaks
/// (exit code 1, so that whoever supervises it starts it again).
///
/// # Errors
/// A configuration with problems, or what keeps the daemon from starting.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let loaded = config::load(&args.config).map_err(|error| error.to_string())?;
    logging::start(&loaded.settings.log, terminal.progress && terminal.colour)
        .map_err(|error| error.to_string())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    let (told, changes) = mpsc::channel(1);
    let mut signals =
        Signals::listen(changes).map_err(|error| format!("cannot take signals: {error}"))?;
    let state = state::directory(args.state.as_deref(), |name| std::env::var_os(name));
    if state.is_none() {
        tracing::warn!(
            "store: no state directory is known: a restart will not know of open incidents; \
             name one with --state"
        );
    }
    if args.watch {
        tokio::spawn(watch(config::Watch::new(&args.config), told));
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
        "watching; page at {scheme}://{}/",
        app.address()
    );
    let exit = signals.serve(&mut app).await;
    app.stop().await;
    tracing::info!("ended");
    Ok(exit)
}

/// Tells of every change, until nobody wants to know.
async fn watch(mut files: config::Watch, told: mpsc::Sender<()>) {
    loop {
        files.changed().await;
        if told.send(()).await.is_err() {
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

    async fn serve(&mut self, app: &mut App) -> Exit {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {
                    tracing::info!("SIGTERM: ending");
                    return Exit::Fine;
                }
                _ = self.interrupt.recv() => {
                    tracing::info!("SIGINT: ending");
                    return Exit::Fine;
                }
                _ = self.reload.recv() => {
                    // The outcome is in the log and on /metrics; a signal has no answer.
                    let _ = app.reload().await;
                }
                Some(()) = self.changes.recv() => {
                    tracing::info!("the configuration's files have changed: reloading");
                    let _ = app.reload().await;
                }
                part = app.failed() => {
                    tracing::error!(part, "a part of the daemon ended unasked: ending");
                    return Exit::Bad;
                }
            }
        }
    }
}
