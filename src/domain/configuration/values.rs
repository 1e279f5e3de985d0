//! Reads single members of AWS's JSON answers.

use std::time::Duration;

use serde_json::Value;

/// Returns the text of a member; `None` if the member is missing, empty, or not text.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Returns a member that contains a number of milliseconds; `None` if the member is missing or not
/// a whole number.
pub(super) fn milliseconds(value: &Value, key: &str) -> Option<Duration> {
    value.get(key)?.as_u64().map(Duration::from_millis)
}

/// Returns whether a member is the number 0; `None` if the member is missing or not a number.
pub(super) fn is_zero(value: &Value, key: &str) -> Option<bool> {
    let number = value.get(key)?.as_f64()?;
    Some(number.abs() < f64::EPSILON)
}

/// Returns the items of all pages of a list. HTTP APIs name the list `items`, and REST APIs name it
/// `item`. `None` if a page has no list, or if the last page refers to a further page: a list that
/// is not complete must not show that something is missing.
pub(super) fn items(pages: &[Value]) -> Option<Vec<&Value>> {
    let last = pages.last()?;
    if ["nextToken", "position"]
        .iter()
        .any(|key| text(last, key).is_some())
    {
        return None;
    }
    let mut all = Vec::new();
    for page in pages {
        let list = page.get("items").or_else(|| page.get("item"))?;
        match list {
            Value::Array(items) => all.extend(items),
            Value::Object(_) => all.push(list),
            _ => return None,
        }
    }
    Some(all)
}

/// Returns the name of the log group of a stage's access log, and the account in the ARN of the
/// log's destination. The name is `None` if the destination is not a log group or the lines of the
/// log are not JSON. The account is `None` if the ARN contains none. The member `accessLogSettings`
/// is the same for both types of APIs.
pub(super) fn access_log(stage: &Value) -> (Option<String>, Option<String>) {
    let Some(settings) = stage.get("accessLogSettings") else {
        return (None, None);
    };
    let arn = text(settings, "destinationArn").unwrap_or_default();
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let account = parts
        .get(4)
        .filter(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()));
    let is_json = text(settings, "format").is_some_and(|format| format.trim().starts_with('{'));
    let group = match parts.as_slice() {
        [_, _, "logs", _, _, "log-group", name] if is_json => Some(*name),
        _ => None,
    };
    let group = group.map(|name| name.trim_end_matches(":*").to_owned());
    (group, account.map(|account| (*account).to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_complete_or_not_known() {
        let page = |names: &[&str]| json!({ "items": names });
        assert_eq!(items(&[page(&["a"]), page(&["b"])]).unwrap().len(), 2);
        assert_eq!(items(&[json!({ "item": { "a": 1 } })]).unwrap().len(), 1);
        assert_eq!(items(&[page(&[])]), Some(Vec::new()));
        for pages in [
            vec![],
            vec![json!({})],
            vec![json!({ "items": 3 })],
            vec![json!({ "items": [], "nextToken": "x" })],
            vec![json!({ "item": [], "position": "x" })],
        ] {
            assert_eq!(items(&pages), None, "{pages:?}");
        }
    }

    #[test]
    fn the_access_log_names_a_group_and_the_account() {
        let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/api/orders:*";
        for (arn, format, group, account) in [
            (
                arn,
                "{\"requestId\":\"$context.requestId\"}",
                Some("/api/orders"),
                Some("123456789012"),
            ),
            (arn, "$context.requestId", None, Some("123456789012")),
            (
                "arn:aws:firehose:eu-west-1:x:deliverystream/y",
                "{",
                None,
                None,
            ),
            ("", "{", None, None),
        ] {
            let stage = json!({
                "accessLogSettings": { "destinationArn": arn, "format": format }
            });
            let (found, of) = access_log(&stage);
            assert_eq!((found.as_deref(), of.as_deref()), (group, account), "{arn}");
        }
        assert_eq!(access_log(&json!({})), (None, None));
    }
}
