//! Certificate chains: which of the presented certificates are judged, and of which hops.

use crate::support::certified::{
    Ca, TlsServer, ca, http2, leaf, serve, serve_with, trusting, valid,
};
use crate::support::probe::{check, probe, read_request};
use jiff::Timestamp;
use probecause::domain::expectation;
use probecause::io::probe::certificate;
use probecause::model::observation::{FaultKind, Phase};
use probecause::model::target::Target;
use rcgen::date_time_ymd;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncWriteExt;

/// The parameters of a certificate authority that is valid from the first of January of one year
/// to that of another.
fn authority(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params
}

fn root(name: &str, years: (i32, i32)) -> Ca {
    CertifiedIssuer::self_signed(authority(name, years), KeyPair::generate().unwrap()).unwrap()
}

/// A server whose certificate `issuer` has signed, followed by further certificates.
async fn serve_chain(
    issuer: &Ca,
    params: &CertificateParams,
    further: Vec<CertificateDer<'static>>,
) -> TlsServer {
    let mut config = configuration(issuer, params, further);
    config.alpn_protocols = vec![b"h2".to_vec()];
    serve_with(config, http2).await
}

/// The configuration of a server without HTTP/2.
fn configuration(
    issuer: &Ca,
    params: &CertificateParams,
    further: Vec<CertificateDer<'static>>,
) -> rustls::ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut chain = vec![params.signed_by(&key, issuer).unwrap().der().clone()];
    chain.extend(further);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}

fn year_of(at: Timestamp) -> i16 {
    at.to_zoned(jiff::tz::TimeZone::UTC).year()
}

/// Probes, and checks the years in which the verified path and the presented chain expire.
async fn check_years(target: &Target, path: i16, presented: i16) {
    let seen = probe(target).await;
    check(&seen, None);
    let expiry = seen.tls.as_ref().unwrap().path_expiry.unwrap();
    assert_eq!(year_of(expiry), path, "verified path");
    assert_eq!(
        year_of(seen.earliest_expiry().unwrap()),
        presented,
        "presented chain"
    );
    let days = expectation::certificate_days(&seen, Timestamp::now()).unwrap();
    let expected = (expiry.as_second() - Timestamp::now().as_second()).div_euclid(86_400);
    assert!((days - expected).abs() <= 1, "{days} of {expected} days");
}

#[tokio::test]
async fn an_expired_cross_signature_of_a_trusted_root_is_not_judged() {
    let old = root("old root", (2000, 2100));
    let trusted = root("trusted root", (2010, 2110));
    let cross = authority("trusted root", (2010, 2021))
        .signed_by(trusted.key(), &old)
        .unwrap();
    let server = serve_chain(&trusted, &valid(), vec![cross.der().clone()]).await;
    check_years(&trusting(&server, &trusted), 2100, 2021).await;
}

#[tokio::test]
async fn a_certificate_that_belongs_to_no_path_is_not_judged() {
    let (trusted, other) = (
        root("trusted root", (2010, 2110)),
        root("other", (2000, 2005)),
    );
    let server = serve_chain(&trusted, &valid(), vec![other.der().clone()]).await;
    check_years(&trusting(&server, &trusted), 2100, 2005).await;
}

#[tokio::test]
async fn an_intermediate_or_root_that_expires_first_limits_the_path() {
    let trusted = root("trusted root", (2010, 2110));
    let intermediate = |years| {
        let key = KeyPair::generate().unwrap();
        CertifiedIssuer::signed_by(authority("intermediate", years), key, &trusted).unwrap()
    };
    let short: Ca = intermediate((2010, 2050));
    let server = serve_chain(&short, &valid(), vec![short.der().clone()]).await;
    check_years(&trusting(&server, &trusted), 2050, 2050).await;
    let brief = root("brief root", (2010, 2060));
    let server = serve_chain(&brief, &valid(), Vec::new()).await;
    check_years(&trusting(&server, &brief), 2060, 2100).await;
}

#[tokio::test]
async fn of_several_paths_the_one_that_is_valid_longest_counts() {
    let trusted = root("trusted root", (2010, 2110));
    let key = KeyPair::generate().unwrap();
    let signed = |years| {
        authority("intermediate", years)
            .signed_by(&key, &trusted)
            .unwrap()
    };
    let short = signed((2010, 2040)).der().clone();
    let long = signed((2010, 2090)).der().clone();
    let issuer_key = KeyPair::try_from(key.serialize_der()).unwrap();
    let issuer: Ca = CertifiedIssuer::signed_by(
        authority("intermediate", (2010, 2090)),
        issuer_key,
        &trusted,
    )
    .unwrap();
    for further in [vec![short.clone(), long.clone()], vec![long, short]] {
        let server = serve_chain(&issuer, &valid(), further).await;
        check_years(&trusting(&server, &trusted), 2090, 2040).await;
    }
}

#[tokio::test]
async fn an_expired_intermediate_without_another_path_is_an_expired_certificate() {
    let trusted = root("trusted root", (2010, 2110));
    let key = KeyPair::generate().unwrap();
    let expired: Ca =
        CertifiedIssuer::signed_by(authority("intermediate", (2010, 2020)), key, &trusted).unwrap();
    let server = serve_chain(&expired, &valid(), vec![expired.der().clone()]).await;
    let fault = (FaultKind::CertificateExpired, Phase::Tls);
    check(&probe(&trusting(&server, &trusted)).await, Some(fault));
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_configured_is_trusted_while_it_is_valid() {
    use FaultKind::{CertificateExpired, CertificateNameMismatch, CertificateNotYetValid};
    for (name, years, fault) in [
        ("127.0.0.1", (2020, 2100), None),
        (
            "127.0.0.1",
            (2010, 2020),
            Some((CertificateExpired, Phase::Tls)),
        ),
        (
            "127.0.0.1",
            (2090, 2100),
            Some((CertificateNotYetValid, Phase::Tls)),
        ),
        (
            "other.test",
            (2020, 2100),
            Some((CertificateNameMismatch, Phase::Tls)),
        ),
    ] {
        for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
            let mut params = leaf(name, years);
            params.is_ca = is_ca;
            let key = KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            let mut config = rustls::ServerConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .unwrap();
            config.alpn_protocols = vec![b"h2".to_vec()];
            let server = serve_with(config, http2).await;
            let mut target = trusting(&server, &ca());
            assert!(probe(&target).await.fault.is_some(), "not configured");
            target.tls.ca = Some(certificate.pem().into_bytes().into());
            check(&probe(&target).await, fault);
        }
    }
}

#[tokio::test]
async fn the_certificate_of_every_hop_is_judged_with_its_host() {
    let ca = ca();
    let last = serve(Some(&ca), valid(), None, http2).await;
    let location = format!("https://{}/", last.address);
    // Five and a half days before its end, whatever the date.
    let mut params = leaf("localhost", (2020, 2100));
    params.not_after =
        (std::time::SystemTime::now() + std::time::Duration::from_secs(11 * 43_200)).into();
    let first = serve_with(
        configuration(&ca, &params, Vec::new()),
        move |mut stream| {
            let location = location.clone();
            async move {
                read_request(&mut stream).await;
                let head = format!(
                    "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes()).await;
            }
        },
    )
    .await;
    let mut target = trusting(&first, &ca);
    target.url = format!("https://localhost:{}/", first.address.port())
        .parse()
        .unwrap();
    let seen = probe(&target).await;
    check(&seen, None);
    assert_eq!(seen.redirects, 1);
    assert_eq!(seen.earlier_tls[0].host, "localhost");
    let unmet = expectation::check(&target.expect, &seen, Timestamp::now());
    let details: Vec<_> = unmet.iter().map(|unmet| unmet.detail.as_str()).collect();
    assert_eq!(
        details,
        ["the certificate chain of `localhost` expires in 5 days, less than 14 days"]
    );
    // The metrics describe the last hop, as in blackbox_exporter.
    assert_eq!(year_of(seen.earliest_expiry().unwrap()), 2100);
}

#[test]
fn an_unparsable_certificate_is_none() {
    assert_eq!(certificate::parse(b"no certificate"), None);
}
