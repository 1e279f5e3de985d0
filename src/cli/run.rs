//! `probecause run`.

use super::{Exit, Terminal};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries the command out.
///
/// # Errors
/// A message for the user.
pub async fn run(_args: Args, _terminal: Terminal) -> Result<Exit, String> {
    Err("`run` is being built".to_owned())
}
