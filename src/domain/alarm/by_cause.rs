//! Computes the values of the series that per-cause alarms watch: the metric `Down` with the
//! dimension `Cause`.
//!
//! While a target is down for a cause, the series of this cause has the value 1. When the target
//! recovers or its cause changes, the value 0 is published once. Otherwise nothing is published,
//! because CloudWatch bills a series for each hour in which it has datapoints. The caller remembers
//! which series last had the value 1.

use crate::domain::alarm::has_alarm;
use crate::model::cause::CauseId;
use crate::model::target::Target;

/// Returns the values to publish to the per-cause series of one target.
///
/// `before` is the cause whose series last had the value 1. `now` is the probable cause while the
/// target is down, and `None` otherwise. The result contains a 0 for `before` if it differs from
/// `now`, then a 1 for `now`. A cause without an alarm has no series.
#[must_use]
pub fn cause_values(
    target: &Target,
    before: Option<&CauseId>,
    now: Option<&CauseId>,
) -> Vec<(CauseId, f64)> {
    let has_series = |cause: &&CauseId| {
        has_alarm(target) && target.alarm.causes.iter().any(|one| one.cause == **cause)
    };
    let ended = before.filter(|before| Some(*before) != now);
    let ended = ended.filter(has_series).map(|cause| (cause.clone(), 0.0));
    let occurs = now.filter(has_series).map(|cause| (cause.clone(), 1.0));
    ended.into_iter().chain(occurs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::Owner;
    use crate::model::target::CauseAlarm;

    /// Computes the values for the causes `before` and `now`, where an empty text means no cause,
    /// and compares them as `cause=value` with `expected`.
    fn check(before: &str, now: &str, expected: &str) {
        let cause = |word: &str| CauseId::new(word).ok();
        let url = "https://orders.example/".parse().unwrap();
        let mut target = Target::with_defaults("orders", url);
        target.alarm.causes = ["lambda-throttled", "forbidden"]
            .map(|id| CauseAlarm {
                cause: CauseId::new(id).unwrap(),
                owner: Owner::Platform,
                actions: Vec::new(),
            })
            .into();
        let values = cause_values(&target, cause(before).as_ref(), cause(now).as_ref());
        let values: Vec<_> = values
            .iter()
            .map(|(c, value)| format!("{c}={value}"))
            .collect();
        assert_eq!(values.join(" "), expected, "{before} to {now}");
        target.alarm.enabled = false;
        let values = cause_values(&target, cause(before).as_ref(), cause(now).as_ref());
        assert!(values.is_empty(), "a target without an alarm has no series");
    }

    #[test]
    fn a_series_is_one_while_its_cause_occurs_and_zero_when_it_ends() {
        check("", "", "");
        check("", "forbidden", "forbidden=1");
        check("forbidden", "forbidden", "forbidden=1");
        check("forbidden", "", "forbidden=0");
        check(
            "forbidden",
            "lambda-throttled",
            "forbidden=0 lambda-throttled=1",
        );
    }

    #[test]
    fn a_cause_without_an_alarm_has_no_series() {
        check("", "too-slow", "");
        check("forbidden", "too-slow", "forbidden=0");
        check("too-slow", "forbidden", "forbidden=1");
    }
}
