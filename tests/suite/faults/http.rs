//! Faults without TLS: connections, HTTP/1.1 heads, bodies and redirects.

use std::io::Write as _;
use std::time::Duration;

use probecause::model::observation::Phase;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::faults::case::FaultCase;
use crate::support::loopback::full_queue;
use crate::support::probe::{Server, answer, read_request, reset, serve, target};

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Serves `head`, then `piece` without end, with `pause` after each piece.
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

/// Serves `head`, then sends nothing and keeps the connection open.
async fn stalls(head: &'static str) -> Server {
    serve(move |mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(head.as_bytes()).await;
        sleep(Duration::from_secs(30)).await;
    })
    .await
}

/// Returns a gzip response of 64 kilobytes that decompresses to 64 megabytes.
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

/// A case whose server answers with `reply`.
async fn answered(
    fault: &'static str,
    cause: &'static str,
    phase: Option<Phase>,
    reply: impl Into<Vec<u8>>,
) -> FaultCase {
    FaultCase::new(fault, cause, phase, target(&answer(reply).await.url("/")))
}

/// The cases of this module.
pub(crate) async fn cases() -> Vec<FaultCase> {
    let mut cases = connections().await;
    cases.extend(heads().await);
    cases.extend(bodies().await);
    cases.extend(malformed_bodies().await);
    cases.extend(redirects().await);
    cases
}

async fn connections() -> Vec<FaultCase> {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unused_url = format!("http://{}/", unused.local_addr().unwrap());
    drop(unused);
    let held = full_queue().await;
    let full = held.0.local_addr().unwrap();
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
        FaultCase::new(
            "nothing listens",
            "connection-refused",
            connect,
            target(&unused_url),
        ),
        FaultCase::new(
            "SYNs are dropped",
            "connect-timeout",
            connect,
            target(&format!("http://{full}/")),
        )
        .holding(held),
        FaultCase::new(
            "reset before the request is read",
            "connection-reset",
            processing,
            target(&at_once.await.url("/")),
        ),
        FaultCase::new(
            "reset after the request",
            "connection-reset",
            processing,
            target(&resets.await.url("/")),
        ),
        FaultCase::new(
            "closed without an answer",
            "connection-reset",
            processing,
            target(&closes.await.url("/")),
        ),
    ]
}

async fn heads() -> Vec<FaultCase> {
    let (processing, malformed) = (Some(Phase::Processing), "response-malformed");
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
        FaultCase::new(
            "accepted, then no answer",
            "response-timeout",
            processing,
            target(&stalls("").await.url("/")),
        ),
        FaultCase::new(
            "the head arrives byte by byte",
            "response-timeout",
            processing,
            target(&drip.url("/")),
        ),
        FaultCase::new(
            "the head never ends",
            "response-timeout",
            processing,
            target(&endless.url("/")),
        ),
        answered("five thousand headers", malformed, processing, many).await,
        answered("a header of a megabyte", malformed, processing, long).await,
        answered(
            "an answer that is not HTTP",
            malformed,
            processing,
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        )
        .await,
    ]
}

async fn bodies() -> Vec<FaultCase> {
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
        FaultCase::new(
            "the body stalls",
            "response-timeout",
            transfer,
            target(&stalled.url("/")),
        ),
        FaultCase::new(
            "the body arrives byte by byte",
            "response-timeout",
            transfer,
            target(&drip.url("/")),
        ),
        FaultCase::new(
            "the body never ends",
            "response-timeout",
            transfer,
            target(&infinite.url("/")),
        ),
        FaultCase::new(
            "reset during the body",
            "connection-reset",
            transfer,
            target(&cut.await.url("/")),
        ),
    ]
}

/// Bodies that contradict their headers.
async fn malformed_bodies() -> Vec<FaultCase> {
    let transfer = Some(Phase::Transfer);
    vec![
        answered(
            "a body shorter than its content-length",
            "response-truncated",
            transfer,
            format!("{OK}content-length: 10\r\n\r\nabc"),
        )
        .await,
        answered(
            "a body longer than its content-length",
            "-",
            None,
            format!("{OK}content-length: 3\r\n\r\nabcdef"),
        )
        .await,
        answered(
            "chunks without the final chunk",
            "response-truncated",
            transfer,
            format!("{CHUNKED}5\r\nabc"),
        )
        .await,
        answered(
            "an invalid chunk size",
            "response-malformed",
            transfer,
            format!("{CHUNKED}zz\r\nabc\r\n0\r\n\r\n"),
        )
        .await,
        answered(
            "a body that is not in its content-encoding",
            "unexpected-body",
            transfer,
            format!("{OK}content-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain"),
        )
        .await,
        answered("a decompression bomb", "-", None, bomb()).await,
    ]
}

async fn redirects() -> Vec<FaultCase> {
    let again = answer("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n").await;
    let metadata = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/\r\ncontent-length: 0\r\n\r\n";
    vec![
        FaultCase::new(
            "a redirect loop",
            "too-many-redirects",
            Some(Phase::Transfer),
            target(&again.url("/")),
        )
        .with_target(|target| target.request.max_redirects = 5),
        answered(
            "a redirect to the metadata address",
            // Rejected by the prober itself: the request was never sent.
            "prober-local",
            Some(Phase::Connect),
            metadata,
        )
        .await,
    ]
}
