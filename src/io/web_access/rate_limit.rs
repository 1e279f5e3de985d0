//! Limits the request rate with one token bucket that all clients share.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::settings::web::RateLimit;

/// A token bucket that all clients share.
#[derive(Debug)]
pub struct TokenBucket {
    limit: RateLimit,
    /// The instant from which the tokens are counted: the bucket contains one token for each
    /// `interval` since then, but at most `burst` tokens.
    empty_at: Mutex<Instant>,
}

/// The default rate limit: 100 requests per second, with bursts of 200. The limit is far above the
/// needs of ten clients, such as scrapers and dashboards, and low enough that a flood of requests
/// does not delay probes.
const DEFAULT_LIMIT: RateLimit = RateLimit {
    interval: Duration::from_millis(10),
    burst: 200,
};

impl TokenBucket {
    /// Creates a full bucket with this limit, or with the default limit if `limit` is `None`.
    #[must_use]
    pub fn new(limit: Option<RateLimit>) -> Self {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        let now = Instant::now();
        let empty_at = now.checked_sub(limit.interval * limit.burst).unwrap_or(now);
        Self {
            limit,
            empty_at: Mutex::new(empty_at),
        }
    }

    /// Removes a token from the bucket and returns true. Returns false if the bucket is empty.
    pub fn take(&self, now: Instant) -> bool {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        // `full` is the instant `interval * burst` ago: a bucket that was empty then is full now.
        // An earlier `empty_at` would count more than `burst` tokens, so `full` replaces it.
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
    fn after_a_burst_one_request_per_interval_is_allowed() {
        let bucket = TokenBucket::new(Some(RateLimit {
            interval: Duration::from_secs(1),
            burst: 3,
        }));
        // The start is one hour in the future, because `Instant` may be unable to represent a time
        // before the machine's start.
        let start = Instant::now() + Duration::from_secs(3600);
        let at = |millis| start + Duration::from_millis(millis);
        let taken = |millis: u64| bucket.take(at(millis));
        assert_eq!(
            [taken(0), taken(0), taken(0), taken(0)],
            [true, true, true, false]
        );
        assert_eq!([taken(500), taken(1000), taken(1001)], [false, true, false]);
        // The burst is three requests even after a long pause.
        let later = 3_600_000;
        assert_eq!([taken(later); 1], [true]);
        assert_eq!(
            [taken(later), taken(later), taken(later)],
            [true, true, false]
        );
    }
}
