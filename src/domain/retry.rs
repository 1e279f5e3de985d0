//! Computes how long to wait before retrying a failed operation: exponential backoff with jitter.
//!
//! The functions are pure: the caller counts consecutive failures, reads the clock and sleeps. The
//! caller also decides what counts as a failure and when to give up.

use std::time::Duration;

use jiff::Timestamp;

/// The delays between attempts. The delays double with each consecutive failure, from `first` up to
/// `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Creates a backoff whose delays grow from `first` to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// Returns the delay after a failure. `earlier` is the number of consecutive failures before
    /// this failure; 0 for the first failure.
    #[must_use]
    pub fn delay(self, earlier: u32) -> Duration {
        let factor = 2_u32.saturating_pow(earlier);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// Returns [`Backoff::delay`] multiplied by a factor from 0.5 (`jitter` 0) to 1 (`jitter`
    /// 1), so that clients that failed together do not retry together. Values of `jitter`
    /// outside 0..=1 are clamped.
    #[must_use]
    pub fn delay_with_jitter(self, earlier: u32, jitter: f64) -> Duration {
        let share = 0.5 + jitter.clamp(0.0, 1.0) / 2.0;
        self.delay(earlier).mul_f64(share)
    }
}

/// Returns a jitter of at least 0 and less than 1, derived from the nanoseconds of the current
/// time. The nanoseconds are random enough to spread the retries of several daemons, without a
/// random number generator.
#[must_use]
pub fn jitter(now: Timestamp) -> f64 {
    f64::from(now.subsec_nanosecond().rem_euclid(1000)) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays = [0, 1, 2, 3, 4, 5, 6, 7].map(|earlier| BACKOFF.delay(earlier).as_secs());
        assert_eq!(delays, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn any_number_of_failures_gives_at_most_the_longest_delay() {
        for earlier in [31, 32, 33, u32::MAX] {
            assert_eq!(BACKOFF.delay(earlier), Duration::from_secs(300));
        }
    }

    #[test]
    fn the_first_delay_never_exceeds_the_longest() {
        let backoff = Backoff::new(Duration::from_secs(9), Duration::from_secs(2));
        assert_eq!(backoff.delay(0), Duration::from_secs(2));
    }

    #[test]
    fn jitter_scales_a_delay_to_between_half_and_all_of_it() {
        let millis = |jitter| BACKOFF.delay_with_jitter(1, jitter).as_millis();
        assert_eq!([0.0, 0.5, 1.0].map(millis), [5_000, 7_500, 10_000]);
        assert_eq!([-1.0, 7.0].map(millis), [5_000, 10_000]);
    }

    #[test]
    fn jitter_lies_between_zero_and_one_and_differs_by_nanosecond() {
        let at = |nanoseconds| Timestamp::from_nanosecond(nanoseconds).map(jitter);
        assert_eq!(at(1_000_000_250).unwrap(), 0.25);
        assert_eq!(at(999_999_999).unwrap(), 0.999);
        assert_eq!(at(-1).unwrap(), 0.999);
        assert_eq!(at(0).unwrap(), 0.0);
    }
}
