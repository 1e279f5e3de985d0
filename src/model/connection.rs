//! What an observation knows about its connections: addresses and TLS.

use std::net::SocketAddr;

use jiff::Timestamp;

/// TLS details of a redirect hop.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlierTls {
    /// The host that the hop connected to.
    pub host: String,
    /// The details of its handshake.
    pub tls: TlsFacts,
}

/// An address that did not accept a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadAddress {
    /// The address and port.
    pub address: SocketAddr,
    /// The error, or the time without an answer.
    pub reason: String,
}

/// What was learned from the TLS handshake, even if verification failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsFacts {
    /// The version, such as `TLSv1.3`; `None` if the handshake did not complete.
    pub version: Option<String>,
    /// The presented chain, leaf first.
    pub chain: Vec<Certificate>,
    /// When the verified path to a trusted root expires, the root included; `None` if
    /// verification failed or is unknown. The chain may contain certificates that the path does
    /// not need.
    pub path_expiry: Option<Timestamp>,
}

/// One certificate of the presented chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The subject in the style of RFC 4514.
    pub subject: String,
    /// The issuer in the style of RFC 4514.
    pub issuer: String,
    /// The serial number, unique per issuer, in hexadecimal digits.
    pub serial: String,
    /// The DNS names and IP addresses of `subjectAltName`.
    pub names: Vec<String>,
    /// The start of the certificate's validity.
    pub not_before: Timestamp,
    /// The end of the certificate's validity.
    pub not_after: Timestamp,
}

impl TlsFacts {
    /// When a client stops accepting the server: when the verified path expires or, if it is
    /// unknown, the first certificate of the presented chain.
    #[must_use]
    pub fn expiry(&self) -> Option<Timestamp> {
        let presented = self.chain.iter().map(|certificate| certificate.not_after);
        self.path_expiry.or_else(|| presented.min())
    }
}
