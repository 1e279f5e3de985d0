//! `probecause alarms`: plans, applies and prunes the CloudWatch alarms of a configuration.
//!
//! The daemon writes causes into alarms, and `apply` does not overwrite these causes. Each
//! destination is handled separately (`destinations`), so that an unreachable destination does not
//! hide the results of the other destinations. `show` prints the output.

mod destinations;
mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use aws_config::SdkConfig;
use clap::Subcommand;
use serde_json::json;

use self::destinations::{AccountPlan, DestinationState};
use self::show::Printer;
use super::{Exit, Terminal};
use crate::domain::alarm::annotation::{Annotation, MANAGED_TAG};
use crate::domain::alarm::cost::Estimate;
use crate::domain::alarm::plan::Step;
use crate::domain::alarm::reconciler::call::{Call, NAMES_PER_CALL, Write as AlarmWrite};
use crate::engine::app::state_dir;
use crate::io::alarms::account::Pace;
use crate::io::alarms::calls;
use crate::io::config;
use crate::io::discovery::lists::TargetLists;
use crate::model::settings::Settings;

/// Arguments of `alarms`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The action to perform.
    #[command(subcommand)]
    pub action: Action,
}

/// The actions of `probecause alarms`.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show the changes that `apply` would make, the monthly cost, and the time from a failure to
    /// a page.
    Plan {
        /// Options that all actions of `alarms` share.
        #[command(flatten)]
        common: Common,
        /// Exit with code 1 if there are changes to apply.
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Create missing alarms, and update alarms that differ from the configuration.
    Apply {
        /// Options that all actions of `alarms` share.
        #[command(flatten)]
        common: Common,
    },
    /// Delete the managed alarms that the configuration no longer requires. Alarms of other
    /// locations are kept.
    Prune {
        /// Options that all actions of `alarms` share.
        #[command(flatten)]
        common: Common,
        /// Delete the alarms. Without this option, the alarms are only listed.
        #[arg(long)]
        yes: bool,
    },
}

/// Options that all actions of `alarms` share.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print JSON Lines instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Runs `probecause alarms`. Returns [`Exit::Bad`] if `plan --detailed-exitcode` finds changes, or
/// if `apply` finds conflicts.
///
/// # Errors
/// Returns a message if the configuration is invalid or [`run_action`] fails.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let settings = load(&args.action)?;
    run_action(&args.action, &settings, None, &mut std::io::stdout()).await
}

/// Runs an action with loaded settings. `base` is the SDK configuration with the credentials;
/// `None` means the SDK's default credential chain.
///
/// # Errors
/// Returns a message if CloudWatch is disabled, if two destinations have the same account and
/// region, or if standard output cannot be written. If the action fails in a destination, the
/// action still runs in the other destinations, and the message then contains all errors.
pub async fn run_action(
    action: &Action,
    settings: &Settings,
    base: Option<&SdkConfig>,
    out: &mut (dyn Write + Send),
) -> Result<Exit, String> {
    if !settings.cloudwatch.enabled {
        return Err("`cloudwatch.enabled` is false; set it to true to use alarms".to_owned());
    }
    let states = destinations::read(settings, base).await;
    destinations::refuse_same_account(&states)?;
    run_in_each(action, settings, &states, out).await
}

async fn run_in_each(
    action: &Action,
    settings: &Settings,
    states: &[DestinationState],
    out: &mut (dyn Write + Send),
) -> Result<Exit, String> {
    let json = action.common().json;
    let several = states.len() > 1;
    let protected = destinations::desired_elsewhere(states);
    let mut exit = Exit::Fine;
    let mut errors = Vec::new();
    for state in states {
        let mut printer = Printer::new((state, &settings.evidence), several, json, out);
        printer.heading()?;
        let result = match &state.found {
            Ok(found) => run_in_one(action, found, &protected, &mut printer).await,
            Err(error) => Err(error.clone()),
        };
        match result {
            Ok(Exit::Fine) => {}
            Ok(other) => exit = other,
            Err(error) => {
                printer.failed(&error)?;
                if matches!(action, Action::Plan { .. }) && state.found.is_err() {
                    printer.cost()?;
                }
                // An error of a named destination already contains the destination's name.
                let unnamed = several && state.view.name.is_none();
                let prefix = if unnamed { "destination `main`: " } else { "" };
                errors.push(format!("{prefix}{error}"));
            }
        }
    }
    if let Action::Plan { .. } = action
        && several
    {
        let views: Vec<_> = states.iter().map(|state| state.view.clone()).collect();
        show::total(states, &Estimate::total(settings, &views), json, out)?;
    }
    if errors.is_empty() {
        Ok(exit)
    } else {
        Err(errors.join("\nerror: "))
    }
}

/// Runs an action in one destination. `prune` does not delete the alarms in `protected`.
async fn run_in_one(
    action: &Action,
    found: &AccountPlan,
    protected: &BTreeSet<String>,
    printer: &mut Printer<'_>,
) -> Result<Exit, String> {
    match action {
        Action::Plan {
            detailed_exitcode, ..
        } => {
            printer.plan(&found.plan)?;
            let bad = *detailed_exitcode && found.plan.has_changes();
            Ok(if bad { Exit::Bad } else { Exit::Fine })
        }
        Action::Apply { .. } => apply(found, printer).await,
        Action::Prune { yes, .. } => prune(found, protected, *yes, printer).await,
    }
}

impl Action {
    const fn common(&self) -> &Common {
        match self {
            Self::Plan { common, .. } | Self::Apply { common } | Self::Prune { common, .. } => {
                common
            }
        }
    }
}

/// Loads the configuration with the targets that the daemon found in AWS accounts.
///
/// # Errors
/// Returns an error if the configuration is invalid, or if `prune` would delete the alarms of found
/// targets, because the daemon's lists are not on this machine.
fn load(action: &Action) -> Result<Settings, String> {
    let state = state_dir::resolve(None, |name| std::env::var_os(name));
    let lists = TargetLists::new(state.as_deref());
    let loaded = config::load_with(&action.common().config, &|source| lists.get(source));
    let settings = loaded.map_err(|error| error.to_string())?.settings;
    let mut sources = settings.discovery.iter().map(|one| &one.source);
    let unknown = sources.find(|source| lists.get(source).is_none());
    if let (Some(source), Action::Prune { .. }) = (unknown, action) {
        return Err(format!(
            "the list of the targets that `[[discovery.aws]]` found in Region {} is not on this \
             machine, so their alarms would be deleted; run this command on the daemon's host, as \
             the daemon's user, and set `STATE_DIRECTORY` to the daemon's state directory",
            source.region
        ));
    }
    Ok(settings)
}

async fn apply(found: &AccountPlan, printer: &mut Printer<'_>) -> Result<Exit, String> {
    let AccountPlan { api, plan, .. } = found;
    let pace = Pace::default();
    for step in plan.changes() {
        let annotation = match step {
            Step::Create(spec) => Annotation::healthy(spec),
            Step::Update { spec, actual, .. } => {
                Annotation::kept(spec, &actual.tags, &actual.description)
            }
            Step::Drift { .. } | Step::Unchanged { .. } | Step::Conflict(_) | Step::Orphan(_) => {
                continue;
            }
        };
        if let Some(write) = AlarmWrite::of_step(step, &annotation) {
            let performed = calls::perform(Ok(api.clone()), &pace, Call::Write(write)).await;
            let result = performed.done();
            result.map_err(|error| format!("alarm `{}`: {error}", step.name()))?;
        }
        printer.step(step)?;
    }
    if !plan.has_changes() {
        printer.text("nothing to do\n")?;
    }
    let left = plan.steps.iter().filter(|step| step.action() == "drift");
    for step in left {
        eprintln!(
            "warning: the alarm `{}` was changed by hand and was left as is, because \
             `cloudwatch.drift` is \"leave\"; `probecause alarms plan` shows the differences",
            step.name()
        );
    }
    for spec in plan.conflicts() {
        eprintln!(
            "error: an alarm named `{}` exists that is composite or has no tag `{MANAGED_TAG}`, \
             and was left unchanged; delete that alarm or, if it is a metric alarm, add the tag",
            spec.name
        );
    }
    let has_conflicts = plan.conflicts().next().is_some();
    Ok(if has_conflicts { Exit::Bad } else { Exit::Fine })
}

async fn prune(
    found: &AccountPlan,
    protected: &BTreeSet<String>,
    yes: bool,
    printer: &mut Printer<'_>,
) -> Result<Exit, String> {
    let orphans = found.plan.orphans().map(|alarm| alarm.name.clone());
    let names: Vec<_> = orphans.filter(|name| !protected.contains(name)).collect();
    for name in &names {
        printer.text(&format!("- {name}\n"))?;
        printer.line(json!({"action": "prune", "alarm": name, "removed": yes}))?;
    }
    if yes {
        let pace = Pace::default();
        for some in names.chunks(NAMES_PER_CALL) {
            let names = some.to_vec();
            let api = Ok(found.api.clone());
            let performed = calls::perform(api, &pace, Call::Delete { names }).await;
            performed.done().map_err(|error| error.to_string())?;
        }
    }
    printer.text(&match (names.len(), yes) {
        (0, _) => "no alarms to delete\n".to_owned(),
        (count, true) => format!("alarms deleted: {count}\n"),
        (count, false) => format!("alarms to delete: {count}; use `--yes` to delete them\n"),
    })?;
    Ok(Exit::Fine)
}
