//! The log line of a drawn failure.
//!
//! Written in the form of AWS's guides, and read by the daemon's own reader. What AWS
//! documents no phrase for is left without one. Shares are assumptions.

use probecause::domain::diagnosis::aws::LogFinding;
use probecause::domain::diagnosis::aws::log_line::{read_access_line, read_execution_lines};
use probecause::model::observation::Observation;

use super::front_doors::{Door, Fault, Kind};
use super::random::Random;
use super::truths::Truths;

/// Share of APIs with an access log that may be read; of lines found; of full formats.
const LOGGED: f64 = 0.6;
/// See [`LOGGED`].
const FOUND: f64 = 0.95;
/// See [`LOGGED`].
const FULL_FORMAT: f64 = 0.7;
/// Share of REST APIs read by their execution log instead.
const EXECUTION_LOG: f64 = 0.5;

/// A REST API's words for an answer that it cannot use.
const MALFORMED: &str =
    "Execution failed due to configuration error: Malformed Lambda proxy response";

/// The kind of gateway response of an integration that failed.
const OWN: &str = "INTEGRATION_FAILURE";

/// What stands in a log line of this failure.
struct LineFields {
    /// AWS's word on the integration.
    integration: String,
    /// The status of the Lambda service.
    service: &'static str,
    /// The kind of gateway response; empty: the API did not answer for itself.
    kind: &'static str,
    authorizer: &'static str,
}

/// The request's own line as the daemon would have read it; `None`: it has none.
pub(crate) fn log(
    fault: &Fault,
    truths: Truths,
    observation: &Observation,
    random: &mut Random,
) -> Option<LogFinding> {
    if !random.chance(LOGGED * FOUND) {
        return None;
    }
    let words = words(fault, truths, random);
    let status = observation.response.as_ref()?.status;
    if fault.door == Door::RestApi && random.chance(EXECUTION_LOG) {
        let completed = format!("(0f1e2d3c) Method completed with status: {status}");
        let said = format!("(0f1e2d3c) {}", words.integration);
        return read_execution_lines(&[&said, &completed]);
    }
    let mut line = serde_json::json!({ "requestId": "K2ZEDjwtIAMEcig=", "status": status });
    if random.chance(FULL_FORMAT) {
        let or_dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
        let called = matches!(words.service, "200");
        let message = if words.kind.is_empty() {
            "-"
        } else {
            "Internal Server Error"
        };
        for (name, value) in [
            ("integrationErrorMessage", or_dash(&words.integration)),
            ("integrationStatus", or_dash(words.service)),
            (
                "integrationLatency",
                truths.latency(fault).as_millis().to_string(),
            ),
            (
                "integration.requestId",
                or_dash(if called { "0f1e-7c" } else { "" }),
            ),
            ("error.message", message.to_owned()),
            ("error.responseType", or_dash(words.kind)),
            ("authorizer.error", or_dash(words.authorizer)),
        ] {
            line[name] = value.into();
        }
    }
    read_access_line(&line.to_string()).map(|(_, finding)| finding)
}

fn words(fault: &Fault, truths: Truths, random: &mut Random) -> LineFields {
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
    let (integration, service, kind, authorizer) = match fault.kind {
        Kind::FunctionError | Kind::Customised => {
            // An exception may say what AWS says elsewhere.
            let error = random.one_of(&[
                "KeyError: 'id'",
                "division by zero",
                "unhandled",
                "Rate Exceeded",
                "Invalid permissions on Lambda function",
            ]);
            (wrapped(error), "200", OWN, "")
        }
        Kind::FunctionTimeout => {
            let error = format!(
                "2025-05-20T04:44:13.000Z 0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5 \
                 Task timed out after {:.2} seconds",
                truths.function_timeout
            );
            (wrapped(&error), "200", OWN, "")
        }
        kind => {
            let (integration, service, kind, authorizer) = said(kind, rest);
            (integration.to_owned(), service, kind, authorizer)
        }
    };
    LineFields {
        integration,
        service,
        kind,
        authorizer,
    }
}

/// What a log says: of the integration, the Lambda service's status, the kind of gateway
/// response, and of the authorizer.
type Said = (&'static str, &'static str, &'static str, &'static str);

/// What is said of faults whose words are always the same.
fn said(kind: Kind, rest: bool) -> Said {
    match kind {
        Kind::Permission if rest => (
            "Execution failed due to configuration error: Invalid permissions on Lambda function",
            "",
            OWN,
            "",
        ),
        Kind::Permission => (
            "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. Check the permissions and try again.",
            "403",
            OWN,
            "",
        ),
        Kind::Malformed if rest => (MALFORMED, "200", OWN, ""),
        Kind::Malformed => ("", "200", OWN, ""),
        // By inference of the log's OWN fields, a failure inside the gateway looks the same.
        Kind::Blip => ("", "200", OWN, ""),
        Kind::Throttled if rest => (
            "Lambda invocation failed with status: 429. Lambda request id: x",
            "429",
            OWN,
            "",
        ),
        Kind::Throttled => ("", "429", OWN, ""),
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
        Kind::Deleted => (
            "Lambda invocation failed with status: 404. Function not found",
            "404",
            OWN,
            "",
        ),
        Kind::Kms => (
            "Lambda invocation failed with status: 502. KMS access denied",
            "502",
            OWN,
            "",
        ),
        Kind::OwnPlain | Kind::OwnTold => ("", "200", "", ""),
        _ => ("", "", "ACCESS_DENIED", ""),
    }
}
