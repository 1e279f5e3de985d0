//! Tests the output of `probecause alarms`.

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

/// Creates the plan for an account with these alarms.
async fn found(view: &DestinationView, actual: &[ActualAlarm]) -> AccountPlan {
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .build();
    let anywhere = DestinationView::of_all(&Settings::default());
    let api = Box::pin(Api::connect(&anywhere, Some(&base), None)).await;
    AccountPlan::new(api.unwrap(), view, actual)
}

async fn print(
    action: &Action,
    settings: &Settings,
    states: &[DestinationState],
) -> (String, Result<Exit, String>) {
    let mut out = Vec::new();
    let result = run_in_each(action, settings, states, &mut out).await;
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

/// Returns the output of `alarms plan` for an account whose alarms were applied and then modified
/// by `change`.
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
    let state = DestinationState {
        found: Ok(found(&view, &actual).await),
        view,
    };
    let (text, result) = print(&plan(json), &settings, &[state]).await;
    result.unwrap();
    text
}

/// Creates two destinations whose alarms were applied. The closure `payments` then modifies the
/// alarms of the destination `payments`.
async fn of_two(payments: fn(&mut Vec<ActualAlarm>)) -> (Settings, Vec<DestinationState>) {
    let settings = two();
    let mut states = Vec::new();
    for view in configured(&settings) {
        let mut actual = applied(&alarm::alarms_of(&view));
        if view.name.is_some() {
            payments(&mut actual);
        }
        states.push(DestinationState {
            found: Ok(found(&view, &actual).await),
            view,
        });
    }
    (settings, states)
}

fn deny(state: &mut DestinationState) {
    let name = state.view.name.as_deref().unwrap_or("main");
    state.found = Err(format!(
        "DescribeAlarms: destination `{name}`: access denied: grant \
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
async fn each_destination_has_a_heading_and_the_sum_is_printed_last() {
    let (settings, states) = of_two(|actual| drop(actual.remove(1))).await;
    let (text, result) = print(&plan(false), &settings, &states).await;
    assert_eq!(result, Ok(Exit::Bad));
    insta::assert_snapshot!("two_destinations", text);
    let (text, _) = print(&plan(true), &settings, &states).await;
    insta::assert_snapshot!("two_destinations_json", text);
}

#[tokio::test]
async fn a_denied_destination_does_not_hide_the_others() {
    let (settings, mut states) = of_two(|_| {}).await;
    deny(&mut states[1]);
    let (text, result) = print(&plan(false), &settings, &states).await;
    insta::assert_snapshot!("one_destination_denied", text);
    let error = result.unwrap_err();
    assert!(
        error.contains("grant `cloudwatch:DescribeAlarms`"),
        "{error}"
    );
    let (text, _) = print(&plan(true), &settings, &states).await;
    let line = text
        .lines()
        .find(|line| line.contains(r#""action":"failed""#));
    let line = line.unwrap();
    assert!(line.ends_with(r#""destination":"payments"}"#), "{line}");
}

#[tokio::test]
async fn without_access_to_the_account_the_plan_still_shows_the_cost() {
    let settings = settings(|_, _| {});
    let view = DestinationView::of_all(&settings);
    let alarms = alarm::alarms_of(&view).len();
    let state = DestinationState {
        found: Err("cannot load credentials".to_owned()),
        view,
    };
    let states = [state];
    let (text, result) = print(&plan(false), &settings, &states).await;
    assert_eq!(result, Err("cannot load credentials".to_owned()));
    assert!(
        text.starts_with(&format!(
            "{alarms} alarms are configured; the changes are unknown"
        )),
        "{text}"
    );
    assert!(text.contains(" a month"), "{text}");
    let (text, _) = print(&plan(true), &settings, &states).await;
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["changes"], serde_json::Value::Null);
    assert!(line["dollars_per_month"].as_f64() > Some(0.0), "{line}");
    let apply = Action::Apply {
        common: common(false),
    };
    let (text, _) = print(&apply, &settings, &states).await;
    assert_eq!(text, "");
}

#[tokio::test]
async fn prune_keeps_alarms_that_an_unread_destination_may_desire() {
    let prune = Action::Prune {
        common: common(false),
        yes: false,
    };
    let (settings, mut states) = of_two(|_| {}).await;
    // Both destinations are the same account and region.
    let all = configured(&settings).into_iter();
    let all: Vec<_> = all
        .flat_map(|view| applied(&alarm::alarms_of(&view)))
        .collect();
    states[0].found = Ok(found(&states[0].view, &all).await);
    let (text, _) = print(&prune, &settings, &states).await;
    assert!(text.contains("- probecause local refunds"), "{text}");
    deny(&mut states[1]);
    let (text, _) = print(&prune, &settings, &states).await;
    assert!(!text.contains("- probecause local refunds"), "{text}");
}

#[tokio::test]
async fn two_destinations_that_see_the_same_alarm_are_refused() {
    let (_, states) = of_two(|actual| actual[0].arn.push_str(":elsewhere")).await;
    let error = destinations::refuse_same_account(&states).err();
    assert_eq!(error, None, "each sees its own alarms");
    let (_, states) = of_two(|_| {}).await;
    let error = destinations::refuse_same_account(&states).unwrap_err();
    assert!(error.contains("main (eu-west-1) and payments"), "{error}");
}
