//! Faults of TLS and of HTTP/2 over TLS.

use std::time::Duration;

use probecause::model::observation::Phase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::faults::case::FaultCase;
use crate::support::certified::{Ca, ca, http2, leaf, raw_http2, serve, trusting, valid};
use crate::support::probe::{read_request, target};

/// The cases of this module.
pub(crate) async fn cases() -> Vec<FaultCase> {
    let mut cases = certificates().await;
    cases.extend(handshakes().await);
    cases.extend(frames().await);
    cases
}

async fn certificates() -> Vec<FaultCase> {
    let (trusted, untrusted) = (ca(), ca());
    let mut cases = Vec::new();
    let faults: [(_, _, Option<&Ca>, _); 5] = [
        (
            "expired",
            "certificate-expired",
            Some(&trusted),
            leaf("127.0.0.1", (2001, 2002)),
        ),
        (
            "not yet valid",
            "certificate-not-yet-valid",
            Some(&trusted),
            leaf("127.0.0.1", (2090, 2100)),
        ),
        (
            "another name",
            "certificate-name-mismatch",
            Some(&trusted),
            leaf("other.test", (2020, 2100)),
        ),
        (
            "an untrusted authority",
            "certificate-untrusted",
            Some(&untrusted),
            valid(),
        ),
        ("self-signed", "certificate-untrusted", None, valid()),
    ];
    for (fault, cause, issuer, params) in faults {
        let server = serve(issuer, params, None, http2).await;
        cases.push(FaultCase::new(
            fault,
            cause,
            Some(Phase::Tls),
            trusting(&server, &trusted),
        ));
    }
    let demands = serve(Some(&trusted), valid(), Some(&trusted), http2).await;
    cases.push(FaultCase::new(
        "a client certificate is required",
        "tls-client-certificate-required",
        Some(Phase::Tls),
        trusting(&demands, &trusted),
    ));
    cases
}

async fn handshakes() -> Vec<FaultCase> {
    // The fatal alert protocol_version, which a server with only old versions sends.
    const OLD: &[u8] = &[0x15, 3, 1, 0, 2, 2, 70];
    let mut cases = Vec::new();
    for (fault, cause, bytes) in [
        (
            "plain HTTP instead of TLS",
            "tls-plain-http",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(),
        ),
        ("only outdated TLS versions", "tls-version-unsupported", OLD),
        ("closed during the handshake", "tls-handshake-failed", b""),
    ] {
        let server = crate::support::probe::serve(move |mut stream, _| async move {
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(bytes).await;
        })
        .await;
        let target = target(&format!("https://{}/", server.address));
        cases.push(FaultCase::new(fault, cause, Some(Phase::Tls), target));
    }
    let silent = crate::support::probe::serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        sleep(Duration::from_secs(30)).await;
    })
    .await;
    let stalled = target(&format!("https://{}/", silent.address));
    cases.push(FaultCase::new(
        "the handshake stalls",
        "tls-handshake-failed",
        Some(Phase::Tls),
        stalled,
    ));
    cases
}

async fn frames() -> Vec<FaultCase> {
    let trusted = ca();
    let mut cases = Vec::new();
    let faults: [(_, _, &'static [u8]); 4] = [
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
            "HTTP/2: a forbidden frame",
            "response-malformed",
            &[0, 0, 1, 0, 0, 0, 0, 0, 0, 65],
        ),
        ("HTTP/2: closed without an answer", "connection-reset", &[]),
    ];
    for (fault, cause, frame) in faults {
        let server = serve(Some(&trusted), valid(), None, move |stream| {
            raw_http2(stream, frame)
        })
        .await;
        cases.push(FaultCase::new(
            fault,
            cause,
            Some(Phase::Processing),
            trusting(&server, &trusted),
        ));
    }
    cases.extend(stalls(&trusted).await);
    cases
}

/// Servers that stop sending in the middle of an HTTP/2 exchange.
async fn stalls(trusted: &Ca) -> Vec<FaultCase> {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    // INITIAL_WINDOW_SIZE 0 without a later WINDOW_UPDATE: the client may not send a body.
    const NO_WINDOW: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    // SETTINGS; HEADERS with `:status: 200`; two bytes of DATA without END_STREAM.
    const HALF: &[u8] = &[
        0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88, 0, 0, 2, 0, 0, 0, 0, 0, 1, 65,
        65,
    ];
    let mut cases = Vec::new();
    for (fault, phase, bytes, body) in [
        ("HTTP/2: the stream stalls", Phase::Processing, SETTINGS, ""),
        (
            "HTTP/2: no window for the request body",
            Phase::Processing,
            NO_WINDOW,
            "{}",
        ),
        ("HTTP/2: the body stalls", Phase::Transfer, HALF, ""),
    ] {
        let server = serve(Some(trusted), valid(), None, move |mut stream| async move {
            // The first frame is sent at once, the others after the client opened its stream.
            let first = 9 + usize::from(bytes[2]);
            let _ = stream.write_all(&bytes[..first]).await;
            let _ = stream.read(&mut [0; 1024]).await;
            sleep(Duration::from_millis(100)).await;
            let _ = stream.write_all(&bytes[first..]).await;
            sleep(Duration::from_secs(30)).await;
        })
        .await;
        let case = FaultCase::new(
            fault,
            "response-timeout",
            Some(phase),
            trusting(&server, trusted),
        );
        cases.push(case.with_target(|target| {
            target.request.body = body.as_bytes().to_vec().into();
            if !body.is_empty() {
                target.request.method = "POST".to_owned();
            }
        }));
    }
    cases
}
