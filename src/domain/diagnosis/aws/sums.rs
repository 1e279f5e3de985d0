//! Interprets the metric sums of a window.
//!
//! Rules have no arithmetic, so this module reduces the sums to one outcome: that of the first row
//! of this table that matches. `own` is the number of the prober's own requests in the window.
//! `none` means that no datapoint above zero has arrived. `zero` also requires a settled window,
//! because a missing datapoint may still arrive in an open window.
//!
//! | throttles | invocations | errors | longest run | [`InvocationOutcome`] |
//! | --- | --- | --- | --- | --- |
//! | any | any | any | at least the integration timeout (see `outlasted`) | `OutlastedApi` |
//! | > 0 | none; in a settled window, fewer than `own` | none | any | `Throttled` |
//! | none | at most the errors | > 0, at least `own` | at the function's timeout | `TimedOut` |
//! | none | at most the errors | > 0, at least `own` | any | `Failed` |
//! | zero | zero | zero | any | `NotInvoked` |
//! | zero | at least `own` | zero | any | `RanWithoutErrors` |
//! | otherwise | | | | `Mixed`; `None` in an open window without throttles and errors |
//!
//! The outcome describes all invocations of the function in the window. Whether the outcome applies
//! to the prober's own request also depends on the response, which the rules test. The outcome is
//! proof only if `of_every_failure` accounts for each failed request of a window without other
//! callers. In such a window, each request causes at most one invocation or throttle, because API
//! Gateway does not retry invocations (Lambda developer guide).

use std::time::Duration;

use crate::domain::diagnosis::aws::{ApiMetrics, LambdaMetrics, MetricWindow};

/// The outcome of a function's invocations, according to Lambda's metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvocationOutcome {
    Throttled,
    Failed,
    TimedOut,
    RanWithoutErrors,
    OutlastedApi,
    NotInvoked,
    Mixed,
}

/// The timeouts that metrics are compared with, and whether the function has other callers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The API's integration timeout: the declared timeout, or else the documented default. `None`
    /// if the timeout is not declared and the front door has no documented default.
    pub(super) integration: Option<Duration>,
    /// The function's declared timeout; `None` if it is not declared.
    pub(super) function: Option<Duration>,
    /// Whether the configuration declares that other callers use the function too.
    pub(super) shared: bool,
}

/// Maximum amount by which a duration that AWS measured may exceed a timeout and still match it.
/// For a run that ends at its timeout of 3 s, Lambda reports a few milliseconds more. A tolerance
/// of one second does no harm, because two declared timeouts rarely differ by less.
const LATE: Duration = Duration::from_secs(1);
/// Maximum amount by which a duration that AWS measured may be below a timeout and still match it;
/// a measured duration may be rounded down.
const EARLY: Duration = Duration::from_millis(20);

impl InvocationOutcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::RanWithoutErrors => "ran-without-errors",
            Self::OutlastedApi => "outlasted-api",
            Self::NotInvoked => "not-invoked",
            Self::Mixed => "mixed",
        }
    }

    /// Returns the outcome of all invocations in the window, by the table at the top of this
    /// module. `None` if Lambda's metrics are not available, or if the window is open and shows no
    /// throttle, no error, and no run as long as the integration timeout.
    pub(super) fn of(window: &MetricWindow, limits: &Limits) -> Option<Self> {
        let lambda = window.lambda?;
        let own_requests = f64::from(window.own_requests);
        let (throttles, invocations) = (sum(lambda.throttles), sum(lambda.invocations));
        let errors = sum(lambda.errors);
        if outlasted(&lambda, limits) {
            return Some(Self::OutlastedApi);
        }
        if throttles > 0.0 {
            let none_ran = invocations == 0.0 || (window.settled && invocations < own_requests);
            let throttled = none_ran && errors == 0.0;
            return Some(if throttled {
                Self::Throttled
            } else {
                Self::Mixed
            });
        }
        if errors > 0.0 {
            let all = errors >= invocations && errors >= own_requests;
            let limit = limits.function.filter(|limit| ran_for(&lambda, *limit));
            return Some(match (all, limit) {
                (true, Some(_)) => Self::TimedOut,
                (true, None) => Self::Failed,
                (false, _) => Self::Mixed,
            });
        }
        window.settled.then_some(if invocations == 0.0 {
            Self::NotInvoked
        } else if invocations >= own_requests {
            Self::RanWithoutErrors
        } else {
            Self::Mixed
        })
    }

    /// Returns the outcome of every failed request in a window that contains only the prober's own
    /// requests. `None` if no request failed, if the sums do not account for each failed request,
    /// if a single failure may be transient, or if the window may contain other requests.
    pub(super) fn of_every_failure(window: &MetricWindow, limits: &Limits) -> Option<Self> {
        if counts_only_own_requests(window, limits.shared) != Some(true) {
            return None;
        }
        let (lambda, api) = (window.lambda?, window.api?);
        let failed = api.server_errors.filter(|failed| *failed > 0.0)?;
        let (throttles, errors) = (sum(lambda.throttles), sum(lambda.errors));
        let all_ran =
            throttles == 0.0 && same(sum(lambda.invocations), f64::from(window.own_requests));
        let seen = Self::of(window, limits)?;
        if same(throttles, failed) && errors == 0.0 && seen != Self::OutlastedApi {
            return Some(Self::Throttled);
        }
        if all_ran && same(errors, failed) && seen != Self::OutlastedApi {
            // The maximum duration is that of one run, so it shows a timeout of every failed run
            // only if exactly one run failed.
            let timed_out =
                same(failed, 1.0) && limits.function.is_some_and(|limit| ran_for(&lambda, limit));
            return Some(if timed_out {
                Self::TimedOut
            } else {
                Self::Failed
            });
        }
        // A single failure without a function error may be a transient fault inside the gateway
        // that no metric shows. Several failures without a success are not transient.
        let all_failed = same(failed, f64::from(window.own_requests));
        match seen {
            Self::RanWithoutErrors if all_ran && all_failed && failed > 1.0 => Some(seen),
            Self::OutlastedApi if all_ran && all_failed && waited(&api, limits) => Some(seen),
            _ => None,
        }
    }
}

/// Returns `true` if a settled window counts only the prober's own requests: API Gateway counted
/// exactly as many requests on the route as the prober sent, and the sum of Lambda's invocations
/// and throttles does not exceed this number. Returns `false` if one of the two counts exceeds this
/// number, or if `shared` (the configuration declares that other callers use the function). Returns
/// `None` if the metrics show neither.
pub(super) fn counts_only_own_requests(window: &MetricWindow, shared: bool) -> Option<bool> {
    let counted = window.api.and_then(|api| api.count);
    let own_requests = f64::from(window.own_requests);
    if shared || counted.is_some_and(|count| count > own_requests) {
        return Some(false);
    }
    let (api, lambda) = (window.api?, window.lambda?);
    let calls = sum(lambda.invocations) + sum(lambda.throttles);
    if calls > own_requests {
        return Some(false);
    }
    let whole = window.settled && api.of_route && window.own_requests > 0;
    (whole && counted.is_some_and(|count| same(count, own_requests))).then_some(true)
}

/// Returns whether the counted event occurred: `true` if the sum is above zero. If the sum is zero
/// or missing, returns `false` in a settled window, and `None` in an open window.
pub(super) fn occurred(settled: bool, value: Option<f64>) -> Option<bool> {
    match value {
        Some(value) if value > 0.0 => Some(true),
        _ if settled => Some(false),
        _ => None,
    }
}

/// Returns whether the API returned a server error for exactly one of several requests.
pub(super) fn single_error(api: &ApiMetrics, own_requests: u32) -> bool {
    let requests = api.count.unwrap_or_else(|| f64::from(own_requests));
    same(sum(api.server_errors), 1.0) && requests > 1.0
}

/// Returns whether the API's maximum `IntegrationLatency` matches the integration timeout; `false`
/// if one of the two is unknown.
pub(super) fn waited(api: &ApiMetrics, limits: &Limits) -> bool {
    let at_limit = |limit| matches_limit(limit, api.integration_latency_max);
    limits.integration.is_some_and(at_limit)
}

/// Returns whether `time`, a duration that AWS measured, matches the timeout `limit`: it is at most
/// [`EARLY`] shorter or [`LATE`] longer. Returns `false` if `time` is `None`.
pub(super) fn matches_limit(limit: Duration, time: Option<Duration>) -> bool {
    time.is_some_and(|time| {
        (limit.saturating_sub(EARLY)..=limit.saturating_add(LATE)).contains(&time)
    })
}

/// Returns whether the longest run of the function lasted at least the integration timeout minus
/// [`EARLY`]. Returns `false` if one of the two durations is unknown, or if the function's timeout
/// is shorter than the integration timeout, because Lambda then ends every run earlier.
fn outlasted(lambda: &LambdaMetrics, limits: &Limits) -> bool {
    limits.integration.is_some_and(|limit| {
        let possible = limits.function.is_none_or(|own| own >= limit);
        possible
            && lambda
                .duration_max
                .is_some_and(|ran| ran.saturating_add(EARLY) >= limit)
    })
}

fn ran_for(lambda: &LambdaMetrics, limit: Duration) -> bool {
    matches_limit(limit, lambda.duration_max)
}

fn sum(value: Option<f64>) -> f64 {
    value.unwrap_or(0.0)
}

/// Returns whether two sums are the same count. Counts are whole numbers, so a difference of less
/// than 0.5 can only be a rounding error.
fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.5
}
