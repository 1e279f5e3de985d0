//! Sends signed requests and receives responses of limited size.
//!
//! Redirects are not followed, because a signature is valid for one host only, and requests are not
//! repeated; the caller decides about a retry. As in the SDK, the environment variables
//! `HTTPS_PROXY` and `NO_PROXY` select a proxy.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Request;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

use super::error::ReadError;
use super::limits::RateLimits;
use super::service::Service;
use crate::io::aws::CONNECT_TIMEOUT;

/// The HTTP client of all readers, with the rate limits that they share. A clone is cheap and uses
/// the same connections and limits.
#[derive(Clone)]
pub struct Transport {
    client: reqwest::Client,
    limits: Arc<RateLimits>,
    /// Returns the time limit of the operations of a service. Only tests replace this function.
    pub(super) time_limit: fn(Service) -> Duration,
}

/// A complete response. The type does not implement `Debug`, because the body of a response about a
/// function contains its environment variables.
pub(super) struct Response {
    pub(super) status: u16,
    /// The value of the header `x-amzn-errortype`; `None` if the response has no such header.
    pub(super) error_type: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Maximum size of a response body in bytes. The largest expected response, a page of 500 API
/// resources with their methods, is far smaller.
pub(super) const MAX_BODY: usize = 4 * 1024 * 1024;

/// Maximum time for which a call waits until its rate limit allows it. Evidence that arrives later
/// would hardly help to explain a failure.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// Time after which an unused connection is closed. It is so short that AWS has not closed the
/// connection yet: a request on a connection that AWS is closing would fail.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The header that contains the error code in responses of AWS's REST services.
const ERROR_TYPE: &str = "x-amzn-errortype";

impl Transport {
    /// Creates a client that trusts the platform's root certificates. Blocks on I/O to read these
    /// certificates from files.
    ///
    /// # Errors
    /// Returns an error if the TLS or HTTP library rejects its settings.
    pub fn new(limits: Arc<RateLimits>) -> Result<Self, ReadError> {
        let unusable = |error: &dyn std::error::Error| {
            ReadError::Rejected(format!("cannot create the HTTP client for AWS: {error}"))
        };
        let mut roots = RootCertStore::empty();
        // Roots that cannot be parsed are ignored.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("probecause/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| unusable(&error))?;
        Ok(Self {
            client,
            limits,
            time_limit: Service::time_limit,
        })
    }

    /// Waits until the rate limit allows a call of the service.
    ///
    /// # Errors
    /// Returns an error at once if the wait would be longer than [`MAX_WAIT`].
    pub(super) async fn wait_for_turn(&self, service: Service) -> Result<(), ReadError> {
        let deadline = Instant::now() + MAX_WAIT;
        let allowed = self.limits.acquire(service, deadline).await;
        allowed.map_err(|wait| {
            ReadError::Throttled(format!(
                "the daemon's own rate limit allows the next call to {} only in {} s",
                service.name(),
                wait.as_secs()
            ))
        })
    }

    /// Sends a request and receives the complete response.
    ///
    /// # Errors
    /// Returns an error if no complete response is received within the time limit of the service,
    /// or if the body is too large.
    pub(super) async fn send(
        &self,
        service: Service,
        request: Request,
    ) -> Result<Response, ReadError> {
        let limit = (self.time_limit)(service);
        let exchange = tokio::time::timeout(limit, self.exchange(request)).await;
        exchange.unwrap_or_else(|_| {
            Err(ReadError::Unreachable(format!(
                "no complete response within {limit:?}"
            )))
        })
    }

    async fn exchange(&self, request: Request) -> Result<Response, ReadError> {
        let sent = self.client.execute(request).await;
        let mut response = sent.map_err(|error| unreachable_host(&error))?;
        let error_type = response.headers().get(ERROR_TYPE);
        let error_type = error_type.and_then(|value| value.to_str().ok());
        let error_type = error_type.map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| unreachable_host(&error))?
        {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(ReadError::Malformed(format!(
                    "the response is larger than {MAX_BODY} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status: response.status().as_u16(),
            error_type,
            body,
        })
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

/// Returns the error of a failed exchange. Its text contains only the innermost source, such as
/// `Connection refused`, because the outer errors only say that the request failed, and contain the
/// URL.
fn unreachable_host(error: &reqwest::Error) -> ReadError {
    let mut text = "the request failed".to_owned();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text = source.to_string();
        next = source.source();
    }
    ReadError::Unreachable(format!("no complete response: {text}"))
}
