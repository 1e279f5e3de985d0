//! Reads the revocation status that a server staples to its TLS handshake (OCSP, RFC 6960).
//!
//! The signature of an OCSP response is not verified, because a server has no reason to forge a
//! response that revokes its own certificate. A response that cannot be parsed, or that is about
//! another certificate, is ignored, as in curl and browsers.

use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The DER tag of an INTEGER.
const INTEGER: u8 = 0x02;
/// The DER tag of an OCTET STRING.
const OCTET_STRING: u8 = 0x04;
/// The DER tag of a SEQUENCE.
const SEQUENCE: u8 = 0x30;
/// The DER tag `[0] EXPLICIT` of `responseBytes`, and of the version in `ResponseData`.
const CONTEXT_0: u8 = 0xa0;
/// The DER tag `[1] IMPLICIT` of the status `revoked`.
const REVOKED: u8 = 0xa1;

/// Returns whether an OCSP response says that the certificate is revoked. Both are DER-encoded.
/// Returns `false` if either cannot be parsed.
pub(super) fn is_revoked(response: &[u8], certificate: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let statuses = statuses(response).unwrap_or_default();
    let own = without_leading_zeros(certificate.raw_serial());
    let mut of_own = statuses
        .iter()
        .filter(|(serial, _)| without_leading_zeros(serial) == own);
    of_own.any(|(_, status)| *status == REVOKED)
}

/// Returns the serial numbers in an OCSP response, each with the DER tag of its status. Returns
/// `None` if the response is malformed.
fn statuses(response: &[u8]) -> Option<Vec<(&[u8], u8)>> {
    let mut response = Reader(Reader(response).expect(SEQUENCE)?);
    response.next()?; // Skip `responseStatus`.
    let mut bytes = Reader(Reader(response.expect(CONTEXT_0)?).expect(SEQUENCE)?);
    bytes.next()?; // Skip `responseType`.
    let basic = Reader(bytes.expect(OCTET_STRING)?).expect(SEQUENCE)?;
    let mut data = Reader(Reader(basic).expect(SEQUENCE)?);
    if data.0.first() == Some(&CONTEXT_0) {
        data.next()?; // Skip the version.
    }
    data.next()?; // Skip `responderID`.
    data.next()?; // Skip `producedAt`.
    let mut responses = Reader(data.expect(SEQUENCE)?);
    let mut statuses = Vec::new();
    while !responses.0.is_empty() {
        let mut single = Reader(responses.expect(SEQUENCE)?);
        let mut id = Reader(single.expect(SEQUENCE)?);
        // Skip `hashAlgorithm`, `issuerNameHash` and `issuerKeyHash`.
        for _ in 0..3 {
            id.next()?;
        }
        let serial = id.expect(INTEGER)?;
        statuses.push((serial, single.next()?.0));
    }
    Some(statuses)
}

/// Returns the bytes of a serial number without leading zero bytes, for comparisons.
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// Reads DER elements one after the other from a byte slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Returns the tag and the content of the next element. Returns `None` at the end of the slice,
    /// or if the element is malformed.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let mut length = usize::from(*first);
        if length >= 0x80 {
            let (bytes, after) = rest.split_at_checked(length & 0x7f)?;
            if bytes.len() > 4 {
                return None;
            }
            length = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// Returns the content of the next element, or `None` if the element has another tag, is
    /// malformed, or is missing.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SerialNumber};

    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut element = vec![tag, 0x82, length[0], length[1]];
        element.extend(content);
        element
    }

    /// Builds an OCSP response with the status of one certificate, with or without a version.
    fn response(serial: &[u8], status: u8, version: bool) -> Vec<u8> {
        let id = der(
            SEQUENCE,
            &[
                &der(SEQUENCE, &[]),
                &der(OCTET_STRING, &[b"name"]),
                &der(OCTET_STRING, &[b"key"]),
                &der(INTEGER, &[serial]),
            ],
        );
        let single = der(
            SEQUENCE,
            &[&id, &der(status, &[b""]), &der(0x18, &[b"time"])],
        );
        let version = if version {
            der(CONTEXT_0, &[])
        } else {
            Vec::new()
        };
        let data = der(
            SEQUENCE,
            &[
                &version,
                &der(0xa2, &[b"responder"]),
                &der(0x18, &[b"time"]),
                &der(SEQUENCE, &[&single]),
            ],
        );
        let basic = der(
            SEQUENCE,
            &[&data, &der(SEQUENCE, &[]), &der(0x03, &[b"signature"])],
        );
        let bytes = der(
            SEQUENCE,
            &[&der(0x06, &[b"type"]), &der(OCTET_STRING, &[&basic])],
        );
        der(SEQUENCE, &[&der(0x0a, &[&[0]]), &der(CONTEXT_0, &[&bytes])])
    }

    #[test]
    fn only_a_response_about_the_certificate_itself_revokes_it() {
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&[0x12, 0x34]));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        for version in [true, false] {
            for (serial, status, expected) in [
                (&[0x12, 0x34][..], REVOKED, true),
                (&[0, 0x12, 0x34], REVOKED, true),
                (&[0x12, 0x34], 0x80, false),
                (&[0x12, 0x34], 0x82, false),
                (&[0x12, 0x35], REVOKED, false),
            ] {
                let response = response(serial, status, version);
                assert_eq!(
                    is_revoked(&response, &certificate),
                    expected,
                    "{serial:?} {status}"
                );
            }
        }
        let revoked = response(&[0x12, 0x34], REVOKED, false);
        for length in 0..revoked.len() {
            assert!(
                !is_revoked(&revoked[..length], &certificate),
                "{length} bytes"
            );
        }
        assert!(!is_revoked(&revoked, b"no certificate"));
    }
}
