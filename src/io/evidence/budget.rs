//! What a day may cost, and how fast requests may follow each other.
//!
//! The price is an estimate: AWS's own price page was not read, other people's summaries
//! say $0.01 for 1,000 metrics asked of GetMetricData. The sum is kept in memory alone: a
//! restart begins the day anew.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::time::Instant;

/// By third parties' account of CloudWatch's prices (2026).
const DOLLARS_PER_METRIC: f64 = 0.01 / 1000.0;

/// The money spent today (UTC).
#[derive(Debug, Default)]
pub(super) struct Purse {
    day: Option<Date>,
    spent: f64,
    told: bool,
}

/// Whether metrics may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Granted,
    /// The day's bound is reached; `first` is true once a day, for telling it.
    Refused {
        first: bool,
    },
}

impl Purse {
    /// Asks for leave to ask for this many metrics. What is granted is spent.
    pub(super) fn spend(&mut self, metrics: usize, bound: f64, now: Timestamp) -> Leave {
        let today = now.to_zoned(TimeZone::UTC).date();
        if self.day != Some(today) {
            *self = Self {
                day: Some(today),
                ..Self::default()
            };
        }
        let price = price(metrics);
        if self.spent + price <= bound {
            self.spent += price;
            return Leave::Granted;
        }
        Leave::Refused {
            first: !std::mem::replace(&mut self.told, true),
        }
    }
}

/// What asking for this many metrics costs, in US dollars.
pub(super) fn price(metrics: usize) -> f64 {
    // A call takes 500 at most: exact in any float.
    f64::from(u32::try_from(metrics).unwrap_or(u32::MAX)) * DOLLARS_PER_METRIC
}

/// Spaces requests evenly.
#[derive(Debug)]
pub(super) struct Pace {
    next: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            next: Instant::now(),
        }
    }

    /// When the next request may go.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// A request goes now.
    pub(super) fn took(&mut self, per_second: u32) {
        self.next = Instant::now() + Duration::from_secs(1) / per_second.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_ends_at_its_bound_and_the_next_begins_anew() {
        let mut purse = Purse::default();
        // One cent buys a thousand metrics: two calls of 500.
        let day = at("2026-05-01T10:00:00Z");
        assert_eq!(purse.spend(500, 0.0101, day), Leave::Granted);
        assert_eq!(purse.spend(500, 0.0101, day), Leave::Granted);
        assert_eq!(
            purse.spend(500, 0.0101, day),
            Leave::Refused { first: true }
        );
        let later = at("2026-05-01T23:59:59Z");
        assert_eq!(
            purse.spend(500, 0.0101, later),
            Leave::Refused { first: false }
        );
        let next = at("2026-05-02T00:00:00Z");
        assert_eq!(purse.spend(500, 0.0101, next), Leave::Granted);
    }

    #[test]
    fn a_bound_of_zero_never_asks_for_metrics() {
        let leave = Purse::default().spend(1, 0.0, at("2026-05-01T10:00:00Z"));
        assert_eq!(leave, Leave::Refused { first: true });
    }

    #[tokio::test(start_paused = true)]
    async fn requests_follow_each_other_no_faster_than_allowed() {
        let mut pace = Pace::new();
        let begun = Instant::now();
        for _ in 0..4 {
            tokio::time::sleep_until(pace.next()).await;
            pace.took(2);
        }
        assert_eq!(begun.elapsed(), Duration::from_millis(1500));
    }
}
