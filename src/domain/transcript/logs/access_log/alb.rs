//! Reads the lines of the access log of an Application Load Balancer.
//!
//! The fields are those of "Access logs for your Application Load Balancer". A missing status of the
//! target means that the load balancer itself wrote the response.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::command;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::time::seconds;

/// Matches the fields from the time to the request: the time, the three durations, the two
/// statuses, the method and the URL.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"\b(?:https?|h2|grpcs?|wss?) (\d{4}-\S+Z) app/\S+ \S+ \S+ (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) (\d{3}|-) (\d{3}|-) \d+ \d+ "(\S+) (\S+) "#,
    )
});

/// Matches the time at which the load balancer received the request. It follows the priority of the
/// rule.
static CREATED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#" \d+ (\d{4}-\d\d-\d\dT[\d:.]+Z) ""#));

/// Statuses that the load balancer writes because of the client: a malformed request, and a closed
/// connection.
const CLIENT: [u16; 2] = [400, 460];

/// Reads a line of the log; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains(" app/") {
        return None;
    }
    let found = LINE.as_ref()?.captures(line)?;
    let Ok(status) = found[5].parse::<u16>() else {
        return Some(Logged::Passed);
    };
    let by_target: Option<u16> = found[6].parse().ok();
    let is_failed = match by_target {
        Some(_) => status >= 500,
        None => status >= 400 && !CLIENT.contains(&status),
    };
    if !is_failed {
        return Some(Logged::Passed);
    }
    let facts = match by_target {
        Some(status) if (502..=504).contains(&status) => Vec::new(),
        Some(_) => vec![("answered_by", "application")],
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

/// Returns the sum of the durations; `None` if one of them is -1, which means unknown.
fn durations(parts: [&str; 3]) -> Option<Duration> {
    let known = parts.iter().map(|part| part.parse().ok());
    let sum = known.map(|part: Option<f64>| part.filter(|part| *part >= 0.0));
    seconds(sum.sum::<Option<f64>>()?)
}

/// Returns the time between the creation of the request and its response.
fn elapsed(line: &str, ended: &str) -> Option<Duration> {
    let created = CREATED.as_ref()?.captures(line)?;
    let created: Timestamp = created[1].parse().ok()?;
    let ended: Timestamp = ended.parse().ok()?;
    Duration::try_from(ended.duration_since(created)).ok()
}
