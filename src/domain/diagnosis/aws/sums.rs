//! What the sums of a window mean.
//!
//! Rules have no arithmetic, so the rows of the table are told apart here, each a word.
//! `zero` needs a settled window; until then only what is there counts.
//!
//! | throttles | invocations | errors | also | `Seen` |
//! | --- | --- | --- | --- | --- |
//! | some | none (settled: fewer than ours) | none | | `Throttled` |
//! | any | some | any | longest run ≥ the API's limit | `OutlastedApi` |
//! | none | some | all of them, ours at least | longest run at the function's timeout | `TimedOut` |
//! | none | some | all of them, ours at least | | `Failed` |
//! | zero | ours at least | zero | | `RanWithoutErrors` |
//! | zero | zero | zero | | `NotInvoked` |
//! | else | | | | `Mixed`; nothing while it may still change |
//!
//! A word is about the function. Of *our* request it tells something only with the answer
//! seen outside, and it proves something only where `every` accounts for each failed
//! request of a window that was ours alone: API Gateway retries no invocation (Lambda's
//! page on its errors), so there invocations and throttles add up to the requests.

use std::time::Duration;

use crate::domain::diagnosis::aws::{ApiMetrics, LambdaMetrics, MetricWindow};

/// What a function's metrics show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Throttled,
    Failed,
    TimedOut,
    RanWithoutErrors,
    OutlastedApi,
    NotInvoked,
    Mixed,
}

/// Limits that a run's length is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The API's; declared, or the front door's documented default.
    pub(super) integration: Option<Duration>,
    /// The function's own, declared.
    pub(super) function: Option<Duration>,
    /// Whether others use the function.
    pub(super) shared: bool,
}

/// Yes, no, or not known (yet).
pub(super) type Known = Option<bool>;

/// A limit fires a little after its value by AWS's own clock too: a run that Lambda ends
/// at 3 s is reported with some milliseconds more. A second of play stays well below the
/// step in which timeouts are set.
const LATE: Duration = Duration::from_secs(1);
/// Durations are rounded on the way here.
const EARLY: Duration = Duration::from_millis(20);

impl Seen {
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

    /// The row of the table; `None`: not asked, or it may still change.
    pub(super) fn of(window: &MetricWindow, limits: &Limits) -> Option<Self> {
        let lambda = window.lambda?;
        let ours = f64::from(window.ours);
        let (throttles, invocations) = (sum(lambda.throttles), sum(lambda.invocations));
        let errors = sum(lambda.errors);
        if outlasted(&lambda, limits) {
            return Some(Self::OutlastedApi);
        }
        if throttles > 0.0 {
            let refused = invocations == 0.0 || (window.settled && invocations < ours);
            let throttled = refused && errors == 0.0;
            return Some(if throttled {
                Self::Throttled
            } else {
                Self::Mixed
            });
        }
        if errors > 0.0 {
            let all = errors >= invocations && errors >= ours;
            let limit = limits.function.filter(|limit| ran_for(&lambda, *limit));
            return Some(match (all, limit) {
                (true, Some(_)) => Self::TimedOut,
                (true, None) => Self::Failed,
                (false, _) => Self::Mixed,
            });
        }
        window.settled.then_some(if invocations == 0.0 {
            Self::NotInvoked
        } else if invocations >= ours {
            Self::RanWithoutErrors
        } else {
            Self::Mixed
        })
    }

    /// What each failed request of a window that was ours alone met; `None`: the sums do
    /// not account for every one of them, or others may have taken part.
    pub(super) fn of_every(window: &MetricWindow, limits: &Limits) -> Option<Self> {
        if ours_alone(window, limits.shared) != Some(true) {
            return None;
        }
        let (lambda, api) = (window.lambda?, window.api?);
        let failed = api.server_errors.filter(|failed| *failed > 0.0)?;
        let (throttles, errors) = (sum(lambda.throttles), sum(lambda.errors));
        let all_ran = throttles == 0.0 && same(sum(lambda.invocations), f64::from(window.ours));
        let seen = Self::of(window, limits)?;
        if same(throttles, failed) && errors == 0.0 && seen != Self::OutlastedApi {
            return Some(Self::Throttled);
        }
        if all_ran && same(errors, failed) && seen != Self::OutlastedApi {
            // The longest run is one run: it is ours only where just one failed.
            let timed_out =
                same(failed, 1.0) && limits.function.is_some_and(|limit| ran_for(&lambda, limit));
            return Some(if timed_out {
                Self::TimedOut
            } else {
                Self::Failed
            });
        }
        // One failure without an error may be a blip inside the gateway, of which no
        // metric tells; several, and nothing but failures, are no blip.
        let all_failed = same(failed, f64::from(window.ours));
        match seen {
            Self::RanWithoutErrors if all_ran && all_failed && failed > 1.0 => Some(seen),
            Self::OutlastedApi if all_ran && all_failed && waited(&api, limits) => Some(seen),
            _ => None,
        }
    }
}

/// Whether everything that the window counts was ours: API Gateway counted our route
/// alone, as many requests as we made, and Lambda no more than those. `None`: not known.
pub(super) fn ours_alone(window: &MetricWindow, shared: bool) -> Known {
    let counted = window.api.and_then(|api| api.count);
    let ours = f64::from(window.ours);
    if shared || counted.is_some_and(|count| count > ours) {
        return Some(false);
    }
    let (api, lambda) = (window.api?, window.lambda?);
    let calls = sum(lambda.invocations) + sum(lambda.throttles);
    if calls > ours {
        return Some(false);
    }
    let whole = window.settled && api.of_route && window.ours > 0;
    (whole && counted.is_some_and(|count| same(count, ours))).then_some(true)
}

/// Whether something occurred: a sum above zero is there for good, one of zero counts only
/// when the window is settled.
pub(super) fn occurred(settled: bool, value: Option<f64>) -> Known {
    match value {
        Some(value) if value > 0.0 => Some(true),
        _ if settled => Some(false),
        _ => None,
    }
}

/// Whether the API answered one request with an error and others well.
pub(super) fn single_error(api: &ApiMetrics, ours: u32) -> bool {
    let requests = api.count.unwrap_or_else(|| f64::from(ours));
    same(sum(api.server_errors), 1.0) && requests > 1.0
}

/// Whether the API waited for its integration up to its limit.
pub(super) fn waited(api: &ApiMetrics, limits: &Limits) -> bool {
    let sits = |limit| sits_on(limit, api.integration_latency_max);
    limits.integration.is_some_and(sits)
}

/// Whether a time sits on a limit, by a clock of AWS's own.
pub(super) fn sits_on(limit: Duration, time: Option<Duration>) -> bool {
    time.is_some_and(|time| {
        (limit.saturating_sub(EARLY)..=limit.saturating_add(LATE)).contains(&time)
    })
}

/// A run as long as the API waits. A function that may not run that long cannot.
fn outlasted(lambda: &LambdaMetrics, limits: &Limits) -> bool {
    limits.integration.is_some_and(|limit| {
        let may = limits.function.is_none_or(|own| own >= limit);
        may && lambda
            .duration_max
            .is_some_and(|ran| ran.saturating_add(EARLY) >= limit)
    })
}

fn ran_for(lambda: &LambdaMetrics, limit: Duration) -> bool {
    sits_on(limit, lambda.duration_max)
}

fn sum(value: Option<f64>) -> f64 {
    value.unwrap_or(0.0)
}

/// Equal as counts: sums of whole numbers, of which floating point keeps the exact value.
fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.5
}
