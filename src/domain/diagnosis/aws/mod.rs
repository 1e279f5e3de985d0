//! Interprets the evidence from AWS about a failed request: the request's log line, the metrics of
//! the minutes around the request, and the configuration of the AWS resources.
//!
//! `io::evidence` queries AWS; this module holds the plain data and interprets it. `log_line`
//! parses a line, `window` selects the minutes to query, `sums` interprets the metric sums, `facts`
//! turns the evidence into facts, `configuration` adds what the configuration shows, `permission`
//! decides whether a policy allows an invocation, and `summary` turns the evidence into text. Log
//! text is reduced to a template, because an exception's message may contain private data.

pub mod configuration;
mod facts;
pub mod log_line;
pub mod permission;
pub mod summary;
mod sums;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::configuration::ConfigurationEvidence;
use crate::model::target::{Target, TargetName};
use crate::model::text_enum::text_enum;

/// A request for evidence from AWS about a failed probe.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceRequest {
    /// The probed target; its declarations name the AWS resources to query.
    pub target: Arc<Target>,
    /// The request id in the response; `None` if the response has none.
    pub request_id: Option<String>,
    /// The time when the probe began. The target's name and this time identify the evidence
    /// request.
    pub began: Timestamp,
    /// The time when the probe ended.
    pub ended: Timestamp,
    /// The start times of the prober's recent requests to this target, including the failed one,
    /// the oldest first. These times show whether a metric window contains only the prober's own
    /// requests.
    pub own_requests: Vec<Timestamp>,
}

/// The evidence found so far for one evidence request. A later update replaces an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceUpdate {
    /// The name of the probed target.
    pub target: TargetName,
    /// The time when the probe began, as in the [`EvidenceRequest`].
    pub began: Timestamp,
    /// All evidence found so far.
    pub evidence: Arc<AwsEvidence>,
    /// Whether this is the last update: no more queries are made for this evidence request.
    pub last: bool,
}

/// All evidence from AWS about one failed probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AwsEvidence {
    /// The content of the request's own log line; `None` if no line was found.
    pub log: Option<LogFinding>,
    /// The metrics of the minutes around the request; `None` if they are not available.
    pub window: Option<MetricWindow>,
    /// What the configuration of the AWS resources shows; `None` if it was not read or shows
    /// nothing.
    pub configuration: Option<ConfigurationEvidence>,
}

/// The content of a request's own log line, as a template instead of text.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFinding {
    /// The log that contains the line.
    pub source: LogSource,
    /// The meaning of the line.
    pub template: LogTemplate,
    /// The status that the API returned; `None` if the line does not contain it.
    pub status: Option<u16>,
    /// The status that the Lambda service returned to the API, or else the status that the
    /// function's code or the backend returned; `None` if the line contains neither status.
    pub integration_status: Option<u16>,
    /// Whether the integration was called; `None` if the line does not show it.
    pub invoked: Option<bool>,
    /// The time that the API waited for the integration; `None` if the line does not contain it.
    pub integration_latency: Option<Duration>,
}

/// The kind of log that contains a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// The API's access log.
    AccessLog,
    /// The REST API's execution log.
    ExecutionLog,
}

text_enum! {
    /// The meaning of a log line, recognized by one of AWS's stable phrases, by the logged type of
    /// gateway response, or by the logged statuses.
    ///
    /// The texts are the values of the fact `log.template`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LogTemplate {
        /// The API timed out waiting for its integration.
        IntegrationTimeout = "integration-timeout",
        /// Lambda rejected the invocation because of a concurrency or rate limit.
        Throttled = "throttled",
        /// The integration returned 429 and the API returned 5xx, but no phrase names a throttle.
        ThrottledByStatus = "throttled-by-status",
        /// The API is not allowed to invoke the function.
        PermissionDenied = "permission-denied",
        /// The API is not allowed to assume the role that is configured for the integration or the
        /// authorizer.
        RoleNotAssumed = "role-not-assumed",
        /// The function returned a malformed response.
        MalformedResponse = "malformed-response",
        /// The function raised an error.
        FunctionError = "function-error",
        /// The function reached its own timeout.
        FunctionTimedOut = "function-timed-out",
        /// The API is not allowed to invoke the authorizer, or the authorizer failed.
        AuthorizerFailure = "authorizer-failure",
        /// Lambda rejected the invocation of the authorizer with a 4xx status. The phrase does not
        /// state the reason.
        AuthorizerRefused = "authorizer-refused",
        /// The API could not reach the backend over the network.
        NetworkFailure = "network-failure",
        /// The endpoint address of the integration is invalid.
        InvalidEndpoint = "invalid-endpoint",
        /// The API had an internal error while calling its integration, such as a backend behind a
        /// VPC link.
        IntegrationInternalError = "integration-internal-error",
        /// The TLS handshake of the API with the backend failed.
        TlsFailed = "tls-failed",
        /// The API has no mapping for the response of its integration, or the mapping refers to a
        /// response that the method does not declare.
        ResponseNotMapped = "response-not-mapped",
        /// The API could not send the request to its integration, because a mapping sets a header
        /// that the API sets itself.
        HeaderClash = "header-clash",
        /// The function, version, or alias of the integration does not exist.
        FunctionMissing = "function-missing",
        /// Lambda rejected the invocation with a 4xx status. The phrase does not state the reason.
        RefusedByLambda = "refused-by-lambda",
        /// Lambda rejected the response of the function because it is too large.
        ResponseTooLarge = "response-too-large",
        /// The request is not signed, but the route requires a signature.
        Unsigned = "unsigned",
        /// The credentials or the API key of the request are missing, invalid, or expired.
        Unauthorized = "unauthorized",
        /// A throttling limit of the API, the stage, or the usage plan is reached.
        ApiThrottled = "api-throttled",
        /// The quota of the usage plan is used up.
        QuotaExceeded = "quota-exceeded",
        /// An authorizer or a policy denied the request.
        AccessDenied = "access-denied",
        /// A rule of AWS WAF blocked the request.
        WafBlocked = "waf-blocked",
        /// The API could not evaluate the rules of AWS WAF.
        WafFailed = "waf-failed",
        /// Lambda returned 200, the API logged no integration error, and the API generated an error
        /// itself. This combination indicates a malformed response, for which AWS may log no
        /// phrase.
        RefusedWithoutError = "refused-without-error",
        /// The meaning is unknown: the line contains no known phrase, or it contains contradictory
        /// phrases, or an exception's message is in an unexpected field, or the response was
        /// successful.
        Unknown = "unknown",
    }
}

/// The metrics of the minutes around a request.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricWindow {
    /// The start of the first minute of the window (inclusive).
    pub from: Timestamp,
    /// The end of the last minute of the window (exclusive).
    pub to: Timestamp,
    /// Whether all datapoints of the window have had enough time to arrive, so that a missing
    /// datapoint means zero.
    pub settled: bool,
    /// The number of the prober's own requests to the target that began in the window.
    pub own_requests: u32,
    /// Lambda's metrics of the function; `None` if at least one of them was not read.
    pub lambda: Option<LambdaMetrics>,
    /// API Gateway's metrics of the route or, if the route has no datapoints, of the stage or API;
    /// `None` if at least one of them was not read.
    pub api: Option<ApiMetrics>,
}

/// Lambda's metrics of a window. A metric is `None` if it has no datapoint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LambdaMetrics {
    /// The sum of the metric `Invocations`.
    pub invocations: Option<f64>,
    /// The sum of the metric `Errors`.
    pub errors: Option<f64>,
    /// The sum of the metric `Throttles`.
    pub throttles: Option<f64>,
    /// The maximum of the metric `Duration`.
    pub duration_max: Option<Duration>,
    /// The maximum of the metric `ConcurrentExecutions`.
    pub concurrent_max: Option<f64>,
}

/// API Gateway's metrics of a window. A metric is `None` if it has no datapoint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ApiMetrics {
    /// The sum of the metric `Count`.
    pub count: Option<f64>,
    /// The sum of the metric `5xx` (HTTP API) or `5XXError` (REST API).
    pub server_errors: Option<f64>,
    /// The maximum of the metric `IntegrationLatency`.
    pub integration_latency_max: Option<Duration>,
    /// Whether the metrics cover only the probed route, not the whole stage or API.
    pub of_route: bool,
}
