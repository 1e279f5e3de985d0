//! `probecause probe`: one probe, once, now, and what it means.
//!
//! The result goes to standard output, for people or as one line of JSON; the line that
//! shows which phase is running goes to standard error, and only to a terminal.

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

/// How often the progress line moves: quick enough to look alive.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The endpoint, `http` or `https`.
    #[arg(required_unless_present = "config", conflicts_with = "config")]
    url: Option<String>,
    /// Take the target from this configuration.
    #[arg(long, value_name = "FILE", requires = "target")]
    config: Option<PathBuf>,
    /// The target's name in the configuration.
    #[arg(long, value_name = "NAME", requires = "config")]
    target: Option<String>,
    /// Use your own rules in this directory too; those of a configuration are used anyway.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    rules: Option<PathBuf>,
    /// Give up after this time.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Use another method than GET.
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Send this header too; may be repeated.
    #[arg(long = "header", value_name = "K: V", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Carries the command out. The exit is bad when the probe failed.
///
/// # Errors
/// A bad URL or configuration, or no resolver.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let (target, settings) = chosen(&args)?;
    let prober = Prober::new(&settings.resolver).map_err(|error| error.to_string())?;
    let observation = Box::pin(watch(&prober, &target, terminal)).await;
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

/// Judges one observation by the rules of the configuration.
fn diagnose_once(
    settings: &Settings,
    target: &Target,
    observation: &Observation,
) -> Result<Diagnosis, String> {
    let rulebook = Rulebook::with(&settings.rules).map_err(|error| error.to_string())?;
    let facts = Facts::gather(target, observation, &Context::at(Timestamp::now()));
    Ok(rulebook.diagnose(&facts))
}

/// The target that the arguments name, and the settings it is probed by.
fn chosen(args: &Args) -> Result<(Target, Settings), String> {
    let Some(url) = &args.url else {
        return configured(args);
    };
    let url = Url::parse(url)
        .map_err(|error| format!("`{url}` is no URL: {error}; write it as `https://host/path`"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("`{url}` is no http or https URL with a host"));
    }
    // The result names the target by its URL: a password in it is not for showing.
    let mut shown = url.clone();
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    let mut target = Target::with_defaults(shown.as_str(), url);
    adjust(&mut target, args);
    let mut settings = Settings::default();
    if let Some(folder) = &args.rules {
        let loaded = config::load_rules(folder).map_err(|error| error.to_string())?;
        settings.rules = loaded.files;
    }
    Ok((target, settings))
}

/// The target that a configuration has under this name.
fn configured(args: &Args) -> Result<(Target, Settings), String> {
    let (Some(path), Some(name)) = (&args.config, &args.target) else {
        return Err("give a URL, or --config FILE with --target NAME".to_owned());
    };
    let settings = config::load(path)
        .map_err(|error| error.to_string())?
        .settings;
    let named = |target: &&Arc<Target>| target.name.as_str() == name;
    let Some(found) = settings.targets.iter().find(named) else {
        let names: Vec<&str> = settings
            .targets
            .iter()
            .map(|target| target.name.as_str())
            .collect();
        let file = path.display();
        return Err(format!(
            "{file} has no target `{name}`; it has: {}",
            names.join(", ")
        ));
    };
    let mut target = Target::clone(found);
    adjust(&mut target, args);
    Ok((target, settings))
}

/// Lays the options over a target.
fn adjust(target: &mut Target, args: &Args) {
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
        .ok_or("write a header as `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Probes while a line on the terminal tells how far it is.
async fn watch(prober: &Prober, target: &Target, terminal: Terminal) -> Observation {
    let stopwatch = Arc::new(Stopwatch::new());
    let mut probing = Box::pin(prober.probe_watched(target, &stopwatch));
    if !terminal.progress {
        return probing.await;
    }
    let began = tokio::time::Instant::now();
    loop {
        match tokio::time::timeout(PROGRESS_EVERY, &mut probing).await {
            Ok(observation) => {
                eprint!("\r\x1b[K");
                return observation;
            }
            Err(_) => {
                let phase = stopwatch
                    .running()
                    .map_or("waiting", |(phase, _)| phase.as_str());
                eprint!("\r\x1b[K{:5.1} s  {phase}", began.elapsed().as_secs_f64());
            }
        }
    }
}
