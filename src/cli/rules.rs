//! Where a command takes the operator's rules from: a directory, or a configuration's.
//!
//! Shared by the commands that judge or explain. They say only what keeps them from
//! working; doubts about rules are for `check` to tell.

use std::path::PathBuf;

use crate::domain::diagnosis::rulebook::Rulebook;
use crate::io::config;

/// The arguments that name rules.
#[derive(Debug, clap::Args)]
pub struct RulesArgs {
    /// Use your own rules in this directory too.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    rules: Option<PathBuf>,
    /// Use the rules of this configuration too.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl RulesArgs {
    /// All rules that are to be used.
    ///
    /// # Errors
    /// Everything that is wrong with the directory or the configuration.
    pub(super) fn rulebook(&self) -> Result<Rulebook, String> {
        let rules = match (&self.rules, &self.config) {
            (Some(folder), _) => config::load_rules(folder).map(|rules| rules.rulebook),
            (None, Some(file)) => {
                let loaded = config::load(file).map_err(|error| error.to_string())?;
                return Rulebook::with(&loaded.settings.rules).map_err(|error| error.to_string());
            }
            (None, None) => return Rulebook::embedded().map_err(|error| error.to_string()),
        };
        rules.map_err(|error| error.to_string())
    }
}
