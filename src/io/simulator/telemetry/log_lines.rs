//! Formats the log lines that each API type writes about one request.
//!
//! The messages about faults are those of AWS if a source documents them. No source documents the
//! message of an HTTP API for a malformed response, a throttled call or a timeout. The substitutes
//! for these messages are marked as UNVERIFIED, and no rule may rely on them alone.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::RequestRecord;
use crate::io::simulator::api::{ApiType, Outcome};

/// The text that a log line contains instead of an unset `$context` variable.
const UNSET: &str = "-";

/// Returns the log lines about one request, in order.
pub(super) fn lines(record: &RequestRecord<'_>) -> Vec<String> {
    match record.api {
        ApiType::HttpApi => vec![access(record)],
        ApiType::RestApi => execution(record),
    }
}

/// Formats a line of the access log of an HTTP API. The keys are `$context` names in the camel case
/// of AWS's sample formats. Every value is a string, as in a format with quoted variables.
fn access(record: &RequestRecord<'_>) -> String {
    let route = record.route_key();
    let (message, service_status, own_id) = integration(record);
    json!({
        "requestId": record.request_id,
        "requestTime": clf_time(record.began),
        "routeKey": route.as_deref().unwrap_or(UNSET),
        "stage": record.stage,
        "apiId": record.api.api_id(),
        "status": record.status.to_string(),
        "responseLength": record.body_length.to_string(),
        "responseLatency": millis(Some(record.took)),
        "integrationErrorMessage": message,
        "integrationStatus": service_status,
        "integrationLatency": millis(record.integration),
        "integrationRequestId": if own_id { record.invocation_id } else { UNSET },
    })
    .to_string()
}

/// Returns the error message of the integration, the status that the Lambda service returned to the
/// API, and whether the request id of the integration is set.
fn integration(record: &RequestRecord<'_>) -> (String, &'static str, bool) {
    let error = |text: &str| {
        format!(
            "The Lambda function returned the following error: {text}. \
             Check your Lambda function code and try again."
        )
    };
    match record.outcome {
        Outcome::Response(..) => (UNSET.to_owned(), "200", true),
        Outcome::FunctionError => (error("division by zero"), "200", true),
        Outcome::Denied => {
            let message = "The IAM role configured on the integration or API Gateway doesn't \
                           have permissions to call the integration. Check the permissions \
                           and try again.";
            (message.to_owned(), UNSET, false)
        }
        // UNVERIFIED for an HTTP API: the message is that of a REST API, and the status is that of
        // the throttling error of the Lambda service.
        Outcome::Throttled => ("Rate Exceeded.".to_owned(), "429", false),
        // UNVERIFIED for an HTTP API: the message is that of a REST API.
        Outcome::Malformed => {
            let message = "Malformed Lambda proxy response";
            (message.to_owned(), "200", true)
        }
        // UNVERIFIED for an HTTP API: the message is that of a REST API. The request id of the
        // integration is not set, because it is part of Lambda's response, which the gateway did
        // not receive in time.
        Outcome::TimedOut => ("Endpoint request timed out".to_owned(), UNSET, false),
        Outcome::NoRoute | Outcome::NoStage => (UNSET.to_owned(), UNSET, false),
    }
}

/// Formats the lines of the execution log of a REST API. Each line begins with the request id.
fn execution(record: &RequestRecord<'_>) -> Vec<String> {
    let configuration = "Execution failed due to configuration error:";
    let own = record.invocation_id;
    let mut lines = match record.outcome {
        Outcome::Response(..) => Vec::new(),
        Outcome::TimedOut => vec!["Execution failed due to a timeout error".to_owned()],
        Outcome::Malformed => vec![format!("{configuration} Malformed Lambda proxy response")],
        Outcome::Denied => vec![format!(
            "{configuration} Invalid permissions on Lambda function"
        )],
        Outcome::Throttled => vec![
            format!("Lambda invocation failed with status: 429. Lambda request id: {own}"),
            format!("{configuration} Rate Exceeded."),
        ],
        Outcome::FunctionError => vec![format!(
            "Lambda execution failed with status 200 due to customer function error: \
             division by zero. Lambda request id: {own}"
        )],
        // If no stage or no route matches, no method is executed and nothing is logged.
        Outcome::NoRoute | Outcome::NoStage => return Vec::new(),
    };
    lines.push(format!("Method completed with status: {}", record.status));
    lines
        .into_iter()
        .map(|line| format!("({}) {line}", record.request_id))
        .collect()
}

fn millis(time: Option<Duration>) -> String {
    time.map_or_else(|| UNSET.to_owned(), |time| time.as_millis().to_string())
}

/// Formats a time as in `$context.requestTime`, which uses the Common Log Format.
fn clf_time(at: Timestamp) -> String {
    at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        api: ApiType,
        outcome: Outcome,
        status: u16,
        integration_millis: Option<u64>,
    ) -> String {
        let record = RequestRecord {
            api,
            stage: api.stage(),
            route: Some("/orders"),
            request_id: "K2ZEDjwtIAMEcig=",
            invocation_id: "4c0e6f3a-0000-4000-8000-000000000001",
            outcome,
            status,
            body_length: 35,
            began: Timestamp::UNIX_EPOCH,
            integration: integration_millis.map(Duration::from_millis),
            took: Duration::from_millis(406),
        };
        lines(&record).join("\n")
    }

    #[test]
    fn an_http_api_writes_one_line_of_json_per_request() {
        let lines = [
            (Outcome::Response(200, "{}"), 200, Some(14)),
            (Outcome::TimedOut, 503, Some(30_012)),
            (Outcome::Throttled, 503, Some(5)),
            (Outcome::Denied, 500, Some(5)),
            (Outcome::Malformed, 500, Some(213)),
            (Outcome::FunctionError, 500, Some(233)),
            (Outcome::NoRoute, 404, None),
        ]
        .map(|(outcome, status, millis)| check(ApiType::HttpApi, outcome, status, millis));
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_rest_api_writes_the_sourced_lines_of_its_execution_log() {
        let lines = [
            (Outcome::Response(200, "{}"), 200),
            (Outcome::TimedOut, 504),
            (Outcome::Throttled, 500),
            (Outcome::Denied, 500),
            (Outcome::Malformed, 502),
            (Outcome::FunctionError, 502),
        ]
        .map(|(outcome, status)| check(ApiType::RestApi, outcome, status, None));
        insta::assert_snapshot!(lines.join("\n\n"));
        assert_eq!(check(ApiType::RestApi, Outcome::NoRoute, 403, None), "");
    }
}
