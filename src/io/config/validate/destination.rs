//! Reads `[cloudwatch.destination.NAME]`: further accounts and regions for metrics and
//! alarms, and the destination of a target.
//!
//! Two destinations must not be the same account and region: each would treat the alarms of
//! the other as those of removed targets. Only the configuration is compared; whether two
//! roles belong to one account cannot be seen in it.

use super::topics::{actions, check_region, other_region};
use crate::io::config::table::{Table, Value};
use crate::io::config::value::text::{EndpointUrl, Identifier, Region, RoleArn};
use crate::io::config::wording::alternatives;
use crate::model::settings::{CloudWatchSettings, DestinationSettings, Role};
use crate::model::target::TargetCloudWatch;

const KEYS: [&str; 6] = [
    "region",
    "role_arn",
    "external_id",
    "endpoint_url",
    "alarm_actions",
    "actions_enabled",
];

/// Maximum length of a destination's name in characters. The name is part of log lines and of keys
/// in the state directory.
const MAX_NAME: usize = 64;

/// The reserved name of the destination that `[cloudwatch]` itself describes.
const MAIN: &str = "main";

/// Reads all destinations. Must be called after the other keys of `[cloudwatch]` have been read,
/// because those are the defaults.
pub(super) fn read(destinations: &Value<'_>, settings: &mut CloudWatchSettings) {
    for (name, value) in destinations.entries() {
        value.place.check(check_name(name));
        let Some(table) = value.table(&KEYS) else {
            continue;
        };
        let errors = value.place.problems().error_count();
        let destination = destination(&table, settings);
        // The default values that replace wrong ones can make this destination equal to another
        // one.
        let is_valid = value.place.problems().error_count() == errors;
        if let Some(other) = same_place(&destination, settings).filter(|_| is_valid) {
            value.place.error(format!(
                "is the same account and region as {other}; add a different region or role_arn"
            ));
        }
        settings.destinations.insert(name.to_owned(), destination);
    }
}

/// Reads the name of the destination of a target's metrics and alarms.
pub(super) fn choose(
    table: &Table<'_>,
    target: &mut TargetCloudWatch,
    cloudwatch: &CloudWatchSettings,
) {
    let Some(name) = table.get::<String>("destination") else {
        return;
    };
    if cloudwatch.destinations.contains_key(&name) {
        target.destination = Some(name);
    } else if name == MAIN {
        // A target writes "main" to override a destination of [defaults].
        target.destination = None;
    } else {
        let names = cloudwatch.destinations.keys().map(String::as_str);
        let names = std::iter::once(MAIN).chain(names);
        let known = alternatives(names.map(|name| format!("{name:?}")));
        table.place_of("destination").error(format!(
            "there is no [cloudwatch.destination.{name}]; add it, or write {known}"
        ));
    }
}

fn destination(table: &Table<'_>, main: &CloudWatchSettings) -> DestinationSettings {
    let mut settings = DestinationSettings {
        region: main.region.clone(),
        role: None,
        endpoint_url: main.endpoint_url.clone(),
        alarm_actions: main.alarm_actions.clone(),
        actions_enabled: main.actions_enabled,
    };
    table.set::<Region>("region", &mut settings.region);
    table.set::<EndpointUrl>("endpoint_url", &mut settings.endpoint_url);
    settings.role = role(table);
    table.set::<bool>("actions_enabled", &mut settings.actions_enabled);
    if let Some(list) = table.find("alarm_actions") {
        settings.alarm_actions = actions(&list);
        check_region(&list, settings.region.as_deref());
    } else {
        check_inherited(table, &settings);
    }
    settings
}

fn role(table: &Table<'_>) -> Option<Role> {
    let external_id = table.get::<Identifier>("external_id");
    if external_id.is_some() && !table.has("role_arn") {
        let place = table.place_of("external_id");
        place.error("has no effect without role_arn; add role_arn or remove it");
    }
    Some(Role {
        arn: table.get::<RoleArn>("role_arn")?,
        external_id,
    })
}

/// Reports inherited topics that are in another region than the destination.
fn check_inherited(table: &Table<'_>, settings: &DestinationSettings) {
    let mut topics = settings.alarm_actions.iter();
    let wrong = topics.find_map(|topic| other_region(topic, settings.region.as_deref()));
    if let Some((theirs, ours)) = wrong {
        table.place().error(format!(
            "inherits alarm_actions from [cloudwatch] with topics in {theirs}, but an alarm in \
             {ours} can only notify topics in {ours}; add alarm_actions with topics in {ours}, \
             or [] to notify nobody"
        ));
    }
}

fn same_place(one: &DestinationSettings, settings: &CloudWatchSettings) -> Option<String> {
    let arn = |role: &Option<Role>| role.as_ref().map(|role| role.arn.clone());
    let place = (&one.region, arn(&one.role), &one.endpoint_url);
    if place == (&settings.region, None, &settings.endpoint_url) {
        return Some("[cloudwatch]".to_owned());
    }
    let mut others = settings.destinations.iter();
    let other =
        others.find(|(_, other)| place == (&other.region, arn(&other.role), &other.endpoint_url));
    other.map(|(name, _)| format!("[cloudwatch.destination.{name}]"))
}

fn check_name(name: &str) -> Result<(), String> {
    if name == MAIN {
        return Err(format!(
            "{MAIN:?} is reserved for [cloudwatch] itself; choose another name"
        ));
    }
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let rest = |c: char| first(c) || c == '-';
    if name.len() <= MAX_NAME && name.starts_with(first) && name.chars().all(rest) {
        return Ok(());
    }
    Err(format!(
        "{name:?} is not a destination name; use up to {MAX_NAME} lowercase letters, digits and \
         hyphens, and do not start with a hyphen"
    ))
}
