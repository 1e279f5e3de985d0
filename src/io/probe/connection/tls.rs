//! Performs TLS handshakes, and records the certificates that a server presents and whether it
//! requests a client certificate.
//!
//! Sessions are never resumed: a resumed session would hide that the certificate has changed.

use std::sync::Arc;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ClientConfig, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::stream::{ByteStream, RecordedStream};
use super::verify::{RecordingVerifier, Trust};
use crate::io::probe::classify;
use crate::io::probe::stopwatch::Stopwatch;
use crate::model::observation::Fault;
use crate::model::target::{HttpChoice, TlsSettings};

/// The reason why a [`TlsClient`] cannot be created for a target's TLS settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsSetupError {
    #[error(
        "no trusted root certificate found; install the package `ca-certificates` or set `tls.ca_file`"
    )]
    NoRoots,
    #[error("`tls.ca_file` is unusable: {0}; use PEM certificates")]
    Ca(String),
    #[error("`tls.cert_file` or `tls.key_file` is unusable: {0}; use a matching pair of PEM files")]
    Identity(String),
    #[error("the TLS settings are unusable: {0}; correct `tls` of the target")]
    Library(String),
}

/// The TLS settings of a client.
#[derive(Debug)]
pub(super) struct TlsClient {
    base: ClientConfig,
    trust: Arc<Trust>,
    accepts_any_certificate: bool,
}

/// The application protocols that a handshake offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alpn {
    /// HTTP/2 and HTTP/1.1.
    Http,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

impl Alpn {
    /// Returns the protocols to offer for the target's choice of the HTTP version.
    pub(super) const fn of(choice: HttpChoice) -> Self {
        match choice {
            HttpChoice::Any => Self::Http,
            HttpChoice::Http1 => Self::Http1,
            HttpChoice::Http2 => Self::Http2,
        }
    }
}

impl TlsClient {
    /// Creates the TLS settings from the platform's root certificates, and from the target's own
    /// root certificates and client certificate.
    ///
    /// # Errors
    /// Returns an error if there is no root certificate to verify servers with, or if the target's
    /// PEM data is unusable.
    pub(super) fn new(settings: &TlsSettings) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(provider());
        let trust = trust(settings, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsSetupError::Library(error.to_string()))?
            // This empty store is never used, because every connection sets its own verifier.
            .with_root_certificates(RootCertStore::empty());
        let mut base = match &settings.identity {
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
        base.resumption = Resumption::disabled();
        Ok(Self {
            base,
            trust: Arc::new(trust),
            accepts_any_certificate: settings.accept_any_certificate,
        })
    }

    /// Performs a handshake with the server `host`, which is a name or an IP address.
    ///
    /// # Errors
    /// Returns a fault if the handshake failed.
    pub(super) async fn handshake(
        &self,
        host: &str,
        stream: Box<dyn ByteStream>,
        alpn: Alpn,
        watch: &Arc<Stopwatch>,
    ) -> Result<TlsStream<RecordedStream>, Fault> {
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .map_err(|error| classify::bad_server_name(host, &error))?;
        let connector = TlsConnector::from(Arc::new(self.config(alpn, watch)));
        let stream = RecordedStream::new(stream);
        let record = stream.record();
        let connecting = connector.connect(name, stream).into_fallible();
        match connecting.await {
            Ok(stream) => Ok(stream),
            Err((error, _)) => {
                let seen = watch.handshake().unwrap_or_default();
                Err(classify::handshake(&error, &seen, &record.evidence().first))
            }
        }
    }

    /// Returns the configuration of one connection. Its verifier and its client certificate
    /// resolver record the handshake in `watch`.
    fn config(&self, alpn: Alpn, watch: &Arc<Stopwatch>) -> ClientConfig {
        let mut config = self.base.clone();
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(RecordingVerifier {
                trust: Arc::clone(&self.trust),
                watch: Arc::clone(watch),
                accepts_any_certificate: self.accepts_any_certificate,
            }));
        config.client_auth_cert_resolver = Arc::new(RecordingIdentity {
            inner: Arc::clone(&self.base.client_auth_cert_resolver),
            watch: Arc::clone(watch),
        });
        config.alpn_protocols = match alpn {
            Alpn::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Alpn::Http1 => vec![b"http/1.1".to_vec()],
            Alpn::Http2 => vec![b"h2".to_vec()],
        };
        config
    }
}

/// Provides the client certificate of one connection, and records that the server requested it.
#[derive(Debug)]
struct RecordingIdentity {
    inner: Arc<dyn ResolvesClientCert>,
    watch: Arc<Stopwatch>,
}

impl ResolvesClientCert for RecordingIdentity {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.watch
            .record_handshake(|seen| seen.client_certificate_requested = true);
        self.inner.resolve(root_hint_subjects, schemes)
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}

/// Returns the default crypto provider of rustls, but with `TLS_AES_128_GCM_SHA256` as the first
/// cipher suite, as in browsers, because many processors accelerate SHA-256 but not SHA-384. The
/// server still chooses the cipher suite.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let first = CipherSuite::TLS13_AES_128_GCM_SHA256;
    // The sort is stable, so the other cipher suites keep their order.
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != first);
    provider
}

fn trust(settings: &TlsSettings, provider: &CryptoProvider) -> Result<Trust, TlsSetupError> {
    let mut trust = Trust::new(provider.signature_verification_algorithms);
    // Ignore platform roots that cannot be read or parsed. If no root is left, an error is returned
    // below unless the target accepts every certificate.
    for root in rustls_native_certs::load_native_certs().certs {
        let _ = trust.add(&root);
    }
    if let Some(pem) = &settings.ca {
        for root in pem_chain(pem).map_err(TlsSetupError::Ca)? {
            trust
                .add_configured(root)
                .map_err(|error| TlsSetupError::Ca(error.to_string()))?;
        }
    }
    if trust.is_empty() && !settings.accept_any_certificate {
        return Err(TlsSetupError::NoRoots);
    }
    Ok(trust)
}

fn pem_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err("the file contains no certificate; add a `BEGIN CERTIFICATE` block".to_owned())
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(error.to_string()),
    }
}
