//! `probecause explain`.

use super::{Exit, Terminal};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
///
/// # Errors
/// A message for the user.
pub async fn run(_args: Args, _terminal: Terminal) -> Result<Exit, String> {
    Err("`explain` is being built".to_owned())
}
