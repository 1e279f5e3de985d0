//! Decides when CloudTrail is asked about an incident, and about which period.
//!
//! CloudTrail delivers events after about five minutes on average, so it is asked again. Keeping to
//! the limit of two requests per second and account is left to `io`.

use std::time::Duration;

use jiff::Timestamp;

/// Maximum time between a change and the first failure that it may explain.
const BEFORE: Duration = Duration::from_secs(60 * 60);

/// The times at which CloudTrail is asked about an incident, counted from its opening.
const LOOKS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
];

/// Time after the opening of an incident at which the requests about it end, even if not all were
/// made: a change is of use only while people look for the cause.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Returns when CloudTrail is asked next; `None` if it is not asked again. `opened` is the time at
/// which the incident opened, and `done` the number of times that CloudTrail was asked about it.
#[must_use]
pub fn next_look(opened: Timestamp, done: usize) -> Option<Timestamp> {
    opened.checked_add(*LOOKS.get(done)?).ok()
}

/// Returns the time from which CloudTrail is no longer asked about an incident that opened at
/// `opened`.
#[must_use]
pub fn watched_until(opened: Timestamp) -> Timestamp {
    opened.checked_add(LONGEST).unwrap_or(Timestamp::MAX)
}

/// Returns the start of the period in which changes may explain the first failure. The period ends
/// at the time of the request, so each later request about an incident covers a longer period.
#[must_use]
pub fn window_start(first_failure: Timestamp) -> Timestamp {
    first_failure.checked_sub(BEFORE).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloudtrail_is_asked_three_times() {
        let opened: Timestamp = "2026-07-14T22:32:38Z".parse().unwrap();
        let minutes = (0..5).map(|done| {
            let look = next_look(opened, done)?;
            Some((look.as_second() - opened.as_second()) / 60)
        });
        let expected = [Some(0), Some(5), Some(15), None, None];
        assert_eq!(minutes.collect::<Vec<_>>(), expected);
        let until = watched_until(opened);
        assert!(next_look(opened, 2).unwrap() < until);
        assert_eq!(watched_until(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn the_window_starts_an_hour_before_the_first_failure() {
        let first_failure: Timestamp = "2026-07-14T22:32:28Z".parse().unwrap();
        let start: Timestamp = "2026-07-14T21:32:28Z".parse().unwrap();
        assert_eq!(window_start(first_failure), start);
        assert_eq!(window_start(Timestamp::MIN), Timestamp::MIN);
    }
}
