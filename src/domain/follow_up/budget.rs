//! Limits how many follow-up requests the daemon makes per minute, over all targets. Control
//! requests are not limited here.
//!
//! If many targets fail at the same time, follow-up requests must not overload the infrastructure
//! that these targets share. Requests that exceed the budget may be made after a later failure of
//! the same target.

use jiff::Timestamp;

/// The budget of follow-up requests of the whole daemon, as a leaky bucket.
#[derive(Clone, Copy, Debug, Default)]
pub struct FollowUpBudget {
    used: f64,
    at: Option<Timestamp>,
}

/// Maximum number of follow-up requests per minute on average, and in one burst. The examination of
/// a target with one layer takes four requests, so thirty such targets can be examined per minute.
const MAX_PER_MINUTE: f64 = 120.0;

impl FollowUpBudget {
    /// Reserves the budget for `count` requests. Returns `false` and reserves nothing if the budget
    /// does not suffice.
    pub fn take(&mut self, count: usize, now: Timestamp) -> bool {
        let passed = self
            .at
            .map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        self.at = Some(now);
        self.used = (self.used - passed.max(0.0) * MAX_PER_MINUTE / 60.0).max(0.0);
        let used = self.used + f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let left = used <= MAX_PER_MINUTE;
        if left {
            self.used = used;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_requests_per_minute_is_limited_and_recovers() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut budget = FollowUpBudget::default();
        assert!(budget.take(100, at(0)));
        assert!(!budget.take(30, at(0)));
        assert!(budget.take(20, at(0)));
        assert!(!budget.take(1, at(0)));
        assert!(
            !budget.take(21, at(10)),
            "the budget of 20 requests recovers in ten seconds"
        );
        assert!(budget.take(20, at(10)));
        assert!(budget.take(120, at(3600)));
        assert!(
            !budget.take(1, at(3600)),
            "at most the budget of one minute accumulates"
        );
    }

    #[test]
    fn a_clock_that_goes_back_restores_nothing() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut budget = FollowUpBudget::default();
        assert!(budget.take(120, at(100)));
        assert!(!budget.take(1, at(0)));
        assert!(budget.take(2, at(1)));
    }
}
