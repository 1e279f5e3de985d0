//! Faults below TLS: connections, HTTP/1.1, bodies, redirects.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use probecause::model::observation::Phase;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::faults::row::Row;
use crate::support::probe::{Server, answer, read_request, reset, serve, target};

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Sends `head`, then `piece` for ever, with this pause between.
async fn endless(head: &'static str, piece: &'static [u8], pause: Duration) -> Server {
    serve(move |mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(head.as_bytes()).await;
        while stream.write_all(piece).await.is_ok() {
            sleep(pause).await;
        }
    })
    .await
}

/// Sends this and then nothing, and keeps the connection.
async fn stalls(head: &'static str) -> Server {
    serve(move |mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(head.as_bytes()).await;
        sleep(Duration::from_secs(30)).await;
    })
    .await
}

/// A listener whose queue is full: Linux drops further SYNs, as a firewall would.
async fn full_queue() -> (SocketAddr, (Vec<TcpStream>, TcpListener)) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    let connect = || timeout(Duration::from_millis(200), TcpStream::connect(address));
    while let Ok(stream) = connect().await {
        held.push(stream.unwrap());
    }
    (address, (held, listener))
}

/// Sixty-four megabytes of zeros, squeezed into sixty-four kilobytes.
fn bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        encoder.write_all(&zeros).unwrap();
    }
    let body = encoder.finish().unwrap();
    let head = format!(
        "{OK}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

async fn answered(
    fault: &'static str,
    cause: &'static str,
    phase: Option<Phase>,
    reply: impl Into<Vec<u8>>,
) -> Row {
    Row::new(fault, cause, phase, target(&answer(reply).await.url("/")))
}

/// The rows.
pub(crate) async fn rows() -> Vec<Row> {
    let mut rows = connections().await;
    rows.extend(heads().await);
    rows.extend(bodies().await);
    rows.extend(lies().await);
    rows.extend(redirects().await);
    rows
}

async fn connections() -> Vec<Row> {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/", unused.local_addr().unwrap());
    drop(unused);
    let (full, held) = full_queue().await;
    let resets = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        reset(stream);
    });
    let at_once = serve(|stream, _| async move { reset(stream) });
    let closes = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
    });
    let (connect, processing) = (Some(Phase::Connect), Some(Phase::Processing));
    vec![
        Row::new(
            "nothing listens",
            "connection-refused",
            connect,
            target(&nobody),
        ),
        Row::new(
            "SYNs are dropped",
            "connect-timeout",
            connect,
            target(&format!("http://{full}/")),
        )
        .holding(held),
        Row::new(
            "reset before the request is read",
            "connection-reset",
            processing,
            target(&at_once.await.url("/")),
        ),
        Row::new(
            "reset after the request",
            "connection-reset",
            processing,
            target(&resets.await.url("/")),
        ),
        Row::new(
            "closed without an answer",
            "connection-reset",
            processing,
            target(&closes.await.url("/")),
        ),
    ]
}

async fn heads() -> Vec<Row> {
    let processing = Some(Phase::Processing);
    let drip = endless(
        "HTTP/1.1 200 OK\r\nx-slow: ",
        b"a",
        Duration::from_millis(50),
    )
    .await;
    let many = format!("{OK}{}\r\n", "x-flood: a\r\n".repeat(5000));
    let long = format!(
        "{OK}x-long: {}\r\ncontent-length: 0\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let endless = endless(
        "HTTP/1.1 200 OK\r\n",
        b"x-endless: a\r\nx-endless: a\r\nx-endless: a\r\nx-endless: a\r\n",
        Duration::ZERO,
    )
    .await;
    vec![
        Row::new(
            "accepted, then silent",
            "response-timeout",
            processing,
            target(&stalls("").await.url("/")),
        ),
        Row::new(
            "the head comes byte by byte",
            "response-timeout",
            processing,
            target(&drip.url("/")),
        ),
        Row::new(
            "the head never ends",
            "response-timeout",
            processing,
            target(&endless.url("/")),
        ),
        answered("five thousand headers", "unexplained", processing, many).await,
        answered("a header of a megabyte", "unexplained", processing, long).await,
        answered(
            "an answer that is not HTTP",
            "unexplained",
            processing,
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        )
        .await,
    ]
}

async fn bodies() -> Vec<Row> {
    let transfer = Some(Phase::Transfer);
    let chunk: &[u8] = b"10\r\naaaaaaaaaaaaaaaa\r\n";
    let drip = endless(
        "HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n",
        b"a",
        Duration::from_millis(50),
    )
    .await;
    let infinite = endless(CHUNKED, chunk, Duration::ZERO).await;
    let cut = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
        let _ = stream.write_all(head).await;
        sleep(Duration::from_millis(50)).await;
        reset(stream);
    });
    let stalled = stalls("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
    vec![
        Row::new(
            "the body stalls",
            "response-timeout",
            transfer,
            target(&stalled.url("/")),
        ),
        Row::new(
            "the body comes byte by byte",
            "response-timeout",
            transfer,
            target(&drip.url("/")),
        ),
        Row::new(
            "a body without an end",
            "response-timeout",
            transfer,
            target(&infinite.url("/")),
        ),
        Row::new(
            "reset within the body",
            "connection-reset",
            transfer,
            target(&cut.await.url("/")),
        ),
    ]
}

/// Bodies that lie about their length or their form.
async fn lies() -> Vec<Row> {
    let transfer = Some(Phase::Transfer);
    vec![
        answered(
            "shorter than it says",
            "response-truncated",
            transfer,
            format!("{OK}content-length: 10\r\n\r\nabc"),
        )
        .await,
        answered(
            "longer than it says",
            "-",
            None,
            format!("{OK}content-length: 3\r\n\r\nabcdef"),
        )
        .await,
        answered(
            "chunks without the last one",
            "response-truncated",
            transfer,
            format!("{CHUNKED}5\r\nabc"),
        )
        .await,
        answered(
            "a chunk whose size is none",
            "unexpected-body",
            transfer,
            format!("{CHUNKED}zz\r\nabc\r\n0\r\n\r\n"),
        )
        .await,
        answered(
            "not the encoding it says",
            "unexpected-body",
            transfer,
            format!("{OK}content-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain"),
        )
        .await,
        answered("a body that unpacks to a thousand times", "-", None, bomb()).await,
    ]
}

async fn redirects() -> Vec<Row> {
    let again = answer("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n").await;
    let metadata = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/\r\ncontent-length: 0\r\n\r\n";
    vec![
        Row::new(
            "redirects in a circle",
            "too-many-redirects",
            Some(Phase::Transfer),
            target(&again.url("/")),
        )
        .with(|target| target.request.max_redirects = 5),
        answered(
            "a redirect to the metadata address",
            // Our own refusal: the request was never sent.
            "prober-local",
            Some(Phase::Connect),
            metadata,
        )
        .await,
    ]
}
