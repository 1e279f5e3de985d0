//! Simulates the Lambda function behind a route: its duration and its reply.
//!
//! The mapping of a reply to HTTP is left to `gateway`.

use std::time::Duration;

use super::rng::SeededRng;

/// The behavior of a function when it is invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behavior {
    /// Replies with a healthy response.
    Healthy,
    /// Replies with a valid response that reports a degraded service.
    Degraded,
    /// Does not reply within any integration timeout.
    Hangs,
    /// Replies with an invalid response.
    Malformed,
    /// Raises an error.
    RaisesError,
}

/// The result of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A response in the gateway's payload format: status and JSON body.
    Response(u16, &'static str),
    /// A payload that is not a response.
    Malformed,
    /// The function raised an error (`FunctionError`).
    Error,
}

/// The body of a healthy function.
const HEALTHY_BODY: &str = r#"{"status":"ok","orders":3}"#;

/// The body of a degraded service. Its status is 200, which is why a probe needs an expectation
/// on the body.
const DEGRADED_BODY: &str = r#"{"status":"degraded","orders":0}"#;

/// The duration of a warm function that does one lookup: minimum and spread.
const QUICK: (Duration, Duration) = (Duration::from_millis(12), Duration::from_millis(8));

/// The duration before a malformed response: minimum and spread. The captured response took 213 ms
/// longer than the same gateway's throttle response, which is the function's own time.
const BEFORE_MALFORMED: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_millis(25));

/// The duration before an error: minimum and spread. The captured error took 233 ms longer than the
/// throttle response.
const BEFORE_ERROR: (Duration, Duration) = (Duration::from_millis(220), Duration::from_millis(25));

/// Lambda's maximum function timeout, 15 minutes: longer than every integration timeout.
pub(super) const LAMBDA_LIMIT: Duration = Duration::from_secs(900);

/// Runs the function once and returns its reply.
pub(super) async fn run(behavior: Behavior, rng: &SeededRng) -> Reply {
    let (min, spread) = match behavior {
        Behavior::Healthy | Behavior::Degraded => QUICK,
        Behavior::Malformed => BEFORE_MALFORMED,
        Behavior::RaisesError => BEFORE_ERROR,
        Behavior::Hangs => (LAMBDA_LIMIT, Duration::ZERO),
    };
    tokio::time::sleep(rng.between(min, spread)).await;
    match behavior {
        Behavior::Healthy => Reply::Response(200, HEALTHY_BODY),
        Behavior::Degraded => Reply::Response(200, DEGRADED_BODY),
        Behavior::Malformed => Reply::Malformed,
        Behavior::RaisesError | Behavior::Hangs => Reply::Error,
    }
}
