//! Limits AWS calls: the cost of metric reads per day, and the rate of all calls.
//!
//! Costs are estimated from a published price. Costs are kept in memory only, so the full budget is
//! available after a restart.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::time::Instant;

/// Price in US dollars of one metric requested through GetMetricData: $0.01 per 1,000 metrics.
/// UNVERIFIED: from third-party summaries of CloudWatch's prices (2026), not from AWS's page.
const DOLLARS_PER_METRIC: f64 = 0.01 / 1000.0;

/// The estimated cost of the metric reads of the current day (UTC), and whether a read was refused
/// on that day.
#[derive(Debug, Default)]
pub(super) struct Budget {
    day: Option<Date>,
    /// The estimated cost of the metric reads on `day`, in US dollars.
    spent: f64,
    refused: bool,
}

/// The decision whether metrics may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Granted,
    /// The read would exceed the daily cost limit.
    Refused {
        /// Whether this is the first refusal of the day. Only the first one is logged.
        first_today: bool,
    },
}

impl Budget {
    /// Decides whether `metrics` metrics may be read at `now`, and adds their price to the cost of
    /// the day if so. `limit` is the maximum cost per day in US dollars.
    pub(super) fn spend(&mut self, metrics: usize, limit: f64, now: Timestamp) -> Permit {
        let today = now.to_zoned(TimeZone::UTC).date();
        if self.day != Some(today) {
            *self = Self {
                day: Some(today),
                ..Self::default()
            };
        }
        let price = price(metrics);
        if self.spent + price <= limit {
            self.spent += price;
            return Permit::Granted;
        }
        Permit::Refused {
            first_today: !std::mem::replace(&mut self.refused, true),
        }
    }
}

/// Returns the price in US dollars of reading `metrics` metrics.
pub(super) fn price(metrics: usize) -> f64 {
    // A call reads at most 500 metrics, so the conversion to `u32` loses nothing.
    f64::from(u32::try_from(metrics).unwrap_or(u32::MAX)) * DOLLARS_PER_METRIC
}

/// Ensures a minimum time between the starts of consecutive AWS calls.
#[derive(Debug)]
pub(super) struct CallPacer {
    next: Instant,
}

impl CallPacer {
    pub(super) fn new() -> Self {
        Self {
            next: Instant::now(),
        }
    }

    /// Returns the earliest time at which the next call may start.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// Records that a call starts now. The next call may start after `interval`.
    pub(super) fn record_call(&mut self, interval: Duration) {
        self.next = Instant::now() + interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST_REFUSAL: Permit = Permit::Refused { first_today: true };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_budget_is_limited_per_day_and_refilled_at_midnight_utc() {
        let mut budget = Budget::default();
        // Two calls of 500 metrics cost one cent.
        let day = at("2026-05-01T10:00:00Z");
        assert_eq!(budget.spend(500, 0.0101, day), Permit::Granted);
        assert_eq!(budget.spend(500, 0.0101, day), Permit::Granted);
        assert_eq!(budget.spend(500, 0.0101, day), FIRST_REFUSAL);
        let later = at("2026-05-01T23:59:59Z");
        let refused_again = Permit::Refused { first_today: false };
        assert_eq!(budget.spend(500, 0.0101, later), refused_again);
        let next_day = at("2026-05-02T00:00:00Z");
        assert_eq!(budget.spend(500, 0.0101, next_day), Permit::Granted);
    }

    #[test]
    fn a_limit_of_zero_refuses_every_metric() {
        let permit = Budget::default().spend(1, 0.0, at("2026-05-01T10:00:00Z"));
        assert_eq!(permit, FIRST_REFUSAL);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_start_no_faster_than_the_interval() {
        let mut pacer = CallPacer::new();
        let started = Instant::now();
        for _ in 0..4 {
            tokio::time::sleep_until(pacer.next()).await;
            pacer.record_call(Duration::from_millis(500));
        }
        assert_eq!(started.elapsed(), Duration::from_millis(1500));
    }
}
