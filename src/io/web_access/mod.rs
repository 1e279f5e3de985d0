//! Controls access to the daemon's HTTP endpoint: TLS, client certificates, passwords and the
//! rate limit.
//!
//! `engine::server` applies these checks: TLS and client certificates to each connection, the rate
//! limit to each request, and passwords to each request that is not for a public path. Health
//! checks use the public paths. `no_verification` is for a client of the endpoint: the command
//! `probecause healthcheck`.

mod no_verification;
mod passwords;
mod rate_limit;
mod tls;

pub use no_verification::accept_any_certificate;
pub use passwords::Passwords;
pub use rate_limit::TokenBucket;
pub use tls::{TlsError, server_config};
