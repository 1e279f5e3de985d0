//! Limits the rate of the reader's calls, with one token bucket per service.
//!
//! AWS limits the rate of calls for each account and region, and other tools in the account need
//! calls, too. The default limits are far below AWS's documented limits. A call waits for its turn,
//! but only until a deadline.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::service::Service;
use crate::model::settings::web::RateLimit;

/// The token buckets of all services. Share one value between readers, so that the limits hold for
/// the whole process.
#[derive(Debug)]
pub struct RateLimits {
    limit_of: fn(Service) -> RateLimit,
    buckets: Mutex<HashMap<Service, Bucket>>,
}

/// A token bucket, stored as the time at which it will be full again.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// `None` if no call was made yet, so that the bucket is full.
    full_at: Option<Instant>,
}

impl RateLimits {
    /// Creates full buckets with the limit that `limit_of` returns for each service.
    #[must_use]
    pub fn new(limit_of: fn(Service) -> RateLimit) -> Self {
        Self {
            limit_of,
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Waits until a call of the service is allowed. Callers are served in the order in which they
    /// call this function. If the future is dropped while it waits, its token is lost.
    ///
    /// # Errors
    /// Returns the necessary wait, without waiting, if the call would not be allowed before
    /// `deadline`. The call then uses no token.
    pub(super) async fn acquire(
        &self,
        service: Service,
        deadline: Instant,
    ) -> Result<(), Duration> {
        let now = Instant::now();
        let start = self.reserve(service, now, deadline)?;
        if start > now {
            tokio::time::sleep_until(start).await;
        }
        Ok(())
    }

    fn reserve(
        &self,
        service: Service,
        now: Instant,
        deadline: Instant,
    ) -> Result<Instant, Duration> {
        let limit = (self.limit_of)(service);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets
            .entry(service)
            .or_default()
            .reserve(limit, now, deadline)
    }
}

/// Creates full buckets with the daemon's default limits.
impl Default for RateLimits {
    fn default() -> Self {
        Self::new(default_limit)
    }
}

impl Bucket {
    /// Takes a token and returns the time from which it may be used, which is `now` or later.
    ///
    /// # Errors
    /// Returns the necessary wait, and takes no token, if that time is after `deadline`.
    fn reserve(
        &mut self,
        limit: RateLimit,
        now: Instant,
        deadline: Instant,
    ) -> Result<Instant, Duration> {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        // The bucket gains its first token at `full_at - reserve`: then, `burst - 1` tokens are
        // missing.
        let reserve = limit.interval * limit.burst.saturating_sub(1);
        let start = full_at
            .checked_sub(reserve)
            .map_or(now, |start| start.max(now));
        if start > deadline {
            return Err(start.saturating_duration_since(now));
        }
        self.full_at = Some(full_at + limit.interval);
        Ok(start)
    }
}

/// Returns the default rate limit of a service. AWS's own limits per account and region are 15/s
/// for Lambda's control operations, 10/s with bursts of 40 for API Gateway's and 2/s for
/// `LookupEvents`; those of the other services are not documented. The bursts allow the reads of
/// one lookup at once.
const fn default_limit(service: Service) -> RateLimit {
    let (interval_millis, burst) = match service {
        Service::Lambda => (500, 4),
        Service::ApiGateway => (500, 6),
        Service::LoadBalancing | Service::CloudFront | Service::Sts => (1_000, 3),
        Service::CloudTrail => (5_000, 1),
    };
    RateLimit {
        interval: Duration::from_millis(interval_millis),
        burst,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Makes `calls` calls with a wait of at most `max_wait` seconds. Returns the milliseconds from
    /// the start to each call, or `None` for a call that was not allowed.
    async fn times(service: Service, calls: usize, max_wait: u64) -> Vec<Option<u128>> {
        let limits = RateLimits::default();
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..calls {
            let deadline = Instant::now() + Duration::from_secs(max_wait);
            let allowed = limits.acquire(service, deadline).await.is_ok();
            times.push(allowed.then(|| start.elapsed().as_millis()));
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_calls_wait_for_their_turn() {
        for (service, expected) in [
            (Service::Lambda, [0, 0, 0, 0, 500, 1000, 1500]),
            (Service::ApiGateway, [0, 0, 0, 0, 0, 0, 500]),
            (Service::LoadBalancing, [0, 0, 0, 1000, 2000, 3000, 4000]),
            (
                Service::CloudTrail,
                [0, 5000, 10000, 15000, 20000, 25000, 30000],
            ),
        ] {
            let times = times(service, expected.len(), 60).await;
            let rounded: Vec<_> = times
                .into_iter()
                // tokio's timer rounds up to whole milliseconds.
                .map(|time| time.map(|millis| millis / 10 * 10))
                .collect();
            assert_eq!(rounded, expected.map(Some), "{service:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_would_wait_too_long_is_refused_at_once() {
        let allowed: Vec<_> = times(Service::CloudTrail, 3, 4)
            .await
            .iter()
            .map(Option::is_some)
            .collect();
        assert_eq!(allowed, [true, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_call_uses_no_token() {
        let limits = RateLimits::default();
        let start = Instant::now();
        let deadline = start + Duration::from_secs(4);
        let reserve = |now: Instant| limits.reserve(Service::CloudTrail, now, now.max(deadline));
        assert_eq!(reserve(start), Ok(start));
        for _ in 0..10 {
            assert_eq!(reserve(start), Err(Duration::from_secs(5)));
        }
        let later = start + Duration::from_secs(5);
        assert_eq!(reserve(later), Ok(later));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_allows_no_more_than_one_burst() {
        let limits = RateLimits::default();
        let start = Instant::now() + Duration::from_secs(3600);
        let starts: Vec<_> = (0..6)
            .map(|_| limits.reserve(Service::LoadBalancing, start, start))
            .map(|reserved| reserved.is_ok())
            .collect();
        assert_eq!(starts, [true, true, true, false, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn services_and_waiting_calls_do_not_share_tokens() {
        let limits = Arc::new(RateLimits::default());
        let start = Instant::now();
        let deadline = start + Duration::from_secs(60);
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let limits = Arc::clone(&limits);
                tokio::spawn(async move {
                    limits.acquire(Service::CloudTrail, deadline).await.unwrap();
                    start.elapsed().as_secs()
                })
            })
            .collect();
        let mut seconds = Vec::new();
        for task in tasks {
            seconds.push(task.await.unwrap());
        }
        seconds.sort_unstable();
        assert_eq!(seconds, [0, 5, 10]);
        let now = Instant::now();
        assert_eq!(limits.reserve(Service::Lambda, now, now), Ok(now));
    }
}
