//! Further accounts and regions for metrics and alarms, and which targets have theirs there.
//!
//! Two destinations must not be the same place: each would take the other's alarms for
//! those of removed targets. Told here as far as the words show it; whether two roles are
//! of one account shows only in the account.

use super::aws::region;
use super::text::{arn, filled, set, web_url};
use super::topics::{actions, elsewhere, in_region};
use crate::io::config::document::Site;
use crate::io::config::file::{CloudWatchTable, DestinationTable, TargetCloudWatchTable};
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::settings::{CloudWatchSettings, DestinationSettings, Role};
use crate::model::target::TargetCloudWatch;

/// A name is part of log lines and of keys in the state directory.
const MAX_NAME: usize = 64;

/// What the destination of `[cloudwatch]` itself is called.
const MAIN: &str = "main";

/// Reads every destination, when all else of `[cloudwatch]` that they start from is known.
pub(super) fn read(
    table: &Layer<'_, CloudWatchTable>,
    settings: &mut CloudWatchSettings,
    problems: &mut Problems,
) {
    let Some(found) = table.pick("destination", |t| t.destination.as_ref()) else {
        return;
    };
    for (name, table) in found.value {
        let site = found.site.key(name);
        if let Err(message) = check_name(name) {
            problems.error(site.problem(message));
        }
        let layer = Layer::alone(Some(table), site.clone());
        let before = problems.errors.len();
        let one = destination(&layer, settings, problems);
        // Where something is wrong with its place, what is left of it may resemble another.
        let is_sound = problems.errors.len() == before;
        if let Some(other) = same_place(&one, settings).filter(|_| is_sound) {
            problems.error(site.problem(format!(
                "is the same account and region as {other}; give it a region or a role_arn of \
                 its own"
            )));
        }
        settings.destinations.insert(name.clone(), one);
    }
}

/// Reads which destination a target's metrics and alarms go to.
pub(super) fn choose(
    table: &Layer<'_, TargetCloudWatchTable>,
    target: &mut TargetCloudWatch,
    cloudwatch: &CloudWatchSettings,
    problems: &mut Problems,
) {
    let found = table.pick("destination", |t| t.destination.as_ref());
    let known = |text: &String| {
        if text == MAIN {
            // So that a target can undo what the defaults say.
            return Ok(None);
        }
        if cloudwatch.destinations.contains_key(text) {
            return Ok(Some(text.clone()));
        }
        let known = cloudwatch
            .destinations
            .keys()
            .map(|name| format!("{name:?}"));
        let known: Vec<_> = std::iter::once(format!("{MAIN:?}")).chain(known).collect();
        Err(format!(
            "there is no [cloudwatch.destination.{text}]; add it, or write {}",
            known.join(" or ")
        ))
    };
    set(&mut target.destination, found, known, problems);
}

fn destination(
    table: &Layer<'_, DestinationTable>,
    main: &CloudWatchSettings,
    problems: &mut Problems,
) -> DestinationSettings {
    let mut settings = DestinationSettings {
        region: main.region.clone(),
        role: None,
        endpoint_url: main.endpoint_url.clone(),
        alarm_actions: main.alarm_actions.clone(),
        actions_enabled: main.actions_enabled,
    };
    let place = table.pick("region", |t| t.region.as_ref());
    let code = |text: &String| region(text).map(Some);
    set(&mut settings.region, place, code, problems);
    let endpoint = table.pick("endpoint_url", |t| t.endpoint_url.as_ref());
    let url = |text: &String| web_url(text).map(|_| Some(text.clone()));
    set(&mut settings.endpoint_url, endpoint, url, problems);
    role(table, &mut settings.role, problems);
    let enabled = table.pick("actions_enabled", |t| t.actions_enabled.as_ref());
    set(
        &mut settings.actions_enabled,
        enabled,
        |on| Ok(*on),
        problems,
    );
    if let Some(found) = table.pick("alarm_actions", |t| t.alarm_actions.as_ref()) {
        settings.alarm_actions = actions(&found, problems);
        in_region(&found, settings.region.as_deref(), problems);
    } else {
        inherited(&settings, table.own_site(), problems);
    }
    settings
}

fn role(table: &Layer<'_, DestinationTable>, settings: &mut Option<Role>, problems: &mut Problems) {
    let written = table.pick("role_arn", |t| t.role_arn.as_ref());
    let role = |text: &String| {
        let role = Role {
            arn: text.clone(),
            external_id: None,
        };
        arn(text).map(|()| Some(role))
    };
    let names_role = written.is_some();
    set(settings, written, role, problems);
    let Some(found) = table.pick("external_id", |t| t.external_id.as_ref()) else {
        return;
    };
    match (filled(found.value), settings) {
        (Err(message), _) => problems.error(found.site.problem(message)),
        (Ok(id), Some(role)) => role.external_id = Some(id),
        (Ok(_), None) if !names_role => problems.error(
            found
                .site
                .problem("is for assuming a role, and there is none; add role_arn or remove it"),
        ),
        // What is wrong with the role has been told.
        (Ok(_), None) => {}
    }
}

/// Actions that a destination has from `[cloudwatch]` may be of another region.
fn inherited(settings: &DestinationSettings, site: &Site<'_>, problems: &mut Problems) {
    let mut topics = settings.alarm_actions.iter();
    let wrong = topics.find_map(|topic| elsewhere(topic, settings.region.as_deref()));
    if let Some((theirs, ours)) = wrong {
        problems.error(site.problem(format!(
            "has the alarm_actions of [cloudwatch], whose topics are in {theirs}, and an alarm \
             in {ours} can only tell topics there; add alarm_actions of {ours}, or [] to page \
             nobody"
        )));
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
            "{MAIN:?} is the destination of [cloudwatch] itself; choose another name"
        ));
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.len() <= MAX_NAME && name.starts_with(edge) && name.chars().all(good) {
        return Ok(());
    }
    Err(format!(
        "{name:?} is no name for a destination; use up to {MAX_NAME} lower-case letters, digits \
         and dashes, no dash first"
    ))
}
