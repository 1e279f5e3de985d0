//! The server that all probers probe: HTTP/1.1 and HTTP/2, with and without TLS.
//!
//! `/ok…` responds immediately, `/hold/MILLISECONDS…` after a delay, and `/stats` with the
//! number of requests. Probes are counted here, independently of the probers' own metrics.
//! The server generates its own certificate (`ca.pem` in the folder).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

use crate::Outcome;

/// The counters since the start of the server.
#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    handshakes: AtomicU64,
    /// Requests that are being delayed.
    held: AtomicU64,
}

/// The length of the accept queue; thousands of probes may start at the same time.
const BACKLOG: u32 = 4096;

/// Serves until it is killed.
pub(crate) fn serve(plain: u16, tls: u16, folder: &str) -> Outcome {
    let acceptor = acceptor(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let counts = Arc::new(Counts::default());
        let (plain, tls) = (listen(plain)?, listen(tls)?);
        tokio::spawn(accept(plain, None, Arc::clone(&counts)));
        accept(tls, Some(acceptor), counts).await;
        Ok(())
    })
}

fn acceptor(folder: &str) -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    // A self-signed certificate is enough: the handshake dominates the cost, not the chain.
    std::fs::write(format!("{folder}/ca.pem"), made.cert.pem())?;
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, counts: Arc<Counts>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No file descriptor is left: wait instead of spinning.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (tls, counts) = (tls.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            match tls {
                None => serve_connection(stream, counts).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        counts.handshakes.fetch_add(1, Relaxed);
                        serve_connection(stream, counts).await;
                    }
                }
            }
        });
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    counts: Arc<Counts>,
) {
    let service = service_fn(|request| answer(request, Arc::clone(&counts)));
    let server = auto::Builder::new(TokioExecutor::new());
    // A prober may close the connection at any time.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// Counts a delayed request until it is answered or its caller has closed the connection.
struct Held<'a>(&'a AtomicU64);

impl<'a> Held<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

async fn answer(
    request: Request<Incoming>,
    counts: Arc<Counts>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if path == "/stats" {
        let [requests, handshakes, held] =
            [&counts.requests, &counts.handshakes, &counts.held].map(|n| n.load(Relaxed));
        let text = format!(r#"{{"requests":{requests},"handshakes":{handshakes},"held":{held}}}"#);
        return Ok(Response::new(Full::from(text)));
    }
    counts.requests.fetch_add(1, Relaxed);
    if let Some(millis) = path.strip_prefix("/hold/") {
        let millis = millis.split('/').next().and_then(|text| text.parse().ok());
        let _held = Held::new(&counts.held);
        tokio::time::sleep(Duration::from_millis(millis.unwrap_or(0))).await;
    }
    let mut response = Response::new(Full::from(r#"{"status":"ok","version":"1.2.3"}"#));
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}
