//! `probecause alarms`: what the configuration asks of CloudWatch, shown, applied, and
//! cleared of what is no longer configured.
//!
//! What alarms say about causes belongs to the daemon and is left as it is here.

use std::io::Write;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Exit, Terminal};
use crate::alarm;
use crate::alarm::cost::Estimate;
use crate::alarm::plan::{Plan, Step};
use crate::alarm::words::Words;
use crate::config;
use crate::settings::Settings;
use crate::sink::cloudwatch::account::{self, NAMES_PER_CALL, Pace};
use crate::sink::cloudwatch::client::Api;

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
/// As [`run`].
pub async fn carry_out(
    action: &Action,
    settings: &Settings,
    base: Option<&SdkConfig>,
    out: &mut (dyn Write + Send),
) -> Result<Exit, String> {
    if !settings.cloudwatch.enabled {
        return Err("`cloudwatch.enabled` is false: set it to true to have alarms".to_owned());
    }
    let api = Api::connect(&settings.cloudwatch, base, None)
        .await
        .map_err(|error| error.to_string())?;
    let actual = account::read(&api, &settings.location)
        .await
        .map_err(|error| error.to_string())?;
    let plan = Plan::new(
        &alarm::desired(settings),
        &actual,
        &settings.location,
        settings.cloudwatch.drift,
    );
    let json = action.common().json;
    match action {
        Action::Plan {
            detailed_exitcode, ..
        } => {
            show(&plan, &Estimate::new(settings), json, out)?;
            let bad = *detailed_exitcode && plan.has_changes();
            Ok(if bad { Exit::Bad } else { Exit::Fine })
        }
        Action::Apply { .. } => apply(&api, &plan, json, out).await,
        Action::Prune { yes, .. } => prune(&api, &plan, *yes, json, out).await,
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

fn show(
    plan: &Plan,
    estimate: &Estimate,
    json: bool,
    out: &mut (dyn Write + Send),
) -> Result<(), String> {
    if !json {
        return print(out, &format!("{plan}{estimate}"));
    }
    for step in &plan.steps {
        print(out, &line(&step_json(step)))?;
    }
    let pages: Vec<_> = estimate
        .time_to_page
        .0
        .iter()
        .map(|(target, time)| json!({"target": target.as_str(), "seconds": time.as_secs()}))
        .collect();
    let traffic = &estimate.traffic;
    let (least, most) = traffic.dollars();
    print(
        out,
        &line(&json!({
            "changes": plan.changes().count(),
            "dollars_per_month": estimate.dollars,
            "standard_alarms": estimate.standard_alarms,
            "high_resolution_alarms": estimate.high_resolution_alarms,
            "cause_alarms": estimate.cause_alarms,
            "series": estimate.series,
            "metric_requests_per_month": estimate.requests.round(),
            "evidence_dollars_per_month_at_most": estimate.evidence,
            "probes_per_month": traffic.probes.round(),
            "api_gateway_requests_per_month": (traffic.http_api + traffic.rest_api + traffic.some_api).round(),
            "lambda_invocations_per_month": traffic.lambda.round(),
            "api_dollars_per_month": [least, most],
            "time_to_page": pages,
        })),
    )
}

async fn apply(
    api: &Api,
    plan: &Plan,
    json: bool,
    out: &mut (dyn Write + Send),
) -> Result<Exit, String> {
    let pace = Pace::default();
    for step in plan.changes() {
        let result = match step {
            Step::Create(spec) => account::put(api, &pace, spec, &Words::healthy(spec)).await,
            Step::Update { spec, actual, .. } => account::update(api, &pace, spec, actual).await,
            Step::Drift { .. } | Step::Leave { .. } | Step::Clash(_) | Step::Orphan(_) => Ok(()),
        };
        result.map_err(|error| format!("alarm `{}`: {error}", step.name()))?;
        if json {
            print(out, &line(&step_json(step)))?;
        } else {
            print(out, &format!("{} {}\n", step.action(), step.name()))?;
        }
    }
    if !json && !plan.has_changes() {
        print(out, "nothing to do\n")?;
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
    api: &Api,
    plan: &Plan,
    yes: bool,
    json: bool,
    out: &mut (dyn Write + Send),
) -> Result<Exit, String> {
    let names: Vec<_> = plan.orphans().map(|alarm| alarm.name.clone()).collect();
    for name in &names {
        let text = if json {
            line(&json!({"action": "prune", "alarm": name, "removed": yes}))
        } else {
            format!("- {name}\n")
        };
        print(out, &text)?;
    }
    if yes {
        let pace = Pace::default();
        for some in names.chunks(NAMES_PER_CALL) {
            account::remove(api, &pace, some)
                .await
                .map_err(|error| error.to_string())?;
        }
    }
    if !json {
        let summary = match (names.len(), yes) {
            (0, _) => "nothing to remove\n".to_owned(),
            (count, true) => format!("{count} removed\n"),
            (count, false) => format!("{count} to remove: say --yes to remove them\n"),
        };
        print(out, &summary)?;
    }
    Ok(Exit::Fine)
}

fn step_json(step: &Step) -> Value {
    let changes: Vec<_> = match step {
        Step::Update { changes, .. } | Step::Drift { changes, .. } => changes
            .iter()
            .map(|change| json!({"field": change.field, "from": change.from, "to": change.to}))
            .collect(),
        _ => Vec::new(),
    };
    json!({
        "action": step.action(),
        "alarm": step.name(),
        "changes": changes,
        "changed_by_hand": step.drift().is_some(),
    })
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn print(out: &mut (dyn Write + Send), text: &str) -> Result<(), String> {
    out.write_all(text.as_bytes())
        .map_err(|error| format!("cannot write the result: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::plan::ActualAlarm;
    use crate::alarm::plan::tests::{applied, settings};
    use crate::cause::{CauseId, Owner};
    use crate::settings::DriftPolicy;
    use crate::target::CauseAlarm;

    /// What `alarms plan` prints for an account that was applied and then changed.
    fn check(drift: DriftPolicy, json: bool, change: fn(&mut Vec<ActualAlarm>)) -> String {
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
        let desired = alarm::desired(&settings);
        let mut actual = applied(&desired);
        change(&mut actual);
        let plan = Plan::new(&desired, &actual, &settings.location, drift);
        let mut out = Vec::new();
        show(&plan, &Estimate::new(&settings), json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn drifted(actual: &mut [ActualAlarm]) {
        let definition = actual[1].definition.as_mut().unwrap();
        definition.period = 300;
        definition.actions_enabled = false;
        actual[2].definition.as_mut().unwrap().alarm_actions.clear();
    }

    #[test]
    fn a_plan_is_printed_with_cost_and_page_times() {
        use DriftPolicy::{Leave, Mend};
        insta::assert_snapshot!("empty", check(Mend, false, Vec::clear));
        insta::assert_snapshot!("equal", check(Mend, false, |_| {}));
        insta::assert_snapshot!("drifted_mend", check(Mend, false, |actual| drifted(actual)));
        insta::assert_snapshot!(
            "drifted_leave",
            check(Leave, false, |actual| drifted(actual))
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
        );
        insta::assert_snapshot!(
            "drifted_leave_json",
            check(Leave, true, |actual| drifted(actual))
        );
    }
}
