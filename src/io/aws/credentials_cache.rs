//! Caches the credentials of a provider.
//!
//! The SDK caches credentials in its clients only. Its providers fetch new ones for each request,
//! for example with a call of `sts:AssumeRole`, so a request that is signed without an SDK client
//! needs this cache.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::io::aws::CALL_TIMEOUT;

/// A cache for the credentials of a provider. Concurrent calls share one request to the provider.
#[derive(Debug)]
pub(crate) struct CredentialsCache {
    provider: SharedCredentialsProvider,
    last: Mutex<Option<Fetched>>,
}

/// The newest credentials that are still valid, or the provider's last error.
#[derive(Debug)]
struct Fetched {
    result: Result<Credentials, Arc<CredentialsError>>,
    /// The earliest time at which the provider is asked again.
    refresh_at: SystemTime,
}

/// Time before the expiry of credentials at which new credentials are fetched.
const REFRESH_BEFORE: Duration = Duration::from_secs(300);

/// Time after which credentials without an expiry are fetched again, as in the SDK.
const REFRESH_AFTER: Duration = Duration::from_secs(900);

/// Time between two attempts to fetch credentials while the old ones are still valid.
const RETRY_WHILE_VALID: Duration = Duration::from_secs(60);

/// Time between two attempts to fetch credentials while no valid credentials are cached. During
/// this time, callers receive the error of the last attempt. Otherwise, thousands of requests would
/// call an unreachable provider one after the other.
const RETRY_WITHOUT_CREDENTIALS: Duration = Duration::from_secs(5);

impl CredentialsCache {
    /// Creates an empty cache for the credentials of `provider`.
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            last: Mutex::new(None),
        }
    }

    /// Returns credentials that are valid at `now`.
    ///
    /// # Errors
    /// Returns the provider's error if there are no valid credentials, or a timeout if the provider
    /// takes longer than [`CALL_TIMEOUT`].
    pub(crate) async fn get(&self, now: SystemTime) -> Result<Credentials, Arc<CredentialsError>> {
        let mut last = self.last.lock().await;
        if let Some(fetched) = last.as_ref().filter(|last| now < last.refresh_at) {
            return fetched.result.clone();
        }
        // The old credentials stay in the cache during the fetch, because the caller may cancel it.
        let old = last.as_ref().and_then(|last| last.result.clone().ok());
        let fetched = Fetched::new(self.fetch().await, old, now);
        last.insert(fetched).result.clone()
    }

    /// Drops the cached credentials. Callers do this after AWS rejected the credentials.
    pub(crate) async fn forget(&self) {
        *self.last.lock().await = None;
    }

    async fn fetch(&self) -> Result<Credentials, CredentialsError> {
        timeout(CALL_TIMEOUT, self.provider.provide_credentials())
            .await
            .unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(CALL_TIMEOUT)))
    }
}

impl Fetched {
    /// Chooses what to cache: the new credentials if `result` contains them, else the `old` ones if
    /// they are still valid at `now`, else the error.
    fn new(
        result: Result<Credentials, CredentialsError>,
        old: Option<Credentials>,
        now: SystemTime,
    ) -> Self {
        let expiry = |credentials: &Credentials| credentials.expiry();
        match result {
            Ok(credentials) => Self {
                refresh_at: match expiry(&credentials) {
                    Some(expiry) => expiry.checked_sub(REFRESH_BEFORE).unwrap_or(expiry),
                    None => now + REFRESH_AFTER,
                },
                result: Ok(credentials),
            },
            Err(error) => match old.map(|old| (expiry(&old), old)) {
                Some((None, old)) => Self {
                    result: Ok(old),
                    refresh_at: now + RETRY_WHILE_VALID,
                },
                Some((Some(expiry), old)) if now < expiry => Self {
                    result: Ok(old),
                    refresh_at: expiry.min(now + RETRY_WHILE_VALID),
                },
                _ => Self {
                    result: Err(Arc::new(error)),
                    refresh_at: now + RETRY_WITHOUT_CREDENTIALS,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use aws_credential_types::provider::future;

    use super::*;

    /// Returns a new key for each call, which expires after `lifetime`, or an error while
    /// `fails` is set. Clones share their state.
    #[derive(Clone, Debug, Default)]
    struct Provider {
        lifetime: Option<Duration>,
        calls: Arc<AtomicU32>,
        fails: Arc<AtomicBool>,
    }

    impl ProvideCredentials for Provider {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let result = if self.fails.load(Ordering::Relaxed) {
                Err(CredentialsError::provider_error(format!("failure {call}")))
            } else {
                let expiry = self.lifetime.map(|lifetime| at(0) + lifetime);
                let key = format!("key{call}");
                Ok(Credentials::new(key, "secret", None, expiry, "test"))
            };
            future::ProvideCredentials::ready(result)
        }
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    /// Returns the key at each second, or `error`. From the second of `fails_from` on, the provider
    /// fails.
    async fn keys(lifetime: Option<Duration>, fails_from: u64, seconds: &[u64]) -> String {
        let provider = Provider {
            lifetime,
            ..Provider::default()
        };
        let cache = CredentialsCache::new(SharedCredentialsProvider::new(provider.clone()));
        let mut keys = Vec::new();
        for second in seconds {
            let fails = *second >= fails_from;
            provider.fails.store(fails, Ordering::Relaxed);
            keys.push(match cache.get(at(*second)).await {
                Ok(credentials) => credentials.access_key_id().to_owned(),
                Err(_) => "error".to_owned(),
            });
        }
        keys.push(format!("calls={}", provider.calls.load(Ordering::Relaxed)));
        keys.join(" ")
    }

    const NEVER: u64 = u64::MAX;
    const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

    #[tokio::test]
    async fn credentials_are_fetched_again_before_they_expire() {
        assert_eq!(
            keys(HOUR, NEVER, &[0, 3299, 3300]).await,
            "key0 key0 key1 calls=2"
        );
        assert_eq!(
            keys(None, NEVER, &[0, 899, 900]).await,
            "key0 key0 key1 calls=2"
        );
    }

    #[tokio::test]
    async fn old_credentials_are_used_until_they_expire_if_the_provider_fails() {
        assert_eq!(
            keys(HOUR, 1, &[0, 3300, 3359, 3360, 3599, 3600]).await,
            "key0 key0 key0 key0 key0 error calls=5"
        );
        assert_eq!(
            keys(None, 1, &[0, 900, 5000]).await,
            "key0 key0 key0 calls=3"
        );
    }

    #[tokio::test]
    async fn forgotten_credentials_are_fetched_again() {
        let provider = Provider::default();
        let cache = CredentialsCache::new(SharedCredentialsProvider::new(provider.clone()));
        for expected in ["key0", "key1"] {
            let credentials = cache.get(at(0)).await.unwrap();
            assert_eq!(credentials.access_key_id(), expected);
            cache.forget().await;
        }
    }

    #[tokio::test]
    async fn an_error_is_not_asked_for_again_within_five_seconds() {
        assert_eq!(
            keys(HOUR, 0, &[0, 4, 5, 9]).await,
            "error error error error calls=2"
        );
    }
}
