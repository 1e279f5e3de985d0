//! `probecause demo`: a simulated API Gateway in trouble, and the daemon watching it.
//!
//! No account, no network: simulator, engine, page and metrics run in this process on
//! loopback. Reading order: this file (the course of it), `plan` (what is watched and
//! what is right), `teller` (what is told when), `view` (how it looks), `daemon` (the
//! engine's side).

mod daemon;
mod plan;
mod reporter;
mod view;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use self::daemon::Daemon;
use self::plan::Ports;
use self::reporter::{Reporter, Style};
use super::{Exit, Terminal};
use crate::domain::health::HealthState;
use crate::io::simulator::{Door, Options, Simulator};
use crate::model::cause::{CauseId, Certainty};
use crate::model::observation::Phases;
use crate::model::settings::ServerSettings;
use crate::model::target::TargetName;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End after this long, such as 60s; without it, end with Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    lasting: Option<Duration>,
    /// Where page and metrics are served; port 0 takes any free one.
    /// [default: 127.0.0.1:9853, or any free port if that is taken]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Print changes and the outcome as JSON Lines.
    #[arg(long)]
    json: bool,
}

/// One target as the demo shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    /// Its name.
    target: TargetName,
    /// Whether a first result is in.
    probed: bool,
    /// Its health.
    health: HealthState,
    /// Since when the health holds.
    since: Timestamp,
    /// The probable cause shown.
    cause: Option<CauseId>,
    /// How sure that is.
    certainty: Option<Certainty>,
    /// Where the last probe's time went.
    phases: Phases,
}

/// Carries the command out.
///
/// # Errors
/// A message for the user: a port cannot be had, the engine cannot start, the output
/// is closed.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let simulator = Simulator::start(Options {
        integration_timeout: plan::INTEGRATION_TIMEOUT,
        ..Options::default()
    })
    .await
    .map_err(|error| format!("cannot start the simulated gateway: {error}"))?;
    let ports = Ports {
        gateway: simulator.address(),
        expired: simulator.expired_address(),
        refused: simulator
            .refused_address()
            .map_err(|error| format!("cannot start the simulated gateway: {error}"))?,
    };
    let listen = args.listen.unwrap_or_else(free_address);
    let declare = |route: &str| simulator.declarations(Door::HttpApi, route);
    let settings = plan::settings(ports, simulator.ca_pem(), listen, declare)?;
    let daemon = Daemon::start(settings, simulator.telemetry_config().await).await?;
    let style = match (args.json, std::io::stdout().is_terminal()) {
        (true, _) => Style::Json,
        (false, true) => Style::Table {
            color: terminal.color,
        },
        (false, false) => Style::Lines,
    };
    let mut teller = Reporter::new(std::io::stdout(), style);
    let began = Instant::now();
    let told = async {
        let usual = ServerSettings::default().listen;
        let page = daemon.address();
        let taken = (args.listen.is_none() && page != usual).then_some(usual);
        teller.welcome(ports.gateway, page, taken)?;
        let ended = ended(args.lasting);
        teller.watch(|| daemon.rows(), began, ended).await
    }
    .await;
    let rows = daemon.rows();
    daemon.stop().await;
    simulator.stop().await;
    told.and_then(|()| teller.outcome(&rows, began.elapsed(), terminal.color))
        .map_err(|error| format!("cannot write: {error}"))
}

/// The usual address if it is free, else any free port. Between this look and the
/// daemon's own bind somebody may take it; then the daemon says so.
fn free_address() -> SocketAddr {
    let usual = ServerSettings::default().listen;
    match std::net::TcpListener::bind(usual) {
        Ok(_free) => usual,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// Over when the time is up or the user presses Ctrl-C.
async fn ended(lasting: Option<Duration>) {
    let time_is_up = async {
        match lasting {
            Some(lasting) => tokio::time::sleep(lasting).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time_is_up => {}
        // Where no signal can be had, the demo ends rather than run unstoppably.
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Rows that the tests of this command share.
#[cfg(test)]
mod tests {
    use super::*;

    /// A row with a cause (down, likely), or without one where `cause` is empty (up).
    pub(super) fn row(target: &str, cause: &str) -> Row {
        let failing = !cause.is_empty();
        Row {
            target: TargetName::new(target),
            probed: true,
            health: if failing {
                HealthState::Down
            } else {
                HealthState::Up
            },
            since: Timestamp::UNIX_EPOCH,
            cause: failing.then(|| CauseId::new(cause).unwrap()),
            certainty: failing.then_some(Certainty::Likely),
            phases: Phases {
                processing: Some(Duration::from_millis(21)),
                ..Phases::default()
            },
        }
    }

    /// A demo in which everything was named.
    pub(super) fn rows() -> Vec<Row> {
        plan::ROUTES
            .iter()
            .map(|route| row(route.name, route.expected.first().unwrap_or(&"")))
            .collect()
    }
}
