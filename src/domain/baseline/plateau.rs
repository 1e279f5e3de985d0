//! A limit that a target's failures sit on, though nobody declared it.
//!
//! Whatever takes the same time again and again before it fails is waiting for something
//! that gives up. Whose limit that is, time cannot tell, so it only ranks; and a quick
//! failure that repeats is no limit at all.

use std::time::Duration;

use crate::domain::diagnosis::plateau::max_spread;
use crate::model::observation::Observation;

/// The failing answers of the present run: one status, one after another.
#[derive(Clone, Debug, Default)]
pub(super) struct FailingTimes {
    status: u16,
    quickest: Duration,
    slowest: Duration,
    count: u32,
}

/// So many in a row: times that scatter evenly over half a second fall this close
/// together four times by a chance of less than one in 200 (4 x³ for x = 0.1).
const ENOUGH: u32 = 4;

/// A quicker failure is no limit's: timeouts are set in seconds, and a denied call's
/// answer is as steady as the network.
const SHORTEST: Duration = Duration::from_secs(1);

impl FailingTimes {
    /// Adds a failing answer. One of another status, or at another time than those before
    /// it, begins a new run; a failure without an answer ends the run.
    pub(super) fn add(&mut self, observation: &Observation) {
        let (Some(answer), Some(time), 0) = (
            &observation.response,
            observation.phases.processing,
            observation.redirects,
        ) else {
            self.clear();
            return;
        };
        let quickest = self.quickest.min(time);
        let slowest = self.slowest.max(time);
        let is_one_more = self.count > 0
            && self.status == answer.status
            && slowest - quickest <= max_spread(quickest);
        *self = if is_one_more {
            Self {
                status: self.status,
                quickest,
                slowest,
                count: self.count.saturating_add(1),
            }
        } else {
            Self {
                status: answer.status,
                quickest: time,
                slowest: time,
                count: 1,
            }
        };
    }

    /// Something else happened: the run is over.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The limit; a limit fires at its value and never before, hence the quickest.
    pub(super) fn learned(&self) -> Option<Duration> {
        (self.count >= ENOUGH && self.quickest >= SHORTEST).then_some(self.quickest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    use crate::model::observation::{HttpVersion, Response};

    fn failed(status: u16, millis: u64) -> Observation {
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/a");
        seen.phases.processing = Some(Duration::from_millis(millis));
        seen.response = Some(Response {
            status,
            version: HttpVersion::Http2,
            headers: Vec::new(),
            body: Vec::new(),
            body_truncated: false,
            body_bytes: 0,
            content_length: None,
        });
        seen
    }

    /// Statuses and times in milliseconds of one failure after another, and the limit.
    #[track_caller]
    fn check(answers: &[(u16, u64)], expected: Option<u64>) {
        let mut times = FailingTimes::default();
        for (status, millis) in answers {
            times.add(&failed(*status, *millis));
        }
        assert_eq!(times.learned(), expected.map(Duration::from_millis));
    }

    #[test]
    fn four_failures_close_together_are_a_limit() {
        check(
            &[(500, 3010), (500, 3030), (500, 3002), (500, 3015)],
            Some(3002),
        );
        check(&[(500, 3010), (500, 3030), (500, 3002)], None);
        let long = [(503, 12_000), (503, 12_105), (503, 12_040), (503, 12_001)];
        check(&long, Some(12_000));
    }

    #[test]
    fn scattered_failures_are_none_however_many() {
        let scattered: Vec<_> = (0..40).map(|n| (500, 2000 + n % 4 * 90)).collect();
        check(&scattered, None);
    }

    #[test]
    fn a_quick_failure_is_no_limit_however_steady() {
        check(&[(500, 168), (500, 169), (500, 170), (500, 168)], None);
    }

    #[test]
    fn another_status_or_another_time_begins_a_new_run() {
        check(&[(500, 3000), (500, 3000), (503, 3000), (503, 3000)], None);
        let shifted = [6000, 3000, 3001, 3002, 3003].map(|millis| (500, millis));
        check(&shifted, Some(3000));
        check(&shifted[..4], None);
    }

    #[test]
    fn a_failure_without_an_answer_ends_the_run() {
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
