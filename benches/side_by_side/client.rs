//! The least that a probe can cost: one request on a fresh connection, and nothing more.
//!
//! `bare` is blocking sockets and rustls; `reqwest` is the client that the daemon uses,
//! without a schedule, a diagnosis or metrics. Both are paced: a prober's caches are cold
//! between probes, and a tight loop would flatter the floor. No session is resumed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::Outcome;

/// What is to be done.
pub(crate) struct Load {
    tls: bool,
    port: u16,
    n: u32,
    pause: Duration,
    folder: String,
}

/// What is asked for: as much as a prober says, and no more.
const REQUEST: &[u8] =
    b"GET /ok HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nconnection: close\r\n\r\n";

impl Load {
    /// Reads the words of the command line.
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

    fn trust(&self) -> Result<rustls::ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(format!(
            "{}/ca.pem",
            self.folder
        ))?)?;
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        // As the daemon does, so that all pay for the same handshake.
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

/// Blocking, one after the other.
pub(crate) fn bare(load: &Load) -> Outcome {
    let config = Arc::new(load.trust()?);
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
            ask(rustls::StreamOwned::new(tls, stream))?;
        } else {
            ask(stream)?;
        }
    }
    Ok(())
}

fn ask(mut stream: impl Read + Write) -> Outcome {
    stream.write_all(REQUEST)?;
    stream.flush()?;
    let mut answer = Vec::new();
    // A peer that closes without TLS's farewell has answered all the same.
    let _ = stream.read_to_end(&mut answer);
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        Err("the target did not answer 200".into())
    }
}

/// One client, no kept connections, one task after the other.
pub(crate) fn reqwest(load: &Load) -> Outcome {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(load.trust()?)
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
    let asked = runtime.spawn({
        let (n, pause) = (load.n, load.pause);
        async move {
            for _ in 0..n {
                tokio::time::sleep(pause).await;
                let answer = client.get(&url).send().await?.error_for_status()?;
                answer.bytes().await?;
            }
            Ok::<(), reqwest::Error>(())
        }
    });
    Ok(runtime.block_on(asked)??)
}
