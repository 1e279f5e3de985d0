//! How long the publisher waits after requests that failed.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The consecutive failures of requests, and the pause after them.
#[derive(Debug, Default)]
pub(super) struct SendBackoff {
    failures_in_a_row: u32,
    not_before: Option<Instant>,
}

/// The wait after the first failure; it doubles with each further failure.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait. The recovery of CloudWatch is noticed within this time, well before
/// the heartbeat alarm fires after three minutes.
const LONGEST: Duration = Duration::from_secs(30);

impl SendBackoff {
    /// Whether the last request succeeded.
    pub(super) const fn is_flowing(&self) -> bool {
        self.failures_in_a_row == 0
    }

    /// The earliest time of the next request; `None` means now.
    pub(super) const fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Delays the next request. `jitter` is between 0 and 1.
    pub(super) fn failed(&mut self, now: Instant, jitter: f64) {
        let doublings = self.failures_in_a_row.min(10);
        let wait = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.not_before = Some(now + wait.mul_f64(0.5 + jitter / 2.0));
    }
}

/// A number between 0 and 1, so that daemons that failed together do not retry together.
/// The fraction of the current second is random enough and needs no generator.
pub(super) fn jitter() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond() % 1000) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_the_longest_and_end_with_a_success() {
        let mut backoff = SendBackoff::default();
        let waits: Vec<_> = (0..9)
            .map(|_| {
                backoff.failed(Instant::now(), 1.0);
                backoff.not_before().unwrap() - Instant::now()
            })
            .map(|wait| wait.as_millis())
            .collect();
        let expected = [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000];
        assert_eq!(waits, expected);
        backoff.succeeded();
        assert_eq!(backoff.not_before(), None);
    }
}
