//! `probecause probe`: probes one endpoint once and diagnoses the result.
//!
//! The result is printed to standard output as text or a line of JSON. While the probe runs,
//! its current phase is shown on standard error if standard error is a terminal. With `--compare`,
//! two requests are sent at the same time, and their results are printed side by side.

mod compare;
mod render;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::{Exit, Terminal, print};
use crate::domain::diagnosis::context::Context;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Diagnosis, Outcome};
use crate::engine::app::state_dir;
use crate::io::config;
use crate::io::discovery::lists::TargetLists;
use crate::io::json;
use crate::io::probe::{Prober, Stopwatch};
use crate::model::host_port::HostPort;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::target::{HeaderText, Target, TargetName};

/// Interval at which the progress line is redrawn. It equals the resolution of the displayed time.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The advice in error messages about an invalid URL.
const URL_FORM: &str =
    "use a URL with the scheme http or https and a host, such as `https://example.com/path`";

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The http or https URL of the endpoint.
    #[arg(required_unless_present_any = ["config", "compare"], conflicts_with = "config")]
    url: Option<String>,
    /// Probe a target of this configuration.
    #[arg(long, value_name = "FILE", requires = "target")]
    config: Option<PathBuf>,
    /// The name of the target in the configuration.
    #[arg(long, value_name = "NAME", requires = "config")]
    target: Option<String>,
    /// Also use the custom rules in this directory. Not allowed with --config, which uses the rules
    /// of the configuration.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    rules: Option<PathBuf>,
    /// The timeout of the probe, such as 5s.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// The HTTP method. [default: the configured method, or GET]
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Connect to this host and port. The Host header, TLS server name and path do not change.
    #[arg(long, value_name = "HOST:PORT", value_parser = HostPort::parse)]
    connect_to: Option<HostPort>,
    /// Send this header. May be repeated.
    #[arg(long = "header", value_name = "K: V", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Compare two responses. Specify this option twice, each time with a URL or with an address
    /// through which the specified URL or target is requested.
    #[arg(long, value_name = "URL|HOST:PORT")]
    compare: Vec<String>,
}

/// Runs `probecause probe`. Returns [`Exit::Bad`] if the probe failed.
///
/// # Errors
/// Returns an error if an argument or the configuration is invalid, the prober cannot be created,
/// or standard output cannot be written.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    if !args.compare.is_empty() {
        return compare_answers(&args, terminal).await;
    }
    let (target, settings) = select_target(&args)?;
    let prober = Prober::new(&settings.resolver).map_err(|error| error.to_string())?;
    let observation = Box::pin(probe_with_progress(&prober, &target, terminal)).await;
    let diagnosis = diagnose_once(&settings, &target, &observation)?;
    let text = if args.json {
        let parts = json::ResultParts {
            target: target.name.as_str(),
            location: None,
            observation: &observation,
            dated: true,
            diagnosis: &diagnosis,
            incident_id: None,
        };
        format!("{}\n", json::result(parts))
    } else {
        render::render(&target, &observation, &diagnosis, terminal.color)
    };
    print(&text)?;
    note_left_connect_to(&target, &observation);
    Ok(match diagnosis.outcome {
        Outcome::Failed => Exit::Bad,
        Outcome::Passed | Outcome::Degraded => Exit::Fine,
    })
}

/// Sends the two requests of `--compare` and prints both results. Returns [`Exit::Bad`] if at
/// least one of the requests failed.
async fn compare_answers(args: &Args, terminal: Terminal) -> Result<Exit, String> {
    let [a, b] = args.compare.as_slice() else {
        let count = args.compare.len();
        return Err(format!(
            "`--compare` needs two values, found {count}; use `--compare A --compare B`"
        ));
    };
    let ((a, settings), (b, _)) = (compared_target(a, args)?, compared_target(b, args)?);
    let prober = Prober::new(&settings.resolver).map_err(|error| error.to_string())?;
    // Build both HTTP clients before the requests, so that building one client does not delay the
    // request of the other.
    prober.prepare(&a);
    prober.prepare(&b);
    let (seen_a, seen_b) = tokio::join!(Box::pin(prober.probe(&a)), Box::pin(prober.probe(&b)));
    let side = |target: Target, observation: Observation| {
        let diagnosis = diagnose_once(&settings, &target, &observation)?;
        Ok::<_, String>(compare::Side {
            target,
            observation,
            diagnosis,
        })
    };
    let sides = [side(a, seen_a)?, side(b, seen_b)?];
    let text = if args.json {
        compare::to_json(&sides)
    } else {
        compare::text(&sides, terminal)
    };
    print(&text)?;
    for side in &sides {
        note_left_connect_to(&side.target, &side.observation);
    }
    let failed = |side: &compare::Side| side.diagnosis.outcome == Outcome::Failed;
    Ok(if sides.iter().any(failed) {
        Exit::Bad
    } else {
        Exit::Fine
    })
}

/// Returns the target and the settings for one value of `--compare`. The value is a URL, or a
/// HOST:PORT through which the specified target is requested.
fn compared_target(text: &str, args: &Args) -> Result<(Target, Settings), String> {
    if text.contains("://") {
        return url_target(text, args);
    }
    if args.url.is_none() && args.config.is_none() {
        return Err(format!(
            "`{text}` is not a URL; use an http or https URL or, to compare two addresses, also \
             specify the URL to request: `probecause probe URL --compare HOST:PORT --compare \
             HOST:PORT`"
        ));
    }
    let to = HostPort::parse(text)?;
    let (mut target, settings) = select_target(args)?;
    target.name = TargetName::new(&format!("{} via {to}", target.name));
    connect_through(&mut target, to)?;
    Ok((target, settings))
}

/// Diagnoses one observation with the rules of the settings.
fn diagnose_once(
    settings: &Settings,
    target: &Target,
    observation: &Observation,
) -> Result<Diagnosis, String> {
    let rulebook = Rulebook::with(&settings.rules).map_err(|error| error.to_string())?;
    let facts = Facts::gather(target, observation, &Context::at(Timestamp::now()));
    Ok(rulebook.diagnose(&facts))
}

/// Returns the target to probe and the settings for the probe.
fn select_target(args: &Args) -> Result<(Target, Settings), String> {
    match &args.url {
        Some(url) => url_target(url, args),
        None => configured_target(args),
    }
}

/// Creates the target for a URL, and settings that contain the custom rules of `--rules` and
/// otherwise the defaults.
fn url_target(url: &str, args: &Args) -> Result<(Target, Settings), String> {
    let url =
        Url::parse(url).map_err(|error| format!("`{url}`: invalid URL: {error}; {URL_FORM}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("`{url}`: not an http or https URL; {URL_FORM}"));
    }
    // The output shows the URL as the target's name, so credentials are removed from the name.
    let mut name = url.clone();
    let _ = name.set_username("");
    let _ = name.set_password(None);
    let mut target = Target::with_defaults(name.as_str(), url);
    apply_options(&mut target, args)?;
    let mut settings = Settings::default();
    if let Some(directory) = &args.rules {
        let loaded = config::load_rules(directory).map_err(|error| error.to_string())?;
        settings.rules = loaded.files;
    }
    Ok((target, settings))
}

/// Returns the target named by `--target` and the settings of the configuration.
fn configured_target(args: &Args) -> Result<(Target, Settings), String> {
    let (Some(path), Some(name)) = (&args.config, &args.target) else {
        return Err(
            "no target given; specify a URL, or `--config FILE` with `--target NAME`".to_owned(),
        );
    };
    let state = state_dir::resolve(None, |name| std::env::var_os(name));
    let lists = TargetLists::new(state.as_deref());
    let settings = config::load_with(path, &|source| lists.get(source))
        .map_err(|error| error.to_string())?
        .settings;
    let has_name = |target: &&Arc<Target>| target.name.as_str() == name;
    let Some(found) = settings.targets.iter().find(has_name) else {
        let names = settings.targets.iter().map(|target| target.name.as_str());
        return Err(format!(
            "{}: the configuration has no target `{name}`; use one of: {}",
            path.display(),
            names.collect::<Vec<_>>().join(", ")
        ));
    };
    let mut target = Target::clone(found);
    apply_options(&mut target, args)?;
    Ok((target, settings))
}

/// Applies `--timeout`, `--method`, `--connect-to` and `--header` to a target.
fn apply_options(target: &mut Target, args: &Args) -> Result<(), String> {
    if let Some(timeout) = args.timeout {
        target.timeout = timeout;
    }
    if let Some(method) = &args.method {
        target.request.method.clone_from(method);
    }
    if let Some(connect_to) = &args.connect_to {
        connect_through(target, connect_to.clone())?;
    }
    let headers = args.headers.iter().cloned();
    let headers = headers.map(|(name, value)| (name, HeaderText::Plain(value)));
    target.request.headers.extend(headers);
    Ok(())
}

/// Sets the host and port to connect to. Returns an error if the target's proxy makes them
/// ineffective.
fn connect_through(target: &mut Target, to: HostPort) -> Result<(), String> {
    target.request.connect_to = Some(to);
    if target.request.ignores_connect_to(target.url.scheme()) {
        return Err(format!(
            "{}: an http URL is requested through the HTTP proxy of the target, so HOST:PORT has \
             no effect; use an https URL or a target without `request.proxy`",
            target.name
        ));
    }
    Ok(())
}

/// Prints a note on standard error if a redirect led to a host and port to which the target's
/// `connect_to` does not apply.
fn note_left_connect_to(target: &Target, observation: &Observation) {
    if let Some(to) = target.request.connect_to.as_ref()
        && observation.left_connect_to
    {
        eprintln!(
            "note: a redirect led from {to} to {}, so the result does not show whether {to} works",
            render::clean(&observation.final_url)
        );
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("expected a header of the form `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Probes the target and shows the current phase on standard error if it is a terminal.
async fn probe_with_progress(prober: &Prober, target: &Target, terminal: Terminal) -> Observation {
    let stopwatch = Arc::new(Stopwatch::new());
    let mut probe = Box::pin(prober.probe_with(target, &stopwatch));
    if !terminal.progress {
        return probe.await;
    }
    let started = tokio::time::Instant::now();
    loop {
        match tokio::time::timeout(PROGRESS_INTERVAL, &mut probe).await {
            Ok(observation) => {
                eprint!("\r\x1b[K");
                return observation;
            }
            Err(_) => {
                let phase = stopwatch
                    .running()
                    .map_or("waiting", |(phase, _)| phase.as_str());
                eprint!("\r\x1b[K{:5.1} s  {phase}", started.elapsed().as_secs_f64());
            }
        }
    }
}
