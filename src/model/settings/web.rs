//! Who may come in at the daemon's own endpoint: what a web configuration file says, in
//! the format of Prometheus's exporter-toolkit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::secret::Secret;

/// A whole web configuration, validated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSettings {
    /// `None`: plain HTTP.
    pub tls: Option<ServerTls>,
    /// Names with the bcrypt hashes of their passwords; empty: nobody is asked.
    pub users: BTreeMap<String, Secret>,
    /// How many requests are taken; `None`: the daemon's own bound.
    pub rate: Option<RateLimit>,
    /// Headers that every answer carries beside the daemon's own.
    pub headers: Vec<(String, String)>,
    /// HTTP/2 where TLS is spoken.
    pub http2: bool,
    /// The files that it was read from, itself first.
    pub files: Vec<PathBuf>,
}

/// The endpoint's own TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate with its chain, PEM.
    pub chain: Arc<[u8]>,
    /// Its key, PEM.
    pub key: Secret,
    /// Whether clients have to show a certificate.
    pub clients: ClientAuth,
    /// TLS 1.3 alone.
    pub only_tls13: bool,
}

/// What is asked of a client's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nothing.
    #[default]
    None,
    /// One of these authorities (PEM) must have signed it, where there is one.
    IfGiven(Arc<[u8]>),
    /// There must be one, signed by one of these authorities, and with one of these
    /// names, if any are listed.
    Required(Arc<[u8]>, Vec<String>),
}

/// A token bucket: one token each `interval`, at most `burst` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Greater than zero.
    pub interval: Duration,
    /// At least 1.
    pub burst: u32,
}

impl WebSettings {
    /// What a URL of the endpoint begins with.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Whether a client has to prove who it is.
    #[must_use]
    pub fn asks_who(&self) -> bool {
        let certificate = self
            .tls
            .as_ref()
            .is_some_and(|tls| matches!(tls.clients, ClientAuth::Required(..)));
        certificate || !self.users.is_empty()
    }
}
