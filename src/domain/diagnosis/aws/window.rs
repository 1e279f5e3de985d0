//! Which minutes to ask metrics for, and when their silence counts.
//!
//! Lambda stamps a datapoint with the minute in which the invocation began and emits it
//! after the end; AWS advises looking back further than the function's timeout. The window
//! therefore hangs on the request, however late it is asked for, and is settled only when
//! every datapoint must have arrived. Until then presence counts and absence does not.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Width of CloudWatch's datapoints for these metrics.
const MINUTE: i64 = 60;

/// AWS's clock and ours may differ by this much and stay within it where both are kept by
/// NTP. A whole minute on either side would only let in requests that are not ours.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// How long after a function's end its datapoints may still arrive: exporters treat values
/// as converging for up to ten minutes; AWS publishes no promise.
pub const SETTLE: Duration = Duration::from_secs(600);

/// The minutes that hold a request's datapoints, as first minute (inclusive) and end
/// (exclusive), both whole. An invocation begins after its request, so looking back to
/// the request looks back further than any timeout; the end covers the answer, with whose
/// time the API may stamp its own datapoints.
#[must_use]
pub fn window_for(began: Timestamp, ended: Timestamp) -> (Timestamp, Timestamp) {
    let first = minute_of(began.checked_sub(SKEW).unwrap_or(began));
    let ended = ended.max(began);
    let last = minute_of(ended.checked_add(SKEW).unwrap_or(ended));
    let width = SignedDuration::from_secs(MINUTE);
    (first, last.checked_add(width).unwrap_or(Timestamp::MAX))
}

/// From when on absence counts: the function has ended by its own timeout, and its
/// datapoints have had `settle` to arrive ([`SETTLE`] unless configured). `None`: its
/// timeout is not known, so it may still be running, and absence never counts.
#[must_use]
pub fn settled_at(
    ended: Timestamp,
    function_timeout: Option<Duration>,
    settle: Duration,
) -> Option<Timestamp> {
    let longest = function_timeout?.checked_add(settle)?;
    ended.checked_add(longest).ok()
}

/// How many of our own requests began in a window.
#[must_use]
pub fn ours_in(ours: &[Timestamp], from: Timestamp, to: Timestamp) -> u32 {
    let count = ours.iter().filter(|began| (from..to).contains(began));
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
    fn a_window_is_the_minutes_that_the_request_touched() {
        check("04:44:13", "04:44:14", "04:44:00", "04:45:00");
        check("04:44:13", "04:44:43.163", "04:44:00", "04:45:00");
        check("04:44:40", "04:45:10.163", "04:44:00", "04:46:00");
    }

    #[test]
    fn a_request_near_the_edge_of_a_minute_touches_its_neighbour() {
        check("04:44:02", "04:44:03", "04:43:00", "04:45:00");
        check("04:44:56", "04:44:57", "04:44:00", "04:46:00");
    }

    #[test]
    fn a_clock_that_went_backwards_still_gives_a_window() {
        check("04:44:30", "04:44:10", "04:44:00", "04:45:00");
        assert!(window_for(Timestamp::MIN, Timestamp::MAX).0 == Timestamp::MIN);
    }

    #[test]
    fn absence_counts_after_the_timeout_and_ten_minutes_and_never_without_a_timeout() {
        let timeout = Some(Duration::from_secs(60));
        let settled = settled_at(at("04:44:30"), timeout, SETTLE);
        assert_eq!(settled, Some(at("04:55:30")));
        assert_eq!(settled_at(at("04:44:30"), None, SETTLE), None);
        let endless = settled_at(at("04:44:30"), Some(Duration::MAX), SETTLE);
        assert_eq!(endless, None);
    }

    #[test]
    fn our_own_requests_are_counted_by_when_they_began() {
        let ours = [
            at("04:43:59"),
            at("04:44:00"),
            at("04:44:59"),
            at("04:45:00"),
        ];
        assert_eq!(ours_in(&ours, at("04:44:00"), at("04:45:00")), 2);
    }
}
