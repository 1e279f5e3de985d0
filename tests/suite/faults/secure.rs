//! Faults of TLS and of HTTP/2.

use std::time::Duration;

use probecause::model::observation::Phase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::faults::row::Row;
use crate::support::certified::{Ca, ca, http2, leaf, raw_http2, serve, trusting, valid};
use crate::support::probe::{read_request, target};

/// The rows.
pub(crate) async fn rows() -> Vec<Row> {
    let mut rows = certificates().await;
    rows.extend(handshakes().await);
    rows.extend(frames().await);
    rows
}

async fn certificates() -> Vec<Row> {
    let (ours, stranger) = (ca(), ca());
    let mut rows = Vec::new();
    let cases: [(_, _, Option<&Ca>, _); 5] = [
        (
            "expired",
            "certificate-expired",
            Some(&ours),
            leaf("127.0.0.1", (2001, 2002)),
        ),
        (
            "not yet valid",
            "certificate-untrusted",
            Some(&ours),
            leaf("127.0.0.1", (2090, 2100)),
        ),
        (
            "another name",
            "certificate-name-mismatch",
            Some(&ours),
            leaf("other.test", (2020, 2100)),
        ),
        (
            "an authority nobody knows",
            "certificate-untrusted",
            Some(&stranger),
            valid(),
        ),
        ("signed by itself", "certificate-untrusted", None, valid()),
    ];
    for (fault, cause, issuer, params) in cases {
        let server = serve(issuer, params, None, http2).await;
        rows.push(Row::new(
            fault,
            cause,
            Some(Phase::Tls),
            trusting(&server, &ours),
        ));
    }
    let demands = serve(Some(&ours), valid(), Some(&ours), http2).await;
    rows.push(Row::new(
        "a client's certificate is demanded",
        "tls-handshake-failed",
        Some(Phase::Tls),
        trusting(&demands, &ours),
    ));
    rows
}

async fn handshakes() -> Vec<Row> {
    // An alert, fatal: protocol_version, as a server of old versions alone sends it.
    const OLD: &[u8] = &[0x15, 3, 1, 0, 2, 2, 70];
    let mut rows = Vec::new();
    for (fault, cause, said) in [
        (
            "plain HTTP where TLS should be",
            "tls-handshake-failed",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(),
        ),
        (
            "only versions that are too old",
            "tls-handshake-failed",
            OLD,
        ),
        ("closed within the handshake", "tls-handshake-failed", b""),
    ] {
        let server = crate::support::probe::serve(move |mut stream, _| async move {
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(said).await;
        })
        .await;
        let target = target(&format!("https://{}/", server.address));
        rows.push(Row::new(fault, cause, Some(Phase::Tls), target));
    }
    let silent = crate::support::probe::serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        sleep(Duration::from_secs(30)).await;
    })
    .await;
    let stalled = target(&format!("https://{}/", silent.address));
    rows.push(Row::new(
        "the handshake stalls",
        "tls-handshake-failed",
        Some(Phase::Tls),
        stalled,
    ));
    rows
}

async fn frames() -> Vec<Row> {
    let ours = ca();
    let mut rows = Vec::new();
    let cases: [(_, _, &'static [u8]); 4] = [
        (
            "HTTP/2: GOAWAY",
            "connection-reset",
            &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        (
            "HTTP/2: RST_STREAM",
            "connection-reset",
            &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7],
        ),
        // DATA on stream 0 is forbidden.
        (
            "HTTP/2: a frame that may not be",
            "unexplained",
            &[0, 0, 1, 0, 0, 0, 0, 0, 0, 65],
        ),
        ("HTTP/2: closed without an answer", "connection-reset", &[]),
    ];
    for (fault, cause, frame) in cases {
        let server = serve(Some(&ours), valid(), None, move |stream| {
            raw_http2(stream, frame)
        })
        .await;
        rows.push(Row::new(
            fault,
            cause,
            Some(Phase::Processing),
            trusting(&server, &ours),
        ));
    }
    rows.extend(silences(&ours).await);
    rows
}

/// Servers that say this much over HTTP/2 and then never another word.
async fn silences(ours: &Ca) -> Vec<Row> {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    // INITIAL_WINDOW_SIZE is nought, and no WINDOW_UPDATE ever comes: no body may be sent.
    const NO_WINDOW: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    // SETTINGS; HEADERS with `:status: 200`; two bytes of DATA, which are not the end.
    const HALF: &[u8] = &[
        0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88, 0, 0, 2, 0, 0, 0, 0, 0, 1, 65,
        65,
    ];
    let mut rows = Vec::new();
    for (fault, phase, said, body) in [
        ("HTTP/2: the stream stalls", Phase::Processing, SETTINGS, ""),
        (
            "HTTP/2: no window for the request's body",
            Phase::Processing,
            NO_WINDOW,
            "{}",
        ),
        ("HTTP/2: the body stalls", Phase::Transfer, HALF, ""),
    ] {
        let server = serve(Some(ours), valid(), None, move |mut stream| async move {
            // The first frame at once; what belongs to a stream once there is one.
            let first = 9 + usize::from(said[2]);
            let _ = stream.write_all(&said[..first]).await;
            let _ = stream.read(&mut [0; 1024]).await;
            sleep(Duration::from_millis(100)).await;
            let _ = stream.write_all(&said[first..]).await;
            sleep(Duration::from_secs(30)).await;
        })
        .await;
        let row = Row::new(
            fault,
            "response-timeout",
            Some(phase),
            trusting(&server, ours),
        );
        rows.push(row.with(|target| {
            target.request.body = body.as_bytes().to_vec().into();
            if !body.is_empty() {
                target.request.method = "POST".to_owned();
            }
        }));
    }
    rows
}
