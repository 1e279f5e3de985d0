//! Parses the certificates that a server presents: subject, issuer, serial number, names and
//! validity period.
//!
//! This module does not verify certificates; `connection` does. A certificate that cannot be parsed
//! is omitted.

use std::net::IpAddr;

use jiff::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::stopwatch::Handshake;
use crate::model::observation::{Certificate, TlsFacts};

/// Converts a recorded handshake to the TLS facts of an observation: the TLS version, the
/// certificates and the expiry of the verified path.
pub(super) fn facts(handshake: &Handshake) -> TlsFacts {
    TlsFacts {
        version: handshake.version.map(str::to_owned),
        chain: handshake
            .chain
            .iter()
            .filter_map(|der| parse(der))
            .collect(),
        path_expiry: handshake
            .path_expiry
            .and_then(|seconds| Timestamp::from_second(seconds).ok()),
    }
}

/// Returns the expiry time of a DER-encoded certificate, or `None` if the certificate cannot be
/// parsed.
pub(super) fn expiry(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// Parses one DER-encoded X.509 certificate. Returns `None` if the certificate cannot be parsed.
#[must_use]
pub fn parse(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    let names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| {
            extension
                .value
                .general_names
                .iter()
                .filter_map(name)
                .collect()
        })
        .unwrap_or_default();
    Some(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        serial: certificate.raw_serial_as_string(),
        names,
        not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
        not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => ip_address(octets).map(|address| address.to_string()),
        _ => None,
    }
}

/// Converts the octets of an IP address in a certificate's subject alternative name to an
/// [`IpAddr`]. Returns `None` unless there are 4 or 16 octets.
#[must_use]
pub fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}
