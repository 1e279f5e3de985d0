//! Reads the lines of the access log of an Application Load Balancer.
//!
//! The fields are described on the AWS page "Access logs for your Application Load Balancer". If
//! the status of the target is missing, the load balancer itself wrote the response: an error, or
//! what a rule of the listener specifies. The field `actions_executed` distinguishes the two. AWS
//! WAF rejected the request if `waf` is the last action.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::command;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::time::seconds;

/// Matches the fields from the type to the request. Captures the time of the response, the three
/// processing times in seconds, the status of the load balancer, the status of the target, the
/// method and the URL.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"\b(?:https?|h2|grpcs?|wss?) (\d{4}-\S+Z) app/\S+ \S+ \S+ (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) (\d{3}|-) (\d{3}|-) \d+ \d+ "(\S+) (\S+) "#,
    )
});

/// Matches the priority of the rule and the two fields after it. Captures these fields: the time at
/// which the load balancer received the request, and the executed actions.
static CREATED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#" \d+ (\d{4}-\d\d-\d\dT[\d:.]+Z) "([a-z,-]*)"#));

/// Statuses of failures that the client caused: 400 for a malformed request, and 460 if the client
/// closed the connection.
const CLIENT: [u16; 2] = [400, 460];

/// Actions for which the listener itself sends the response that its rule specifies. Such a
/// response does not show a failure of the load balancer or its targets.
const RULE_ACTIONS: [&str; 2] = ["fixed-response", "redirect"];

/// Returns the last of the executed actions, which are separated by commas.
fn last_action(actions: &str) -> &str {
    actions.rsplit(',').next().unwrap_or_default()
}

/// Reads a line of the load balancer's access log; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains(" app/") {
        return None;
    }
    let found = LINE.as_ref()?.captures(line)?;
    let Ok(status) = found[5].parse::<u16>() else {
        return Some(Logged::Passed);
    };
    let by_target: Option<u16> = found[6].parse().ok();
    let actions = CREATED.as_ref().and_then(|it| it.captures(line));
    let action = actions.as_ref().map(|found| last_action(&found[2]));
    let is_by_rule = action.is_some_and(|action| RULE_ACTIONS.contains(&action));
    let is_failed = match by_target {
        Some(_) => status >= 500,
        None if is_by_rule => status >= 500,
        None => status >= 400 && !CLIENT.contains(&status),
    };
    if !is_failed {
        return Some(Logged::Passed);
    }
    let facts = match by_target {
        Some(status) if (502..=504).contains(&status) => Vec::new(),
        Some(_) => vec![("answered_by", "application")],
        None if is_by_rule => vec![("answered_by", "application")],
        None if status == 403 && action.is_some_and(|action| action != "waf") => {
            vec![("front_door", "alb"), ("answered_by", "proxy")]
        }
        None => vec![
            ("front_door", "alb"),
            ("gateway_made", "yes"),
            ("answered_by", "proxy"),
        ],
    };
    let method = Some(found[7].to_owned()).filter(|method| method != "-");
    Some(
        Entry {
            status,
            method,
            url: command::url_of(&found[8]),
            time: durations([&found[2], &found[3], &found[4]]).or_else(|| elapsed(line, &found[1])),
            facts,
            ..Entry::default()
        }
        .failed(),
    )
}

/// Returns the sum of the processing times; `None` if one of them is -1, which means unknown.
fn durations(parts: [&str; 3]) -> Option<Duration> {
    let known = parts.iter().map(|part| part.parse().ok());
    let sum = known.map(|part: Option<f64>| part.filter(|part| *part >= 0.0));
    seconds(sum.sum::<Option<f64>>()?)
}

/// Returns the time from the arrival of the request until `ended`, the time of the response; `None`
/// if one of the two times is missing or invalid.
fn elapsed(line: &str, ended: &str) -> Option<Duration> {
    let created = CREATED.as_ref()?.captures(line)?;
    let created: Timestamp = created[1].parse().ok()?;
    let ended: Timestamp = ended.parse().ok()?;
    Duration::try_from(ended.duration_since(created)).ok()
}
