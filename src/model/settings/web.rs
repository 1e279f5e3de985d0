//! TLS, users, rate limit and response headers of the daemon's own endpoint, from a web
//! configuration file in the format of Prometheus's exporter-toolkit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::secret::Secret;

/// A validated web configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSettings {
    /// TLS settings; `None` means plain HTTP.
    pub tls: Option<ServerTls>,
    /// Users with the bcrypt hashes of their passwords. If empty, no password is required.
    pub users: BTreeMap<String, Secret>,
    /// Rate limit for requests; `None` means the daemon's default limit.
    pub rate: Option<RateLimit>,
    /// Headers added to every response.
    pub headers: Vec<(String, String)>,
    /// Whether the endpoint supports HTTP/2 over TLS.
    pub http2: bool,
    /// The files that were read: the web configuration file, then the files that it names. With
    /// `--watch`, the daemon watches these files for changes.
    pub files: Vec<PathBuf>,
}

/// TLS settings of the daemon's endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The server's certificate with its chain, in PEM.
    pub chain: Arc<[u8]>,
    /// The server's private key, in PEM.
    pub key: Secret,
    /// Whether clients may or must present a certificate.
    pub clients: ClientAuth,
    /// Whether TLS 1.2 is refused.
    pub only_tls13: bool,
}

/// Requirements for client certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate is requested.
    #[default]
    None,
    /// A certificate is optional. If a client presents one, it must be signed by one of these
    /// authorities (PEM).
    IfGiven(Arc<[u8]>),
    /// A certificate is required. It must be signed by one of these authorities (PEM) and, if the
    /// list is not empty, have one of these subject alternative names.
    Required(Arc<[u8]>, Vec<String>),
}

/// A rate limit: each request takes a token from a bucket, which gains one token per `interval` and
/// holds at most `burst` tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Time in which the bucket gains one token; greater than zero.
    pub interval: Duration,
    /// Maximum number of tokens in the bucket; at least 1.
    pub burst: u32,
}

impl WebSettings {
    /// Returns the URL scheme of the endpoint.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Returns whether clients must authenticate, by certificate or password.
    #[must_use]
    pub fn requires_authentication(&self) -> bool {
        let tls = self.tls.as_ref();
        let by_certificate = tls.is_some_and(|tls| matches!(tls.clients, ClientAuth::Required(..)));
        by_certificate || !self.users.is_empty()
    }
}
