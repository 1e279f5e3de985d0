//! Selects the settings of each destination. A destination is an AWS account and region to which
//! the metrics and alarms of some targets are written.
//!
//! Planning, publishing and cost estimates use the view of a single destination, so that a failure
//! in one account cannot affect another account.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::settings::{CloudWatchSettings, Settings, ShardSettings};
use crate::model::target::Target;

/// The key of the main destination in maps by destination name. The table `[cloudwatch]` itself
/// configures this destination.
pub const MAIN: &str = "";

/// The part of the settings that one destination uses.
#[derive(Clone, Debug, PartialEq)]
pub struct DestinationView {
    /// The name of the destination; `None` for the main destination.
    pub name: Option<String>,
    /// Whether metrics and alarms are written to the destination. False while CloudWatch is
    /// disabled, for a named destination to which no target is published, and after the destination
    /// is removed.
    pub active: bool,
    /// The location of the daemon, such as a region or a site.
    pub location: String,
    /// The settings that divide the targets of the location among shards.
    pub shards: ShardSettings,
    /// CloudWatch settings, with the account, region and actions of this destination.
    pub cloudwatch: CloudWatchSettings,
    /// The targets of this destination that this daemon probes.
    pub targets: Vec<Arc<Target>>,
    /// The targets of this destination that only other shards probe.
    pub elsewhere: Vec<Arc<Target>>,
}

impl DestinationView {
    /// Returns a view in which all targets belong to the main destination.
    #[must_use]
    pub fn of_all(settings: &Settings) -> Self {
        Self {
            name: None,
            active: settings.cloudwatch.enabled,
            location: settings.location.clone(),
            shards: settings.shards,
            cloudwatch: settings.cloudwatch.clone(),
            targets: settings.targets.clone(),
            elsewhere: settings.elsewhere.clone(),
        }
    }

    /// Returns the view of the destination `name`; `None` selects the main destination.
    fn of(settings: &Settings, name: Option<&str>) -> Self {
        let mut view = Self::of_all(settings);
        let is_here = |target: &Arc<Target>| target.cloudwatch.destination.as_deref() == name;
        view.targets.retain(is_here);
        view.elsewhere.retain(is_here);
        // The settings of other destinations are removed, so that their changes do not change this
        // view.
        view.cloudwatch.destinations.clear();
        let Some(name) = name else { return view };
        view.name = Some(name.to_owned());
        // Targets that only other shards probe also make the destination active, because an
        // inactive destination has no desired alarms, not even those of other shards.
        let mut all = view.targets.iter().chain(&view.elsewhere);
        view.active &= all.any(|target| target.cloudwatch.enabled);
        if let Some(own) = settings.cloudwatch.destinations.get(name).cloned() {
            let cloudwatch = &mut view.cloudwatch;
            cloudwatch.region = own.region;
            cloudwatch.role = own.role;
            cloudwatch.endpoint_url = own.endpoint_url;
            cloudwatch.alarm_actions = own.alarm_actions;
            cloudwatch.actions_enabled = own.actions_enabled;
        }
        view
    }

    /// Returns the view of this destination after its removal, in which no alarm is desired.
    #[must_use]
    pub fn removed(&self) -> Self {
        Self {
            active: false,
            ..self.clone()
        }
    }

    /// Returns a title of the destination for display: its name, region and role. The external id
    /// is omitted, because it may be confidential.
    #[must_use]
    pub fn title(&self) -> String {
        let name = self.name.as_deref().unwrap_or("main");
        let region = self.cloudwatch.region.as_deref();
        let region = region.unwrap_or("the default region");
        match &self.cloudwatch.role {
            Some(role) => format!("{name} ({region} as {})", role.arn),
            None => format!("{name} ({region})"),
        }
    }

    /// Returns whether `after` is in another account or region, in which case the alarms of `self`
    /// must no longer notify. An account or region that is not in the settings, such as a region
    /// from the environment, counts as the same, because alarms in use must not be disabled.
    #[must_use]
    pub fn moves_to(&self, after: &Self) -> bool {
        let differ = |one: Option<&str>, other: Option<&str>| match (one, other) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        };
        let (before, after) = (&self.cloudwatch, &after.cloudwatch);
        differ(before.region.as_deref(), after.region.as_deref())
            || differ(account(before), account(after))
    }
}

/// Returns the destinations that run, [`MAIN`] first: a map from the name of each destination to
/// its view. The main destination always runs. A named destination runs if CloudWatch is enabled
/// and at least one target is published to that destination.
#[must_use]
pub fn running(settings: &Settings) -> BTreeMap<String, DestinationView> {
    let views = configured(settings).into_iter();
    views
        .filter(|view| view.name.is_none() || view.active)
        .map(|view| (view.name.clone().unwrap_or_default(), view))
        .collect()
}

/// Returns the view of every configured destination, the main destination first. A destination
/// without published targets is included, because alarms of removed targets may still exist there.
#[must_use]
pub fn configured(settings: &Settings) -> Vec<DestinationView> {
    let names = settings.cloudwatch.destinations.keys();
    std::iter::once(None)
        .chain(names.map(|name| Some(name.as_str())))
        .map(|name| DestinationView::of(settings, name))
        .collect()
}

/// Returns the account number in the ARN of the destination's role; `None` if there is no role or
/// its ARN has fewer than five parts.
fn account(cloudwatch: &CloudWatchSettings) -> Option<&str> {
    // A role's ARN has the form `arn:partition:iam::account:role/name`.
    cloudwatch.role.as_ref()?.arn.split(':').nth(4)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::alarm::desired::alarms_of;
    use crate::model::settings::{DestinationSettings, Role};

    /// Returns settings with two targets: `orders` in the main destination, and `refunds` in the
    /// destination `payments`.
    pub(crate) fn two() -> Settings {
        let url: url::Url = "https://orders.example/".parse().unwrap();
        let mut settings = Settings::default();
        settings.cloudwatch.enabled = true;
        settings.cloudwatch.region = Some("eu-west-1".to_owned());
        settings.cloudwatch.alarm_actions = vec!["arn:aws:sns:eu-west-1:1:pager".to_owned()];
        let payments = DestinationSettings {
            region: Some("us-east-1".to_owned()),
            role: Some(Role {
                arn: "arn:aws:iam::2:role/probecause".to_owned(),
                external_id: Some("hunter2".to_owned()),
            }),
            endpoint_url: None,
            alarm_actions: vec!["arn:aws:sns:us-east-1:2:pager".to_owned()],
            actions_enabled: true,
        };
        let destinations = &mut settings.cloudwatch.destinations;
        destinations.insert("payments".to_owned(), payments);
        let orders = Target::with_defaults("orders", url.clone());
        let mut refunds = Target::with_defaults("refunds", url);
        refunds.cloudwatch.destination = Some("payments".to_owned());
        settings.targets = vec![Arc::new(orders), Arc::new(refunds)];
        settings
    }

    fn check(change: impl FnOnce(&mut Settings), expected: &[&str]) {
        let mut settings = two();
        change(&mut settings);
        let shown: Vec<_> = running(&settings)
            .into_values()
            .map(|view| {
                let alarms = alarms_of(&view).into_iter();
                let alarms = alarms.map(|alarm| format!("{}>{}", alarm.key, alarm.actions[0]));
                let alarms: Vec<_> = alarms.collect();
                format!("{}: {}", view.title(), alarms.join(" "))
            })
            .collect();
        assert_eq!(shown, expected);
    }

    const IN_MAIN: &str = "main (eu-west-1): heartbeat>arn:aws:sns:eu-west-1:1:pager \
                           orders>arn:aws:sns:eu-west-1:1:pager";

    #[test]
    fn each_destination_has_its_own_targets_topics_and_heartbeat() {
        let payments = "payments (us-east-1 as arn:aws:iam::2:role/probecause): \
                        heartbeat>arn:aws:sns:us-east-1:2:pager \
                        refunds>arn:aws:sns:us-east-1:2:pager";
        check(|_| {}, &[IN_MAIN, payments]);
    }

    #[test]
    fn a_destination_without_published_targets_does_not_run() {
        check(|settings| drop(settings.targets.pop()), &[IN_MAIN]);
        let unpublished = |settings: &mut Settings| {
            Arc::make_mut(&mut settings.targets[1]).cloudwatch.enabled = false;
        };
        check(unpublished, &[IN_MAIN]);
    }

    #[test]
    fn only_the_main_destination_runs_while_cloudwatch_is_disabled() {
        let off = |settings: &mut Settings| settings.cloudwatch.enabled = false;
        check(off, &["main (eu-west-1): "]);
    }

    #[test]
    fn a_destination_moves_only_to_a_place_that_is_known_to_differ() {
        let place = |region: Option<&str>, role: Option<&str>| {
            let mut settings = Settings::default();
            settings.cloudwatch.region = region.map(str::to_owned);
            settings.cloudwatch.role = role.map(|arn| Role {
                arn: arn.to_owned(),
                external_id: None,
            });
            DestinationView::of_all(&settings)
        };
        let (one, two) = ("arn:aws:iam::1:role/a", "arn:aws:iam::2:role/a");
        let same_account = "arn:aws:iam::1:role/b";
        for (before, after, expected) in [
            ((Some("a"), None), (Some("b"), None), true),
            ((Some("a"), Some(one)), (Some("a"), Some(two)), true),
            ((Some("a"), None), (Some("a"), None), false),
            ((None, None), (Some("a"), None), false),
            ((None, None), (None, Some(two)), false),
            ((None, Some(one)), (None, Some(same_account)), false),
        ] {
            let (from, to) = (place(before.0, before.1), place(after.0, after.1));
            assert_eq!(from.moves_to(&to), expected, "{before:?} to {after:?}");
        }
    }
}
