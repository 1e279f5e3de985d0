//! Derives the floor from the responses to control requests. The floor is the response time without
//! the target's Lambda function, which a control request does not reach because of its path.
//!
//! A floor requires at least three such responses with similar response times, all faster than
//! every healthy response of the target. The comparison with healthy responses distinguishes the
//! gateway from a route whose function returns the same bytes. Without healthy responses, there is
//! no floor.
//! This module also decides when the next control request is due.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::baseline::control::ControlResult;
use crate::domain::diagnosis::context::Floor;

/// The results of the most recent control requests.
#[derive(Clone, Debug, Default)]
pub(super) struct ControlSamples {
    /// The results, the oldest first; at most [`MAX_ATTEMPTS`].
    attempts: VecDeque<Attempt>,
    /// The time of the last control request with a response that the gateway did not generate;
    /// `None` if there was no such response.
    not_gateway_at: Option<Timestamp>,
}

/// The result of one control request.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    /// The time when the result was recorded.
    at: Timestamp,
    /// The response time; `None` if there is no response, or if the response does not count for the
    /// floor.
    time: Option<Duration>,
}

/// Minimum number of responses to control requests for a floor (the response time without the
/// function). Fewer responses do not show how much the response times vary.
const MIN_SAMPLES: usize = 3;

/// Maximum number of control requests at the start of an incident: three requests, and two more if
/// the first three give no floor. Each request costs the user money and counts in the API's 4xx
/// metric.
const MAX_INITIAL: usize = 5;

/// Maximum number of control requests whose results are kept. The number is small, so that the
/// floor follows changes of the network.
const MAX_ATTEMPTS: usize = MAX_INITIAL;

/// Time between two control requests at the start of an incident: long enough that one burst of
/// packet loss does not affect both requests, and short enough that the state of the network rarely
/// changes between the failed probe and the third request.
const SPACING: Duration = Duration::from_secs(2);

/// Time between control requests after the initial requests of an incident. The further requests
/// are sent to follow changes of the network. A target that fails for a week receives about 170
/// control requests, instead of ten thousand with one request per minute.
const LATER_SPACING: SignedDuration = SignedDuration::from_hours(1);

/// Maximum age of a sample; an older sample may not reflect the current network. Four hours cover
/// three hourly samples and one lost sample.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(4);

/// Time without control requests after a response that the gateway did not generate, because each
/// control request to such a path may reach a function in production. After a day, the path is
/// tried again, because the route may have been removed.
const PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// Maximum difference between the longest and the shortest response time of a floor. In the
/// captures, responses without an invocation differ by 5 ms (HTTP API) and 2 ms (REST API). A
/// difference of more than 25 ms indicates that a function responded, or that the network is too
/// noisy for the fact `invoked`, which is `no` for response times less than 25 ms above the floor.
const MAX_SPREAD: Duration = Duration::from_millis(25);

impl ControlSamples {
    pub(super) fn resumed(
        attempts: &[(Timestamp, Option<Duration>)],
        not_gateway_at: Option<Timestamp>,
    ) -> Self {
        let attempt = |&(at, time): &(Timestamp, Option<Duration>)| Attempt { at, time };
        let surplus = attempts.len().saturating_sub(MAX_ATTEMPTS);
        Self {
            attempts: attempts.iter().skip(surplus).map(attempt).collect(),
            not_gateway_at,
        }
    }

    pub(super) fn snapshot(&self) -> (Vec<(Timestamp, Option<Duration>)>, Option<Timestamp>) {
        let attempts = self.attempts.iter();
        let pairs = attempts.map(|attempt| (attempt.at, attempt.time));
        (pairs.collect(), self.not_gateway_at)
    }

    pub(super) fn add(&mut self, result: ControlResult, now: Timestamp) {
        let time = match result {
            ControlResult::Measured(time) => Some(time),
            ControlResult::Inconclusive => None,
            ControlResult::NotGateway => {
                // The earlier responses may not be from the gateway either.
                self.attempts.clear();
                self.not_gateway_at = Some(now);
                return;
            }
        };
        if self.attempts.len() == MAX_ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(Attempt { at: now, time });
    }

    /// Returns the measured floor: the range of the response time without the function. `healthy`
    /// is the response time of the fastest healthy response. Returns `None` if there are too few
    /// similar response times of control requests, if `healthy` is `None`, or if not all of these
    /// response times are below `healthy`.
    pub(super) fn floor(&self, healthy: Option<Duration>, now: Timestamp) -> Option<Floor> {
        let (low, high, count) = self.interval(now)?;
        healthy.filter(|fastest| high < *fastest)?;
        Some(Floor {
            low,
            high,
            from: format!("{count} control requests"),
        })
    }

    /// Returns the time until the next control request in an incident that opened at `since`;
    /// `None` if no control request is due before the next probe.
    pub(super) fn next_request(
        &self,
        since: Timestamp,
        healthy: Option<Duration>,
        now: Timestamp,
    ) -> Option<Duration> {
        if self.is_paused(now) {
            return None;
        }
        let newest = self.attempts.back().map(|attempt| attempt.at);
        let age = newest.map(|newest| now.duration_since(newest));
        let attempts = self.attempts.iter();
        let count = attempts.filter(|attempt| attempt.at >= since).count();
        if count < MIN_SAMPLES || (count < MAX_INITIAL && self.interval(now).is_none()) {
            let age = age.and_then(|age| Duration::try_from(age).ok());
            return Some(age.map_or(Duration::ZERO, |age| SPACING.saturating_sub(age)));
        }
        // If the initial requests gave no floor, more requests in the same incident are not worth
        // their cost.
        self.floor(healthy, now)?;
        age.is_none_or(|age| age >= LATER_SPACING)
            .then_some(Duration::ZERO)
    }

    /// Considers the fastest two thirds of the samples of the last [`MAX_AGE`], but at least
    /// [`MIN_SAMPLES`]. Returns their shortest and longest response time, and their number; `None`
    /// if there are too few samples or if these response times differ too much. Slower samples are
    /// ignored, so that one lost packet does not prevent a floor.
    fn interval(&self, now: Timestamp) -> Option<(Duration, Duration, usize)> {
        let is_fresh = |attempt: &&Attempt| now.duration_since(attempt.at) <= MAX_AGE;
        let fresh = self.attempts.iter().filter(is_fresh);
        let mut times: Vec<Duration> = fresh.filter_map(|attempt| attempt.time).collect();
        if times.len() < MIN_SAMPLES {
            return None;
        }
        times.sort_unstable();
        times.truncate((times.len() * 2).div_ceil(3).max(MIN_SAMPLES));
        let (low, high) = (*times.first()?, *times.last()?);
        (high - low <= MAX_SPREAD).then_some((low, high, times.len()))
    }

    fn is_paused(&self, now: Timestamp) -> bool {
        self.not_gateway_at
            .is_some_and(|at| now.duration_since(at) < PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    const HEALTHY: Option<Duration> = Some(Duration::from_millis(60));

    fn measured(millis: u64) -> ControlResult {
        ControlResult::Measured(Duration::from_millis(millis))
    }

    /// Creates samples with one result every two seconds, starting at second 0.
    fn controls(results: &[ControlResult]) -> ControlSamples {
        let mut controls = ControlSamples::default();
        for (second, result) in (0..).step_by(2).zip(results) {
            controls.add(*result, at(second));
        }
        controls
    }

    /// Checks the lower and upper end of the floor, in milliseconds, at second 60. The fastest
    /// healthy response takes 60 ms.
    #[track_caller]
    fn check(results: &[ControlResult], expected: Option<(u128, u128)>) {
        let floor = controls(results).floor(HEALTHY, at(60));
        let found = floor.map(|floor| (floor.low.as_millis(), floor.high.as_millis()));
        assert_eq!(found, expected);
    }

    #[test]
    fn three_responses_close_together_give_a_floor() {
        check(&[20, 24, 21].map(measured), Some((20, 24)));
        check(&[20, 24].map(measured), None);
        check(
            &[measured(20), ControlResult::Inconclusive, measured(21)],
            None,
        );
    }

    #[test]
    fn scattered_responses_give_no_floor_but_one_late_response_is_ignored() {
        check(&[20, 24, 46].map(measured), None);
        check(&[20, 24, 46, 22].map(measured), Some((20, 24)));
        check(&[20, 24, 46, 22, 50].map(measured), None);
    }

    #[test]
    fn a_floor_is_below_every_healthy_response() {
        // These times may be from a `$default` route whose function returns the same bytes as the
        // gateway.
        check(&[55, 58, 61].map(measured), None);
        check(&[55, 58, 60].map(measured), None);
        check(&[55, 58, 59].map(measured), Some((55, 59)));
    }

    #[test]
    fn without_healthy_responses_there_is_no_floor() {
        let samples = controls(&[20, 24, 21].map(measured));
        assert_eq!(samples.floor(None, at(60)), None);
    }

    #[test]
    fn a_response_from_something_else_discards_all_measurements() {
        let results = [
            measured(20),
            measured(21),
            measured(22),
            ControlResult::NotGateway,
        ];
        check(&results, None);
        let mut controls = controls(&results);
        assert_eq!(controls.next_request(at(0), HEALTHY, at(3600)), None);
        assert_eq!(
            controls.next_request(at(0), HEALTHY, at(90_000)),
            Some(Duration::ZERO)
        );
        for second in [90_000, 90_002, 90_004] {
            controls.add(measured(20), at(second));
        }
        assert!(controls.floor(HEALTHY, at(90_010)).is_some());
    }

    #[test]
    fn an_old_floor_expires() {
        let samples = controls(&[20, 24, 21].map(measured));
        assert!(samples.floor(HEALTHY, at(4 * 3600)).is_some());
        assert_eq!(samples.floor(HEALTHY, at(4 * 3600 + 3)), None);
    }

    #[test]
    fn an_incident_needs_three_control_requests_and_then_one_per_hour() {
        let mut controls = ControlSamples::default();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(controls.next_request(at(0), HEALTHY, at(0)), seconds(0));
        controls.add(measured(20), at(1));
        assert_eq!(controls.next_request(at(0), HEALTHY, at(1)), seconds(2));
        assert_eq!(controls.next_request(at(0), HEALTHY, at(60)), seconds(0));
        controls.add(measured(21), at(3));
        controls.add(measured(22), at(5));
        assert_eq!(controls.next_request(at(0), HEALTHY, at(6)), None);
        assert_eq!(controls.next_request(at(0), HEALTHY, at(3604)), None);
        assert_eq!(controls.next_request(at(0), HEALTHY, at(3605)), seconds(0));
        assert_eq!(
            controls.next_request(at(0), None, at(3605)),
            None,
            "without a floor, no further request is needed"
        );
        // A new incident requires new control requests, although the old floor is known.
        assert_eq!(controls.next_request(at(60), HEALTHY, at(60)), seconds(0));
    }

    #[test]
    fn if_three_give_no_floor_two_more_are_needed() {
        let mut controls = controls(&[measured(20), ControlResult::Inconclusive, measured(46)]);
        assert!(controls.next_request(at(0), HEALTHY, at(60)).is_some());
        controls.add(ControlResult::Inconclusive, at(60));
        controls.add(ControlResult::Inconclusive, at(62));
        assert_eq!(controls.next_request(at(0), HEALTHY, at(120)), None);
    }
}
