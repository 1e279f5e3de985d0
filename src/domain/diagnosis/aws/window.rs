//! Computes the minutes for which metrics are requested, and the time at which this window is
//! settled.
//!
//! Lambda stamps a datapoint with the minute in which the invocation began, but emits it only after
//! the invocation ended. The window is therefore computed from the time at which the prober sent
//! its request, not from the time at which the metrics are queried. AWS advises looking back
//! further than the function's timeout. The window is settled when every datapoint has had enough
//! time to arrive. Until then, a missing datapoint does not mean zero.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The period of the requested CloudWatch metrics, in seconds.
const MINUTE: i64 = 60;

/// Maximum expected difference between AWS's clock and the prober's, both synchronized by NTP. A
/// margin of whole minutes would only add the metrics of other requests to the window.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Returns the minutes that contain a request's datapoints: start (inclusive) and end (exclusive),
/// both whole minutes. Lambda stamps its datapoints with the start of the invocation, which is
/// between `began` and `ended` even if the function runs longer than the request. The API may stamp
/// its datapoints with the time of the response, which is not after `ended`. The window also allows
/// for clocks that differ by up to [`SKEW`].
#[must_use]
pub fn window_for(began: Timestamp, ended: Timestamp) -> (Timestamp, Timestamp) {
    let first = minute_of(began.checked_sub(SKEW).unwrap_or(began));
    let ended = ended.max(began);
    let last = minute_of(ended.checked_add(SKEW).unwrap_or(ended));
    let width = SignedDuration::from_secs(MINUTE);
    (first, last.checked_add(width).unwrap_or(Timestamp::MAX))
}

/// Returns the time at which the window is settled: the end of the request, plus the function's
/// timeout, plus the time `settle` for datapoints to arrive. AWS publishes no bound for `settle`;
/// metric exporters treat values as changing for up to ten minutes. `None` if the function's
/// timeout is unknown, because the function may still be running, or if the time is out of range.
/// The window then never settles.
#[must_use]
pub fn settled_at(
    ended: Timestamp,
    function_timeout: Option<Duration>,
    settle: Duration,
) -> Option<Timestamp> {
    let longest = function_timeout?.checked_add(settle)?;
    ended.checked_add(longest).ok()
}

/// Returns how many of the start times are in the window from `from` (inclusive) to `to`
/// (exclusive).
#[must_use]
pub fn count_in_window(starts: &[Timestamp], from: Timestamp, to: Timestamp) -> u32 {
    let count = starts.iter().filter(|began| (from..to).contains(began));
    u32::try_from(count.count()).unwrap_or(u32::MAX)
}

fn minute_of(moment: Timestamp) -> Timestamp {
    let second = moment.as_second();
    Timestamp::from_second(second - second.rem_euclid(MINUTE)).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-05-20T{text}Z").parse().unwrap()
    }

    fn check(began: &str, ended: &str, from: &str, to: &str) {
        assert_eq!(window_for(at(began), at(ended)), (at(from), at(to)));
    }

    #[test]
    fn a_window_covers_the_minutes_of_the_request() {
        check("04:44:13", "04:44:14", "04:44:00", "04:45:00");
        check("04:44:13", "04:44:43.163", "04:44:00", "04:45:00");
        check("04:44:40", "04:45:10.163", "04:44:00", "04:46:00");
    }

    #[test]
    fn a_request_near_the_edge_of_a_minute_includes_the_adjacent_minute() {
        check("04:44:02", "04:44:03", "04:43:00", "04:45:00");
        check("04:44:56", "04:44:57", "04:44:00", "04:46:00");
    }

    #[test]
    fn a_clock_that_went_backward_still_gives_a_window() {
        check("04:44:30", "04:44:10", "04:44:00", "04:45:00");
        assert!(window_for(Timestamp::MIN, Timestamp::MAX).0 == Timestamp::MIN);
    }

    const SETTLE: Duration = Duration::from_secs(600);

    #[test]
    fn a_window_settles_ten_minutes_after_the_timeout_and_never_without_one() {
        let timeout = Some(Duration::from_secs(60));
        let settled = settled_at(at("04:44:30"), timeout, SETTLE);
        assert_eq!(settled, Some(at("04:55:30")));
        assert_eq!(settled_at(at("04:44:30"), None, SETTLE), None);
        let endless = settled_at(at("04:44:30"), Some(Duration::MAX), SETTLE);
        assert_eq!(endless, None);
    }

    #[test]
    fn own_requests_are_counted_by_their_start() {
        let starts = [
            at("04:43:59"),
            at("04:44:00"),
            at("04:44:59"),
            at("04:45:00"),
        ];
        assert_eq!(count_in_window(&starts, at("04:44:00"), at("04:45:00")), 2);
    }
}
