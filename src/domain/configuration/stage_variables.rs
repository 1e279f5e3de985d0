//! Replaces stage variables in the values of an integration.
//! Stage variables may contain secrets. Only those in the URI of a function or in the id of a VPC
//! link are copied.

use serde_json::Value;

/// The start of a reference to a stage variable, which ends with `}`.
const START: &str = "${stageVariables.";

/// Returns the text with all references to stage variables replaced; `None` if a variable is
/// missing or a reference has no closing `}`. `variables` is the member `stageVariables` of an HTTP
/// API's stage or `variables` of a REST API's stage.
pub(super) fn resolved(text: &str, variables: Option<&Value>) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START) {
        let (name, after) = after.split_once('}')?;
        result.push_str(before);
        result.push_str(variables?.get(name)?.as_str()?);
        rest = after;
    }
    result.push_str(rest);
    Some(result)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_replaced_or_the_value_is_unknown() {
        let variables = json!({ "fn": "orders", "alias": "live", "bad": 3 });
        for (text, expected) in [
            ("orders", Some("orders")),
            (
                "a:${stageVariables.fn}:${stageVariables.alias}",
                Some("a:orders:live"),
            ),
            ("${stageVariables.other}", None),
            ("${stageVariables.bad}", None),
            ("${stageVariables.fn", None),
            ("${other.fn}", Some("${other.fn}")),
        ] {
            let found = resolved(text, Some(&variables));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert_eq!(resolved("${stageVariables.fn}", None), None);
        assert_eq!(resolved("x", None).as_deref(), Some("x"));
    }
}
