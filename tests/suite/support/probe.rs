//! Loopback servers that misbehave as a test requires, and a prober for them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use probecause::io::probe::Prober;
use probecause::model::observation::{FaultKind, Observation, Phase};
use probecause::model::settings::ResolverSettings;
use probecause::model::target::Target;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A running server with the requests that it read and the number of its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Starts a server that runs `handle` for each connection, with the stream and the list of
/// requests.
pub(crate) async fn serve<F, Fut>(handle: F) -> Server
where
    F: Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let connections: Arc<AtomicUsize> = Arc::default();
    let (record, count) = (Arc::clone(&requests), Arc::clone(&connections));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(handle(stream, Arc::clone(&record)));
        }
    });
    Server {
        address,
        requests,
        connections,
    }
}

/// Starts a server that sends the same bytes in response to one request per connection, then
/// closes it.
pub(crate) async fn answer(reply: impl Into<Vec<u8>>) -> Server {
    let reply: Arc<[u8]> = reply.into().into();
    serve(move |mut stream, record| {
        let reply = Arc::clone(&reply);
        async move {
            let request = read_request(&mut stream).await;
            record.lock().unwrap().push(request);
            let _ = stream.write_all(&reply).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

/// Reads one request head, with the part of the body that arrived in the same reads.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Closes a connection with a RST.
pub(crate) fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

/// Starts a DNS server that answers every query with a response code and, if given, an A
/// record. With `None` it never answers.
pub(crate) async fn dns(reply: Option<(u8, Option<[u8; 4]>)>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((count, peer)) = socket.recv_from(&mut buffer).await {
            let Some((code, record)) = reply else {
                continue;
            };
            let _ = socket
                .send_to(&dns_reply(&buffer[..count], code, record), peer)
                .await;
        }
    });
    address
}

fn dns_reply(query: &[u8], code: u8, record: Option<[u8; 4]>) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let is_a = query[end + 1..end + 3] == [0, 1];
    let question = &query[12..end + 5];
    let record = record.filter(|_| is_a);
    let mut reply = query[..2].to_vec();
    reply.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::from(record.is_some()),
        0,
        0,
        0,
        0,
    ]);
    reply.extend(question);
    if let Some(address) = record {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        reply.extend(address);
    }
    reply
}

pub(crate) fn target(url: &str) -> Target {
    let mut target = Target::with_defaults("test", url.parse().unwrap());
    target.timeout = Duration::from_secs(5);
    target
}

pub(crate) fn prober() -> Prober {
    Prober::new(&ResolverSettings {
        servers: vec!["127.0.0.1:9".parse().unwrap()],
        ..ResolverSettings::default()
    })
    .unwrap()
}

pub(crate) async fn probe(target: &Target) -> Observation {
    Box::pin(prober().probe(target)).await
}

/// Checks the kind and phase of the fault, and that the phases add up to at most the duration.
#[track_caller]
pub(crate) fn check(observation: &Observation, want: Option<(FaultKind, Phase)>) {
    let got = observation
        .fault
        .as_ref()
        .map(|fault| (fault.kind, fault.phase));
    assert_eq!(got, want, "{:?}", observation.fault);
    let sum: Duration = Phase::ALL
        .iter()
        .filter_map(|phase| observation.phases.get(*phase))
        .sum();
    assert!(
        sum <= observation.duration,
        "{sum:?} of {:?}",
        observation.duration
    );
}
