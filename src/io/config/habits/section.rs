//! Maps the tables of another tool's targets to the tables of a target in this configuration.

use std::borrow::Cow;

use super::names_targets;
use crate::io::config::schema;

/// Converts a section in another tool's list of targets, such as `targets.request`, `endpoints` or
/// `inputs.http_response`, to `target` or a section below it. Returns any other section unchanged.
pub(super) fn as_target(section: &str) -> Cow<'_, str> {
    let (first, rest) = section.split_once('.').unwrap_or((section, ""));
    if first.is_empty() || schema::MAIN.contains(&first) || !names_targets(first) {
        return section.into();
    }
    let is_table = |name: &str| schema::OF_TARGET.iter().any(|(table, _)| *table == name);
    // In `inputs.http_response.headers`, the name `http_response` is not a table of a target.
    let rest = match rest.split_once('.') {
        _ if is_table(rest) => rest,
        Some((_, inner)) => inner,
        None => "",
    };
    if rest.is_empty() {
        "target".into()
    } else {
        format!("target.{rest}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_another_tools_target_is_a_table_of_a_target() {
        for (section, expected) in [
            ("targets", "target"),
            ("targets.request", "target.request"),
            ("targets.orders", "target"),
            ("inputs.http_response", "target"),
            ("inputs.http_response.headers", "target.headers"),
            ("target.request", "target.request"),
            ("defaults", "defaults"),
            ("", ""),
            ("server", "server"),
        ] {
            assert_eq!(as_target(section), expected);
        }
    }
}
