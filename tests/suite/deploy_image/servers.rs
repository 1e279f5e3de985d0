//! Servers that the container connects to: a DNS server, a TLS endpoint and a CloudWatch
//! endpoint.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// The address of the DNS server.
pub(crate) const DNS: &str = "127.0.0.153";

/// The zone that only this DNS server resolves.
const ZONE: &str = "probecause.test";
/// The host name of the probed endpoint.
pub(crate) const TARGET: &str = "orders.probecause.test";

/// Returns a loopback port that was free at the time of the call.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Gets the metrics of a daemon; `None` if it does not answer.
pub(crate) async fn metrics(port: u16) -> Option<String> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{port}/metrics");
    client.get(url).send().await.ok()?.text().await.ok()
}

/// A DNS server that is stopped on drop.
pub(crate) struct DnsServer(Child);

impl Drop for DnsServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl DnsServer {
    pub(crate) fn start() -> Self {
        let listen = format!("--listen-address={DNS}");
        let address = format!("--address=/{ZONE}/127.0.0.1");
        let options = [
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--pid-file=",
        ];
        let child = Command::new("dnsmasq")
            .args(["--keep-in-foreground", "--bind-interfaces", "--user=root"])
            .args(options)
            .args([&listen, &address])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

/// A certificate authority that only the image trusts.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Serves the target over TLS with a certificate of this authority. Returns the port.
    pub(crate) async fn serve(&self) -> u16 {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![TARGET.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await?;
                    // The request is small enough for one read.
                    let _ = stream.read(&mut [0; 4096]).await?;
                    let answer =
                        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    stream.write_all(answer.as_bytes()).await?;
                    stream.shutdown().await
                });
            }
        });
        port
    }
}

/// A CloudWatch endpoint that answers every request with 503.
pub(crate) struct CloudWatch {
    pub(crate) port: u16,
    called: Arc<Notify>,
}

impl CloudWatch {
    /// Its host name, which only the DNS server of the test resolves.
    pub(crate) const NAME: &str = "monitoring.probecause.test";

    pub(crate) async fn start() -> Self {
        let called = Arc::new(Notify::new());
        let notify = Arc::clone(&called);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = axum::Router::new().fallback(move |headers: http::HeaderMap| async move {
            let host = headers.get("host").and_then(|host| host.to_str().ok());
            if host == Some(&format!("{}:{port}", Self::NAME)) {
                notify.notify_one();
            }
            http::StatusCode::SERVICE_UNAVAILABLE
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, called }
    }

    /// Waits for a request with the host name [`Self::NAME`].
    pub(crate) async fn until_called(&self, patience: Duration) {
        let called = tokio::time::timeout(patience, self.called.notified()).await;
        called.expect("no request for the CloudWatch endpoint arrived");
    }
}
