//! `probecause alarms`: what the configuration asks of CloudWatch, shown, applied, and
//! cleared of what is no longer configured.
//!
//! What alarms say about causes belongs to the daemon and is left as it is here. Where the
//! configuration names several accounts or regions (`place`), each is carried out for
//! itself: one that cannot be reached hides none of the others. `show` prints.

mod place;
mod show;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use clap::Subcommand;
use serde_json::json;

use self::place::{Found, Place};
use self::show::Printer;
use super::{Exit, Terminal};
use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::cost::Estimate;
use crate::domain::alarm::plan::Step;
use crate::domain::alarm::reconciler::call::{Call, NAMES_PER_CALL, Write as AlarmWrite};
use crate::io::alarms::account::Pace;
use crate::io::alarms::calls;
use crate::io::config;
use crate::model::settings::Settings;

/// Arguments of `alarms`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// The actions.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show what `apply` would do, what it costs a month, and how soon it pages.
    Plan {
        /// The options of every action.
        #[command(flatten)]
        common: Common,
        /// Exit with 1 if there is something to do.
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Create and update alarms until the account has what the configuration asks for.
    Apply {
        /// The options of every action.
        #[command(flatten)]
        common: Common,
    },
    /// Remove our alarms of this location whose targets are no longer configured.
    Prune {
        /// The options of every action.
        #[command(flatten)]
        common: Common,
        /// Really remove them; without it they are only shown.
        #[arg(long)]
        yes: bool,
    },
}

/// Options that every action takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print JSON Lines.
    #[arg(long)]
    pub json: bool,
}

/// Carries the command out.
///
/// # Errors
/// A message for the user: the configuration, or the first call to CloudWatch that failed.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let settings = load(&args.action.common().config)?;
    carry_out(&args.action, &settings, None, &mut std::io::stdout()).await
}

/// Carries an action out for settings that were read already. `base` is an SDK
/// configuration that was made before; without it the default chain is asked.
///
/// # Errors
/// As [`run`], once it was carried out in every other account and region.
pub async fn carry_out(
    action: &Action,
    settings: &Settings,
    base: Option<&SdkConfig>,
    out: &mut (dyn Write + Send),
) -> Result<Exit, String> {
    if !settings.cloudwatch.enabled {
        return Err("`cloudwatch.enabled` is false: set it to true to have alarms".to_owned());
    }
    let places = place::read(settings, base).await;
    place::report_twins(&places)?;
    everywhere(action, settings, &places, out).await
}

async fn everywhere(
    action: &Action,
    settings: &Settings,
    places: &[Place],
    out: &mut (dyn Write + Send),
) -> Result<Exit, String> {
    let json = action.common().json;
    let several = places.len() > 1;
    let unseen = place::unseen(places);
    let mut exit = Exit::Fine;
    let mut faults = Vec::new();
    for place in places {
        let mut printer = Printer::new((place, &settings.evidence), several, json, out);
        printer.heading()?;
        let result = match &place.found {
            Ok(found) => here(action, found, &unseen, &mut printer).await,
            Err(error) => Err(error.clone()),
        };
        match result {
            Ok(Exit::Fine) => {}
            Ok(other) => exit = other,
            Err(error) => {
                printer.failed(&error)?;
                // Those of other destinations name them themselves.
                let unnamed = several && place.view.name.is_none();
                let whose = if unnamed { "destination `main`: " } else { "" };
                faults.push(format!("{whose}{error}"));
            }
        }
    }
    if let Action::Plan { .. } = action
        && several
    {
        let views: Vec<_> = places.iter().map(|place| place.view.clone()).collect();
        show::total(places, &Estimate::total(settings, &views), json, out)?;
    }
    if faults.is_empty() {
        Ok(exit)
    } else {
        Err(faults.join("\nerror: "))
    }
}

/// Carries an action out in one account and region.
async fn here(
    action: &Action,
    found: &Found,
    unseen: &BTreeSet<String>,
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
        Action::Prune { yes, .. } => prune(found, unseen, *yes, printer).await,
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

fn load(path: &Path) -> Result<Settings, String> {
    let loaded = config::load(path).map_err(|error| error.to_string())?;
    Ok(loaded.settings)
}

async fn apply(found: &Found, printer: &mut Printer<'_>) -> Result<Exit, String> {
    let Found { api, plan, .. } = found;
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
            "warning: the alarm `{}` was changed by hand and is left as it is: `alarms plan` shows how",
            step.name()
        );
    }
    for clash in plan.clashes() {
        eprintln!(
            "error: an alarm named `{}` exists without our tag and was left alone: rename or delete it",
            clash.name
        );
    }
    let clashes = plan.clashes().next().is_some();
    Ok(if clashes { Exit::Bad } else { Exit::Fine })
}

async fn prune(
    found: &Found,
    unseen: &BTreeSet<String>,
    yes: bool,
    printer: &mut Printer<'_>,
) -> Result<Exit, String> {
    let orphans = found.plan.orphans().map(|alarm| alarm.name.clone());
    let names: Vec<_> = orphans.filter(|name| !unseen.contains(name)).collect();
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
        (0, _) => "nothing to remove\n".to_owned(),
        (count, true) => format!("{count} removed\n"),
        (count, false) => format!("{count} to remove: say --yes to remove them\n"),
    })?;
    Ok(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;
    use crate::domain::alarm;
    use crate::domain::alarm::destination::tests::two;
    use crate::domain::alarm::destination::{DestinationView, configured};
    use crate::domain::alarm::plan::ActualAlarm;
    use crate::domain::alarm::plan::tests::{applied, settings};
    use crate::io::cloudwatch::client::Api;
    use crate::model::cause::{CauseId, Owner};
    use crate::model::settings::DriftPolicy;
    use crate::model::target::CauseAlarm;

    /// An account as it was read.
    async fn found(view: &DestinationView, actual: &[ActualAlarm]) -> Found {
        let base = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .build();
        let anywhere = DestinationView::of_all(&Settings::default());
        let api = Box::pin(Api::connect(&anywhere, Some(&base), None)).await;
        Found::new(api.unwrap(), view, actual)
    }

    async fn print(
        action: &Action,
        settings: &Settings,
        places: &[Place],
    ) -> (String, Result<Exit, String>) {
        let mut out = Vec::new();
        let result = everywhere(action, settings, places, &mut out).await;
        (String::from_utf8(out).unwrap(), result)
    }

    fn common(json: bool) -> Common {
        Common {
            config: PathBuf::new(),
            json,
        }
    }

    fn plan(json: bool) -> Action {
        Action::Plan {
            common: common(json),
            detailed_exitcode: true,
        }
    }

    /// What `alarms plan` prints for an account that was applied and then changed.
    async fn check(drift: DriftPolicy, json: bool, change: fn(&mut Vec<ActualAlarm>)) -> String {
        let settings = settings(|settings, target| {
            settings.cloudwatch.drift = drift;
            target.aws.api_id = Some("a1b2c3d4e5".to_owned());
            target.aws.function = Some("orders".to_owned());
            target.alarm.causes.push(CauseAlarm {
                cause: CauseId::new("lambda-throttled").unwrap(),
                owner: Owner::Platform,
                actions: vec!["arn:aws:sns:eu-west-1:1:capacity".to_owned()],
            });
        });
        let view = DestinationView::of_all(&settings);
        let mut actual = applied(&alarm::alarms_of(&view));
        change(&mut actual);
        let place = Place {
            found: Ok(found(&view, &actual).await),
            view,
        };
        let (text, result) = print(&plan(json), &settings, &[place]).await;
        result.unwrap();
        text
    }

    /// Two destinations: the main one has what it should, the other what is given.
    async fn of_two(payments: fn(&mut Vec<ActualAlarm>)) -> (Settings, Vec<Place>) {
        let settings = two();
        let mut places = Vec::new();
        for view in configured(&settings) {
            let mut actual = applied(&alarm::alarms_of(&view));
            if view.name.is_some() {
                payments(&mut actual);
            }
            places.push(Place {
                found: Ok(found(&view, &actual).await),
                view,
            });
        }
        (settings, places)
    }

    fn deny(place: &mut Place) {
        let name = place.view.name.as_deref().unwrap_or("main");
        place.found = Err(format!(
            "DescribeAlarms: destination `{name}`: access denied: allow \
             `cloudwatch:DescribeAlarms` to arn:aws:iam::2:role/probecause"
        ));
    }

    fn drifted(actual: &mut [ActualAlarm]) {
        let definition = actual[1].definition.as_mut().unwrap();
        definition.period = 300;
        definition.actions_enabled = false;
        actual[2].definition.as_mut().unwrap().alarm_actions.clear();
    }

    #[tokio::test]
    async fn a_plan_is_printed_with_cost_and_page_times() {
        use DriftPolicy::{Leave, Mend};
        insta::assert_snapshot!("empty", check(Mend, false, Vec::clear).await);
        insta::assert_snapshot!("equal", check(Mend, false, |_| {}).await);
        insta::assert_snapshot!(
            "drifted_mend",
            check(Mend, false, |actual| drifted(actual)).await
        );
        insta::assert_snapshot!(
            "drifted_leave",
            check(Leave, false, |actual| drifted(actual)).await
        );
        insta::assert_snapshot!(
            "foreign",
            check(Mend, false, |actual| {
                actual[1].tags.clear();
                let mut theirs = actual[0].clone();
                theirs.name = "probecause local theirs".to_owned();
                theirs.tags.clear();
                actual.push(theirs);
            })
            .await
        );
        insta::assert_snapshot!(
            "drifted_leave_json",
            check(Leave, true, |actual| drifted(actual)).await
        );
    }

    #[tokio::test]
    async fn each_destination_is_planned_under_its_heading_and_all_are_summed_up() {
        let (settings, places) = of_two(|actual| drop(actual.remove(1))).await;
        let (text, result) = print(&plan(false), &settings, &places).await;
        assert_eq!(result, Ok(Exit::Bad));
        insta::assert_snapshot!("two_destinations", text);
        let (text, _) = print(&plan(true), &settings, &places).await;
        insta::assert_snapshot!("two_destinations_json", text);
    }

    #[tokio::test]
    async fn a_destination_that_is_denied_hides_no_other() {
        let (settings, mut places) = of_two(|_| {}).await;
        deny(&mut places[1]);
        let (text, result) = print(&plan(false), &settings, &places).await;
        insta::assert_snapshot!("one_destination_denied", text);
        let error = result.unwrap_err();
        assert!(
            error.contains("allow `cloudwatch:DescribeAlarms`"),
            "{error}"
        );
        let (text, _) = print(&plan(true), &settings, &places).await;
        let line = text
            .lines()
            .find(|line| line.contains(r#""action":"failed""#));
        let line = line.unwrap();
        assert!(line.ends_with(r#""destination":"payments"}"#), "{line}");
    }

    #[tokio::test]
    async fn prune_spares_what_a_destination_that_was_not_read_may_want() {
        let prune = Action::Prune {
            common: common(false),
            yes: false,
        };
        let (settings, mut places) = of_two(|_| {}).await;
        // As if both were the same account and region.
        let all = configured(&settings).into_iter();
        let all: Vec<_> = all
            .flat_map(|view| applied(&alarm::alarms_of(&view)))
            .collect();
        places[0].found = Ok(found(&places[0].view, &all).await);
        let (text, _) = print(&prune, &settings, &places).await;
        assert!(text.contains("- probecause local refunds"), "{text}");
        deny(&mut places[1]);
        let (text, _) = print(&prune, &settings, &places).await;
        assert!(!text.contains("- probecause local refunds"), "{text}");
    }

    #[tokio::test]
    async fn two_destinations_that_see_the_same_alarm_are_refused() {
        let (_, places) = of_two(|actual| actual[0].arn.push_str(":elsewhere")).await;
        let error = place::report_twins(&places).err();
        assert_eq!(error, None, "each sees its own");
        let (_, places) = of_two(|_| {}).await;
        let error = place::report_twins(&places).unwrap_err();
        assert!(error.contains("main (eu-west-1) and payments"), "{error}");
    }
}
