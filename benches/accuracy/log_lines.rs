//! Draws the log line of a failure.
//!
//! The line is written in the format of AWS's guides and parsed by the daemon's own parser.
//! A fault without a documented phrase gets none. The shares are assumptions.

use probecause::domain::diagnosis::aws::LogFinding;
use probecause::domain::diagnosis::aws::log_line::{read_access_line, read_execution_lines};
use probecause::model::observation::Observation;

use super::front_doors::{Door, Fault, Kind};
use super::random::Random;
use super::truths::Truths;

/// Share of APIs with an access log that the prober may read.
const LOGGED: f64 = 0.6;
/// Share of lines that are found.
const FOUND: f64 = 0.95;
/// Share of access logs with every field that the parser uses.
const FULL_FORMAT: f64 = 0.7;
/// Share of REST APIs whose execution log is read instead.
const EXECUTION_LOG: f64 = 0.5;

/// A REST API's phrase for a response that it cannot use.
const MALFORMED: &str =
    "Execution failed due to configuration error: Malformed Lambda proxy response";

/// A REST API's phrase for a function or alias that does not exist.
const NOT_FOUND: &str = "Execution failed due to configuration error: Function not found: \
     arn:aws:lambda:eu-west-1:123456789012:function:orders:live";

/// The gateway response type of a failed integration.
const FAILURE: &str = "INTEGRATION_FAILURE";

/// The varying fields of a failure's log line; an empty field is absent.
struct LineFields {
    /// The error message about the integration.
    integration: String,
    /// The status that the Lambda service returned.
    service: &'static str,
    /// The gateway response type; empty if the API relayed the function's response.
    response_type: &'static str,
    /// The error message about the authorizer.
    authorizer: &'static str,
}

/// The line of the request as the daemon parses it; `None` if none is found.
pub(crate) fn log(
    fault: &Fault,
    truths: Truths,
    observation: &Observation,
    random: &mut Random,
) -> Option<LogFinding> {
    if !random.chance(LOGGED * FOUND) {
        return None;
    }
    let fields = line_fields(fault, truths, random);
    let status = observation.response.as_ref()?.status;
    if fault.door == Door::RestApi && random.chance(EXECUTION_LOG) {
        let completed = format!("(0f1e2d3c) Method completed with status: {status}");
        let message = format!("(0f1e2d3c) {}", fields.integration);
        return read_execution_lines(&[&message, &completed]);
    }
    let mut line = serde_json::json!({ "requestId": "K2ZEDjwtIAMEcig=", "status": status });
    if random.chance(FULL_FORMAT) {
        let or_dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
        let called = matches!(fields.service, "200");
        let message = if fields.response_type.is_empty() {
            "-"
        } else {
            "Internal Server Error"
        };
        for (name, value) in [
            ("integrationErrorMessage", or_dash(&fields.integration)),
            ("integrationStatus", or_dash(fields.service)),
            (
                "integrationLatency",
                truths.latency(fault).as_millis().to_string(),
            ),
            (
                "integration.requestId",
                or_dash(if called { "0f1e-7c" } else { "" }),
            ),
            ("error.message", message.to_owned()),
            ("error.responseType", or_dash(fields.response_type)),
            ("authorizer.error", or_dash(fields.authorizer)),
        ] {
            line[name] = value.into();
        }
    }
    read_access_line(&line.to_string()).map(|(_, finding)| finding)
}

fn line_fields(fault: &Fault, truths: Truths, random: &mut Random) -> LineFields {
    let rest = fault.door == Door::RestApi;
    let wrapped = |error: &str| {
        if rest {
            format!(
                "Lambda execution failed with status 200 due to customer function error: \
                 {error}. Lambda request id: 0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5"
            )
        } else {
            format!(
                "The Lambda function returned the following error: {error}. \
                 Check your Lambda function code and try again."
            )
        }
    };
    let (integration, service, response_type, authorizer) = match fault.kind {
        Kind::FunctionError | Kind::CustomizedResponse => {
            // The text of an exception may contain one of AWS's own phrases.
            let error = random.one_of(&[
                "KeyError: 'id'",
                "division by zero",
                "unhandled",
                "Rate Exceeded",
                "Invalid permissions on Lambda function",
            ]);
            (wrapped(error), "200", FAILURE, "")
        }
        Kind::FunctionTimeout => {
            let error = format!(
                "2025-05-20T04:44:13.000Z 0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5 \
                 Task timed out after {:.2} seconds",
                truths.function_timeout
            );
            (wrapped(&error), "200", FAILURE, "")
        }
        kind => {
            let (integration, service, response_type, authorizer) = constant_fields(kind, rest);
            (integration.to_owned(), service, response_type, authorizer)
        }
    };
    LineFields {
        integration,
        service,
        response_type,
        authorizer,
    }
}

/// The fields of [`LineFields`] in order of declaration.
type ConstantFields = (&'static str, &'static str, &'static str, &'static str);

/// The fields of faults whose log line is always the same.
fn constant_fields(kind: Kind, rest: bool) -> ConstantFields {
    match kind {
        Kind::Permission if rest => (
            "Execution failed due to configuration error: Invalid permissions on Lambda function",
            "",
            FAILURE,
            "",
        ),
        Kind::Permission => (
            "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. Check the permissions and try again.",
            "403",
            FAILURE,
            "",
        ),
        Kind::Malformed if rest => (MALFORMED, "200", FAILURE, ""),
        Kind::Malformed => ("", "200", FAILURE, ""),
        // A failure inside the gateway probably has the same fields (inferred).
        Kind::GatewayFailure => ("", "200", FAILURE, ""),
        Kind::Throttled if rest => (
            "Lambda invocation failed with status: 429. Lambda request id: x",
            "429",
            FAILURE,
            "",
        ),
        Kind::Throttled => ("", "429", FAILURE, ""),
        Kind::IntegrationTimeout => (
            "Execution failed due to a timeout error",
            "",
            "INTEGRATION_TIMEOUT",
            "",
        ),
        Kind::Unreachable => (
            "Execution failed due to a network error communicating with endpoint",
            "",
            "INTEGRATION_NETWORK_FAILURE",
            "",
        ),
        Kind::Authorizer => (
            "",
            "",
            "AUTHORIZER_CONFIGURATION_ERROR",
            "The IAM role configured on the authorizer or API Gateway doesn't have permissions",
        ),
        Kind::Deleted if rest => (NOT_FOUND, "404", FAILURE, ""),
        Kind::Deleted => (
            "Lambda invocation failed with status: 404. Function not found",
            "404",
            FAILURE,
            "",
        ),
        Kind::NotReady => ("The Lambda service returned a 4xx error", "", FAILURE, ""),
        Kind::Kms => (
            "Lambda invocation failed with status: 502. KMS access denied",
            "502",
            FAILURE,
            "",
        ),
        Kind::Imitation | Kind::ImitationWithHeader => ("", "200", "", ""),
        kind => ("", "", rejection(kind, rest), ""),
    }
}

/// The gateway response type of a request that the API rejects before it calls its integration.
fn rejection(kind: Kind, rest: bool) -> &'static str {
    match kind {
        Kind::ApiThrottled => "THROTTLED",
        Kind::Unauthorized => "UNAUTHORIZED",
        Kind::Blocked => "WAF_FILTERED",
        Kind::RouteNotFound if rest => "MISSING_AUTHENTICATION_TOKEN",
        Kind::RouteNotFound => "",
        _ => "ACCESS_DENIED",
    }
}
