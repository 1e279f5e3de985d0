//! Simulates the Lambda function behind a route: its duration and its result.
//!
//! `gateway` maps the result to an HTTP response.

use std::time::Duration;

use super::RouteFault;
use super::rng::SeededRng;

/// The behavior of a function when it is invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behavior {
    /// The function returns a healthy response.
    Healthy,
    /// The function returns a valid response that reports a degraded service.
    Degraded,
    /// The function runs longer than every integration timeout.
    Hangs,
    /// The function returns an invalid response.
    Malformed,
    /// The function raises an error.
    RaisesError,
}

/// The result of an invocation of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A response in the payload format of the gateway, with this status and JSON body.
    Response(u16, &'static str),
    /// A payload that is not a valid response.
    Malformed,
    /// The function raised an error (`FunctionError`).
    Error,
}

/// The body of the response of a healthy function.
const HEALTHY_BODY: &str = r#"{"status":"ok","orders":3}"#;

/// The body of the response of a degraded service. The status is 200, so only a check of the body
/// detects the fault.
const DEGRADED_BODY: &str = r#"{"status":"degraded","orders":0}"#;

/// The minimum duration of a warm function that reads one record, and the maximum jitter that is
/// added.
const QUICK: (Duration, Duration) = (Duration::from_millis(12), Duration::from_millis(8));

/// The minimum duration of a function that returns a malformed response, and the maximum jitter
/// that is added. In the captures, such a response took 213 ms longer than the gateway's response
/// to a throttled call.
const BEFORE_MALFORMED: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_millis(25));

/// The minimum duration of a function that raises an error, and the maximum jitter that is added.
/// In the captures, the response after an error took 233 ms longer than the gateway's response to a
/// throttled call.
const BEFORE_ERROR: (Duration, Duration) = (Duration::from_millis(220), Duration::from_millis(25));

/// The duration of a function that hangs: the maximum timeout of a Lambda function, 15 minutes,
/// which is longer than every integration timeout.
const LAMBDA_LIMIT: Duration = Duration::from_secs(900);

/// The timeout of every function that does not hang, which is Lambda's default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns the timeout of the function behind a route with this fault.
pub(super) const fn timeout(fault: RouteFault) -> Duration {
    match fault {
        RouteFault::Timeout => LAMBDA_LIMIT,
        RouteFault::None
        | RouteFault::Throttled
        | RouteFault::Malformed
        | RouteFault::Permission
        | RouteFault::FunctionError
        | RouteFault::WrongBody => DEFAULT_TIMEOUT,
    }
}

/// Simulates one invocation of a function and returns its result.
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
