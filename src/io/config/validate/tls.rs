//! Reads `[target.tls]`: whether certificates are verified, and the PEM files with certificates and
//! keys.
//!
//! This module checks only the format of the files. The certificates of the endpoints are verified
//! by the probes.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::io::config::named_file::read_file;
use crate::io::config::table::{Table, Value};
use crate::model::secret::Secret;
use crate::model::target::{TlsIdentity, TlsSettings};

/// Maximum size of a PEM file in bytes: about four times the size of a bundle of all public root
/// certificates. The path of a larger file is probably wrong.
const MAX_PEM: u64 = 1024 * 1024;

/// Reads the `tls` table of a target or of `[defaults]`.
pub(super) fn read(table: &Table<'_>, tls: &mut TlsSettings) {
    if let Some(verify) = table.get::<bool>("verify") {
        tls.accept_any_certificate = !verify;
    }
    if tls.accept_any_certificate {
        table.place_of("verify").warn(
            "any certificate is accepted, so the response may come from anybody; trust the root \
             certificate of the endpoint with `ca_file` instead",
        );
    }
    tls.ca = table
        .find("ca_file")
        .and_then(|file| pem(&file, certificates));
    match (table.find("cert_file"), table.find("key_file")) {
        // Secrets are skipped, so the file of the key is not read.
        (Some(cert), Some(key)) if key.place.problems().skips_secrets() => {
            pem(&cert, certificates);
            key.read::<String>();
        }
        (Some(cert), Some(key)) => {
            let (chain, key) = (pem(&cert, certificates), pem(&key, private_key));
            if let (Some(chain), Some(key)) = (chain, key) {
                tls.identity = Some(TlsIdentity { chain, key });
            }
        }
        (Some(cert), None) => {
            pem(&cert, certificates);
            cert.place
                .error("a certificate needs its key; add `key_file`");
        }
        (None, Some(key)) => {
            pem(&key, private_key);
            key.place
                .error("a key needs its certificate; add `cert_file`");
        }
        (None, None) => {}
    }
}

/// Reads a PEM file and returns the result of `parse`, whose error says what the file lacks and
/// what to do. If reading or parsing fails, reports an error and returns `None`.
fn pem<T>(file: &Value<'_>, parse: fn(Vec<u8>) -> Result<T, &'static str>) -> Option<T> {
    let path = file.place.relative(&file.read::<String>()?);
    let parsed = read_file(&path, MAX_PEM).and_then(|bytes| {
        parse(bytes).map_err(|wrong| format!("{} contains {wrong}", path.display()))
    });
    file.place.check(parsed)
}

fn certificates(bytes: Vec<u8>) -> Result<Arc<[u8]>, &'static str> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let valid = |der: &CertificateDer<'_>| x509_parser::parse_x509_certificate(der).is_ok();
    match parsed {
        Ok(certificates) if !certificates.is_empty() && certificates.iter().all(valid) => {
            Ok(bytes.into())
        }
        _ => Err(
            "no PEM certificate, or an invalid one; set the path of a file with valid certificates",
        ),
    }
}

fn private_key(bytes: Vec<u8>) -> Result<Secret, &'static str> {
    let wrong = "no PEM private key; set the path of the PEM file with the private key";
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| wrong)?;
    String::from_utf8(bytes).map(Secret::new).map_err(|_| wrong)
}
