//! `probecause scorecard`: what the daemon says, held against what is known to be wrong.
//!
//! For targets whose fault was put there on purpose, in the fault lab of `deploy/aws` or
//! in the simulator: the daemon's own line runs over them for a while, and each verdict
//! is compared with the truth. It never writes alarms or metrics. Reading order: this
//! file (the course of it), `truth`, `judge`, `view`, `lab` (the simulated one).

mod judge;
mod lab;
mod truth;
mod view;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;

use self::judge::Card;
use self::truth::Truths;
use super::{Exit, Terminal, print};
use crate::engine::app::{App, Options};
use crate::io::config;
use crate::io::logging;
use crate::io::sd_notify::SdNotify;
use crate::io::simulator::Simulator;
use crate::model::settings::Settings;

/// Arguments of `scorecard`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration whose targets are scored: those with a label `injected`, which
    /// names the true cause (or `none`), or with an --expect.
    #[arg(
        long,
        short,
        value_name = "FILE",
        required_unless_present = "simulated"
    )]
    config: Option<PathBuf>,
    /// Score a simulated fault lab, without account or network.
    #[arg(long, conflicts_with_all = ["config", "expect"])]
    simulated: bool,
    /// What is truly wrong with a target (`none`: nothing); may be repeated, and comes
    /// before the label.
    #[arg(long, value_name = "TARGET=CAUSE", value_parser = truth::expectation)]
    expect: Vec<truth::Expectation>,
    /// Probe for this long. AWS's logs take minutes and metrics ten and more: give a
    /// real fault lab 15m to see every certainty that it can reach.
    /// [default: 2m; simulated: 1m]
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    lasting: Option<Duration>,
    /// Print a line of JSON per target, and one with the sums.
    #[arg(long)]
    json: bool,
}

/// Enough for a timeout of 30 s, its second look, and an access log's usual delay.
const REAL: Duration = Duration::from_secs(120);

/// Enough for the simulated timeouts of 30 s and a look into the log afterwards.
const SIMULATED: Duration = Duration::from_secs(60);

/// Carries the command out. The exit is bad when a target's truth was neither named nor,
/// where only `possible` was claimed, among the leading candidates.
///
/// # Errors
/// A configuration with problems, a truth without its target, no truth at all, or what
/// keeps the daemon from starting.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let lasting = args
        .lasting
        .unwrap_or(if args.simulated { SIMULATED } else { REAL });
    let cards = match &args.config {
        Some(file) => {
            let settings = config::load(file)
                .map_err(|error| error.to_string())?
                .settings;
            logging::start(&settings.log, terminal.progress && terminal.color)
                .map_err(|error| error.to_string())?;
            let truths = Truths::of(&settings, &args.expect)?;
            score(settings, &truths, lasting, None).await?
        }
        None => simulated(lasting).await?,
    };
    let text = if args.json {
        view::json(&cards)
    } else {
        view::text(&cards)
    };
    print(&text)?;
    Ok(if cards.iter().all(Card::passes) {
        Exit::Fine
    } else {
        Exit::Bad
    })
}

/// Scores the simulated lab.
async fn simulated(lasting: Duration) -> Result<Vec<Card>, String> {
    let simulator = Simulator::start(lab::options())
        .await
        .map_err(|error| format!("cannot start the simulated fault lab: {error}"))?;
    let settings = lab::settings(&simulator)?;
    let truths = Truths::of(&settings, &[])?;
    let aws = simulator.telemetry_config().await;
    let cards = score(settings, &truths, lasting, Some(aws)).await;
    simulator.stop().await;
    cards
}

/// Runs the daemon's own line over the targets with a truth and judges what it shows
/// at the end, or when the user presses Ctrl-C.
async fn score(
    mut settings: Settings,
    truths: &Truths,
    lasting: Duration,
    aws: Option<SdkConfig>,
) -> Result<Vec<Card>, String> {
    settings.targets.retain(|target| truths.has(&target.name));
    // Any free port, and no word to CloudWatch: a daemon may be running beside this one.
    settings.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.cloudwatch.enabled = false;
    let targets: Vec<_> = settings.targets.iter().map(Arc::clone).collect();
    eprintln!(
        "probing {} targets for {}",
        targets.len(),
        humantime::format_duration(lasting)
    );
    let options = Options {
        settings,
        reload_from: None,
        aws,
        // A trial leaves nothing behind, and the daemon beside it keeps its own.
        state: None,
        sd_notify: SdNotify::default(),
    };
    let app = App::start(options)
        .await
        .map_err(|error| error.to_string())?;
    tokio::select! {
        () = tokio::time::sleep(lasting) => {}
        // Where no signal can be had it ends at once rather than run unstoppably.
        _ = tokio::signal::ctrl_c() => {}
    }
    let board = app.board();
    let cards = targets
        .iter()
        .filter_map(|target| {
            let view = board.target(target.name.as_str()).map(|(view, _)| view);
            let report = view.and_then(|view| view.report);
            let truth = truths.get(&target.name)?;
            Some(Card::new(target.name.clone(), truth, report.as_deref()))
        })
        .collect();
    app.stop().await;
    Ok(cards)
}
