//! The settings as each destination sees them: its own account and region, and the targets
//! whose metrics and alarms go there.
//!
//! Everything that plans, publishes and counts works on one such view and knows of no
//! other, so that the failure of one account cannot reach another. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::settings::{CloudWatchSettings, Settings};
use crate::model::target::Target;

/// The key of the main destination, which `[cloudwatch]` itself describes.
pub const MAIN: &str = "";

/// The view of each destination that has something to do, by its name, [`MAIN`] first. The
/// main one is always there; another only while CloudWatch is on and a target is published
/// there.
#[must_use]
pub fn views(settings: &Settings) -> BTreeMap<String, Settings> {
    let busy = |view: &Settings| view.cloudwatch.name.is_none() || view.cloudwatch.enabled;
    let views = configured(settings).into_iter().filter(busy);
    views
        .map(|view| (view.cloudwatch.name.clone().unwrap_or_default(), view))
        .collect()
}

/// The view of every destination that the configuration names, the main one first. One
/// where nothing is published is off: nothing is desired there, but alarms of targets that
/// once were may be left.
#[must_use]
pub fn configured(settings: &Settings) -> Vec<Settings> {
    let names = settings.cloudwatch.destinations.keys();
    std::iter::once(None)
        .chain(names.map(|name| Some(name.as_str())))
        .map(|name| view(settings, name))
        .collect()
}

/// A destination for people: its name, region and role, never the external id, which is
/// half a secret.
#[must_use]
pub fn title(cloudwatch: &CloudWatchSettings) -> String {
    let name = cloudwatch.name.as_deref().unwrap_or("main");
    let region = cloudwatch.region.as_deref().unwrap_or("the default region");
    match &cloudwatch.role {
        Some(role) => format!("{name} ({region} as {})", role.arn),
        None => format!("{name} ({region})"),
    }
}

/// Whether the second describes another place than the first, so that the alarms of the
/// first must not page any more. Where it cannot be told, as with a region that the
/// environment gives, it is taken for the same: the alarms of a place that is kept must
/// never be silenced.
#[must_use]
pub fn is_elsewhere(before: &CloudWatchSettings, after: &CloudWatchSettings) -> bool {
    let differ = |one: Option<&str>, other: Option<&str>| match (one, other) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    };
    differ(before.region.as_deref(), after.region.as_deref())
        || differ(account(before), account(after))
}

/// The account, as far as the role tells it.
fn account(cloudwatch: &CloudWatchSettings) -> Option<&str> {
    // arn:partition:iam::account:role/name
    cloudwatch.role.as_ref()?.arn.split(':').nth(4)
}

fn view(settings: &Settings, name: Option<&str>) -> Settings {
    let goes_there = |targets: &[Arc<Target>]| -> Vec<Arc<Target>> {
        let there = targets
            .iter()
            .filter(|target| target.cloudwatch.destination.as_deref() == name);
        there.map(Arc::clone).collect()
    };
    let mut cloudwatch = settings.cloudwatch.clone();
    let known = name.and_then(|name| cloudwatch.destinations.get(name).cloned());
    if let Some(own) = known {
        cloudwatch.region = own.region;
        cloudwatch.role = own.role;
        cloudwatch.endpoint_url = own.endpoint_url;
        cloudwatch.alarm_actions = own.alarm_actions;
        cloudwatch.actions_enabled = own.actions_enabled;
    }
    cloudwatch.name = name.map(str::to_owned);
    cloudwatch.destinations.clear();
    let (targets, elsewhere) = (
        goes_there(&settings.targets),
        goes_there(&settings.elsewhere),
    );
    if name.is_some() {
        // Another shard's count too: what is there is not to be taken for abandoned.
        let mut all = targets.iter().chain(&elsewhere);
        cloudwatch.enabled &= all.any(|target| target.cloudwatch.enabled);
    }
    Settings {
        cloudwatch,
        targets,
        elsewhere,
        ..settings.clone()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::alarm::desired;
    use crate::model::settings::{DestinationSettings, Role};

    /// Settings with a target `orders` in the main destination and `refunds` in `payments`.
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
        let views = views(&settings).into_values();
        let told: Vec<_> = views
            .map(|view| {
                let alarms = desired(&view).into_iter();
                let alarms = alarms.map(|alarm| format!("{}>{}", alarm.subject, alarm.actions[0]));
                let alarms: Vec<_> = alarms.collect();
                format!("{}: {}", title(&view.cloudwatch), alarms.join(" "))
            })
            .collect();
        assert_eq!(told, expected);
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
    fn a_destination_without_a_published_target_is_not_there() {
        check(|settings| drop(settings.targets.pop()), &[IN_MAIN]);
        let unpublished = |settings: &mut Settings| {
            Arc::make_mut(&mut settings.targets[1]).cloudwatch.enabled = false;
        };
        check(unpublished, &[IN_MAIN]);
    }

    #[test]
    fn only_the_main_destination_is_left_while_cloudwatch_is_off() {
        let off = |settings: &mut Settings| settings.cloudwatch.enabled = false;
        check(off, &["main (eu-west-1): "]);
    }

    #[test]
    fn another_region_or_account_is_elsewhere_and_what_cannot_be_told_is_not() {
        let place = |region: Option<&str>, role: Option<&str>| CloudWatchSettings {
            region: region.map(str::to_owned),
            role: role.map(|arn| Role {
                arn: arn.to_owned(),
                external_id: None,
            }),
            ..CloudWatchSettings::default()
        };
        let (one, two) = ("arn:aws:iam::1:role/a", "arn:aws:iam::2:role/a");
        for (before, after, expected) in [
            (place(Some("a"), None), place(Some("b"), None), true),
            (
                place(Some("a"), Some(one)),
                place(Some("a"), Some(two)),
                true,
            ),
            (place(Some("a"), None), place(Some("a"), None), false),
            (place(None, None), place(Some("a"), None), false),
            (place(None, None), place(None, Some(two)), false),
            (
                place(None, Some(one)),
                place(None, Some("arn:aws:iam::1:role/b")),
                false,
            ),
        ] {
            assert_eq!(
                is_elsewhere(&before, &after),
                expected,
                "{before:?} {after:?}"
            );
        }
    }
}
