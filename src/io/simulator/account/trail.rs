//! Simulates CloudTrail's operation LookupEvents, with the changes that caused the faults of the
//! functions.
//!
//! Only lookups by the exact name of an event are supported, because the daemon makes no others.

use serde_json::{Value, json};

use super::ACCOUNT_ID;
use super::function::Function;
use crate::io::simulator::{REGION, RouteFault};

/// The error of a request: AWS's error code and a message.
type LookupError = (&'static str, String);

/// Maximum and default number of events per page, from AWS's documentation.
const MAX_PAGE: usize = 50;

/// Handles one LookupEvents request. Returns the newest events first.
///
/// # Errors
/// Returns an error if a parameter is not valid or not supported.
pub(super) fn look_up(functions: &[Function], request: &Value) -> Result<Value, LookupError> {
    let name = event_name(request)?;
    let number = |key: &str| request.get(key).and_then(Value::as_i64);
    let from = number("StartTime").unwrap_or(i64::MIN);
    let to = number("EndTime").unwrap_or(i64::MAX);
    let skipped: usize = match request.get("NextToken").and_then(Value::as_str) {
        None => 0,
        Some(token) => token.parse().map_err(|_| {
            let message = "The specified NextToken is invalid.".to_owned();
            ("InvalidNextTokenException", message)
        })?,
    };
    let limit = number("MaxResults").and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let is_found = |function: &&Function| {
        let at = function.state.changed.as_second();
        change(function).is_some_and(|(event, _)| event == name) && (from..=to).contains(&at)
    };
    let mut found: Vec<&Function> = functions.iter().filter(is_found).collect();
    found.sort_by_key(|function| std::cmp::Reverse(function.state.changed));
    let page = found.iter().skip(skipped).take(limit);
    let events: Vec<Value> = page.filter_map(|function| event(function)).collect();
    let end = skipped + events.len();
    let mut response = json!({ "Events": events });
    if end < found.len() {
        response["NextToken"] = json!(end.to_string());
    }
    Ok(response)
}

/// Returns the name of the events to look up. Returns an error if the request does not contain
/// exactly one attribute, or if the key of the attribute is not `EventName`.
fn event_name(request: &Value) -> Result<&str, LookupError> {
    let attributes = request.get("LookupAttributes").and_then(Value::as_array);
    let name = match attributes.map(Vec::as_slice) {
        Some([attribute]) if attribute["AttributeKey"] == "EventName" => {
            attribute["AttributeValue"].as_str()
        }
        _ => None,
    };
    name.ok_or_else(|| {
        let message = "`LookupAttributes` must contain one attribute: `EventName`".to_owned();
        ("InvalidLookupAttributesException", message)
    })
}

/// Returns the name and the parameters of the API call that caused the fault of a function; `None`
/// if there is no fault, or if its cause is not a change in the account.
fn change(function: &Function) -> Option<(&'static str, Value)> {
    let name = &function.name;
    match function.state.fault {
        RouteFault::Permission => Some((
            "RemovePermission20150331v2",
            json!({ "functionName": name, "statementId": "api" }),
        )),
        RouteFault::Throttled => Some((
            "PutFunctionConcurrency20171031",
            json!({ "functionName": name, "reservedConcurrentExecutions": 0 }),
        )),
        RouteFault::None
        | RouteFault::Timeout
        | RouteFault::Malformed
        | RouteFault::FunctionError
        | RouteFault::WrongBody => None,
    }
}

/// Returns the event about the change that caused the fault of a function; `None` if no change in
/// the account caused it.
fn event(function: &Function) -> Option<Value> {
    let (name, parameters) = change(function)?;
    let changed = function.state.changed;
    let id = format!("{}-{}", function.name, changed.as_millisecond());
    let session = format!("arn:aws:sts::{ACCOUNT_ID}:assumed-role/deploy-role/pipeline");
    let issuer = json!({
        "type": "Role",
        "arn": format!("arn:aws:iam::{ACCOUNT_ID}:role/deploy-role"),
        "accountId": ACCOUNT_ID,
        "userName": "deploy-role",
    });
    let details = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": session,
            "accountId": ACCOUNT_ID,
            "sessionContext": { "sessionIssuer": issuer },
        },
        "eventTime": changed.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "eventSource": "lambda.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "requestParameters": parameters,
        "responseElements": null,
        "eventID": id,
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT_ID,
    });
    Some(json!({
        "EventId": id,
        "EventName": name,
        "EventSource": "lambda.amazonaws.com",
        "EventTime": changed.as_second(),
        "ReadOnly": "false",
        "Username": "pipeline",
        "Resources": [],
        "CloudTrailEvent": details.to_string(),
    }))
}
