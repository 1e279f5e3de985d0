//! The distributions of times in the population that accuracy is measured on.
//!
//! They were fixed before any rule was tuned on them. Each constant names its source: a
//! capture, AWS's documentation, or an assumption. The shares are not measured on real
//! APIs, so the table shows how the rules perform on this population, not how often each
//! fault occurs. Times are in seconds.

use super::random::Random;

/// Round trip, from the same city to the other side of the globe. Log-uniform, because
/// there is no survey of distances (assumption).
pub(crate) const ROUND_TRIP: (f64, f64) = (0.001, 0.250);

/// Mean jitter of a round trip as a share of it; exponential, like a queue (assumption).
pub(crate) const JITTER: f64 = 0.05;

/// The time that a gateway adds when it responds by itself. The captured REST calls that
/// did not invoke the function take 103 and 105 ms, including three round trips, so this
/// is at most tens of milliseconds.
pub(crate) const GATEWAY: (f64, f64) = (0.003, 0.030);

/// The trip to Lambda's front end, which throttled and denied calls also make (assumption:
/// within one region).
pub(crate) const LAMBDA_FRONT: (f64, f64) = (0.002, 0.015);

/// Share of requests that meet cold gateway configuration (assumption).
pub(crate) const COLD_GATEWAY_SHARE: f64 = 0.02;
/// The time that an authorizer or cold configuration adds without any invocation.
pub(crate) const COLD_GATEWAY: (f64, f64) = (0.050, 0.300);

/// Share of routes with an authorizer (assumption).
pub(crate) const AUTHORIZER_SHARE: f64 = 0.4;
/// Share of targets whose authorizer is declared (assumption).
pub(crate) const AUTHORIZER_DECLARED: f64 = 0.5;
/// Share of calls that the authorizer's cache answers (assumption; by default, REST APIs
/// cache for 300 s).
pub(crate) const AUTHORIZER_CACHED: f64 = 0.6;

/// The duration of a warm run of a small function, log-uniform (assumption).
pub(crate) const WARM_RUN: (f64, f64) = (0.002, 0.080);

/// Share of cold starts among failing calls (assumption). It exceeds AWS's "under 1 %" of
/// production traffic, because a probed function is often idle.
pub(crate) const COLD_START_SHARE: f64 = 0.10;
/// The duration of a cold start; 6 s with a large runtime.
pub(crate) const COLD_START: (f64, f64) = (0.100, 6.0);

/// The function's own timeout. Lambda's default is 3 s and the Serverless Framework's is
/// 6 s; the others are common round values (assumption).
pub(crate) const FUNCTION_TIMEOUTS: &[f64] = &[3.0, 5.0, 6.0, 10.0, 15.0, 20.0, 25.0];

/// Share of routes that keep the default integration timeout (assumption). For HTTP APIs
/// it is 30 s, which is also the maximum.
pub(crate) const DEFAULT_TIMEOUT_SHARE: f64 = 0.8;
/// The integration timeouts of the other routes; 6.5 s is half a second more than the
/// Serverless Framework's 6 s.
pub(crate) const OTHER_TIMEOUTS: &[f64] = &[5.0, 6.5, 10.0, 15.0, 29.0];

/// The time from a limit to the response. The captures took 30.163 s for a limit of 30 s
/// and 29.230 s for 29 s, including name resolution and round trips.
pub(crate) const LIMIT_OVERSHOOT: (f64, f64) = (0.002, 0.060);

/// The network between prober and target, the same for probes and control requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    /// The round trip without jitter, in seconds.
    pub(crate) round_trip: f64,
}

impl Network {
    /// Draws a round trip.
    pub(crate) fn draw(random: &mut Random) -> Self {
        Self {
            round_trip: random.log_between(ROUND_TRIP.0, ROUND_TRIP.1),
        }
    }

    /// One round trip with jitter, in seconds.
    pub(crate) fn trip(self, random: &mut Random) -> f64 {
        self.round_trip + random.exponential(JITTER * self.round_trip)
    }
}

/// The time that a gateway takes to respond by itself, without the network.
pub(crate) fn gateway(random: &mut Random) -> f64 {
    let cold = if random.chance(COLD_GATEWAY_SHARE) {
        random.between(COLD_GATEWAY.0, COLD_GATEWAY.1)
    } else {
        0.0
    };
    random.log_between(GATEWAY.0, GATEWAY.1) + cold
}

/// The time that one run of a function takes until it returns or fails.
pub(crate) fn run(random: &mut Random) -> f64 {
    let start = if random.chance(COLD_START_SHARE) {
        random.log_between(COLD_START.0, COLD_START.1)
    } else {
        0.0
    };
    start + random.log_between(WARM_RUN.0, WARM_RUN.1)
}

/// The time that an authorizer adds; zero if its result is cached.
pub(crate) fn authorizer(random: &mut Random) -> f64 {
    if random.chance(AUTHORIZER_CACHED) {
        0.0
    } else {
        random.between(COLD_GATEWAY.0, COLD_GATEWAY.1)
    }
}
