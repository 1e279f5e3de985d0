//! How many requests are taken: a token bucket for all clients together.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::settings::web::RateLimit;

/// Tokens for requests.
#[derive(Debug)]
pub struct TokenBucket {
    limit: RateLimit,
    /// When the bucket was, or will have been, empty: a token is an interval of the time
    /// since then.
    empty_at: Mutex<Instant>,
}

/// What is taken where nothing is configured: ten scrapers, dashboards and people do not
/// come near it, and somebody who floods the endpoint takes no time from the probes.
const DEFAULT: RateLimit = RateLimit {
    interval: Duration::from_millis(10),
    burst: 200,
};

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(limit: Option<RateLimit>) -> Self {
        let limit = limit.unwrap_or(DEFAULT);
        let now = Instant::now();
        let empty_at = now.checked_sub(limit.interval * limit.burst).unwrap_or(now);
        Self {
            limit,
            empty_at: Mutex::new(empty_at),
        }
    }

    /// Takes a token; false: there is none.
    pub fn take(&self, now: Instant) -> bool {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        // A bucket that runs over keeps no more than a burst.
        let full = now.checked_sub(self.limit.interval * self.limit.burst);
        let since = full.map_or(*empty_at, |full| full.max(*empty_at));
        if now.saturating_duration_since(since) < self.limit.interval {
            return false;
        }
        *empty_at = since + self.limit.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_one_each_interval() {
        let bucket = TokenBucket::new(Some(RateLimit {
            interval: Duration::from_secs(1),
            burst: 3,
        }));
        // A clock well after the machine's start, so that there is a before.
        let start = Instant::now() + Duration::from_secs(3600);
        let at = |millis| start + Duration::from_millis(millis);
        let taken = |millis: u64| bucket.take(at(millis));
        assert_eq!(
            [taken(0), taken(0), taken(0), taken(0)],
            [true, true, true, false]
        );
        assert_eq!([taken(500), taken(1000), taken(1001)], [false, true, false]);
        // However long nobody came, a burst is three.
        let later = 3_600_000;
        assert_eq!([taken(later); 1], [true]);
        assert_eq!(
            [taken(later), taken(later), taken(later)],
            [true, true, false]
        );
    }
}
