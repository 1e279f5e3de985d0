//! `probecause scorecard`: scores diagnoses against known faults.
//!
//! The command runs the daemon for a limited time on targets with injected faults, for example in
//! the fault lab of `deploy/aws` or in the simulator (`lab`). The command compares each diagnosis
//! (`judge`) with the true cause (`truth`). It writes no alarms or metrics. `view` formats the
//! output.

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
use crate::io::evidence::FIRST_LOG_SEARCH;
use crate::io::logging;
use crate::io::sd_notify::SdNotify;
use crate::io::simulator::{Options as SimulatorOptions, Simulator};
use crate::model::settings::Settings;

/// Arguments of `scorecard`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration with the targets to score. A target is scored if its label `injected`
    /// names the true cause (or `none`), or if --expect names the target.
    #[arg(
        long,
        short,
        value_name = "FILE",
        required_unless_present = "simulated"
    )]
    config: Option<PathBuf>,
    /// Score the diagnoses of simulated faults; needs no AWS account or network access.
    #[arg(long, conflicts_with_all = ["config", "expect"])]
    simulated: bool,
    /// The true cause of a target's failures, or `none` for a healthy target. Overrides the label
    /// `injected` of the target. May be repeated.
    #[arg(long, value_name = "TARGET=CAUSE", value_parser = truth::expectation)]
    expect: Vec<truth::Expectation>,
    /// The time for which the targets are probed. In AWS, log lines are complete after about a
    /// minute, and metrics after ten minutes or more.
    /// Use 15m to let a diagnosis reach its highest certainty.
    /// [default: 2m, or 1m with --simulated]
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Print a line of JSON per target, and a line with totals.
    #[arg(long)]
    json: bool,
}

/// Default time for which targets in AWS are probed: enough for a probe that waits for a timeout of
/// 30 s, the probe that confirms the failure, and the usual delay of an access log.
const AWS_DURATION: Duration = Duration::from_secs(120);

/// Default time for which simulated targets are probed: enough for a probe that waits for a timeout
/// of 30 s, and a lookup in the log.
const SIMULATED_DURATION: Duration = Duration::from_secs(60);

/// Runs `probecause scorecard`. Returns [`Exit::Bad`] if the card of a target does not pass.
///
/// # Errors
/// Returns an error if the configuration is invalid, no target has a known cause, `--expect`
/// names an unknown target, the simulator or the daemon cannot start, or standard output cannot be
/// written.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let duration = args.duration.unwrap_or(if args.simulated {
        SIMULATED_DURATION
    } else {
        AWS_DURATION
    });
    let cards = match &args.config {
        Some(file) => {
            let settings = config::load(file)
                .map_err(|error| error.to_string())?
                .settings;
            logging::start(&settings.log, terminal.progress && terminal.color)
                .map_err(|error| error.to_string())?;
            let truths = Truths::of(&settings, &args.expect)?;
            score(settings, &truths, duration, None).await?
        }
        None => simulated(duration).await?,
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

/// Runs the simulator, scores the diagnoses of its faults, and returns a card per target.
async fn simulated(duration: Duration) -> Result<Vec<Card>, String> {
    // The simulator's default timeouts are the same as those of the real APIs.
    let simulator = Simulator::start(SimulatorOptions::default())
        .await
        .map_err(|error| format!("cannot start the simulated fault lab: {error}"))?;
    let settings = lab::settings(&simulator)?;
    let truths = Truths::of(&settings, &[])?;
    let aws = simulator.telemetry_config().await;
    let cards = score(settings, &truths, duration, Some(aws)).await;
    simulator.stop().await;
    cards
}

/// Runs the daemon on the targets in `truths`, until the duration has passed or the user presses
/// Ctrl-C, and returns a card per target. `aws` is the SDK configuration of the simulator; `None`
/// for targets in AWS.
async fn score(
    mut settings: Settings,
    truths: &Truths,
    duration: Duration,
    aws: Option<SdkConfig>,
) -> Result<Vec<Card>, String> {
    settings.targets.retain(|target| truths.has(&target.name));
    // Use a free port and no CloudWatch, since another daemon may run with the same settings.
    settings.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.cloudwatch.enabled = false;
    // Only targets whose cause is known are scored, so discovery must not add targets.
    settings.discovery.clear();
    let targets: Vec<_> = settings.targets.iter().map(Arc::clone).collect();
    eprintln!(
        "probing {} targets for {}",
        targets.len(),
        humantime::format_duration(duration)
    );
    let options = Options {
        settings,
        reload_from: None,
        aws,
        first_log_search: FIRST_LOG_SEARCH,
        // No state is stored, since another daemon may be using the state directory.
        state: None,
        sd_notify: SdNotify::default(),
    };
    let app = App::start(options)
        .await
        .map_err(|error| error.to_string())?;
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        // If Ctrl-C cannot be handled, the run ends at once, since the user could not stop it.
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
