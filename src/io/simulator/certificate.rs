//! Creates the certificates of the simulator: a root, a valid leaf and an expired leaf.
//!
//! The certificates are created at each start, so that no private key is distributed. A client
//! trusts the certificates only if it is configured with [`Certificates::ca_pem`].

use std::io;
use std::sync::Arc;

use jiff::{Span, Timestamp, Zoned, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::api::ApiType;

/// The TLS configurations of the listeners, and the root certificate that clients must trust.
#[derive(Debug)]
pub(super) struct Certificates {
    /// The root certificate in PEM.
    pub(super) ca_pem: String,
    /// The TLS configuration of a server with a valid certificate.
    pub(super) valid: Arc<ServerConfig>,
    /// The TLS configuration of a server with a certificate that expired a month ago.
    pub(super) expired: Arc<ServerConfig>,
}

/// The first and the last day of a certificate's validity, in days from today.
type Days = (i64, i64);

/// The validity of the valid leaf: ninety days, as in most public certificates. This is more than
/// the default of `certificate_days`, so a target does not become degraded.
const VALID: Days = (-1, 90);

/// The validity of the expired leaf, in days from today. The validity ended a month ago, so that no
/// clock skew makes the leaf valid.
const EXPIRED: Days = (-120, -30);

/// The validity of the root certificate, which includes the validity of both leaves.
const ROOT: Days = (-400, 3650);

/// The ALPN names of HTTP/2 and HTTP/1.1, in order of preference.
const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

/// Creates the root certificate and both leaves. Servers offer HTTP/1.1, and also HTTP/2 if `http2`
/// is true.
///
/// # Errors
/// Returns an error if a key or certificate cannot be created.
pub(super) fn issue(now: Timestamp, http2: bool) -> io::Result<Certificates> {
    let mut params = params(&[], "Probecause simulator root", ROOT, now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let root = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
    let protocols = if http2 {
        &PROTOCOLS[..]
    } else {
        &PROTOCOLS[1..]
    };
    Ok(Certificates {
        ca_pem: root.pem(),
        valid: server(&root, VALID, now, protocols)?,
        expired: server(&root, EXPIRED, now, protocols)?,
    })
}

fn server(
    root: &CertifiedIssuer<'_, KeyPair>,
    days: Days,
    now: Timestamp,
    protocols: &[&str],
) -> io::Result<Arc<ServerConfig>> {
    let apis = ApiType::ALL.map(ApiType::host);
    let mut names = vec!["localhost", "127.0.0.1", "::1"];
    names.extend(apis.iter().map(String::as_str));
    let mut params = params(&names, "localhost", days, now)?;
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let leaf = params.signed_by(&key, root).map_err(io::Error::other)?;
    let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], secret.into())
        .map_err(io::Error::other)?;
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Ok(Arc::new(config))
}

fn params(
    names: &[&str],
    common_name: &str,
    (first, last): Days,
    now: Timestamp,
) -> io::Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let today = now.to_zoned(TimeZone::UTC);
    let (year, month, day) = calendar(&today, first)?;
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = calendar(&today, last)?;
    params.not_after = rcgen::date_time_ymd(year, month, day);
    Ok(params)
}

/// Returns the year, month and day of the date `from_today` days after today.
fn calendar(today: &Zoned, from_today: i64) -> io::Result<(i32, u8, u8)> {
    let span = Span::new().try_days(from_today).map_err(io::Error::other)?;
    let date = today.checked_add(span).map_err(io::Error::other)?.date();
    Ok((
        date.year().into(),
        date.month().unsigned_abs(),
        date.day().unsigned_abs(),
    ))
}
