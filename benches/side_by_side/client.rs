//! Clients with the minimum cost of a probe: one request on a new connection.
//!
//! `bare` uses blocking sockets and rustls. `reqwest` uses a widely used HTTP client, without
//! a schedule, a diagnosis, or metrics. Both pause between requests, because a prober's
//! caches are cold between probes and a tight loop would be too fast. Neither resumes TLS
//! sessions.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::Outcome;

/// The requests to send.
pub(crate) struct Load {
    tls: bool,
    port: u16,
    /// The number of requests.
    n: u32,
    /// The pause before each request.
    pause: Duration,
    /// The folder of the target's certificate.
    folder: String,
}

/// The request, with the headers that a prober sends.
const REQUEST: &[u8] =
    b"GET /ok HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nconnection: close\r\n\r\n";

impl Load {
    /// Parses the arguments of the command line; `pause` is in microseconds.
    pub(crate) fn new(
        scheme: &str,
        port: &str,
        n: &str,
        pause: &str,
        folder: &str,
    ) -> Result<Self, std::num::ParseIntError> {
        Ok(Self {
            tls: scheme == "https",
            port: port.parse()?,
            n: n.parse()?,
            pause: Duration::from_micros(pause.parse()?),
            folder: folder.to_owned(),
        })
    }

    fn tls_config(&self) -> Result<rustls::ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(format!(
            "{}/ca.pem",
            self.folder
        ))?)?;
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        // The daemon's preferred suite, so that all handshakes cost the same.
        let first = rustls::CipherSuite::TLS13_AES_128_GCM_SHA256;
        provider
            .cipher_suites
            .sort_by_key(|suite| suite.suite() != first);
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

/// Sends blocking requests, one after the other.
pub(crate) fn bare(load: &Load) -> Outcome {
    let config = Arc::new(load.tls_config()?);
    for _ in 0..load.n {
        #[expect(
            clippy::disallowed_methods,
            reason = "there is no runtime on this thread"
        )]
        thread::sleep(load.pause);
        let stream = TcpStream::connect(("127.0.0.1", load.port))?;
        stream.set_nodelay(true)?;
        if load.tls {
            let name = "localhost".try_into()?;
            let tls = rustls::ClientConnection::new(Arc::clone(&config), name)?;
            request(rustls::StreamOwned::new(tls, stream))?;
        } else {
            request(stream)?;
        }
    }
    Ok(())
}

fn request(mut stream: impl Read + Write) -> Outcome {
    stream.write_all(REQUEST)?;
    stream.flush()?;
    let mut response = Vec::new();
    // A close without TLS's close_notify does not invalidate the response.
    let _ = stream.read_to_end(&mut response);
    if response.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        Err("the status of the target's response is not 200".into())
    }
}

/// Sends requests with one reqwest client on new connections, one after the other.
pub(crate) fn reqwest(load: &Load) -> Outcome {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(load.tls_config()?)
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()?;
    let url = match load.tls {
        true => format!("https://localhost:{}/ok", load.port),
        false => format!("http://127.0.0.1:{}/ok", load.port),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let requests = runtime.spawn({
        let (n, pause) = (load.n, load.pause);
        async move {
            for _ in 0..n {
                tokio::time::sleep(pause).await;
                let response = client.get(&url).send().await?.error_for_status()?;
                response.bytes().await?;
            }
            Ok::<(), reqwest::Error>(())
        }
    });
    Ok(runtime.block_on(requests)??)
}
