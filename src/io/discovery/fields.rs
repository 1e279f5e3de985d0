//! Reads single members of AWS's JSON documents.

use std::time::Duration;

use serde_json::Value;

use crate::domain::discovery::account::{AccessLog, Authorization};

/// Returns the text of a member; `None` if the member is missing, empty, or not text.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Returns a copy of the text of a member; an empty text if [`text`] returns `None`.
pub(super) fn owned(value: &Value, key: &str) -> String {
    text(value, key).unwrap_or_default().to_owned()
}

/// Returns the id of the account in an ARN; `None` if the ARN contains no account id.
pub(super) fn account_of(arn: &str) -> Option<String> {
    let id = arn.split(':').nth(4).filter(|id| !id.is_empty());
    id.map(str::to_owned)
}

/// Returns whether a member is `true`.
pub(super) fn is_true(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool) == Some(true)
}

/// Returns a member with a number of milliseconds as a duration; `None` if the member is missing,
/// zero, or not such a number.
pub(super) fn milliseconds(value: &Value, key: &str) -> Option<Duration> {
    let number = value.get(key)?.as_u64().filter(|number| *number > 0)?;
    Some(Duration::from_millis(number))
}

/// Returns the items of a page. The list is named `items` for HTTP APIs and `item` for REST APIs.
/// Instead of a list with one item, the page may contain the item itself.
pub(super) fn items(page: &Value) -> &[Value] {
    match page.get("items").or_else(|| page.get("item")) {
        Some(Value::Array(items)) => items,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// Returns the access log of a stage; `None` if the stage has none. The member has the same name
/// for HTTP APIs and REST APIs.
pub(super) fn access_log(stage: &Value) -> Option<AccessLog> {
    let settings = stage.get("accessLogSettings")?;
    Some(AccessLog {
        destination: text(settings, "destinationArn")?.to_owned(),
        json: text(settings, "format").is_some_and(|format| format.trim().starts_with('{')),
    })
}

/// Returns the type of authorization of a route or method. If the type is missing, no authorization
/// is required.
pub(super) fn authorization(value: &Value) -> Authorization {
    match value.get("authorizationType").map(Value::as_str) {
        None | Some(Some("NONE")) => Authorization::None,
        Some(Some("CUSTOM")) => Authorization::Lambda,
        Some(Some("JWT")) => Authorization::Jwt,
        Some(Some("AWS_IAM")) => Authorization::Iam,
        Some(Some("COGNITO_USER_POOLS")) => Authorization::Cognito,
        Some(_) => Authorization::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_has_three_forms() {
        for (page, expected) in [
            (json!({ "items": [1, 2] }), 2),
            (json!({ "item": [1] }), 1),
            (json!({ "item": { "id": "a" } }), 1),
            (json!({ "item": "a" }), 0),
            (json!({}), 0),
        ] {
            assert_eq!(items(&page).len(), expected, "{page}");
        }
    }

    #[test]
    fn a_missing_authorization_type_is_public_and_an_unknown_one_is_not() {
        for (value, expected) in [
            (json!({}), Authorization::None),
            (json!({ "authorizationType": "NONE" }), Authorization::None),
            (
                json!({ "authorizationType": "CUSTOM" }),
                Authorization::Lambda,
            ),
            (json!({ "authorizationType": "NEW" }), Authorization::Other),
            (json!({ "authorizationType": "" }), Authorization::Other),
        ] {
            assert_eq!(authorization(&value), expected, "{value}");
        }
    }

    #[test]
    fn an_arn_names_its_account() {
        for (arn, expected) in [
            (
                "arn:aws:iam::123456789012:role/reader",
                Some("123456789012"),
            ),
            ("arn:aws:apigateway:eu-west-1::/apis/a", None),
            ("orders", None),
        ] {
            assert_eq!(account_of(arn).as_deref(), expected, "{arn}");
        }
    }

    #[test]
    fn only_an_object_is_a_json_access_log() {
        let stage = |format: &str| json!({ "accessLogSettings": { "destinationArn": "arn:x", "format": format } });
        let log = |format: &str| access_log(&stage(format)).map(|log| log.json);
        assert_eq!(log("{\"requestId\":1}"), Some(true));
        assert_eq!(log("$context.requestId"), Some(false));
        assert_eq!(access_log(&json!({})), None);
    }
}
