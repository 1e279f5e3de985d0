//! TLS servers on loopback with generated certificates, which speak HTTP/2 through hyper or
//! frame by frame.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::probe::target;
use probecause::model::target::Target;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) type Ca = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn leaf(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params
}

pub(crate) fn valid() -> CertificateParams {
    leaf("127.0.0.1", (2020, 2100))
}

pub(crate) struct TlsServer {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
}

/// Starts a TLS server with a certificate of `issuer` or, without one, a self-signed
/// certificate. It runs `act` for each connection; with `clients` it requires a client
/// certificate of that CA.
pub(crate) async fn serve<F, Fut>(
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
    serve_with(config, act).await
}

/// Starts a TLS server with a configuration; it runs `act` for each connection.
pub(crate) async fn serve_with<F, Fut>(config: rustls::ServerConfig, act: F) -> TlsServer
where
    F: Fn(TlsStream<TcpStream>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
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

pub(crate) fn trusting(server: &TlsServer, ca: &Ca) -> Target {
    let mut target = target(&format!("https://{}/", server.address));
    target.tls.ca = Some(ca.pem().into_bytes().into());
    target
}

/// Serves HTTP/2 through hyper, with the same response to every request.
pub(crate) async fn http2(stream: TlsStream<TcpStream>) {
    let service = hyper::service::service_fn(|_| async {
        let body = http_body_util::Full::new(bytes::Bytes::from_static(b"ok"));
        Ok::<_, std::convert::Infallible>(::http::Response::new(body))
    });
    let io = hyper_util::rt::TokioIo::new(stream);
    let builder = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
    let _ = builder.serve_connection(io, service).await;
}

/// Sends an empty SETTINGS frame and, after the client has sent its request, `frame`.
pub(crate) async fn raw_http2(mut stream: TlsStream<TcpStream>, frame: &'static [u8]) {
    let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    let mut buffer = [0; 4096];
    let mut read = 0;
    // The client first sends a preface of 24 bytes and a SETTINGS frame, then its request.
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
