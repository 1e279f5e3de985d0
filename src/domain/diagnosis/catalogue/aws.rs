//! The facts that AWS itself tells: a request's log line and the metrics around it.
//!
//! All are absent until evidence was asked for and came, and each stays absent as long as
//! what came does not tell it: there is no word for what is not known.

use super::{FactInfo, FactType::Number, FactType::Word, fact};

const KNOWN: &[&str] = &["yes", "no"];

const SEEN: &[&str] = &[
    "throttled",
    "failed",
    "timed-out",
    "ran-without-errors",
    "outlasted-api",
    "not-invoked",
    "mixed",
];

const EVERY: &[&str] = &[
    "throttled",
    "failed",
    "timed-out",
    "ran-without-errors",
    "outlasted-api",
];

const TEMPLATES: &[&str] = &[
    "integration-timeout",
    "throttled",
    "permission-denied",
    "malformed-response",
    "function-error",
    "function-timed-out",
    "authorizer-failure",
    "network-failure",
    "refused-without-error",
    "unknown",
];

/// The facts of AWS's telemetry.
pub(super) const FACTS: [FactInfo; 26] = [
    fact(
        "log.template",
        Word(TEMPLATES),
        "what the request's own log line says; absent: no line was found, which proves nothing",
    ),
    fact(
        "log.source",
        Word(&["access-log", "execution-log"]),
        "the log that the line is from",
    ),
    fact("log.status", Number, "status that the API logged"),
    fact(
        "log.integration_status",
        Number,
        "status that the Lambda service or the backend gave the API",
    ),
    fact(
        "log.invoked",
        Word(KNOWN),
        "whether the line says that the integration was called",
    ),
    fact(
        "log.waited",
        Word(KNOWN),
        "whether the API waited for the integration up to its limit and got no status",
    ),
    fact(
        "log.integration_latency",
        Number,
        "seconds that the API waited for the integration",
    ),
    fact(
        "window.state",
        Word(&["open", "settled"]),
        "the metrics around the request: in an `open` window only what is there counts, in a `settled` one absence does too",
    ),
    fact(
        "window.ours",
        Word(KNOWN),
        "whether all that the metrics count was our own: the API's count on the route is the number of our requests",
    ),
    fact(
        "window.shared",
        Word(KNOWN),
        "whether others use the function, as declared",
    ),
    fact(
        "window.requests",
        Number,
        "our own requests that began in the window",
    ),
    fact(
        "window.every",
        Word(EVERY),
        "what every failed request of a window that was ours alone met, where the sums account for each",
    ),
    fact(
        "lambda.seen",
        Word(SEEN),
        "what the function's metrics show, be it of our request or of others",
    ),
    fact(
        "lambda.ran",
        Word(KNOWN),
        "whether the function was invoked at all in the window",
    ),
    fact(
        "lambda.failed",
        Word(KNOWN),
        "whether any invocation failed in the window",
    ),
    fact(
        "lambda.throttled",
        Word(KNOWN),
        "whether any invocation was throttled in the window",
    ),
    fact("lambda.invocations", Number, "sum of `Invocations`"),
    fact("lambda.errors", Number, "sum of `Errors`"),
    fact("lambda.throttles", Number, "sum of `Throttles`"),
    fact(
        "lambda.duration_max",
        Number,
        "longest `Duration`, in seconds",
    ),
    fact(
        "lambda.concurrent_max",
        Number,
        "most `ConcurrentExecutions`",
    ),
    fact(
        "api.seen",
        Word(&["server-errors", "single-error", "none"]),
        "whether the API counted answers of 500 and above in the window, or a single one among several requests",
    ),
    fact(
        "api.waited",
        Word(KNOWN),
        "whether the API's longest wait for an integration sits on its limit",
    ),
    fact("api.count", Number, "sum of the API's `Count`"),
    fact("api.server_errors", Number, "sum of `5xx` or `5XXError`"),
    fact(
        "api.integration_latency_max",
        Number,
        "longest `IntegrationLatency`, in seconds",
    ),
];
