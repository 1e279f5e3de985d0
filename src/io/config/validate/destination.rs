//! Reads `[cloudwatch.destination.NAME]` (an additional account and region for metrics and alarms)
//! and the name of a target's destination.
//!
//! Two destinations must not have the same account and region, because each would treat the alarms
//! of the other as alarms of removed targets. Only the settings are compared, so two roles in the
//! same account are not detected.

use super::topics::{actions, check_region, other_region};
use crate::io::config::schema;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::text::{Identifier, Region, RoleArn};
use crate::io::config::value::url::EndpointUrl;
use crate::io::config::wording::alternatives;
use crate::model::settings::{CloudWatchSettings, DestinationSettings, Role};
use crate::model::target::TargetCloudWatch;

/// Maximum length of a destination's name in characters. Log lines and the keys in the state
/// directory contain this name and should stay short.
const MAX_NAME: usize = 64;

/// The reserved name of the destination that `[cloudwatch]` itself configures.
const MAIN: &str = "main";

/// Reads all destinations into `settings`. `settings` must already contain the other settings of
/// `[cloudwatch]`, because each destination inherits some of them.
pub(super) fn read(destinations: &Value<'_>, settings: &mut CloudWatchSettings) {
    for (name, value) in destinations.entries() {
        value.place.check(check_name(name));
        let Some(table) = value.table(schema::DESTINATION) else {
            continue;
        };
        let errors = value.place.problems().error_count();
        let destination = destination(&table, settings);
        // An invalid value is replaced by the default, which can make this destination equal to
        // another. Therefore, equality is reported only if this destination has no error.
        let is_valid = value.place.problems().error_count() == errors;
        if let Some(other) = same_place(&destination, settings).filter(|_| is_valid) {
            value.place.error(format!(
                "has the same account and region as {other}; add a different `region` or `role_arn`"
            ));
        }
        settings.destinations.insert(name.to_owned(), destination);
    }
}

/// Reads the name of the destination for a target's metrics and alarms.
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
        // "main" selects `[cloudwatch]` itself, even if `[defaults]` contains another destination.
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
        place.error("has no effect without `role_arn`; add `role_arn` or remove `external_id`");
    }
    Some(Role {
        arn: table.get::<RoleArn>("role_arn")?,
        external_id,
    })
}

/// Reports the first inherited SNS topic that is in a different region than the destination.
fn check_inherited(table: &Table<'_>, settings: &DestinationSettings) {
    let mut topics = settings.alarm_actions.iter();
    let wrong = topics.find_map(|topic| other_region(topic, settings.region.as_deref()));
    if let Some((topic_region, alarm_region)) = wrong {
        table.place().error(format!(
            "inherits `alarm_actions` with topics in {topic_region} from [cloudwatch], but an \
             alarm in {alarm_region} can only notify topics in {alarm_region}; add \
             `alarm_actions` with topics in {alarm_region}, or `alarm_actions = []` to notify nobody"
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
