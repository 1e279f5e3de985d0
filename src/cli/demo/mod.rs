//! `probecause demo`: a simulated API Gateway with failing routes, monitored by the daemon.
//!
//! The simulator and the daemon run in this process on loopback and need no AWS account or
//! network. `plan` defines the routes and the correct causes, `daemon` runs the daemon,
//! `reporter` prints the changes and the results, and `view` formats this output.

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
use self::plan::Addresses;
use self::reporter::{Reporter, Style};
use super::{Exit, Terminal};
use crate::domain::health::HealthState;
use crate::io::simulator::{ApiType, Options, Simulator};
use crate::model::cause::{CauseId, Certainty};
use crate::model::observation::Phases;
use crate::model::settings::ServerSettings;
use crate::model::target::TargetName;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stop after this time, such as 60s. Without this option, stop with Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// The address of the page and metrics. Port 0 selects a free port.
    /// [default: 127.0.0.1:9853, or a free port if 9853 is in use]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Print the changes and the results as JSON Lines.
    #[arg(long)]
    json: bool,
}

/// A row of the demo's table: one target and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    target: TargetName,
    /// Whether a probe of the target has completed.
    probed: bool,
    health: HealthState,
    /// The time of the last change of the target's health, or of the start of the demo if no probe
    /// has completed.
    since: Timestamp,
    /// The probable cause; `None` if no cause is named.
    cause: Option<CauseId>,
    /// The certainty of the cause; `None` if no cause is named.
    certainty: Option<Certainty>,
    /// A summary of the change in the account that fits the cause best, such as `RemovePermission
    /// by deploy-role 31 s before`; `None` if no change fits.
    change: Option<String>,
    /// The durations of the last probe's phases.
    phases: Phases,
}

/// Runs `probecause demo`. Returns [`Exit::Bad`] if a route's cause is missing or wrong, if a cause
/// is named for a healthy route, or if no probe of a route completed before the demo ended.
///
/// # Errors
/// Returns an error if a port is not available, the daemon cannot start, or standard output
/// cannot be written.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let simulator = Simulator::start(Options {
        integration_timeout: plan::INTEGRATION_TIMEOUT,
        ..Options::default()
    })
    .await
    .map_err(|error| format!("cannot start the simulated gateway: {error}"))?;
    let addresses = Addresses {
        gateway: simulator.address(),
        expired: simulator.expired_address(),
        refused: simulator
            .refused_address()
            .map_err(|error| format!("cannot start the simulated gateway: {error}"))?,
    };
    let listen = args.listen.unwrap_or_else(free_address);
    let declare = |route: &str, logged: bool| {
        if logged {
            simulator.declarations(ApiType::HttpApi, route)
        } else {
            simulator.declarations_without_log(route)
        }
    };
    let settings = plan::settings(addresses, simulator.ca_pem(), listen, declare)?;
    let daemon = Daemon::start(settings, simulator.telemetry_config().await).await?;
    let style = match (args.json, std::io::stdout().is_terminal()) {
        (true, _) => Style::Json,
        (false, true) => Style::Table {
            color: terminal.color,
        },
        (false, false) => Style::Lines,
    };
    let mut reporter = Reporter::new(std::io::stdout(), style);
    let started = Instant::now();
    let printed = async {
        let default = ServerSettings::default().listen;
        let page = daemon.address();
        let in_use = (args.listen.is_none() && page != default).then_some(default);
        reporter.print_addresses(addresses.gateway, page, in_use)?;
        let end = end_of_demo(args.duration);
        reporter.watch(|| daemon.rows(), started, end).await
    }
    .await;
    let rows = daemon.rows();
    daemon.stop().await;
    simulator.stop().await;
    printed
        .and_then(|()| reporter.print_results(&rows, started.elapsed(), terminal.color))
        .map_err(|error| format!("cannot write to standard output: {error}"))
}

/// Returns the default address if its port is free, and otherwise an address with port 0, for which
/// the system selects a free port. If another process takes the default port before the daemon
/// binds this port, the daemon fails to start.
fn free_address() -> SocketAddr {
    let default = ServerSettings::default().listen;
    match std::net::TcpListener::bind(default) {
        Ok(_free) => default,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// Waits until `duration` has passed or the user presses Ctrl-C. `None` means no time limit.
async fn end_of_demo(duration: Option<Duration>) {
    let elapsed = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = elapsed => {}
        // If Ctrl-C cannot be handled, the demo ends at once, since the user could not stop it.
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Rows that the tests of this command share.
#[cfg(test)]
mod tests {
    use super::*;

    /// Creates the row of a target that is down with a likely cause, or up if `cause` is empty.
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
            change: None,
            phases: Phases {
                processing: Some(Duration::from_millis(21)),
                ..Phases::default()
            },
        }
    }

    /// Creates the rows of a demo in which the true cause of every route was named.
    pub(super) fn rows() -> Vec<Row> {
        plan::ROUTES
            .iter()
            .map(|route| row(route.name, route.expected.first().unwrap_or(&"")))
            .collect()
    }
}
