//! Asks CloudTrail for the events of one name, and reads the changes in the response.
//!
//! A response contains user names, addresses and parameters of calls, which may be secret. It is
//! dropped once the changes are read.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ChangeUpdate;
use crate::domain::account_changes::{Records, Watched};
use crate::domain::incident::IncidentId;
use crate::io::aws::CallError;
use crate::io::aws::read::Service;
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::operation::Operation;
use crate::io::evidence::scope::AwsScope;
use crate::model::target::TargetName;

/// A request to CloudTrail, with the incidents that need the response.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lookup {
    pub(super) scope: AwsScope,
    /// The exact name of the events.
    pub(super) event: &'static str,
    /// Start of the period, inclusive. It ends at the time of the request.
    pub(super) from: Timestamp,
    /// The number of the page, from 1.
    pub(super) page: u32,
    /// The token of the page; `None` for the first page.
    pub(super) next_token: Option<String>,
    /// The incidents that need the response.
    pub(super) subscribers: Vec<Subscriber>,
}

/// An incident that needs a response, with the resources and the time that select its changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subscriber {
    pub(super) target: TargetName,
    pub(super) incident: IncidentId,
    pub(super) watched: Arc<Watched>,
    pub(super) first_failure: Timestamp,
}

/// The content of a response.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// The changes for each incident. An incident for which the response contains none is omitted.
    pub(super) updates: Vec<ChangeUpdate>,
    /// The token of the next page; `None` if this is the last page.
    pub(super) next_token: Option<String>,
}

/// The name of the operation, with the prefix that CloudTrail's JSON protocol requires.
const OPERATION: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";

/// Number of events per page, which is CloudTrail's maximum.
const PAGE_SIZE: u32 = 50;

/// Sends the request to CloudTrail, and reads the changes in the response.
pub(super) async fn ask(clients: &ClientCache, lookup: &Lookup) -> Result<Answer, CallError> {
    let scope = &lookup.scope;
    let reader = clients.reader(scope).await?;
    let request = body(lookup);
    let response = reader
        .post_json(Service::CloudTrail, OPERATION, &request)
        .await;
    let response = clients.record_read(Operation::LookupEvents, response)?;
    Ok(read(&response, lookup))
}

fn body(lookup: &Lookup) -> Value {
    let mut body = json!({
        "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": lookup.event }],
        "StartTime": lookup.from.as_second(),
        "MaxResults": PAGE_SIZE,
    });
    if let Some(token) = &lookup.next_token {
        body["NextToken"] = json!(token);
    }
    body
}

fn read(response: &Value, lookup: &Lookup) -> Answer {
    let records = Records::parse(response);
    let updates = lookup.subscribers.iter().filter_map(|subscriber| {
        let changes = records.changes(&subscriber.watched, subscriber.first_failure);
        let update = ChangeUpdate {
            target: subscriber.target.clone(),
            incident: subscriber.incident.clone(),
            changes,
        };
        (!update.changes.is_empty()).then_some(update)
    });
    let next_token = response.get("NextToken").and_then(Value::as_str);
    Answer {
        updates: updates.collect(),
        next_token: next_token.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scope::Scope;

    fn lookup() -> Lookup {
        let subscriber = |target: &str, function: &str| Subscriber {
            target: TargetName::new(target),
            incident: IncidentId::new(&Scope::parse(target), Timestamp::UNIX_EPOCH),
            watched: Arc::new(Watched {
                function: Some(function.to_owned()),
                ..Watched::default()
            }),
            first_failure: "2026-07-14T22:32:28Z".parse().unwrap(),
        };
        Lookup {
            scope: AwsScope::default(),
            event: "RemovePermission20150331v2",
            from: "2026-07-14T21:32:28.798Z".parse().unwrap(),
            page: 1,
            next_token: None,
            subscribers: vec![subscriber("orders", "orders"), subscriber("users", "users")],
        }
    }

    #[test]
    fn a_request_has_one_attribute_and_a_start() {
        let mut lookup = lookup();
        let name = "RemovePermission20150331v2";
        let attribute = json!([{ "AttributeKey": "EventName", "AttributeValue": name }]);
        let mut expected = json!({
            "LookupAttributes": attribute, "StartTime": 1_784_064_748, "MaxResults": 50,
        });
        assert_eq!(body(&lookup), expected);
        lookup.next_token = Some("more".to_owned());
        expected["NextToken"] = json!("more");
        assert_eq!(body(&lookup), expected);
    }

    #[test]
    fn only_the_concerned_incidents_are_updated() {
        let details = json!({
            "eventTime": "2026-07-14T22:32:02Z", "eventSource": "lambda.amazonaws.com",
            "eventName": "RemovePermission20150331v2", "readOnly": false,
            "userIdentity": { "type": "IAMUser", "userName": "alice" },
            "requestParameters": { "functionName": "orders" }
        });
        let event = json!({ "CloudTrailEvent": details.to_string() });
        let response = json!({ "Events": [event], "NextToken": "more" });
        let answer = read(&response, &lookup());
        assert_eq!(answer.next_token.as_deref(), Some("more"));
        let updates = answer.updates.iter();
        let updates: Vec<_> = updates
            .map(|update| (update.target.as_str(), update.changes[0].summary()))
            .collect();
        let summary = "RemovePermission by alice 26 s before".to_owned();
        assert_eq!(updates, [("orders", summary)]);
        let empty = read(&json!({}), &lookup());
        assert_eq!((empty.updates.len(), empty.next_token), (0, None));
    }
}
