//! The Lambda function behind a route: how long it runs and what it hands back.
//!
//! It knows nothing of HTTP; what the gateway makes of a reply is the gateway's affair.
//! Its invocations are counted, for only they tell a denied or throttled call (which
//! never reaches it) from a failing one.

use std::time::Duration;

use super::chance::Chance;

/// How a function behaves when it is invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Replies as the gateway expects.
    Healthy,
    /// Replies well-formed, but its service is not well.
    Ailing,
    /// Never replies within any integration timeout.
    Endless,
    /// Replies with something that is no response in the payload format.
    Malformed,
    /// Raises an error.
    Raising,
}

/// What an invocation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A response in the gateway's payload format: status and JSON body.
    Response(u16, &'static str),
    /// A payload that is no response.
    NotAResponse,
    /// `FunctionError`, with whatever the runtime says of it.
    Error,
}

/// What a healthy function replies.
const HEALTHY_BODY: &str = r#"{"status":"ok","orders":3}"#;

/// What a function replies whose service is not well: a good status all the same, which
/// is why a probe needs an expectation on the body.
const AILING_BODY: &str = r#"{"status":"degraded","orders":0}"#;

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
pub(super) async fn run(behaviour: Behaviour, chance: &Chance) -> Reply {
    let (least, spread) = match behaviour {
        Behaviour::Healthy | Behaviour::Ailing => QUICK,
        Behaviour::Malformed => BEFORE_MALFORMED,
        Behaviour::Raising => BEFORE_ERROR,
        Behaviour::Endless => (LAMBDA_LIMIT, Duration::ZERO),
    };
    tokio::time::sleep(chance.between(least, spread)).await;
    match behaviour {
        Behaviour::Healthy => Reply::Response(200, HEALTHY_BODY),
        Behaviour::Ailing => Reply::Response(200, AILING_BODY),
        Behaviour::Malformed => Reply::NotAResponse,
        Behaviour::Raising | Behaviour::Endless => Reply::Error,
    }
}
