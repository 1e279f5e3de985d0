//! A server that returns one recorded response, and the check of its diagnosis.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::diagnosis::Verdict;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::io::probe::Prober;
use probecause::model::settings::ResolverSettings;
use probecause::model::target::{BodyMatch, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// The response of a front door; the server adds `date` and `content-length`.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: String,
    /// How long the server waits before it responds.
    pub(crate) after: Duration,
}

/// A response without a delay.
pub(crate) fn recorded(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: &str,
) -> Recorded {
    Recorded {
        status,
        headers: headers.to_vec(),
        body: body.to_owned(),
        after: Duration::ZERO,
    }
}

impl Recorded {
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn after(mut self, milliseconds: u64) -> Self {
        self.after = Duration::from_millis(milliseconds);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} X\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!(
            "date: Tue, 20 May 2025 06:10:00 GMT\r\ncontent-length: {}\r\n\r\n{}",
            self.body.len(),
            self.body
        ));
        text.into_bytes()
    }
}

/// Expects `"ok"` in the body, so that not every 200 passes.
pub(crate) fn expects_ok(target: &mut Target) {
    target.expect.body = vec![BodyMatch::Contains("\"ok\"".to_owned())];
}

/// Leaves the target unchanged.
pub(crate) fn unchanged(_: &mut Target) {}

/// Probes `host`, which returns `response`, and compares the [`summary`] of the verdict.
pub(crate) async fn check(
    host: &str,
    response: Recorded,
    declare: fn(&mut Target),
    expected: &str,
) {
    let verdict = diagnose(host, response.clone(), declare).await;
    let (status, headers) = (response.status, response.headers);
    assert_eq!(summary(&verdict), expected, "{status} {headers:?}");
}

/// `certainty cause cause …`, the most likely cause first.
pub(crate) fn summary(verdict: &Verdict) -> String {
    let causes: Vec<&str> = verdict
        .candidates
        .iter()
        .map(|candidate| candidate.cause.as_str())
        .collect();
    format!("{} {}", verdict.certainty, causes.join(" "))
}

/// Probes `host`, which returns `response`, and diagnoses the observation.
pub(crate) async fn diagnose(
    host: &str,
    response: Recorded,
    declare: fn(&mut Target),
) -> Arc<Verdict> {
    let server = serve(response).await;
    let prober = Prober::new(&ResolverSettings {
        servers: vec![dns().await],
        ..ResolverSettings::default()
    })
    .unwrap();
    let url = format!("http://{host}:{}/orders", server.port());
    let mut target = Target::with_defaults("orders", url.parse().unwrap());
    target.timeout = Duration::from_secs(10);
    declare(&mut target);
    let observation = Box::pin(prober.probe(&target)).await;
    let context = Context::at(Timestamp::now());
    let facts = Facts::gather(&target, &observation, &context);
    let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
    diagnosis.verdict.unwrap()
}

async fn serve(response: Recorded) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => request.extend_from_slice(&buffer[..count]),
                }
            }
            tokio::time::sleep(response.after).await;
            let _ = stream.write_all(&response.bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// A name server that resolves every name to 127.0.0.1, so that a probe reaches the loopback
/// server under the host name of a front door.
async fn dns() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((count, peer)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&dns_reply(&buffer[..count]), peer).await;
        }
    });
    address
}

/// Answers a query for an A record with 127.0.0.1, and any other without a record.
fn dns_reply(query: &[u8]) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let is_a = query[end + 1..end + 3] == [0, 1];
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    reply.extend(&query[12..end + 5]);
    if is_a {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    reply
}
