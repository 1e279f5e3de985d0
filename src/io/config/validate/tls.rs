//! Certificates and keys: read and looked at, so that a probe never meets a bad file.
//!
//! Whether a certificate is trusted or has run out is for the probe to find.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::disk::read_file;
use super::text::set;
use crate::io::config::document::Site;
use crate::io::config::file::TlsTable;
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::secret::Secret;
use crate::model::target::{TlsIdentity, TlsSettings};

/// The platform's whole bundle of roots is a quarter of this.
const MAX_PEM: u64 = 1024 * 1024;

/// Reads the table into `tls`.
pub(super) fn read(table: &Layer<'_, TlsTable>, tls: &mut TlsSettings, problems: &mut Problems) {
    if let Some(found) = table.pick("ca_file", |t| t.ca_file.as_ref()) {
        let site = found.site.clone();
        let parse = |file: &String| certificates(&site, file).map(Some);
        set(&mut tls.ca, Some(found), parse, problems);
    }
    let cert = table.pick("cert_file", |t| t.cert_file.as_ref());
    let key = table.pick("key_file", |t| t.key_file.as_ref());
    match (cert, key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(&cert.site, cert.value);
            let secret = private_key(&key.site, key.value);
            match (chain, secret) {
                (Ok(chain), Ok(key)) => tls.identity = Some(TlsIdentity { chain, key }),
                (chain, secret) => {
                    let wrong = [(&cert.site, chain.err()), (&key.site, secret.err())];
                    for (site, message) in wrong {
                        if let Some(message) = message {
                            problems.error(site.problem(message));
                        }
                    }
                }
            }
        }
        (Some(cert), None) => {
            problems.error(
                cert.site
                    .problem("a certificate needs its key; add key_file"),
            );
        }
        (None, Some(key)) => {
            problems.error(
                key.site
                    .problem("a key needs its certificate; add cert_file"),
            );
        }
        (None, None) => {}
    }
}

fn certificates(site: &Site<'_>, file: &str) -> Result<Arc<[u8]>, String> {
    let path = site.relative(file);
    let bytes = read_file(&path, MAX_PEM)?;
    let wrong = || {
        format!(
            "{} holds no good PEM certificate; name a file with BEGIN CERTIFICATE",
            path.display()
        )
    };
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = parsed.map_err(|_| wrong())?;
    let good = |der: &CertificateDer<'_>| x509_parser::parse_x509_certificate(der).is_ok();
    if certificates.is_empty() || !certificates.iter().all(good) {
        return Err(wrong());
    }
    Ok(bytes.into())
}

fn private_key(site: &Site<'_>, file: &str) -> Result<Secret, String> {
    let path = site.relative(file);
    let bytes = read_file(&path, MAX_PEM)?;
    let wrong = || {
        format!(
            "{} holds no PEM private key; name a file with BEGIN PRIVATE KEY",
            path.display()
        )
    };
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| wrong())?;
    String::from_utf8(bytes)
        .map(Secret::new)
        .map_err(|_| wrong())
}
