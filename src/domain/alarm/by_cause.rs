//! The series behind the alarms of single causes: the metric `Down` with the dimension
//! `Cause`.
//!
//! Such a series holds 1 while its target is down and shows the cause, one 0 as soon as
//! it does not any more, and nothing otherwise: each series costs money only for the
//! hours in which it has datapoints. It refuses to remember: the caller keeps which
//! series was told 1 last.

use crate::domain::alarm::has_alarm;
use crate::model::cause::CauseId;
use crate::model::target::Target;

/// What the series of a target's causes are to be told after a report or a revision.
///
/// `before` is the cause whose series was last told 1; `now` the cause that is shown
/// while the target is down, `None` while it is not down. Gives each series that has
/// something to be told with its value: first the one that ended (0), then the one that
/// occurs (1). Causes without an alarm have no series.
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

    /// `before` and `now`, and what is told, as `cause=value`.
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
        let told = cause_values(&target, cause(before).as_ref(), cause(now).as_ref());
        let told: Vec<_> = told
            .iter()
            .map(|(c, value)| format!("{c}={value}"))
            .collect();
        assert_eq!(told.join(" "), expected, "{before} to {now}");
        target.alarm.enabled = false;
        let told = cause_values(&target, cause(before).as_ref(), cause(now).as_ref());
        assert!(told.is_empty(), "no alarm, no series");
    }

    #[test]
    fn a_series_is_told_one_while_its_cause_is_shown_and_zero_when_it_ends() {
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
