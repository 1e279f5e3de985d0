//! Addresses and TLS details of the connections of an observation.

use std::net::SocketAddr;

use jiff::Timestamp;

/// TLS details of a request that was answered with a redirect.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlierTls {
    /// The host in the URL of the request.
    pub host: String,
    /// The TLS details of the request's connection.
    pub tls: TlsFacts,
}

/// An address that did not accept a connection in time, although another address did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadAddress {
    /// The address and port.
    pub address: SocketAddr,
    /// The error message of the attempt, or a text such as `no answer within 0.250 s`.
    pub reason: String,
}

/// Details of a TLS handshake, even of one in which the server's certificate was rejected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsFacts {
    /// The TLS version, such as `TLSv1.3`; `None` if the handshake ended before the version
    /// was known.
    pub version: Option<String>,
    /// The certificate chain that the server presented, leaf first.
    pub chain: Vec<Certificate>,
    /// The earliest expiry among the certificates of the verified path, including the trusted root.
    /// `None` if verification failed or its result is unknown. The path may differ from `chain`,
    /// which can contain other certificates.
    pub path_expiry: Option<Timestamp>,
}

/// A certificate that a server presented.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The distinguished name of the subject, in the style of RFC 4514.
    pub subject: String,
    /// The distinguished name of the issuer, in the style of RFC 4514.
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
    /// Returns the time at which clients stop accepting the server's certificate: `path_expiry` or,
    /// if it is `None`, the earliest expiry in the presented chain. Returns `None` if neither is
    /// known.
    #[must_use]
    pub fn expiry(&self) -> Option<Timestamp> {
        let presented = self.chain.iter().map(|certificate| certificate.not_after);
        self.path_expiry.or_else(|| presented.min())
    }
}
