//! How late the daemon itself is, so that no target is blamed for it.
//!
//! A task asks to be woken again and again, and notes by how much that came too late: as
//! much later anything else may have been noticed. A probe is told the most that happened
//! while it ran. Refuses to guess which of its phases suffered.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::Histogram;
use tokio::time::{Instant, sleep_until};

/// How often it is looked at: a stall that is half as long is noticed every other time.
const STEP: Duration = Duration::from_millis(20);

/// Less is the ordinary inexactness of timers, which count in milliseconds.
const NOTICEABLE: Duration = Duration::from_millis(10);

/// Stalls are remembered this long: no probe runs longer than an hour.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// And no more of them than this; the smallest go first by construction.
const MOST: usize = 1024;

/// What was noticed.
#[derive(Debug)]
pub(super) struct Lateness {
    noticed: Mutex<Noticed>,
    published: Histogram,
}

#[derive(Debug, Default)]
struct Noticed {
    /// When the task is to be woken next.
    due: Option<Instant>,
    /// When a stall ended and how long it was; each shorter than the one before it, since
    /// a shorter one is no worst after a longer one that came later.
    stalls: VecDeque<(Instant, Duration)>,
}

impl Lateness {
    pub(super) fn new(published: Histogram) -> Self {
        Self {
            noticed: Mutex::default(),
            published,
        }
    }

    /// Looks until it is dropped.
    pub(super) async fn watch(&self) {
        loop {
            let due = Instant::now() + STEP;
            self.lock().due = Some(due);
            sleep_until(due).await;
            let now = Instant::now();
            self.note(now, now - due);
        }
    }

    fn note(&self, now: Instant, late: Duration) {
        self.published.observe(late.as_secs_f64());
        if late < NOTICEABLE {
            return;
        }
        let stalls = &mut self.lock().stalls;
        while stalls.back().is_some_and(|(_, other)| *other <= late) {
            stalls.pop_back();
        }
        let outdated = |(ended, _): &(Instant, Duration)| now.duration_since(*ended) > REMEMBERED;
        while stalls.len() >= MOST || stalls.front().is_some_and(outdated) {
            stalls.pop_front();
        }
        stalls.push_back((now, late));
    }

    /// The longest stall that reached into the time since `began`; nought: none that matters.
    pub(super) fn worst_since(&self, began: Instant) -> Duration {
        let now = Instant::now();
        let noticed = self.lock();
        // After a stall a probe may be told of its end before the task is.
        let late = noticed.due.map_or(Duration::ZERO, |due| now - due);
        let lasting = (late >= NOTICEABLE).then_some((now, late));
        let first = noticed.stalls.partition_point(|(ended, _)| *ended < began);
        let over = noticed.stalls.get(first).copied();
        // What was over before the probe began did not concern it.
        let part = |(ended, stall): (Instant, Duration)| stall.min(ended - began);
        over.into_iter()
            .chain(lasting)
            .map(part)
            .max()
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Noticed> {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner)
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
    async fn a_probe_is_told_the_longest_stall_of_its_own_time() {
        let (lateness, begun) = (lateness(), Instant::now());
        for (at, late) in [(100, 30), (200, 80), (300, 50), (400, 9), (500, 20)] {
            lateness.note(begun + MS(at), MS(late));
        }
        // The second stall began at 120 ms: of a probe from 150 ms on it took 50 ms, less
        // than it lasted, and the third one as much.
        for (began, worst) in [(0, 80), (150, 50), (210, 50), (301, 20), (501, 0)] {
            assert_eq!(
                lateness.worst_since(begun + MS(began)),
                MS(worst),
                "{began}"
            );
        }
        assert_eq!(lateness.published.get_sample_count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_counts_before_the_task_has_woken() {
        let (lateness, begun) = (lateness(), Instant::now());
        lateness.lock().due = Some(begun + STEP);
        tokio::time::advance(MS(500)).await;
        assert_eq!(lateness.worst_since(begun), MS(480));
        assert_eq!(lateness.worst_since(begun + MS(450)), MS(50));
    }

    #[tokio::test(start_paused = true)]
    async fn it_remembers_no_more_than_it_may() {
        let (lateness, begun) = (lateness(), Instant::now());
        for number in 0..5_000 {
            lateness.note(begun + MS(number), Duration::from_secs(10_000 - number));
        }
        assert_eq!(lateness.lock().stalls.len(), MOST);
        lateness.note(begun + 2 * REMEMBERED, MS(11));
        assert_eq!(lateness.lock().stalls.len(), 1);
    }
}
