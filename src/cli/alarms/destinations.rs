//! Reads the alarms of each configured destination and plans the changes to these alarms.
//!
//! The parent module makes the planned changes, and `show` prints the plans.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use futures_util::future::join_all;

use crate::domain::alarm;
use crate::domain::alarm::destination::{self, DestinationView};
use crate::domain::alarm::plan::{ActualAlarm, Plan};
use crate::domain::alarm::reconciler::call::{Call, ReadData, ReadId, ReadScope};
use crate::io::alarms::account::Pace;
use crate::io::alarms::calls;
use crate::io::aws::CallError;
use crate::io::cloudwatch::client::Api;
use crate::model::settings::Settings;

/// A destination and the result of reading its account.
pub(super) struct DestinationState {
    /// The settings of the destination.
    pub(super) view: DestinationView,
    /// The API clients and the plan, or the error message if the account could not be read.
    pub(super) found: Result<AccountPlan, String>,
}

/// The API clients of an account whose alarms were read, and the plan for these alarms.
pub(super) struct AccountPlan {
    /// The clients for the AWS APIs of the account.
    pub(super) api: Api,
    /// The difference between the desired alarms and the alarms in the account.
    pub(super) plan: Plan,
    /// The ARNs of all alarms in the account, limited to names with the prefix of the location.
    arns: BTreeSet<String>,
}

/// Reads the alarms of all configured destinations concurrently, and plans the changes to them.
pub(super) async fn read(settings: &Settings, base: Option<&SdkConfig>) -> Vec<DestinationState> {
    let views = destination::configured(settings).into_iter();
    let states = views.map(async |view| DestinationState {
        found: find(&view, base).await.map_err(|error| error.to_string()),
        view,
    });
    join_all(states).await
}

/// Rejects two destinations with the same account and region, because each would treat the alarms
/// of the other as orphans. Two destinations have the same account and region if the same alarm
/// ARN was read from both.
///
/// # Errors
/// Returns a message that names both destinations.
pub(super) fn refuse_same_account(states: &[DestinationState]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, &DestinationState> = BTreeMap::new();
    // Destinations on an emulator are not compared, since an emulator returns the same ARNs for
    // different destinations.
    let real = states
        .iter()
        .filter(|state| state.view.cloudwatch.endpoint_url.is_none());
    for state in real {
        let Ok(found) = &state.found else {
            continue;
        };
        for arn in &found.arns {
            if let Some(other) = seen.insert(arn, state) {
                return Err(format!(
                    "the destinations {} and {} have the same account and region: both contain \
                     `{arn}`; remove one of the destinations",
                    other.view.title(),
                    state.view.title(),
                ));
            }
        }
    }
    Ok(())
}

/// Returns the names of the alarms that are desired in the destinations that could not be read.
/// These alarms must not be pruned as orphans of a destination that was read, because both
/// destinations may have the same account and region.
pub(super) fn desired_elsewhere(states: &[DestinationState]) -> BTreeSet<String> {
    let unknown = states.iter().filter(|state| state.found.is_err());
    unknown
        .flat_map(|state| alarm::alarms_of(&state.view))
        .map(|spec| spec.name)
        .collect()
}

impl AccountPlan {
    /// Compares the desired alarms with the alarms of the account and plans the changes.
    pub(super) fn new(api: Api, view: &DestinationView, actual: &[ActualAlarm]) -> Self {
        let desired = alarm::alarms_of(view);
        Self {
            api,
            plan: Plan::new(&desired, actual, &view.location, view.cloudwatch.drift),
            arns: actual.iter().map(|alarm| alarm.arn.clone()).collect(),
        }
    }
}

async fn find(view: &DestinationView, base: Option<&SdkConfig>) -> Result<AccountPlan, CallError> {
    let api = Api::connect(view, base, None).await?;
    let read = Call::ReadAlarms {
        read: ReadId::default(),
        location: view.location.clone(),
        scope: ReadScope::All,
        with_tags: true,
    };
    let performed = calls::perform(Ok(api.clone()), &Pace::default(), read).await;
    let actual = match performed.found()? {
        ReadData::Alarms(actual) => actual,
        ReadData::States(_) => Vec::new(),
    };
    Ok(AccountPlan::new(api, view, &actual))
}
