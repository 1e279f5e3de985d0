//! Computes how long the publisher waits after failed requests.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::retry::Backoff;

/// Counts consecutive failed requests and delays the next request.
#[derive(Debug, Default)]
pub(super) struct SendBackoff {
    failures_in_a_row: u32,
    not_before: Option<Instant>,
}

/// Delay of the next request after consecutive failures: from 500 ms to 30 s before jitter. Jitter
/// reduces the delay by up to half. The maximum is well below three minutes, because the heartbeat
/// alarm fires after three minutes without heartbeats.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

impl SendBackoff {
    /// Returns whether no request has failed since the last success.
    pub(super) const fn is_healthy(&self) -> bool {
        self.failures_in_a_row == 0
    }

    /// Returns the earliest time of the next request; `None` means that the next request is not
    /// delayed.
    pub(super) const fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Delays the next request after a failure. `jitter` is between 0 and 1.
    pub(super) fn failed(&mut self, now: Instant, jitter: f64) {
        self.not_before = Some(now + BACKOFF.delay_with_jitter(self.failures_in_a_row, jitter));
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
    }
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
