//! Builds the TLS client configuration, with hooks that record the handshake.
//!
//! The verifier records the presented chain before verification, so that the expiry date is known
//! even if verification fails. The session store stores nothing: rustls requests a key-exchange
//! hint from it when a handshake starts, and only this call shows when TCP ends and TLS begins.
//! rustls does not document the time of the call; a test checks it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
    WebPkiServerVerifier,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, NamedGroup, RootCertStore, SignatureScheme,
};

use super::stopwatch::with_current;
use crate::model::observation::Phase;
use crate::model::target::TlsSettings;

/// An error in a target's TLS settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsSetupError {
    #[error("no trusted root certificate found; install ca-certificates or set `tls.ca_file`")]
    NoRoots,
    #[error("`tls.ca_file` is unusable: {0}; use PEM certificates")]
    Ca(String),
    #[error("`tls.cert_file` or `tls.key_file` is unusable: {0}; use a matching pair of PEM files")]
    Identity(String),
    #[error("the TLS settings are unusable: {0}; correct `tls` of the target")]
    Library(String),
}

/// Builds the TLS client configuration of a target. Trusts the root certificates of the platform
/// and of `tls.ca_file`.
pub(super) fn client_config(settings: &TlsSettings) -> Result<ClientConfig, TlsSetupError> {
    let provider = Arc::new(provider());
    let roots = Arc::new(roots(settings)?);
    let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| TlsSetupError::Library(error.to_string()))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsSetupError::Library(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(RecordingVerifier { inner }));
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let bad = |text: String| TlsSetupError::Identity(text);
            let chain = pem_chain(&identity.chain).map_err(bad)?;
            let key = PrivateKeyDer::from_pem_slice(identity.key.expose().as_bytes())
                .map_err(|error| bad(error.to_string()))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| bad(error.to_string()))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::store(Arc::new(HandshakeStartHook));
    Ok(config)
}

/// Returns the default cryptography provider of the library, but prefers AES-128 with SHA-256, as
/// browsers do: most processors accelerate SHA-256 but not SHA-384. The server chooses the suite.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let first = CipherSuite::TLS13_AES_128_GCM_SHA256;
    // The sort is stable, so the other suites keep their order.
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != first);
    provider
}

fn roots(settings: &TlsSettings) -> Result<RootCertStore, TlsSetupError> {
    let mut store = RootCertStore::empty();
    // Platform roots that cannot be read or parsed are ignored unless no root is left.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = &settings.ca {
        for certificate in pem_chain(pem).map_err(TlsSetupError::Ca)? {
            store
                .add(certificate)
                .map_err(|error| TlsSetupError::Ca(error.to_string()))?;
        }
    }
    if store.is_empty() {
        return Err(TlsSetupError::NoRoots);
    }
    Ok(store)
}

fn pem_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("it contains no certificate".to_owned()),
        Ok(chain) => Ok(chain),
        Err(error) => Err(error.to_string()),
    }
}

/// A certificate verifier that records the presented chain, then calls the verifier of rustls.
#[derive(Debug)]
struct RecordingVerifier {
    inner: Arc<WebPkiServerVerifier>,
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
        with_current(|stopwatch| {
            let chain = std::iter::once(end_entity).chain(intermediates);
            stopwatch.record_chain(chain.map(|der| der.to_vec()).collect());
        });
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        with_current(|stopwatch| stopwatch.record_version("TLSv1.2"));
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        with_current(|stopwatch| stopwatch.record_version("TLSv1.3"));
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A session store that reports the start of a handshake to the stopwatch. It stores no session,
/// which forces a full handshake on every connection.
#[derive(Debug)]
struct HandshakeStartHook;

impl ClientSessionStore for HandshakeStartHook {
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        with_current(|stopwatch| stopwatch.enter(Phase::Tls));
        None
    }

    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
