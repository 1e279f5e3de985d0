//! The servers behind a proxy, one per fault, and what the proxy needs to find them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rcgen::CertificateParams;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::support::certified::{self, Ca, TlsServer};
use crate::support::loopback::full_queue;
use crate::support::probe::{Server, answer, dns, read_request, reset, serve};

/// NXDOMAIN.
const NAME_NOT_FOUND: u8 = 3;

/// How long a wait for a condition may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two looks at a condition.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// How long a response stalls before it ends early.
const TRUNCATION: Duration = Duration::from_millis(300);

/// The page of an nginx behind the proxy.
const NGINX_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n\
    </html>\r\n";

/// All servers behind one proxy.
pub(crate) struct Backends {
    /// The addresses by the names that the configurations use.
    pub(crate) addresses: BTreeMap<&'static str, SocketAddr>,
    /// The server that answers no request. Two, since a proxy may limit each.
    hold: [Server; 2],
    /// Sockets that exist as long as the proxy.
    _sockets: (Vec<TcpSocket>, TcpListener, Vec<TcpStream>),
    _servers: Vec<Server>,
    _tls_servers: Vec<TlsServer>,
}

impl Backends {
    /// Starts the servers. `ca` signs the certificates of those with TLS.
    pub(crate) async fn start(ca: &Ca) -> Self {
        let mut addresses = BTreeMap::new();
        // A bound socket that does not listen refuses connections, and nobody else gets its port.
        let mut refusing = Vec::new();
        for name in ["refused", "down"] {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
            addresses.insert(name, socket.local_addr().unwrap());
            refusing.push(socket);
        }
        let (listener, held) = full_queue().await;
        addresses.insert("unanswered", listener.local_addr().unwrap());
        addresses.insert("dns", dns(Some((NAME_NOT_FOUND, None))).await);
        let mut servers = Vec::new();
        for (name, server) in misbehaving().await.into_iter().chain(answering().await) {
            addresses.insert(name, server.address);
            servers.push(server);
        }
        let mut tls_servers = Vec::new();
        for (name, server) in certified(ca).await {
            addresses.insert(name, server.address);
            tls_servers.push(server);
        }
        let hold = [holding().await, holding().await];
        addresses.insert("hold", hold[0].address);
        addresses.insert("hold_too", hold[1].address);
        Self {
            addresses,
            hold,
            _sockets: (refusing, listener, held),
            _servers: servers,
            _tls_servers: tls_servers,
        }
    }

    /// Sends a request for `path` to the proxy at `port`, and waits until a server holds it.
    /// The request lasts until the connection is dropped.
    pub(crate) async fn occupy(&self, port: u16, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET /{path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        let held = |server: &Server| server.seen().len();
        let before: usize = self.hold.iter().map(held).sum();
        stream.write_all(request.as_bytes()).await.unwrap();
        let arrives = async {
            while self.hold.iter().map(held).sum::<usize>() == before {
                sleep(PAUSE).await;
            }
        };
        let arrived = timeout(PATIENCE, arrives).await;
        arrived.expect("the proxy did not pass the request on");
        stream
    }
}

/// Reads a request, records it and holds it until the proxy closes the connection.
async fn holding() -> Server {
    serve(|mut stream, record| async move {
        let request = read_request(&mut stream).await;
        record.lock().unwrap().push(request);
        read_request(&mut stream).await;
    })
    .await
}

/// Servers that do not respond in HTTP.
async fn misbehaving() -> Vec<(&'static str, Server)> {
    let resets = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        reset(stream);
    });
    let closes = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
    });
    let truncates = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 999\r\n\r\n";
        let _ = stream
            .write_all(format!("{head}only this").as_bytes())
            .await;
        // Most proxies pass this part on before the end arrives.
        sleep(TRUNCATION).await;
        let _ = stream.shutdown().await;
    });
    // What most servers send when they read a TLS handshake instead of a request.
    let plain = serve(|mut stream, _| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let answer = response("400 Bad Request", "connection: close\r\n", "bad request");
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    });
    vec![
        ("silent", holding().await),
        ("plain", plain.await),
        ("reset", resets.await),
        ("empty", closes.await),
        ("garbage", answer("\u{1}\u{2}\u{3} not HTTP\r\n\r\n").await),
        ("truncated", truncates.await),
    ]
}

/// A whole response: status line, headers and body.
fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// Servers whose response is valid.
async fn answering() -> Vec<(&'static str, Server)> {
    let text = "content-type: text/plain\r\n";
    let json = "content-type: application/json\r\n";
    let page = "server: nginx/1.22.1\r\ncontent-type: text/html\r\n";
    let huge = format!("x-huge: {}\r\n", "a".repeat(200_000));
    let failed = "{\"error\":\"order 4711 could not be priced\"}";
    let busy = "{\"error\":\"the nightly import is running\"}";
    vec![
        ("ok", answer(response("200 OK", text, "ok")).await),
        ("huge_header", answer(response("200 OK", &huge, "")).await),
        (
            "application_500",
            answer(response("500 Internal Server Error", json, failed)).await,
        ),
        (
            "application_503",
            answer(response("503 Service Unavailable", json, busy)).await,
        ),
        (
            "relayed_502",
            answer(response("502 Bad Gateway", page, NGINX_PAGE)).await,
        ),
    ]
}

/// Servers with TLS whose certificates a proxy must not accept.
async fn certified(ca: &Ca) -> Vec<(&'static str, TlsServer)> {
    let stranger = certified::ca();
    let leaf = |name: &str, years| {
        let mut params: CertificateParams = certified::leaf(name, years);
        params
            .subject_alt_names
            .extend(certified::leaf("127.0.0.1", years).subject_alt_names);
        params
    };
    let valid = (2020, 2100);
    let misnamed = certified::leaf("other.test", valid);
    vec![
        (
            "expired",
            certified::serve(
                Some(ca),
                leaf("backend.test", (2001, 2002)),
                None,
                certified::http2,
            )
            .await,
        ),
        (
            "untrusted",
            certified::serve(
                Some(&stranger),
                leaf("backend.test", valid),
                None,
                certified::http2,
            )
            .await,
        ),
        (
            "misnamed",
            certified::serve(Some(ca), misnamed, None, certified::http2).await,
        ),
    ]
}
