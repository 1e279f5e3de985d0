//! The door of the daemon's own endpoint: TLS, client certificates, passwords, and how
//! many requests come through.
//!
//! `server` puts it before its routes. It refuses to know what is behind it.

mod bucket;
mod own;
mod passwords;
mod tls;

pub use bucket::Bucket;
pub use own::whoever_answers;
pub use passwords::Passwords;
pub use tls::{TlsError, server_config};
