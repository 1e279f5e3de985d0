//! Reads single entries of the request parameters of a CloudTrail event.
//!
//! The services write the same key as `apiId` or `ApiId`, so case is ignored. Parameters can
//! contain secrets: only the functions of this module read them, and only by name.

use serde_json::Value;

/// Returns the text of an entry, if it can be the identifier of a resource: at most 256 characters
/// that are usual in names and ARNs.
pub(super) fn identifier<'a>(parameters: &'a Value, key: &str) -> Option<&'a str> {
    let text = entry(parameters, key)?.as_str()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:/$*{}+".contains(c);
    let valid = (1..=256).contains(&text.len()) && text.chars().all(allowed);
    valid.then_some(text)
}

/// Returns whether the parameters set the reserved concurrency of a function to 0.
pub(super) fn stops_function(parameters: &Value) -> bool {
    entry(parameters, "reservedConcurrentExecutions").is_some_and(is_zero)
}

/// Returns whether the parameters set a throttling limit of a whole stage to 0. For an HTTP API,
/// this is a limit in the default route settings. For a REST API, it is a patch of a limit for all
/// methods.
pub(super) fn stops_stage(parameters: &Value) -> bool {
    let settings = find(parameters, "defaultRouteSettings");
    let by_settings = settings.is_some_and(|settings| {
        let limits = ["throttlingBurstLimit", "throttlingRateLimit"];
        let mut limits = limits.iter().filter_map(|key| entry(settings, key));
        limits.any(is_zero)
    });
    let patches = find(parameters, "patchOperations").and_then(Value::as_array);
    by_settings || patches.into_iter().flatten().any(is_stopping_patch)
}

fn is_stopping_patch(patch: &Value) -> bool {
    let path = entry(patch, "path").and_then(Value::as_str);
    let limits_all = matches!(
        path,
        Some("/*/*/throttling/burstLimit" | "/*/*/throttling/rateLimit")
    );
    limits_all && entry(patch, "value").is_some_and(is_zero)
}

/// Returns whether a number, or a text with a number, is 0.
fn is_zero(value: &Value) -> bool {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    number == Some(0.0)
}

/// Returns the entry with this key, from the parameters or from an object directly in them. Some
/// services put the parameters into an object with the name of the operation, such as
/// `updateStageInput`.
fn find<'a>(parameters: &'a Value, key: &str) -> Option<&'a Value> {
    let inner = || {
        let mut values = parameters.as_object()?.values();
        values.find_map(|value| entry(value, key))
    };
    entry(parameters, key).or_else(inner)
}

fn entry<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    let mut entries = object.as_object()?.iter();
    let found = entries.find(|(name, _)| name.eq_ignore_ascii_case(key));
    found.map(|(_, value)| value)
}
