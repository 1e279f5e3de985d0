//! The accounts and regions of a configuration, each read and planned for itself.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use futures_util::future::join_all;

use crate::domain::alarm;
use crate::domain::alarm::destination::{self, DestinationView};
use crate::domain::alarm::plan::{ActualAlarm, Plan};
use crate::domain::alarm::reconciler::call::{Call, Found as Read, ReadId, ReadScope};
use crate::io::alarms::account::Pace;
use crate::io::alarms::calls;
use crate::io::aws::CallError;
use crate::io::cloudwatch::client::Api;
use crate::model::settings::Settings;

/// One account and region.
pub(super) struct Place {
    /// Its part of the settings.
    pub(super) view: DestinationView,
    /// The way there with what is to be done, or why that is not known.
    pub(super) found: Result<Found, String>,
}

/// What was found in an account.
pub(super) struct Found {
    /// The way there.
    pub(super) api: Api,
    /// What is to be done.
    pub(super) plan: Plan,
    /// The ARNs of its alarms.
    arns: BTreeSet<String>,
}

/// Reads every destination that the configuration names, at the same time.
pub(super) async fn read(settings: &Settings, base: Option<&SdkConfig>) -> Vec<Place> {
    let views = destination::configured(settings).into_iter();
    let places = views.map(async |view| Place {
        found: find(&view, base).await.map_err(|error| error.to_string()),
        view,
    });
    join_all(places).await
}

/// Refuses two destinations that turn out to be one account and region: each would take the
/// other's alarms for those of removed targets.
///
/// # Errors
/// A message that names both.
pub(super) fn report_twins(places: &[Place]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
    // Emulators give the same ARNs in different places.
    let real = places
        .iter()
        .filter(|place| place.view.cloudwatch.endpoint_url.is_none());
    for place in real {
        let Ok(found) = &place.found else {
            continue;
        };
        for arn in &found.arns {
            if let Some(other) = seen.insert(arn, place) {
                return Err(format!(
                    "the destinations {} and {} are the same account and region, where both see \
                     `{arn}`: leave one of them",
                    other.view.title(),
                    place.view.title(),
                ));
            }
        }
    }
    Ok(())
}

/// The names of alarms that are desired where we could not look. Should that be the same
/// place as another, they must not be taken there for those of removed targets.
pub(super) fn unseen(places: &[Place]) -> BTreeSet<String> {
    let unknown = places.iter().filter(|place| place.found.is_err());
    unknown
        .flat_map(|place| alarm::alarms_of(&place.view))
        .map(|spec| spec.name)
        .collect()
}

impl Found {
    /// What is to be done where these alarms were found.
    pub(super) fn new(api: Api, view: &DestinationView, actual: &[ActualAlarm]) -> Self {
        let desired = alarm::alarms_of(view);
        Self {
            api,
            plan: Plan::new(&desired, actual, &view.location, view.cloudwatch.drift),
            arns: actual.iter().map(|alarm| alarm.arn.clone()).collect(),
        }
    }
}

async fn find(view: &DestinationView, base: Option<&SdkConfig>) -> Result<Found, CallError> {
    let api = Api::connect(view, base, None).await?;
    let read = Call::ReadAlarms {
        read: ReadId::default(),
        location: view.location.clone(),
        scope: ReadScope::All,
        with_tags: true,
    };
    let performed = calls::perform(Ok(api.clone()), &Pace::default(), read).await;
    let actual = match performed.found()? {
        Read::Alarms(actual) => actual,
        Read::States(_) => Vec::new(),
    };
    Ok(Found::new(api, view, &actual))
}
