//! Verifies certificate chains, and determines when the verified path expires.
//!
//! A server may send certificates that no path needs, such as an expired cross-signature of a
//! trusted root. Clients ignore such certificates, so only the certificates of a path to a trusted
//! root are checked. If there are several paths, the path that stays valid longest is used, as in
//! `blackbox_exporter`.

use std::cell::Cell;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use super::ocsp;
use crate::io::probe::certificate;
use crate::io::probe::stopwatch::Stopwatch;

/// The trusted certificates, and the algorithms that verify signatures.
#[derive(Debug)]
pub(super) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    /// The expiry times of the anchors in seconds since the Unix epoch, in the order of `anchors`.
    expiries: Vec<i64>,
    /// Trusted certificates that a server may present as its own certificate.
    own: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Trust {
    /// Creates an empty set of trusted certificates. `algorithms` are the signature algorithms that
    /// are accepted.
    pub(super) const fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            anchors: Vec::new(),
            expiries: Vec::new(),
            own: Vec::new(),
            algorithms,
        }
    }

    /// Adds a trusted root certificate.
    ///
    /// # Errors
    /// Returns an error if the certificate cannot be parsed.
    pub(super) fn add(&mut self, root: &CertificateDer<'_>) -> Result<(), webpki::Error> {
        self.anchors
            .push(anchor_from_trusted_cert(root)?.to_owned());
        self.expiries.push(expiry(root));
        Ok(())
    }

    /// Adds a configured certificate, which is trusted as a root and as a server's own certificate.
    /// As in curl, a server may present a configured self-signed certificate.
    ///
    /// # Errors
    /// Returns an error if the certificate cannot be parsed.
    pub(super) fn add_configured(
        &mut self,
        certificate: CertificateDer<'static>,
    ) -> Result<(), webpki::Error> {
        self.add(&certificate)?;
        self.own.push(certificate);
        Ok(())
    }

    /// Returns whether there is no trusted root.
    pub(super) const fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Verifies the certificate chain and the name of a server. Returns the expiry time of the
    /// certification path that stays valid longest, in seconds since the Unix epoch.
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<i64, webpki::Error> {
        let certificate = EndEntityCert::try_from(end_entity)?;
        let own_expiry = expiry(end_entity);
        if self.own.contains(end_entity) {
            check_validity(end_entity, now)?;
            certificate.verify_is_valid_for_subject_name(name)?;
            return Ok(own_expiry);
        }
        let best: Cell<Option<i64>> = Cell::new(None);
        // The search ends at a path that is valid at least as long as the server's own certificate.
        // The expiry of any other path is recorded, and the path is rejected to continue the
        // search.
        let judge = |path: &VerifiedPath<'_>| {
            let expires = self.path_expiry(path).min(own_expiry);
            best.set(best.get().max(Some(expires)));
            if expires >= own_expiry {
                Ok(())
            } else {
                Err(webpki::Error::UnknownIssuer)
            }
        };
        let verified = certificate.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            Some(&judge),
        );
        let expires = match (verified, best.get()) {
            (_, Some(expires)) => expires,
            (Ok(_), None) => own_expiry,
            (Err(error), None) => return Err(error),
        };
        certificate.verify_is_valid_for_subject_name(name)?;
        Ok(expires)
    }

    /// Returns the earliest expiry time of the certificates in a path, excluding the server's own
    /// certificate, in seconds since the Unix epoch.
    fn path_expiry(&self, path: &VerifiedPath<'_>) -> i64 {
        let used = path.intermediate_certificates();
        let intermediates = used.map(|certificate| expiry(&certificate.der()));
        let anchor = path.anchor();
        let place = self.anchors.iter().position(|known| known == anchor);
        let root = place.and_then(|place| self.expiries.get(place)).copied();
        intermediates.chain(root).min().unwrap_or(i64::MAX)
    }
}

/// Returns the expiry time of a certificate in seconds since the Unix epoch, or `i64::MAX` if the
/// certificate cannot be parsed.
fn expiry(der: &CertificateDer<'_>) -> i64 {
    certificate::expiry(der).map_or(i64::MAX, |at| at.as_second())
}

/// Checks the validity period of a certificate that is trusted directly, not through a path.
fn check_validity(der: &CertificateDer<'_>, now: UnixTime) -> Result<(), webpki::Error> {
    let parsed = certificate::parse(der).ok_or(webpki::Error::BadDer)?;
    let time = |at: jiff::Timestamp| {
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    };
    let (not_before, not_after) = (time(parsed.not_before), time(parsed.not_after));
    if now < not_before {
        return Err(webpki::Error::CertNotValidYet {
            time: now,
            not_before,
        });
    }
    if now > not_after {
        return Err(webpki::Error::CertExpired {
            time: now,
            not_after,
        });
    }
    Ok(())
}

/// Verifies the certificates of one connection, and records the handshake in `watch`.
#[derive(Debug)]
pub(super) struct RecordingVerifier {
    pub(super) trust: Arc<Trust>,
    pub(super) watch: Arc<Stopwatch>,
    /// Whether an invalid certificate is accepted.
    pub(super) accepts_any_certificate: bool,
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Record the chain first, so that it is known even if verification fails.
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|der| der.to_vec()).collect();
        self.watch.record_handshake(|seen| seen.chain = chain);
        let verified = self
            .trust
            .verify(end_entity, intermediates, server_name, now);
        match verified {
            Ok(expires) => self
                .watch
                .record_handshake(|seen| seen.path_expiry = Some(expires)),
            Err(_) if self.accepts_any_certificate => {}
            Err(error) => return Err(tls_error(error)),
        }
        if ocsp::is_revoked(ocsp_response, end_entity) && !self.accepts_any_certificate {
            return Err(tls_error(webpki::Error::CertRevoked));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.watch
            .record_handshake(|seen| seen.version = Some("TLSv1.2"));
        verify_tls12_signature(message, certificate, signed, &self.trust.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.watch
            .record_handshake(|seen| seen.version = Some("TLSv1.3"));
        verify_tls13_signature(message, certificate, signed, &self.trust.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms.supported_schemes()
    }
}

/// Converts a verification error so that rustls sends the alert that the TLS standard requires.
fn tls_error(error: webpki::Error) -> rustls::Error {
    use webpki::Error as E;
    let error = match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        E::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        E::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        E::InvalidCertValidity => CertificateError::Expired,
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::CertNotValidForName(context) => CertificateError::NotValidForNameContext {
            expected: context.expected,
            presented: context.presented,
        },
        E::CertRevoked => CertificateError::Revoked,
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    rustls::Error::InvalidCertificate(error)
}
