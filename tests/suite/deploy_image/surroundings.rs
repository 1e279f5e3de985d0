//! What the container meets: a name server, an endpoint with a certificate, and somebody
//! who is called as AWS.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Where the name server listens.
pub(crate) const DNS: &str = "127.0.0.153";

/// The zone that it alone knows, and the name of the watched endpoint in it.
const ZONE: &str = "probecause.test";
pub(crate) const TARGET: &str = "orders.probecause.test";

/// A port of the loopback that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The metrics of a daemon, if it answers.
pub(crate) async fn metrics(port: u16) -> Option<String> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{port}/metrics");
    client.get(url).send().await.ok()?.text().await.ok()
}

/// A name server, as long as it is held.
pub(crate) struct Names(Child);

impl Drop for Names {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Names {
    pub(crate) fn start() -> Self {
        let listen = format!("--listen-address={DNS}");
        let address = format!("--address=/{ZONE}/127.0.0.1");
        let own = [
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--pid-file=",
        ];
        let child = Command::new("dnsmasq")
            .args(["--keep-in-foreground", "--bind-interfaces", "--user=root"])
            .args(own)
            .args([&listen, &address])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

/// An authority that nobody but the image knows.
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

    /// Serves the target over TLS, with a certificate of this authority; on which port.
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
                    // The request is small: it comes in one piece.
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

/// Somebody who is called as AWS and understands nothing of it.
pub(crate) struct Aws {
    pub(crate) port: u16,
    called: Arc<Notify>,
}

impl Aws {
    /// Its name, which the name server alone knows.
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

    /// Waits until it was called by its name.
    pub(crate) async fn until_called(&self, patience: Duration) {
        let called = tokio::time::timeout(patience, self.called.notified()).await;
        called.expect("nobody asked for AWS by its name");
    }
}
