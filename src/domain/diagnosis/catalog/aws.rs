//! The facts drawn from AWS: the log line of the request and the metrics around it.
//!
//! Each of them is absent until evidence arrives that determines it. There is no value for
//! `unknown`.

use super::{FactInfo, FactType::Number, FactType::Word, fact};

const YES_NO: &[&str] = &["yes", "no"];

const OUTCOMES: &[&str] = &[
    "throttled",
    "failed",
    "timed-out",
    "ran-without-errors",
    "outlasted-api",
    "not-invoked",
    "mixed",
];

const OUTCOMES_OF_EVERY_FAILURE: &[&str] = &[
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

/// The facts drawn from the logs and metrics of AWS.
pub(super) const FACTS: [FactInfo; 26] = [
    fact(
        "log.template",
        Word(TEMPLATES),
        "meaning of the request's own log line; absent if no line was found, which proves nothing",
    ),
    fact(
        "log.source",
        Word(&["access-log", "execution-log"]),
        "log that contains the line",
    ),
    fact("log.status", Number, "status that the API logged"),
    fact(
        "log.integration_status",
        Number,
        "status that the Lambda service or the backend returned to the API",
    ),
    fact(
        "log.invoked",
        Word(YES_NO),
        "whether the integration was called, according to the line",
    ),
    fact(
        "log.waited",
        Word(YES_NO),
        "whether the API waited up to its limit for the integration and got no status",
    ),
    fact(
        "log.integration_latency",
        Number,
        "seconds that the API waited for the integration",
    ),
    fact(
        "window.state",
        Word(&["open", "settled"]),
        "state of the metric window around the request: in an `open` window, datapoints may still arrive; in a `settled` one, a missing datapoint means zero",
    ),
    fact(
        "window.ours",
        Word(YES_NO),
        "whether the metrics count only the prober's own requests: the API's count on the route equals their number",
    ),
    fact(
        "window.shared",
        Word(YES_NO),
        "whether others use the function too, as declared",
    ),
    fact(
        "window.requests",
        Number,
        "number of the prober's own requests that began in the window",
    ),
    fact(
        "window.every",
        Word(OUTCOMES_OF_EVERY_FAILURE),
        "outcome of every failed request in a window with only the prober's own requests, if the sums account for each of them",
    ),
    fact(
        "lambda.seen",
        Word(OUTCOMES),
        "outcome of the function's invocations in the window, which may belong to other requests",
    ),
    fact(
        "lambda.ran",
        Word(YES_NO),
        "whether the function was invoked in the window",
    ),
    fact(
        "lambda.failed",
        Word(YES_NO),
        "whether any invocation failed in the window",
    ),
    fact(
        "lambda.throttled",
        Word(YES_NO),
        "whether any invocation was throttled in the window",
    ),
    fact("lambda.invocations", Number, "sum of `Invocations`"),
    fact("lambda.errors", Number, "sum of `Errors`"),
    fact("lambda.throttles", Number, "sum of `Throttles`"),
    fact(
        "lambda.duration_max",
        Number,
        "maximum of `Duration`, in seconds",
    ),
    fact(
        "lambda.concurrent_max",
        Number,
        "maximum of `ConcurrentExecutions`",
    ),
    fact(
        "api.seen",
        Word(&["server-errors", "single-error", "none"]),
        "whether the API counted 5xx responses in the window: several or all, a single one among several requests, or none",
    ),
    fact(
        "api.waited",
        Word(YES_NO),
        "whether the API's longest wait for the integration matches its limit",
    ),
    fact("api.count", Number, "sum of the API's `Count`"),
    fact("api.server_errors", Number, "sum of `5xx` or `5XXError`"),
    fact(
        "api.integration_latency_max",
        Number,
        "maximum of `IntegrationLatency`, in seconds",
    ),
];
