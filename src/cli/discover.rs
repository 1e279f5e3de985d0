//! `probecause discover aws`: lists the endpoints of an AWS account as targets.
//!
//! The output is a configuration file for `include`. The progress, and the parts of the account
//! that could not be read, are printed to standard error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use tokio::sync::watch;

use super::{Exit, Terminal, print, progress};
use crate::domain::discovery::{Discovery, discover, kept, render};
use crate::io::discovery::{Extent, Progress, Reading, connect, read};
use crate::model::printable::printable;
use crate::model::settings::Role;
use crate::model::settings::discovery::AwsSource;

/// Arguments of `discover`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cloud provider whose endpoints are listed.
    #[command(subcommand)]
    pub provider: Provider,
}

/// A cloud provider whose endpoints can be listed.
#[derive(Debug, Subcommand)]
pub enum Provider {
    /// List the HTTP and REST APIs, custom domains, function URLs, load balancers and CloudFront
    /// aliases of an AWS account as targets.
    Aws(AwsArgs),
}

/// Arguments of `discover aws`.
#[derive(Debug, clap::Args)]
pub struct AwsArgs {
    /// The Region to read, such as eu-west-1.
    #[arg(long, value_name = "REGION")]
    pub region: String,
    /// The ARN of the role to assume. Without this option, no role is assumed, and the credentials
    /// of the AWS SDK's default chain are used.
    #[arg(long, value_name = "ARN")]
    pub role: Option<String>,
    /// The external id that the role's trust policy requires.
    #[arg(long, value_name = "ID", requires = "role")]
    pub external_id: Option<String>,
    /// Write the targets to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Time between two progress messages.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Runs `probecause discover`. Returns [`Exit::Bad`] if a part of the account could not be read;
/// the output then contains the rest and says what is missing.
/// If targets may be missing for this reason, the output file keeps the targets of the previous
/// file that were not found again. Otherwise, the daemon would stop probing them.
///
/// # Errors
/// Returns an error if nothing was found and targets may be missing because a part could not be
/// read, or if the output cannot be written.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let Provider::Aws(args) = args.provider;
    let source = AwsSource {
        region: args.region,
        role: args.role.map(|arn| Role {
            arn,
            external_id: args.external_id,
        }),
    };
    let reading = Box::pin(read_with_progress(&source, terminal)).await?;
    let discovery = discover(&reading.account);
    if !reading.complete && is_empty(&discovery) {
        let reasons = discovery.not_read.iter().map(|part| printable(part));
        let reasons: Vec<_> = reasons.collect();
        return Err(format!(
            "no endpoint was found, and parts of the account could not be read:\n  {}",
            reasons.join("\n  ")
        ));
    }
    let mut text = render(&discovery);
    if let Some(file) = args.output.as_deref().filter(|_| !reading.complete) {
        let kept = kept(&previous(file), &discovery);
        if !kept.is_empty() {
            eprintln!(
                "warning: kept the targets of the previous file that were not found again, because \
                 parts of the account could not be read"
            );
        }
        text.push_str(&kept);
    }
    match &args.output {
        Some(file) => write(file, &text)?,
        None => print(&text)?,
    }
    eprintln!("{}", summary(&discovery, args.output.as_deref()));
    for part in &discovery.not_read {
        eprintln!("warning: could not read {}", printable(part));
    }
    Ok(if discovery.not_read.is_empty() {
        Exit::Fine
    } else {
        Exit::Bad
    })
}

/// Reads an account and prints the progress to standard error.
async fn read_with_progress(source: &AwsSource, terminal: Terminal) -> Result<Reading, String> {
    let reader = connect(source, Extent::Everything, None, None).await;
    let reader = reader.map_err(|error| error.to_string())?;
    let sender = watch::Sender::new(Progress::default());
    let mut reading = Box::pin(read(&reader, source, Extent::Everything, &sender));
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    let result = loop {
        tokio::select! {
            result = &mut reading => break result,
            _ = ticks.tick() => show(&sender.borrow(), terminal),
        }
    };
    progress::clear(terminal);
    Ok(result)
}

/// Shows what is being read, and the number of requests. The number comes first, because the end of
/// a long line is cut off. Shows nothing before the first request.
fn show(reading: &Progress, terminal: Terminal) {
    let Progress { what, requests } = reading;
    if *requests > 0 {
        progress::show(&format!("{requests} requests, reading {what}"), terminal);
    }
}

fn is_empty(discovery: &Discovery) -> bool {
    discovery.targets.is_empty() && discovery.proposals.is_empty() && discovery.notes.is_empty()
}

fn summary(discovery: &Discovery, output: Option<&Path>) -> String {
    let place = output.map(|file| format!("; written to {}", file.display()));
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let (targets, proposals) = (discovery.targets.len(), discovery.proposals.len());
    format!(
        "{targets} target{} and {proposals} proposal{} in {}{}",
        plural(targets),
        plural(proposals),
        discovery.region,
        place.unwrap_or_default()
    )
}

/// Returns the text of the previous file. Returns an empty text if there is no such file, if it
/// cannot be read, or if it is not a regular file, such as a pipe.
fn previous(file: &Path) -> String {
    let text = file.is_file().then(|| std::fs::read_to_string(file).ok());
    text.flatten().unwrap_or_default()
}

/// Writes a file. The previous file is replaced only after the new one was written completely.
fn write(file: &Path, text: &str) -> Result<(), String> {
    replace(file, text).map_err(|error| {
        format!(
            "{}: cannot be written ({error}); check the path and the permissions",
            file.display()
        )
    })
}

/// Replaces a file and keeps its permissions. If `file` is a symbolic link, replaces the file that
/// the link points to. If it is a device or a pipe, writes the text to it.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    // A file that does not exist yet has no canonical path.
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let previous = std::fs::metadata(&file).ok();
    if previous.as_ref().is_some_and(|it| !it.is_file()) {
        return std::fs::write(&file, text);
    }
    let mut temporary = file.clone().into_os_string();
    temporary.push(".tmp");
    let written = std::fs::write(&temporary, text).and_then(|()| {
        if let Some(previous) = previous {
            std::fs::set_permissions(&temporary, previous.permissions())?;
        }
        std::fs::rename(&temporary, &file)
    });
    if written.is_err() {
        // The error of the write says more than an error of the cleanup, so the latter is ignored.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::discovery::account::Account;

    #[test]
    fn the_summary_counts_in_singular_and_plural() {
        let discovery = discover(&Account {
            region: "eu-west-1".to_owned(),
            ..Account::default()
        });
        assert!(is_empty(&discovery));
        assert_eq!(
            summary(&discovery, Some(Path::new("a.toml"))),
            "0 targets and 0 proposals in eu-west-1; written to a.toml"
        );
    }

    #[test]
    fn a_file_is_replaced_and_an_error_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("found.toml");
        for text in ["first", "second"] {
            write(&file, text).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        let names = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(names, 1);
        let error = write(&directory.path().join("no/found.toml"), "x").unwrap_err();
        assert!(
            error.contains("no/found.toml: cannot be written"),
            "{error}"
        );
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions_and_links_to_it() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a"), directory.path().join("link"));
        write(&file, "first").unwrap();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, private).unwrap();
        symlink(&file, &link).unwrap();
        write(&link, "second").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "second");
        assert!(link.is_symlink());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        // A socket, because a test must not touch a device: a regular file would replace it.
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(write(&socket, "text").is_err());
        assert!(!socket.is_file());
    }
}
