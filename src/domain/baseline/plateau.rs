//! Detects an undeclared timeout from consecutive failures with similar response times.
//!
//! The response time does not show which component timed out, so a learned timeout only changes the
//! ranking of causes. Fast failures are ignored. `diagnosis::plateau` compares response times with
//! the learned timeout.

use std::time::Duration;

use crate::domain::diagnosis::plateau::max_spread;
use crate::model::observation::Observation;

/// The current run of consecutive failures with the same status and similar response times.
#[derive(Clone, Debug, Default)]
pub(super) struct FailingTimes {
    status: u16,
    fastest: Duration,
    slowest: Duration,
    count: u32,
}

/// Minimum number of failures in a run that shows a timeout. If the response times of four failures
/// are randomly distributed over half a second, the probability that all four are within 50 ms of
/// each other is less than 1 in 200 (4 x³ for x = 0.1).
const MIN_COUNT: u32 = 4;

/// Minimum timeout that is detected. Timeouts are usually configured in whole seconds. Shorter
/// response times are ignored, because denied calls also have similar response times.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);

impl FailingTimes {
    /// Adds a failure. A response with another status than the run, or with a response time that is
    /// not similar to those of the run, starts a new run. A failure without a response or after
    /// redirects ends the run.
    pub(super) fn add(&mut self, observation: &Observation) {
        let (Some(response), Some(time), 0) = (
            &observation.response,
            observation.phases.processing,
            observation.redirects,
        ) else {
            self.clear();
            return;
        };
        let fastest = self.fastest.min(time);
        let slowest = self.slowest.max(time);
        let continues = self.count > 0
            && self.status == response.status
            && slowest - fastest <= max_spread(fastest);
        *self = if continues {
            Self {
                status: self.status,
                fastest,
                slowest,
                count: self.count.saturating_add(1),
            }
        } else {
            Self {
                status: response.status,
                fastest: time,
                slowest: time,
                count: 1,
            }
        };
    }

    /// Ends the run of failures.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the learned timeout: the response time of the fastest failure of the run, because a
    /// timeout never fires early. `None` if the run has fewer than [`MIN_COUNT`] failures, or if
    /// this response time is below [`MIN_TIMEOUT`].
    pub(super) fn learned(&self) -> Option<Duration> {
        (self.count >= MIN_COUNT && self.fastest >= MIN_TIMEOUT).then_some(self.fastest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    use crate::model::observation::Response;

    fn failed(status: u16, millis: u64) -> Observation {
        let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/a");
        observation.phases.processing = Some(Duration::from_millis(millis));
        observation.response = Some(Response::of(status, &[], ""));
        observation
    }

    /// Adds failures given as (status, milliseconds) and compares the learned timeout with
    /// `expected`, in milliseconds.
    #[track_caller]
    fn check(failures: &[(u16, u64)], expected: Option<u64>) {
        let mut times = FailingTimes::default();
        for (status, millis) in failures {
            times.add(&failed(*status, *millis));
        }
        assert_eq!(times.learned(), expected.map(Duration::from_millis));
    }

    #[test]
    fn four_failures_with_similar_times_are_a_timeout() {
        check(
            &[(500, 3010), (500, 3030), (500, 3002), (500, 3015)],
            Some(3002),
        );
        check(&[(500, 3010), (500, 3030), (500, 3002)], None);
        let long = [(503, 12_000), (503, 12_105), (503, 12_040), (503, 12_001)];
        check(&long, Some(12_000));
    }

    #[test]
    fn scattered_failures_are_no_timeout() {
        let scattered: Vec<_> = (0..40).map(|n| (500, 2000 + n % 4 * 90)).collect();
        check(&scattered, None);
    }

    #[test]
    fn fast_failures_are_no_timeout() {
        check(&[(500, 168), (500, 169), (500, 170), (500, 168)], None);
    }

    #[test]
    fn another_status_or_time_starts_a_new_run() {
        check(&[(500, 3000), (500, 3000), (503, 3000), (503, 3000)], None);
        let shifted = [6000, 3000, 3001, 3002, 3003].map(|millis| (500, millis));
        check(&shifted, Some(3000));
        check(&shifted[..4], None);
    }

    #[test]
    fn a_failure_without_a_response_ends_the_run() {
        let mut times = FailingTimes::default();
        for _ in 0..4 {
            times.add(&failed(500, 3000));
        }
        times.add(&Observation::begun(
            Timestamp::UNIX_EPOCH,
            "https://x.example/a",
        ));
        assert_eq!(times.learned(), None);
    }
}
