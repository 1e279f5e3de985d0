//! `probecause demo`: a simulated API Gateway in trouble, and the daemon watching it.
//!
//! No account, no network: simulator, engine, page and metrics run in this process on
//! loopback. Reading order: this file (the course of it), `plan` (what is watched and
//! what is right), `view` (how it looks), `daemon` (the engine's side).

mod daemon;
mod plan;
mod view;

use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use self::daemon::Daemon;
use self::plan::Ports;
use super::{Exit, Terminal};
use crate::cause::{CauseId, Certainty};
use crate::health::HealthState;
use crate::observation::Phases;
use crate::settings::ServerSettings;
use crate::simulator::{Options, Simulator};
use crate::target::TargetName;

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

/// How changes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// A table redrawn in place, in colour or not.
    Table {
        /// Whether it may be coloured.
        colour: bool,
    },
    /// A line per change.
    Lines,
    /// A JSON object per change.
    Json,
}

/// Tells of changes as they come.
#[derive(Debug)]
struct Teller<W> {
    out: W,
    style: Style,
    told: Vec<Row>,
    /// Lines of the table that stands on the screen.
    standing: usize,
    hinted: bool,
}

/// How often the rows are looked at: quick to the eye, nothing to the processor.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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
    let settings = plan::settings(ports, simulator.ca_pem(), listen)?;
    let daemon = Daemon::start(settings).await?;
    let style = match (args.json, std::io::stdout().is_terminal()) {
        (true, _) => Style::Json,
        (false, true) => Style::Table {
            colour: terminal.colour,
        },
        (false, false) => Style::Lines,
    };
    let mut teller = Teller::new(std::io::stdout(), style);
    let began = Instant::now();
    let told = async {
        teller.welcome(ports.gateway, daemon.address())?;
        let ended = ended(args.lasting);
        teller.watch(|| daemon.rows(), began, ended).await
    }
    .await;
    let rows = daemon.rows();
    daemon.stop().await;
    simulator.stop().await;
    told.and_then(|()| teller.outcome(&rows, began.elapsed(), terminal.colour))
        .map_err(|error| format!("cannot write: {error}"))
}

impl<W: Write> Teller<W> {
    const fn new(out: W, style: Style) -> Self {
        Self {
            out,
            style,
            told: Vec::new(),
            standing: 0,
            hinted: false,
        }
    }

    /// Says where everything is.
    fn welcome(&mut self, gateway: SocketAddr, page: SocketAddr) -> std::io::Result<()> {
        if self.style == Style::Json {
            let line = serde_json::json!({
                "event": "started",
                "page": format!("http://{page}/"),
                "metrics": format!("http://{page}/metrics"),
            });
            return writeln!(self.out, "{line}");
        }
        if page.port() != ServerSettings::default().listen.port() {
            let usual = ServerSettings::default().listen;
            writeln!(
                self.out,
                "not on {usual}, which is taken or was not asked for"
            )?;
        }
        writeln!(self.out, "page      http://{page}/")?;
        writeln!(self.out, "metrics   http://{page}/metrics")?;
        writeln!(self.out, "gateway   https://{gateway}/ (simulated)\n")
    }

    /// Shows the rows until `ended` is over.
    async fn watch(
        &mut self,
        rows: impl Fn() -> Vec<Row>,
        began: Instant,
        ended: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        tokio::pin!(ended);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = &mut ended => return self.show(&rows(), began.elapsed()),
                _ = look.tick() => self.show(&rows(), began.elapsed())?,
            }
        }
    }

    fn show(&mut self, rows: &[Row], elapsed: Duration) -> std::io::Result<()> {
        if let Style::Table { colour } = self.style {
            let table = view::table(rows, elapsed, colour);
            if self.standing > 0 {
                // Up over the table that stands, then clear to the end of the screen.
                write!(self.out, "\u{1b}[{}A\u{1b}[J", self.standing)?;
            }
            self.standing = table.lines().count();
            write!(self.out, "{table}")?;
            return self.out.flush();
        }
        for row in rows {
            let known = self.told.iter().find(|known| known.target == row.target);
            if !row.probed || known.is_some_and(|known| same_story(known, row)) {
                continue;
            }
            match self.style {
                Style::Json => writeln!(self.out, "{}", view::change_json(row))?,
                _ => write!(self.out, "{}", view::change(row, elapsed))?,
            }
        }
        self.told = rows.to_vec();
        if self.style == Style::Lines && !self.hinted {
            // Once is enough where nothing can be redrawn.
            self.hinted = true;
            write!(
                self.out,
                "{}",
                view::hint(rows, elapsed).unwrap_or_default()
            )?;
        }
        self.out.flush()
    }

    /// Tells how it came out.
    fn outcome(&mut self, rows: &[Row], elapsed: Duration, colour: bool) -> std::io::Result<Exit> {
        let judged = plan::judge(rows, elapsed);
        if self.style == Style::Json {
            for one in &judged {
                writeln!(self.out, "{}", view::outcome_json(one))?;
            }
        } else {
            write!(self.out, "\n{}", view::outcome(&judged, colour))?;
        }
        self.out.flush()?;
        let good = judged.iter().all(|one| one.problem.is_none());
        Ok(if good { Exit::Fine } else { Exit::Bad })
    }
}

/// Whether a row tells nothing that was not told.
fn same_story(known: &Row, row: &Row) -> bool {
    (known.probed, known.health, &known.cause, known.certainty)
        == (row.probed, row.health, &row.cause, row.certainty)
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

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

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

    /// Watches a target that fails after 3 s, for 10 s, and returns what was told.
    async fn check(style: Style) -> String {
        let mut out = Vec::new();
        let mut teller = Teller::new(&mut out, style);
        let began = Instant::now();
        let looks = Cell::new(0);
        let rows = || {
            looks.set(looks.get() + 1);
            let failing = began.elapsed() >= Duration::from_secs(3);
            vec![row(
                "refused",
                if failing { "connection-refused" } else { "" },
            )]
        };
        let ended = tokio::time::sleep(Duration::from_secs(10));
        teller.watch(rows, began, ended).await.unwrap();
        assert!(looks.get() > 30);
        String::from_utf8(out).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_gets_one_line_per_change() {
        let told = check(Style::Lines).await;
        assert_eq!(
            told,
            "   0 s  refused is up\n   3 s  refused is down: connection-refused (likely)\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn json_lines_carry_each_change_once() {
        let told = check(Style::Json).await;
        let events: Vec<serde_json::Value> = told
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1]["cause"], "connection-refused");
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_is_redrawn_in_place() {
        let told = check(Style::Table { colour: false }).await;
        // Header and one row stand; each redraw goes up over both.
        assert!(told.contains("\u{1b}[2A\u{1b}[JTARGET"), "{told:?}");
        assert!(!told.starts_with('\u{1b}'), "{told:?}");
    }

    #[test]
    fn the_exit_code_is_bad_if_one_route_was_not_named() {
        let mut teller = Teller::new(Vec::new(), Style::Lines);
        let long = Duration::from_secs(45);
        assert_eq!(teller.outcome(&rows(), long, false).unwrap(), Exit::Fine);
        assert_eq!(
            teller.outcome(&rows()[..8], long, false).unwrap(),
            Exit::Bad
        );
    }
}
