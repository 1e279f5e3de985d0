//! Measures how late the daemon's own tasks run, so that these delays are not attributed to
//! targets.
//!
//! A task sleeps repeatedly for a short time and records how late it wakes. The other tasks of the
//! runtime are delayed in the same way. A long delay is called a stall. The observation of a probe
//! contains the longest stall during the probe, but not which phase of the probe was delayed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::Histogram;
use tokio::time::{Instant, sleep_until};

/// Length of each sleep of the measuring task. A stall of this length is detected in half of the
/// cases, because only the part of the stall after the end of a sleep is measured.
const STEP: Duration = Duration::from_millis(20);

/// Minimum delay that counts as a stall. This is well above the resolution of the timers, which is
/// one millisecond.
const MIN_STALL: Duration = Duration::from_millis(10);

/// Time for which a stall is kept: much longer than a probe with a usual timeout.
const RETENTION: Duration = Duration::from_secs(3600);

/// Maximum number of stalls that are kept, to limit memory. The oldest stalls are dropped first.
const MAX_STALLS: usize = 1024;

/// Measures how late tasks wake and keeps the measured stalls.
#[derive(Debug)]
pub(super) struct Lateness {
    measured: Mutex<Measured>,
    histogram: Histogram,
}

#[derive(Debug, Default)]
struct Measured {
    /// The time at which the current sleep should end. `None` before the first sleep.
    due: Option<Instant>,
    /// The end and length of each stall, oldest first. A stall is removed when a stall of at least
    /// the same length follows, because every period that contains the earlier stall and ends now
    /// also contains the later stall.
    stalls: VecDeque<(Instant, Duration)>,
}

impl Lateness {
    pub(super) fn new(histogram: Histogram) -> Self {
        Self {
            measured: Mutex::default(),
            histogram,
        }
    }

    /// Measures stalls until the future is dropped.
    pub(super) async fn measure(&self) {
        loop {
            let due = Instant::now() + STEP;
            self.lock().due = Some(due);
            sleep_until(due).await;
            let now = Instant::now();
            self.record(now, now - due);
        }
    }

    fn record(&self, now: Instant, late: Duration) {
        self.histogram.observe(late.as_secs_f64());
        if late < MIN_STALL {
            return;
        }
        let stalls = &mut self.lock().stalls;
        while stalls.back().is_some_and(|(_, other)| *other <= late) {
            stalls.pop_back();
        }
        let outdated = |(ended, _): &(Instant, Duration)| now.duration_since(*ended) > RETENTION;
        while stalls.len() >= MAX_STALLS || stalls.front().is_some_and(outdated) {
            stalls.pop_front();
        }
        stalls.push_back((now, late));
    }

    /// Returns the length of the longest stall since `start`, not counting the time before `start`.
    /// Returns zero if there was no stall.
    pub(super) fn longest_stall_since(&self, start: Instant) -> Duration {
        let now = Instant::now();
        let measured = self.lock();
        // After a stall, a probe may wake before the measuring task has recorded the stall, so the
        // lateness of the current sleep counts as a stall, too.
        let late = measured.due.map_or(Duration::ZERO, |due| now - due);
        let current = (late >= MIN_STALL).then_some((now, late));
        let first = measured.stalls.partition_point(|(ended, _)| *ended < start);
        let past = measured.stalls.get(first).copied();
        let overlap = |(ended, stall): (Instant, Duration)| stall.min(ended - start);
        past.into_iter()
            .chain(current)
            .map(overlap)
            .max()
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn lateness() -> Lateness {
        Lateness::new(
            crate::io::sink::daemon_metrics::DaemonMetrics::new()
                .unwrap()
                .runtime_lag,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_gets_the_longest_stall_during_its_run() {
        let (lateness, origin) = (lateness(), Instant::now());
        for (at, late) in [(100, 30), (200, 80), (300, 50), (400, 9), (500, 20)] {
            lateness.record(origin + MS(at), MS(late));
        }
        // The second stall lasted from 120 to 200 ms, so 50 ms of it are after a start at 150 ms.
        // The third stall also lasted 50 ms.
        for (start, longest) in [(0, 80), (150, 50), (210, 50), (301, 20), (501, 0)] {
            assert_eq!(
                lateness.longest_stall_since(origin + MS(start)),
                MS(longest),
                "{start}"
            );
        }
        assert_eq!(lateness.histogram.get_sample_count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_counts_before_the_measuring_task_wakes() {
        let (lateness, origin) = (lateness(), Instant::now());
        lateness.lock().due = Some(origin + STEP);
        tokio::time::advance(MS(500)).await;
        assert_eq!(lateness.longest_stall_since(origin), MS(480));
        assert_eq!(lateness.longest_stall_since(origin + MS(450)), MS(50));
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_and_age_of_stalls_are_limited() {
        let (lateness, origin) = (lateness(), Instant::now());
        for number in 0..5_000 {
            lateness.record(origin + MS(number), Duration::from_secs(10_000 - number));
        }
        assert_eq!(lateness.lock().stalls.len(), MAX_STALLS);
        lateness.record(origin + 2 * RETENTION, MS(11));
        assert_eq!(lateness.lock().stalls.len(), 1);
    }
}
