//! The command line interface, with one module per command.
//!
//! All commands print results to standard output and other messages to standard error, use
//! colors only on a terminal, and exit with the codes of [`Exit`].

pub mod alarms;
pub mod check;
pub mod demo;
pub mod diagnose;
pub mod discover;
pub mod explain;
pub mod healthcheck;
pub mod manual;
pub mod probe;
mod progress;
pub mod rules;
pub mod run;
pub mod scorecard;
mod simulated;

use std::io::{IsTerminal, Write as _};

use clap::{Parser, Subcommand};

use crate::domain::diagnosis::Candidate;

/// Synthetic monitoring that names the probable cause of a failure.
#[derive(Debug, Parser)]
#[command(name = "probecause", version, about, max_term_width = 100)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of `probecause`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon.
    Run(run::Args),
    /// Monitor a simulated API Gateway with failing routes; needs no AWS account or network.
    Demo(demo::Args),
    /// Probe one endpoint once and name the cause if it fails.
    Probe(probe::Args),
    /// Name the causes of failures in pasted curl or wget output, error messages, HAR or logs.
    Diagnose(diagnose::Args),
    /// Check a configuration or custom rules.
    Check(check::Args),
    /// List the endpoints of a cloud account as a configuration file with targets, to use with
    /// `include`.
    Discover(discover::Args),
    /// Explain a cause, or list all causes.
    Explain(explain::Args),
    /// Plan, apply or prune the CloudWatch alarms of a configuration.
    Alarms(alarms::Args),
    /// Score diagnoses against known faults.
    Scorecard(scorecard::Args),
    /// Check whether a running daemon is healthy.
    Healthcheck(healthcheck::Args),
    /// Generate man pages and shell completions.
    Manual(manual::Args),
}

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Exit code 0: the command succeeded.
    Fine,
    /// Exit code 1: the command ran, and its result is negative, for example a failed probe.
    Bad,
    /// Exit code 2: the command failed, for example because of an invalid configuration.
    Usage,
}

/// The capabilities of the process's standard output and standard error.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Whether standard output may be colored.
    pub color: bool,
    /// Whether standard error is a terminal and may show progress.
    pub progress: bool,
}

impl Exit {
    /// Returns the exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Bad => 1,
            Self::Usage => 2,
        }
    }
}

impl Terminal {
    /// Detects the capabilities of the standard streams. A non-empty `NO_COLOR` disables
    /// colors.
    #[must_use]
    pub fn detect() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            color: !plain && std::io::stdout().is_terminal(),
            progress: std::io::stderr().is_terminal(),
        }
    }
}

/// Wraps text in the escape codes of the color or style `code` (an SGR parameter) if `color` is
/// true.
fn paint(text: &str, code: u8, color: bool) -> String {
    if color {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Formats candidates with their shares, such as `lambda-throttled 60 %, api-throttled 40 %`.
fn candidate_shares(candidates: &[Candidate]) -> String {
    let shares = candidates
        .iter()
        .map(|candidate| format!("{} {:.0} %", candidate.cause, candidate.share * 100.0));
    shares.collect::<Vec<_>>().join(", ")
}

/// Prints a command's result to standard output.
///
/// # Errors
/// Returns an error if writing failed. A closed pipe (`| head`) is not an error.
fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

impl Cli {
    /// Runs the command that the user specified.
    ///
    /// # Errors
    /// Returns a message for the user, for example about an invalid configuration or a file that
    /// cannot be read. The process then exits with code 2.
    pub async fn run(self) -> Result<Exit, String> {
        let terminal = Terminal::detect();
        match self.command {
            Command::Run(args) => run::run(args, terminal).await,
            Command::Demo(args) => demo::run(args, terminal).await,
            Command::Probe(args) => probe::run(args, terminal).await,
            Command::Diagnose(args) => diagnose::run(args, terminal).await,
            Command::Check(args) => check::run(args, terminal).await,
            Command::Discover(args) => discover::run(args, terminal).await,
            Command::Explain(args) => explain::run(args, terminal).await,
            Command::Alarms(args) => alarms::run(args, terminal).await,
            Command::Scorecard(args) => scorecard::run(args, terminal).await,
            Command::Healthcheck(args) => healthcheck::run(args, terminal).await,
            Command::Manual(args) => manual::run(args, terminal).await,
        }
    }
}
