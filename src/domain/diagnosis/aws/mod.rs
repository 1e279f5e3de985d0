//! What AWS itself says about a failed request: its log line, and the metrics around it.
//!
//! Plain data between `evidence`, which asks AWS, and the facts drawn from the answers:
//! `log_line` reads a line, `window` says which minutes to ask for and when they are
//! settled, `sums` what a window's sums mean, `facts` hands all of it to the rules, and
//! `summary` to people. Log text is reduced to a template before it comes here: an
//! exception's message may hold what nobody but the service's owner should see.

mod facts;
pub mod log_line;
pub mod summary;
mod sums;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::target::{Target, TargetName};

/// A failed request to ask AWS about.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceRequest {
    /// Whose: its declarations say where to ask.
    pub target: Arc<Target>,
    /// The id that the front door put on the answer; absent: no answer, or no id.
    pub request_id: Option<String>,
    /// When the request's probe began; with the target's name it tells questions apart.
    pub began: Timestamp,
    /// When the probe ended.
    pub ended: Timestamp,
    /// When our own recent requests to this target began, this one included, oldest
    /// first; to tell whether a window was ours alone.
    pub ours: Vec<Timestamp>,
}

/// What AWS said to one question so far. Later answers to the same question replace it.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceUpdate {
    /// Whose.
    pub target: TargetName,
    /// The question's `began`.
    pub began: Timestamp,
    /// What was found.
    pub evidence: Arc<AwsEvidence>,
    /// Nothing more will come: the window is settled, or asking was given up.
    pub last: bool,
}

/// Everything AWS said about one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AwsEvidence {
    /// The request's own line in a log.
    pub log: Option<LogFinding>,
    /// The metrics of the time around it.
    pub window: Option<MetricWindow>,
}

/// What a request's own log line says, as a template and never as text.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFinding {
    /// Which log.
    pub source: LogSource,
    /// What the line means.
    pub template: LogTemplate,
    /// The status that the API answered.
    pub status: Option<u16>,
    /// The status that the Lambda service or backend gave the API.
    pub integration_status: Option<u16>,
    /// Whether the integration was called: an id of its own request, or its absence.
    pub invoked: Option<bool>,
    /// How long the API waited for the integration.
    pub integration_latency: Option<Duration>,
}

/// Which log a line is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// The API's access log.
    AccessLog,
    /// The REST API's execution log.
    ExecutionLog,
}

/// What a log line means: one of the stable phrases that AWS writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTemplate {
    /// The API gave up waiting.
    IntegrationTimeout,
    /// Lambda refused for lack of concurrency or rate.
    Throttled,
    /// The API may not invoke the function.
    PermissionDenied,
    /// The function's answer had the wrong form.
    MalformedResponse,
    /// The function raised an error.
    FunctionError,
    /// The function ran into its own timeout.
    FunctionTimedOut,
    /// The API may not invoke the authorizer, or it failed.
    AuthorizerFailure,
    /// The backend could not be reached over the network.
    NetworkFailure,
    /// Lambda answered the call with 200, the API logged no error of the integration, and
    /// made an error of its own: by inference a malformed answer, never by a phrase.
    RefusedWithoutError,
    /// None of the phrases we know.
    Unknown,
}

/// The metrics of the minutes around a request.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricWindow {
    /// First minute, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
    /// Whether absence counts: every datapoint must have arrived by now.
    pub settled: bool,
    /// How many of our own requests began in the window.
    pub ours: u32,
    /// Lambda's sums for the function; `None`: not asked or refused.
    pub lambda: Option<LambdaMetrics>,
    /// API Gateway's sums for the API, stage and route; `None`: not asked or refused.
    pub api: Option<ApiMetrics>,
}

/// Lambda's metrics of a window; an absent sum means no datapoint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LambdaMetrics {
    /// Sum of `Invocations`.
    pub invocations: Option<f64>,
    /// Sum of `Errors`.
    pub errors: Option<f64>,
    /// Sum of `Throttles`.
    pub throttles: Option<f64>,
    /// Maximum of `Duration`.
    pub duration_max: Option<Duration>,
    /// Maximum of `ConcurrentExecutions`.
    pub concurrent_max: Option<f64>,
}

/// API Gateway's metrics of a window; an absent sum means no datapoint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ApiMetrics {
    /// Sum of `Count`.
    pub count: Option<f64>,
    /// Sum of `5xx` (HTTP API) or `5XXError` (REST API).
    pub server_errors: Option<f64>,
    /// Maximum of `IntegrationLatency`.
    pub integration_latency_max: Option<Duration>,
    /// Whether the sums are of our route alone, not of the whole stage or API.
    pub of_route: bool,
}
