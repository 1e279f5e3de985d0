//! What a person types: one file a command, the shared conventions here.
//!
//! Commands print results to standard output and everything else to standard error,
//! in colour only on a terminal, and end with the documented exit codes.

pub mod alarms;
pub mod check;
pub mod demo;
pub mod diagnose;
pub mod explain;
pub mod healthcheck;
pub mod manual;
pub mod probe;
pub mod rules;
pub mod run;
pub mod scorecard;

use std::io::{IsTerminal, Write as _};

use clap::{Parser, Subcommand};

/// Synthetic monitoring that names the probable cause.
#[derive(Debug, Parser)]
#[command(name = "probecause", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon.
    Run(run::Args),
    /// Watch a simulated API Gateway with failing routes, without account or network.
    Demo(demo::Args),
    /// Probe one endpoint once, now, and name the cause if it fails.
    Probe(probe::Args),
    /// Name the cause of answers in `curl -v` or `curl -i` text.
    Diagnose(diagnose::Args),
    /// Check a configuration.
    Check(check::Args),
    /// Explain a cause, or list them all.
    Explain(explain::Args),
    /// Show or apply the CloudWatch alarms of a configuration.
    Alarms(alarms::Args),
    /// Hold verdicts against injected faults, in a fault lab or simulated.
    Scorecard(scorecard::Args),
    /// Ask a running daemon whether it is healthy.
    Healthcheck(healthcheck::Args),
    /// Write man pages and shell completions.
    Manual(manual::Args),
}

/// How a command ended: the documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: fine.
    Fine,
    /// 1: what was looked at is bad.
    Bad,
    /// 2: the command line or the configuration is wrong.
    Usage,
}

/// What a command may assume about its output.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Standard output takes colour.
    pub colour: bool,
    /// Standard error is a terminal: progress may be shown.
    pub progress: bool,
}

impl Exit {
    /// The process's exit code.
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
    /// Looks at the process's own streams; `NO_COLOR` (any value but empty) is honoured.
    #[must_use]
    pub fn detect() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colour: !plain && std::io::stdout().is_terminal(),
            progress: std::io::stderr().is_terminal(),
        }
    }
}

/// Prints a command's result to standard output.
///
/// # Errors
/// When it cannot be written. A reader that has seen enough (`| head`) is none.
fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write the result: {error}"))
        }
        _ => Ok(()),
    }
}

impl Cli {
    /// Carries out the command. An `Err` is a message for the user; the exit code is 2.
    ///
    /// # Errors
    /// What keeps the command from doing its job at all: usage, configuration, a file.
    pub async fn run(self) -> Result<Exit, String> {
        let terminal = Terminal::detect();
        match self.command {
            Command::Run(args) => run::run(args, terminal).await,
            Command::Demo(args) => demo::run(args, terminal).await,
            Command::Probe(args) => probe::run(args, terminal).await,
            Command::Diagnose(args) => diagnose::run(args, terminal).await,
            Command::Check(args) => check::run(args, terminal).await,
            Command::Explain(args) => explain::run(args, terminal).await,
            Command::Alarms(args) => alarms::run(args, terminal).await,
            Command::Scorecard(args) => scorecard::run(args, terminal).await,
            Command::Healthcheck(args) => healthcheck::run(args, terminal).await,
            Command::Manual(args) => manual::run(args, terminal).await,
        }
    }
}
