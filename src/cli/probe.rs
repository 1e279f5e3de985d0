//! `probecause probe`.

use super::{Exit, Terminal};

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
///
/// # Errors
/// A message for the user.
pub async fn run(_args: Args, _terminal: Terminal) -> Result<Exit, String> {
    Err("`probe` is being built".to_owned())
}
