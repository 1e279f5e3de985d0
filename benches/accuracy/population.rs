//! How times are distributed in the population that accuracy is measured on.
//!
//! Written down before any rule was tuned on it. Each constant says where it comes from:
//! a capture, AWS's documentation, or an assumption, called one. Nobody measured these
//! shares over the world's APIs: the table says how the rules do on this population, and
//! never how often each fault occurs. Times are seconds.

use super::random::Random;

/// Round trip: the same city to the far side of the globe. Log-uniform, for want of a
/// survey: it favours no distance (assumption).
pub(crate) const ROUND_TRIP: (f64, f64) = (0.001, 0.250);

/// Mean jitter of one round trip as a share of it: a queueing tail (assumption).
pub(crate) const JITTER: f64 = 0.05;

/// What a gateway adds when it answers by itself. REST captures of uninvoked calls take
/// 103 and 105 ms with three round trips in them, so tens of milliseconds at most.
pub(crate) const GATEWAY: (f64, f64) = (0.003, 0.030);

/// The trip to Lambda's front end, which throttled and denied calls make too (assumption:
/// within one region).
pub(crate) const LAMBDA_FRONT: (f64, f64) = (0.002, 0.015);

/// Share of requests that meet cold gateway configuration (assumption), and its cost:
/// authorizers and cold configuration add 50 to 300 ms without any invocation.
pub(crate) const COLD_GATEWAY_SHARE: f64 = 0.02;
/// See [`COLD_GATEWAY_SHARE`].
pub(crate) const COLD_GATEWAY: (f64, f64) = (0.050, 0.300);

/// Share of routes with an authorizer, share of those declared, share of calls answered
/// from its cache (assumptions; AWS's default is to cache for 300 s on REST APIs).
pub(crate) const AUTHORIZER_SHARE: f64 = 0.4;
/// See [`AUTHORIZER_SHARE`].
pub(crate) const AUTHORIZER_DECLARED: f64 = 0.5;
/// See [`AUTHORIZER_SHARE`].
pub(crate) const AUTHORIZER_CACHED: f64 = 0.6;

/// A warm run of a small function, log-uniform (assumption).
pub(crate) const WARM_RUN: (f64, f64) = (0.002, 0.080);

/// Share of cold starts among failing calls, above AWS's "under 1 %" of production
/// traffic, since a probed function is often idle (assumption); up to 6 s with a large
/// runtime inside it.
pub(crate) const COLD_START_SHARE: f64 = 0.10;
/// See [`COLD_START_SHARE`].
pub(crate) const COLD_START: (f64, f64) = (0.100, 6.0);

/// A function's own timeout: Lambda's default is 3 s, the Serverless Framework's 6 s; the
/// others are round values that people type (assumption).
pub(crate) const FUNCTION_TIMEOUTS: &[f64] = &[3.0, 5.0, 6.0, 10.0, 15.0, 20.0, 25.0];

/// An HTTP API's integration timeout: 30 s is the default and the maximum; this share of
/// routes keeps it (assumption), the rest take one of the values below it.
pub(crate) const DEFAULT_TIMEOUT_SHARE: f64 = 0.8;
/// See [`DEFAULT_TIMEOUT_SHARE`]; 6.5 s is the Serverless Framework's 6 s and a half.
pub(crate) const OTHER_TIMEOUTS: &[f64] = &[5.0, 6.5, 10.0, 15.0, 29.0];

/// How late an answer on a limit comes: the 30 s capture took 30.163 s, 29 s 29.230 s, with
/// resolution and round trips in it.
pub(crate) const LIMIT_OVERSHOOT: (f64, f64) = (0.002, 0.060);

/// A network: one target's distance, kept by its probes and controls alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    /// The round trip without jitter, in seconds.
    pub(crate) round_trip: f64,
}

impl Network {
    /// Draws a distance.
    pub(crate) fn draw(random: &mut Random) -> Self {
        Self {
            round_trip: random.log_between(ROUND_TRIP.0, ROUND_TRIP.1),
        }
    }

    /// One round trip with its jitter.
    pub(crate) fn trip(self, random: &mut Random) -> f64 {
        self.round_trip + random.exponential(JITTER * self.round_trip)
    }
}

/// What a gateway takes to answer by itself, network left out.
pub(crate) fn gateway(random: &mut Random) -> f64 {
    let cold = if random.chance(COLD_GATEWAY_SHARE) {
        random.between(COLD_GATEWAY.0, COLD_GATEWAY.1)
    } else {
        0.0
    };
    random.log_between(GATEWAY.0, GATEWAY.1) + cold
}

/// What one run of a function takes before it answers or fails.
pub(crate) fn run(random: &mut Random) -> f64 {
    let start = if random.chance(COLD_START_SHARE) {
        random.log_between(COLD_START.0, COLD_START.1)
    } else {
        0.0
    };
    start + random.log_between(WARM_RUN.0, WARM_RUN.1)
}

/// What an authorizer on the route adds; zero where its answer is cached.
pub(crate) fn authorizer(random: &mut Random) -> f64 {
    if random.chance(AUTHORIZER_CACHED) {
        0.0
    } else {
        random.between(COLD_GATEWAY.0, COLD_GATEWAY.1)
    }
}
