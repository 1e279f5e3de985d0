//! The Lambda function behind a route: how long it runs and what it hands back.
//!
//! It knows nothing of HTTP; what the gateway makes of a reply is the gateway's affair.
//! Its invocations are counted, for only they tell a denied or throttled call (which
//! never reaches it) from a failing one.

use std::time::Duration;

use super::rng::SeededRng;

/// How a function behaves when it is invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behavior {
    /// Replies as the gateway expects.
    Healthy,
    /// Replies well-formed, but its service is not well.
    Degraded,
    /// Never replies within any integration timeout.
    Hangs,
    /// Replies with something that is no response in the payload format.
    Malformed,
    /// Raises an error.
    RaisesError,
}

/// What an invocation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A response in the gateway's payload format: status and JSON body.
    Response(u16, &'static str),
    /// A payload that is no response.
    Malformed,
    /// `FunctionError`, with whatever the runtime says of it.
    Error,
}

/// What a healthy function replies.
const HEALTHY_BODY: &str = r#"{"status":"ok","orders":3}"#;

/// What a function replies whose service is not well: a good status all the same, which
/// is why a probe needs an expectation on the body.
const DEGRADED_BODY: &str = r#"{"status":"degraded","orders":0}"#;

/// A warm function that only looks something up.
const QUICK: (Duration, Duration) = (Duration::from_millis(12), Duration::from_millis(8));

/// The captured malformed response took 213 ms longer than the same gateway's throttle
/// answer: the function's own running time.
const BEFORE_MALFORMED: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_millis(25));

/// The captured function error took 233 ms longer than the throttle answer.
const BEFORE_ERROR: (Duration, Duration) = (Duration::from_millis(220), Duration::from_millis(25));

/// Lambda's own upper limit, 15 minutes: beyond every integration timeout.
pub(super) const LAMBDA_LIMIT: Duration = Duration::from_secs(900);

/// Runs the function once, from its start to its reply.
pub(super) async fn run(behavior: Behavior, rng: &SeededRng) -> Reply {
    let (least, spread) = match behavior {
        Behavior::Healthy | Behavior::Degraded => QUICK,
        Behavior::Malformed => BEFORE_MALFORMED,
        Behavior::RaisesError => BEFORE_ERROR,
        Behavior::Hangs => (LAMBDA_LIMIT, Duration::ZERO),
    };
    tokio::time::sleep(rng.between(least, spread)).await;
    match behavior {
        Behavior::Healthy => Reply::Response(200, HEALTHY_BODY),
        Behavior::Degraded => Reply::Response(200, DEGRADED_BODY),
        Behavior::Malformed => Reply::Malformed,
        Behavior::RaisesError | Behavior::Hangs => Reply::Error,
    }
}
