//! `probecause probe`: probes one endpoint once and diagnoses the result.
//!
//! The result is printed to standard output as text or a line of JSON. While the probe runs,
//! its phase is shown on standard error if that is a terminal.

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
use crate::io::config;
use crate::io::json;
use crate::io::probe::{Prober, Stopwatch};
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::target::{HeaderText, Target};

/// Interval at which the progress line is redrawn: the resolution of the time that it shows.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The URL of the endpoint, with `http` or `https`.
    #[arg(required_unless_present = "config", conflicts_with = "config")]
    url: Option<String>,
    /// Take the target from this configuration.
    #[arg(long, value_name = "FILE", requires = "target")]
    config: Option<PathBuf>,
    /// The target's name in the configuration.
    #[arg(long, value_name = "NAME", requires = "config")]
    target: Option<String>,
    /// Also use the custom rules in this directory. With --config, the rules of the
    /// configuration are used instead.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    rules: Option<PathBuf>,
    /// The timeout of the probe, such as 5s.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// The HTTP method, instead of GET or the configured one.
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Send this header. May be repeated.
    #[arg(long = "header", value_name = "K: V", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `probecause probe`. Returns [`Exit::Bad`] if the probe failed.
///
/// # Errors
/// Returns an error if the URL or the configuration is invalid, the prober cannot be created, or
/// standard output cannot be written.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
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
    Ok(match diagnosis.outcome {
        Outcome::Failed => Exit::Bad,
        Outcome::Passed | Outcome::Degraded => Exit::Fine,
    })
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

/// Returns the target to probe and the settings of the daemon.
fn select_target(args: &Args) -> Result<(Target, Settings), String> {
    let Some(url) = &args.url else {
        return configured_target(args);
    };
    let url = Url::parse(url)
        .map_err(|error| format!("`{url}`: invalid URL: {error}; use `https://host/path`"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!(
            "`{url}`: the URL must have the scheme http or https and a host; \
             use `https://host/path`"
        ));
    }
    // The output contains the URL as the target's name, so credentials are removed from it.
    let mut name = url.clone();
    let _ = name.set_username("");
    let _ = name.set_password(None);
    let mut target = Target::with_defaults(name.as_str(), url);
    apply_options(&mut target, args);
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
    let settings = config::load(path)
        .map_err(|error| error.to_string())?
        .settings;
    let has_name = |target: &&Arc<Target>| target.name.as_str() == name;
    let Some(found) = settings.targets.iter().find(has_name) else {
        let names = settings.targets.iter().map(|target| target.name.as_str());
        return Err(format!(
            "{}: no target `{name}`; use one of: {}",
            path.display(),
            names.collect::<Vec<_>>().join(", ")
        ));
    };
    let mut target = Target::clone(found);
    apply_options(&mut target, args);
    Ok((target, settings))
}

/// Applies `--timeout`, `--method` and `--header` to a target.
fn apply_options(target: &mut Target, args: &Args) {
    if let Some(timeout) = args.timeout {
        target.timeout = timeout;
    }
    if let Some(method) = &args.method {
        target.request.method.clone_from(method);
    }
    let headers = args.headers.iter().cloned();
    let headers = headers.map(|(name, value)| (name, HeaderText::Plain(value)));
    target.request.headers.extend(headers);
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("expected a header of the form `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Probes the target and shows the current phase on standard error if that is a terminal.
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
