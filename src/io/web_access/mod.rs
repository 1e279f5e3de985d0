//! The door of the daemon's own endpoint: TLS, client certificates, passwords, and how
//! many requests come through.
//!
//! `server` puts it before its routes. It refuses to know what is behind it.

mod own;
mod passwords;
mod rate_limit;
mod tls;

pub use own::accept_any_certificate;
pub use passwords::Passwords;
pub use rate_limit::TokenBucket;
pub use tls::{TlsError, server_config};
