//! Reused connections that end at the wrong moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::certified;
use crate::support::probe::{Server, check, prober, read_request, reset, serve, target};
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::io::probe::Prober;
use probecause::model::observation::{FaultKind, Observation, Phase};
use probecause::model::target::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn reusing(server: &Server) -> Target {
    let mut target = target(&server.url("/"));
    target.request.reuse_connection = true;
    target
}

async fn probe(prober: &Prober, target: &Target) -> Observation {
    Box::pin(prober.probe(target)).await
}

/// How a server ends a connection.
#[derive(Clone, Copy, Debug)]
enum End {
    Fin,
    Reset,
}

fn end(stream: TcpStream, how: End) {
    match how {
        End::Fin => drop(stream),
        End::Reset => reset(stream),
    }
}

#[tokio::test]
async fn a_connection_that_ends_instead_of_a_response_is_replaced_once() {
    for how in [End::Fin, End::Reset] {
        // Each connection answers one request and ends when the next one has arrived.
        let server = serve(move |mut stream, record| async move {
            let request = read_request(&mut stream).await;
            record.lock().unwrap().push(request);
            stream.write_all(OK.as_bytes()).await.unwrap();
            let request = read_request(&mut stream).await;
            if !request.is_empty() {
                record.lock().unwrap().push(request);
            }
            end(stream, how);
        })
        .await;
        let (target, prober) = (reusing(&server), prober());
        for index in 0..4 {
            let seen = probe(&prober, &target).await;
            check(&seen, None);
            assert_eq!(seen.replaced_connections, u32::from(index > 0), "{how:?}");
        }
        assert_eq!(server.connections.load(Ordering::SeqCst), 4, "{how:?}");
        assert_eq!(server.seen().len(), 7, "{how:?}");
    }
}

#[tokio::test]
async fn a_replaced_connection_is_evidence_of_a_probe_that_passed() {
    let server = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        read_request(&mut stream).await;
    })
    .await;
    let (target, prober) = (reusing(&server), prober());
    probe(&prober, &target).await;
    let seen = probe(&prober, &target).await;
    let facts = Facts::gather(&target, &seen, &Context::at(seen.started));
    let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
    let evidence: Vec<_> = diagnosis
        .evidence
        .iter()
        .map(|found| format!("{}={}", found.fact, found.value))
        .collect();
    assert_eq!(evidence, ["replaced_connections=1"]);
    assert!(diagnosis.verdict.is_none());
}

#[tokio::test]
async fn a_server_that_never_responds_fails_after_one_replacement() {
    let served = Arc::new(AtomicUsize::new(0));
    let server = serve(move |mut stream, record| {
        let served = Arc::clone(&served);
        async move {
            while record.lock().unwrap().len() < 10 {
                let request = read_request(&mut stream).await;
                record.lock().unwrap().push(request);
                if served.fetch_add(1, Ordering::SeqCst) > 0 {
                    return;
                }
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let (target, prober) = (reusing(&server), prober());
    check(&probe(&prober, &target).await, None);
    let lost = probe(&prober, &target).await;
    let closed = (FaultKind::ConnectionClosed, Phase::Processing);
    check(&lost, Some(closed));
    assert_eq!(lost.replaced_connections, 1);
    assert_eq!(server.seen().len(), 3);
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_response_that_has_begun_is_not_requested_again() {
    let server = serve(|mut stream, record| async move {
        for reply in [OK, "HTTP/1.1 200 O"] {
            let request = read_request(&mut stream).await;
            record.lock().unwrap().push(request);
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    })
    .await;
    let (target, prober) = (reusing(&server), prober());
    check(&probe(&prober, &target).await, None);
    let seen = probe(&prober, &target).await;
    let closed = (FaultKind::ConnectionClosed, Phase::Processing);
    check(&seen, Some(closed));
    assert_eq!((seen.replaced_connections, server.seen().len()), (0, 2));
}

#[tokio::test]
async fn a_message_that_the_connection_was_idle_is_not_a_response() {
    const IDLE: &str = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\
                        content-length: 0\r\n\r\n";
    let server = serve(|mut stream, record| async move {
        for reply in [OK, IDLE] {
            let request = read_request(&mut stream).await;
            record.lock().unwrap().push(request);
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    })
    .await;
    let (mut target, prober) = (reusing(&server), prober());
    check(&probe(&prober, &target).await, None);
    let seen = probe(&prober, &target).await;
    check(&seen, None);
    assert_eq!(
        (seen.response.unwrap().status, seen.replaced_connections),
        (200, 1)
    );
    // On a new connection, the endpoint itself has responded so.
    let always = crate::support::probe::answer(IDLE).await;
    target.url = always.url("/").parse().unwrap();
    let seen = probe(&prober, &target).await;
    assert_eq!(
        (seen.response.unwrap().status, seen.replaced_connections),
        (408, 0)
    );
}

/// A server that redirects `/` to `/end`, and ends the connection after each redirect.
async fn redirecting(how: End, announced: bool) -> Server {
    serve(move |mut stream, record| async move {
        loop {
            let request = read_request(&mut stream).await;
            if request.is_empty() {
                return;
            }
            let is_first = request.starts_with("GET / ");
            record.lock().unwrap().push(request);
            if !is_first {
                stream.write_all(OK.as_bytes()).await.unwrap();
                continue;
            }
            let close = if announced {
                "connection: close\r\n"
            } else {
                ""
            };
            let reply =
                format!("HTTP/1.1 302 Found\r\nlocation: /end\r\n{close}content-length: 0\r\n\r\n");
            stream.write_all(reply.as_bytes()).await.unwrap();
            return end(stream, how);
        }
    })
    .await
}

#[tokio::test]
async fn a_server_that_closes_after_its_redirect_is_healthy() {
    for how in [End::Fin, End::Reset] {
        for announced in [true, false] {
            let server = redirecting(how, announced).await;
            let (target, prober) = (reusing(&server), prober());
            for index in 0..30 {
                let seen = probe(&prober, &target).await;
                check(&seen, None);
                assert_eq!((seen.redirects, seen.response.unwrap().status), (1, 200));
                if announced {
                    assert_eq!(seen.replaced_connections, 0, "{how:?}, probe {index}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_not_used() {
    for how in [End::Fin, End::Reset] {
        let ended = Arc::new(tokio::sync::Notify::new());
        let notify = Arc::clone(&ended);
        let server = serve(move |mut stream, record| {
            let ended = Arc::clone(&notify);
            async move {
                let request = read_request(&mut stream).await;
                record.lock().unwrap().push(request);
                stream.write_all(OK.as_bytes()).await.unwrap();
                // Until the client has read the response, a reset would discard it.
                tokio::time::sleep(Duration::from_millis(20)).await;
                end(stream, how);
                ended.notify_one();
            }
        })
        .await;
        let (target, prober) = (reusing(&server), prober());
        for _ in 0..3 {
            let seen = probe(&prober, &target).await;
            check(&seen, None);
            ended.notified().await;
        }
        assert_eq!(server.seen().len(), 3, "{how:?}");
    }
}

#[tokio::test]
async fn a_reused_http2_connection_that_goes_away_is_replaced() {
    let ca = certified::ca();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    // The first connection answers one request, then sends GOAWAY instead of a response.
    let server = certified::serve(Some(&ca), certified::valid(), None, move |mut stream| {
        let index = count.fetch_add(1, Ordering::SeqCst);
        async move {
            if index > 0 {
                return certified::http2(stream).await;
            }
            // SETTINGS; then HEADERS with `:status: 200` and END_STREAM on stream 1.
            let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
            let mut buffer = [0; 4096];
            let mut read = 0;
            while read < 120 {
                read += stream.read(&mut buffer).await.unwrap();
            }
            let _ = stream.write_all(&[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]).await;
            while !has_headers_of_stream(&buffer, 3) {
                if stream.read(&mut buffer).await.unwrap() == 0 {
                    return;
                }
            }
            let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
            let _ = stream.write_all(&goaway).await;
            let _ = stream.flush().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let mut target = certified::trusting(&server, &ca);
    target.request.reuse_connection = true;
    let prober = prober();
    check(&probe(&prober, &target).await, None);
    let seen = probe(&prober, &target).await;
    check(&seen, None);
    assert_eq!(seen.replaced_connections, 1);
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

/// Whether the bytes contain the header of a HEADERS frame for a stream.
fn has_headers_of_stream(bytes: &[u8], stream: u8) -> bool {
    bytes
        .windows(9)
        .any(|frame| frame[3] == 1 && frame[4] & 4 != 0 && frame[5..9] == [0, 0, 0, stream])
}
