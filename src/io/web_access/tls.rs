//! Builds the TLS server configuration of the endpoint from the settings in a web configuration
//! file.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};

use crate::io::probe::certificate::ip_address;
use crate::model::settings::web::{ClientAuth, ServerTls};

/// An error in the TLS settings of the endpoint.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The server certificate or its key is unusable.
    #[error(
        "the certificate or its key is unusable: {0}; use a certificate and its key in PEM format"
    )]
    Identity(String),
    /// The CA certificates for client authentication are unusable.
    #[error("the client CA certificates are unusable: {0}; use CA certificates in PEM format")]
    Clients(String),
    /// The TLS settings are unusable for another reason.
    #[error("the TLS settings are unusable: {0}; correct `tls_server_config`")]
    Library(String),
}

/// Builds the TLS server configuration of the endpoint. ALPN selects HTTP/2 or HTTP/1.1 if `http2`
/// is true, and only HTTP/1.1 otherwise.
///
/// # Errors
/// Returns a [`TlsError`] that names the unusable part of the settings.
pub fn server_config(tls: &ServerTls, http2: bool) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let versions: &[_] = if tls.only_tls13 {
        &[&rustls::version::TLS13]
    } else {
        rustls::ALL_VERSIONS
    };
    let builder = builder
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Library(error.to_string()))?;
    let builder = match verifier(&tls.clients, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let identity = |error: &dyn fmt::Display| TlsError::Identity(error.to_string());
    let chain = certificates(&tls.chain).map_err(|error| identity(&error))?;
    let key = PrivateKeyDer::from_pem_slice(tls.key.expose().as_bytes())
        .map_err(|error| identity(&error))?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| identity(&error))?;
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err("the PEM text contains no `BEGIN CERTIFICATE` block".to_owned())
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(error.to_string()),
    }
}

fn verifier(
    clients: &ClientAuth,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let (authorities, names) = match clients {
        ClientAuth::None => return Ok(None),
        ClientAuth::IfGiven(authorities) => (authorities, None),
        ClientAuth::Required(authorities, names) => (authorities, Some(names)),
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities).map_err(TlsError::Clients)? {
        let added = roots.add(authority);
        added.map_err(|error| TlsError::Clients(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match names {
        Some(_) => builder,
        None => builder.allow_unauthenticated(),
    };
    let inner = builder
        .build()
        .map_err(|error| TlsError::Clients(error.to_string()))?;
    Ok(Some(match names {
        Some(names) if !names.is_empty() => Arc::new(AllowedNamesVerifier {
            inner,
            names: names.clone(),
        }),
        _ => inner,
    }))
}

/// A client certificate verifier that requires a valid certificate with one of the allowed subject
/// alternative names (`client_allowed_sans`).
#[derive(Debug)]
struct AllowedNamesVerifier {
    inner: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl ClientCertVerifier for AllowedNamesVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        client: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.inner.verify_client_cert(client, intermediates, now)?;
        if alternative_names(client)
            .iter()
            .any(|name| self.names.contains(name))
        {
            return Ok(verified);
        }
        let refused = CertificateError::ApplicationVerificationFailure;
        Err(rustls::Error::InvalidCertificate(refused))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Returns the subject alternative names of a certificate: DNS names, IP addresses, email addresses
/// and URIs. Returns an empty list if there are none or the certificate cannot be parsed.
fn alternative_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
        return Vec::new();
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
                Some((*text).to_owned())
            }
            GeneralName::IPAddress(octets) => ip_address(octets).map(|address| address.to_string()),
            _ => None,
        })
        .collect()
}
