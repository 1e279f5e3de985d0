//! The options `--rules` and `--config`, which add custom rules to the built-in rules.
//!
//! The commands `diagnose` and `explain` share these options. These commands print no warnings
//! about rules; `probecause check` reports such warnings.

use std::path::PathBuf;

use crate::domain::diagnosis::rulebook::Rulebook;
use crate::io::config;

/// The arguments that select custom rules.
#[derive(Debug, clap::Args)]
pub struct RulesArgs {
    /// Also use the custom rules in this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    rules: Option<PathBuf>,
    /// Also use the custom rules of this configuration.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl RulesArgs {
    /// Returns the built-in rules together with the custom rules.
    ///
    /// # Errors
    /// Returns an error that lists all problems of the directory or of the configuration.
    pub(super) fn rulebook(&self) -> Result<Rulebook, String> {
        let rulebook = match (&self.rules, &self.config) {
            (Some(directory), _) => {
                let loaded = config::load_rules(directory).map_err(|error| error.to_string())?;
                return Ok(loaded.rulebook);
            }
            (None, Some(file)) => {
                let loaded = config::load(file).map_err(|error| error.to_string())?;
                Rulebook::with(&loaded.settings.rules)
            }
            (None, None) => Rulebook::embedded(),
        };
        rulebook.map_err(|error| error.to_string())
    }
}
