//! `probecause check`.

use super::{Exit, Terminal};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
///
/// # Errors
/// A message for the user.
pub async fn run(_args: Args, _terminal: Terminal) -> Result<Exit, String> {
    Err("`check` is being built".to_owned())
}
