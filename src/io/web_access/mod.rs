//! Controls access to the daemon's HTTP endpoint: TLS, client certificates, passwords and the
//! rate limit.
//!
//! `engine::server` applies these checks: TLS and client certificates to each connection, the rate
//! limit and passwords to each request before it is routed. `no_verification` is for the client of
//! the endpoint, the daemon's own health check.

mod no_verification;
mod passwords;
mod rate_limit;
mod tls;

pub use no_verification::accept_any_certificate;
pub use passwords::Passwords;
pub use rate_limit::TokenBucket;
pub use tls::{TlsError, server_config};
