//! Builds the names of alarms from location, target and cause, within CloudWatch's limits.
//!
//! The alarm of a target named `orders (forbidden)` and the alarm for the cause `forbidden` of the
//! target `orders` would have the same name. Validation of the configuration rejects such target
//! names, so that alarm names are unique.

use crate::model::cause::CauseId;
use crate::model::hash::fnv1a;

/// Maximum length of an alarm name in characters (CloudWatch's limit).
const MAX_NAME: usize = 255;

/// Returns the prefix of the names of all alarms of a location.
#[must_use]
pub fn name_prefix(location: &str) -> String {
    let mut prefix = String::from("probecause ");
    prefix.extend(location.chars().filter(|c| !c.is_control()));
    prefix.push(' ');
    prefix
}

/// Returns the name of a target's alarm at a location.
#[must_use]
pub fn target_alarm_name(location: &str, target: &str) -> String {
    bounded_name(&format!("{}{target}", name_prefix(location)))
}

/// Returns the name of the alarm for one cause of a target, at a location.
#[must_use]
pub fn cause_alarm_name(location: &str, target: &str, cause: &CauseId) -> String {
    bounded_name(&format!("{}{target} ({cause})", name_prefix(location)))
}

/// Returns the name of the heartbeat alarm of a shard. The name of the first shard's alarm contains
/// no shard number. No target's alarm has the same name, because no target name begins with a
/// parenthesis.
#[must_use]
pub fn heartbeat_name(location: &str, shard: u32) -> String {
    let prefix = name_prefix(location);
    bounded_name(&match shard {
        0 => format!("{prefix}(heartbeat)"),
        _ => format!("{prefix}(heartbeat shard {shard})"),
    })
}

/// Returns the shard of a heartbeat alarm, parsed from the alarm's name; `None` for any other
/// alarm.
#[must_use]
pub fn heartbeat_shard(location: &str, name: &str) -> Option<u32> {
    let prefix = name_prefix(location);
    let shard = match name.strip_prefix(&prefix)?.strip_prefix("(heartbeat")? {
        ")" => 0,
        rest => rest
            .strip_prefix(" shard ")?
            .strip_suffix(')')?
            .parse()
            .ok()?,
    };
    (heartbeat_name(location, shard) == name).then_some(shard)
}

/// Removes control characters from a name. A name longer than [`MAX_NAME`] is cut and ends with a
/// hash of the whole name, so that names stay unique.
fn bounded_name(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    if name.chars().count() <= MAX_NAME {
        return name;
    }
    let hash = format!("~{:016x}", fnv1a(&name));
    let kept = MAX_NAME - hash.len();
    name.chars().take(kept).chain(hash.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_a_heartbeat_is_read_from_its_name() {
        for shard in [0, 1, 12] {
            let name = heartbeat_name("eu-west-1", shard);
            assert_eq!(heartbeat_shard("eu-west-1", &name), Some(shard));
        }
        for name in [
            "orders",
            "(heartbeat shard 01)",
            "(heartbeat shard 0)",
            "(heartbeat x)",
        ] {
            let name = target_alarm_name("eu-west-1", name);
            assert_eq!(heartbeat_shard("eu-west-1", &name), None, "{name}");
        }
    }

    #[test]
    fn a_long_name_is_shortened_and_stays_unique() {
        let long = "ä".repeat(300);
        let one = target_alarm_name("local", &format!("{long}1"));
        let two = target_alarm_name("local", &format!("{long}2"));
        assert_eq!(one.chars().count(), 255);
        assert_ne!(one, two);
        let cause = CauseId::new("lambda-throttled").unwrap();
        assert_ne!(cause_alarm_name("local", &format!("{long}1"), &cause), one);
    }
}
