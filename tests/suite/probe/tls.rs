//! Certificates, handshakes, and HTTP/2, on real sockets.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crate::support::certified::{
    Ca, ca, http2, leaf, raw_http2, serve, serve_with, trusting, valid,
};
use crate::support::probe::{check, probe, prober, read_request, target};
use probecause::model::host_port::HostPort;
use probecause::model::observation::{FaultKind, HttpVersion, Phase};
use probecause::model::secret::Secret;
use probecause::model::target::TlsIdentity;
use rcgen::KeyPair;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_successful_handshake_is_timed_and_recorded() {
    let ca = ca();
    let server = serve(Some(&ca), valid(), None, http2).await;
    let seen = probe(&trusting(&server, &ca)).await;
    check(&seen, None);
    assert!(seen.phases.tls.is_some(), "the TLS phase is not measured");
    assert!(
        seen.phases.connect.is_some(),
        "the connect phase is not measured"
    );
    assert_eq!(seen.response.unwrap().version, HttpVersion::Http2);
    assert_eq!(seen.remote, Some(server.address));
    let tls = seen.tls.unwrap();
    assert_eq!(tls.version.as_deref(), Some("TLSv1.3"));
    assert_eq!(tls.chain[0].names, ["127.0.0.1"]);
    assert_eq!(tls.chain[0].not_after.to_string(), "2100-01-01T00:00:00Z");
}

#[tokio::test]
async fn an_invalid_certificate_is_named_with_its_expiry() {
    let (ca, unknown_ca) = (ca(), ca());
    for (issuer, params, kind) in [
        (
            Some(&ca),
            leaf("127.0.0.1", (2001, 2002)),
            FaultKind::CertificateExpired,
        ),
        (
            Some(&ca),
            leaf("127.0.0.1", (2090, 2100)),
            FaultKind::CertificateNotYetValid,
        ),
        (
            Some(&ca),
            leaf("other.test", (2020, 2100)),
            FaultKind::CertificateNameMismatch,
        ),
        (Some(&unknown_ca), valid(), FaultKind::CertificateUntrusted),
        (None, valid(), FaultKind::CertificateUntrusted),
    ] {
        let until = params.not_after.unix_timestamp();
        let server = serve(issuer, params, None, http2).await;
        let seen = probe(&trusting(&server, &ca)).await;
        check(&seen, Some((kind, Phase::Tls)));
        assert_eq!(seen.earliest_expiry().unwrap().as_second(), until);
    }
}

#[tokio::test]
async fn a_required_client_certificate_is_sent_and_a_missing_one_is_named() {
    let ca = ca();
    let server = serve(Some(&ca), valid(), Some(&ca), http2).await;
    let mut target = trusting(&server, &ca);
    check(
        &probe(&target).await,
        Some((FaultKind::ClientCertificateRequired, Phase::Tls)),
    );
    let key = KeyPair::generate().unwrap();
    let chain = valid().signed_by(&key, &ca).unwrap().pem();
    target.tls.identity = Some(TlsIdentity {
        chain: chain.into_bytes().into(),
        key: Secret::new(key.serialize_pem()),
    });
    check(&probe(&target).await, None);
}

/// Probes a server that answers the first bytes of the handshake with `reply`.
async fn handshake_with(reply: &'static [u8]) -> probecause::model::observation::Observation {
    let server = crate::support::probe::serve(move |mut stream, _| async move {
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello).await;
        let _ = stream.write_all(reply).await;
    })
    .await;
    probe(&target(&format!("https://{}/", server.address))).await
}

#[tokio::test]
async fn a_peer_without_tls_is_named_and_quoted() {
    for (reply, kind, text) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            FaultKind::PlainHttp,
            "HTTP/1.1 400",
        ),
        (
            b"HTTP/1.0 400 Bad Request\r\n",
            FaultKind::PlainHttp,
            "HTTP/1.0 400",
        ),
        (b"<html><head><title>400", FaultKind::PlainHttp, "<html>"),
        (b"<!DOCTYPE HTML PUBLIC", FaultKind::PlainHttp, "<!DOCTYPE"),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            FaultKind::TlsHandshake,
            "SSH-2.0-OpenSSH_9.2",
        ),
        (
            b"220 mail.test ESMTP\r\n",
            FaultKind::TlsHandshake,
            "220 mail.test",
        ),
    ] {
        let seen = handshake_with(reply).await;
        check(&seen, Some((kind, Phase::Tls)));
        let detail = seen.fault.unwrap().detail;
        assert!(detail.contains(text), "{detail}");
    }
}

#[tokio::test]
async fn an_alert_is_named_by_what_it_means() {
    // Fatal alerts: their numbers are those of RFC 8446, section 6.
    for (alert, kind) in [
        (70, FaultKind::TlsVersion),
        (71, FaultKind::TlsVersion),
        // Before the server's certificate: no common cipher.
        (40, FaultKind::TlsVersion),
        (116, FaultKind::ClientCertificateRequired),
        (80, FaultKind::TlsHandshake),
        (112, FaultKind::TlsHandshake),
        (42, FaultKind::TlsHandshake),
    ] {
        let record: &'static [u8] = Box::leak(Box::new([0x15, 3, 3, 0, 2, 2, alert]));
        check(&handshake_with(record).await, Some((kind, Phase::Tls)));
    }
    check(
        &handshake_with(b"").await,
        Some((FaultKind::TlsHandshake, Phase::Tls)),
    );
}

/// A server configuration that requires a client certificate, with TLS of one version.
fn requiring(ca: &Ca, version: &'static rustls::SupportedProtocolVersion) -> rustls::ServerConfig {
    let key = KeyPair::generate().unwrap();
    let chain = vec![valid().signed_by(&key, ca).unwrap().der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[tokio::test]
async fn a_missing_or_refused_client_certificate_is_named_in_every_version() {
    let (trusted, other) = (ca(), ca());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = serve_with(requiring(&trusted, version), http2).await;
        let mut target = trusting(&server, &trusted);
        let required = (FaultKind::ClientCertificateRequired, Phase::Tls);
        check(&probe(&target).await, Some(required));
        let key = KeyPair::generate().unwrap();
        let chain = valid().signed_by(&key, &other).unwrap().pem();
        target.tls.identity = Some(TlsIdentity {
            chain: chain.into_bytes().into(),
            key: Secret::new(key.serialize_pem()),
        });
        check(&probe(&target).await, Some(required));
    }
}

#[tokio::test]
async fn a_rejected_http2_request_is_not_retried() {
    let ca = ca();
    // GOAWAY with last-stream-id 0, no error; RST_STREAM 1 with REFUSED_STREAM (7).
    let goaway: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let refused: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    for (frame, kind) in [
        (goaway, FaultKind::ConnectionClosed),
        (refused, FaultKind::ConnectionReset),
    ] {
        let act = move |stream| raw_http2(stream, frame);
        let server = serve(Some(&ca), valid(), None, act).await;
        let seen = Box::pin(prober().probe(&trusting(&server, &ca))).await;
        check(&seen, Some((kind, Phase::Processing)));
        assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_tunnel_through_a_proxy_reaches_the_endpoint() {
    let ca = ca();
    let server = serve(Some(&ca), valid(), None, http2).await;
    let end = server.address;
    let proxy = crate::support::probe::serve(move |mut stream, record| async move {
        let request = read_request(&mut stream).await;
        record.lock().unwrap().push(request);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut upstream = TcpStream::connect(end).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
    })
    .await;
    let mut target = trusting(&server, &ca);
    target.request.proxy = Some(proxy.url("/").parse().unwrap());
    let seen = probe(&target).await;
    check(&seen, None);
    assert!(seen.phases.connect.is_some() && seen.phases.tls.is_some());
    assert!(proxy.seen()[0].starts_with("CONNECT 127.0.0.1:"));
}

#[tokio::test]
async fn a_reused_connection_still_reports_its_certificate() {
    let ca = ca();
    let server = serve(Some(&ca), valid(), None, http2).await;
    let mut target = trusting(&server, &ca);
    target.request.reuse_connection = true;
    let prober = prober();
    let first = Box::pin(prober.probe(&target)).await;
    let second = Box::pin(prober.probe(&target)).await;
    check(&second, None);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    assert!(second.phases.tls.is_none() && second.tls == first.tls);
}

#[tokio::test]
async fn a_connection_that_leads_elsewhere_keeps_host_and_server_name() {
    let ca = ca();
    let hosts: Arc<Mutex<Vec<String>>> = Arc::default();
    let record = Arc::clone(&hosts);
    let params = leaf("shop.test", (2020, 2100));
    let server = serve(Some(&ca), params, None, move |stream| {
        let record = Arc::clone(&record);
        async move {
            let name = stream.get_ref().1.server_name().map(str::to_owned);
            let name = name.unwrap_or_default();
            record.lock().unwrap().push(name);
            http2(stream).await;
        }
    })
    .await;
    let mut target = target("https://shop.test/orders");
    target.tls.ca = Some(ca.pem().into_bytes().into());
    target.request.connect_to = Some(HostPort::parse(&server.address.to_string()).unwrap());
    // The resolver of the tests answers nothing: the name of the URL must not be resolved.
    let observation = probe(&target).await;
    check(&observation, None);
    assert_eq!(observation.remote, Some(server.address));
    assert_eq!(observation.phases.resolve, None);
    assert_eq!(*hosts.lock().unwrap(), ["shop.test"]);
}
