//! Certificates, handshakes and HTTP/2, on real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{check, probe, prober, read_request, target};
use probecause::observation::{FaultKind, HttpVersion, Phase};
use probecause::secret::Secret;
use probecause::target::{Target, TlsIdentity};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params
}

fn valid() -> CertificateParams {
    leaf("127.0.0.1", (2020, 2100))
}

struct TlsServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// Serves TLS with a certificate of `issuer` (or self-signed) and then `act`.
async fn serve<F, Fut>(
    issuer: Option<&Ca>,
    params: CertificateParams,
    clients: Option<&Ca>,
    act: F,
) -> TlsServer
where
    F: Fn(TlsStream<TcpStream>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let key = KeyPair::generate().unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(ca.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&connections);
    let act = Arc::new(act);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let (acceptor, act) = (acceptor.clone(), Arc::clone(&act));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    act(stream).await;
                }
            });
        }
    });
    TlsServer {
        address,
        connections,
    }
}

fn trusting(server: &TlsServer, ca: &Ca) -> Target {
    let mut target = target(&format!("https://{}/", server.address));
    target.tls.ca = Some(ca.pem().into_bytes().into());
    target
}

/// Speaks HTTP/2 through hyper: one answer for every request.
async fn http2(stream: TlsStream<TcpStream>) {
    let service = hyper::service::service_fn(|_| async {
        let body = http_body_util::Full::new(bytes::Bytes::from_static(b"ok"));
        Ok::<_, std::convert::Infallible>(::http::Response::new(body))
    });
    let io = hyper_util::rt::TokioIo::new(stream);
    let builder = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
    let _ = builder.serve_connection(io, service).await;
}

#[tokio::test]
async fn a_good_handshake_is_measured_and_written_down() {
    let ca = ca();
    let server = serve(Some(&ca), valid(), None, http2).await;
    let seen = probe(&trusting(&server, &ca)).await;
    check(&seen, None);
    assert!(
        seen.phases.tls.is_some(),
        "the TLS start is not seen any more"
    );
    assert!(
        seen.phases.connect.is_some(),
        "the connect phase is not seen any more"
    );
    assert_eq!(seen.response.unwrap().version, HttpVersion::Http2);
    assert_eq!(seen.remote, Some(server.address));
    let tls = seen.tls.unwrap();
    assert_eq!(tls.version.as_deref(), Some("TLSv1.3"));
    assert_eq!(tls.chain[0].names, ["127.0.0.1"]);
    assert_eq!(tls.chain[0].not_after.to_string(), "2100-01-01T00:00:00Z");
}

#[tokio::test]
async fn a_bad_certificate_is_named_and_its_dates_are_known() {
    let ca = ca();
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
        (Some(&self::ca()), valid(), FaultKind::CertificateUntrusted),
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
async fn a_demanded_client_certificate_is_given_or_missed() {
    let ca = ca();
    let server = serve(Some(&ca), valid(), Some(&ca), http2).await;
    let mut target = trusting(&server, &ca);
    check(
        &probe(&target).await,
        Some((FaultKind::TlsHandshake, Phase::Tls)),
    );
    let key = KeyPair::generate().unwrap();
    let chain = valid().signed_by(&key, &ca).unwrap().pem();
    target.tls.identity = Some(TlsIdentity {
        chain: chain.into_bytes().into(),
        key: Secret::new(key.serialize_pem()),
    });
    check(&probe(&target).await, None);
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_breaks_the_handshake() {
    let server = crate::support::serve(|mut stream, _| async move {
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let seen = probe(&target(&format!("https://{}/", server.address))).await;
    check(&seen, Some((FaultKind::TlsHandshake, Phase::Tls)));
}

/// An empty SETTINGS frame, then `frame`, once the client has sent its request.
async fn raw_http2(mut stream: TlsStream<TcpStream>, frame: &'static [u8]) {
    let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    let mut buffer = [0; 4096];
    let mut read = 0;
    // The preface alone has 24 bytes and a SETTINGS frame: a request comes after.
    while read < 120 {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => read += count,
        }
    }
    let _ = stream.write_all(frame).await;
    let _ = stream.flush().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn an_http2_request_that_was_turned_away_is_not_sent_again() {
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
    let proxy = crate::support::serve(move |mut stream, record| async move {
        let request = read_request(&mut stream).await;
        record.lock().unwrap().push(request);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut onward = TcpStream::connect(end).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
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
async fn a_kept_connection_still_tells_its_certificate() {
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
