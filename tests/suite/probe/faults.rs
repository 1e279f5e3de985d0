//! Every fault of a probe except those of TLS, on real sockets.

use std::time::Duration;

use crate::support::probe::{
    answer, check, dns, probe, prober, read_request, reset, serve, target,
};
use probecause::io::probe::Prober;
use probecause::model::observation::{FaultKind, Phase};
use probecause::model::settings::ResolverSettings;
use tokio::io::AsyncWriteExt;

/// Probes a server that sends `reply` and expects one fault and one request.
async fn check_fault(reply: &[u8], kind: FaultKind, phase: Phase) {
    let server = answer(reply).await;
    check(&probe(&target(&server.url("/"))).await, Some((kind, phase)));
    assert_eq!(server.seen().len(), 1, "more than one request");
}

#[tokio::test]
async fn a_response_shorter_than_its_content_length_is_truncated() {
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
    check_fault(reply, FaultKind::Truncated, Phase::Transfer).await;
}

#[tokio::test]
async fn a_chunked_response_without_its_end_is_truncated() {
    let reply = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc";
    check_fault(reply, FaultKind::Truncated, Phase::Transfer).await;
}

#[tokio::test]
async fn a_response_that_is_not_http_is_a_protocol_fault() {
    check_fault(
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        FaultKind::Protocol,
        Phase::Processing,
    )
    .await;
}

#[tokio::test]
async fn a_close_without_a_response_and_a_reset_are_different_faults() {
    check_fault(b"", FaultKind::ConnectionClosed, Phase::Processing).await;
    let server = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        reset(stream);
    })
    .await;
    let seen = probe(&target(&server.url("/"))).await;
    check(&seen, Some((FaultKind::ConnectionReset, Phase::Processing)));
}

#[tokio::test]
async fn a_reset_within_the_body_keeps_the_received_part() {
    let server = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
        stream.write_all(head).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        reset(stream);
    })
    .await;
    let seen = probe(&target(&server.url("/"))).await;
    check(&seen, Some((FaultKind::ConnectionReset, Phase::Transfer)));
    let response = seen.response.unwrap();
    assert_eq!((response.status, response.body), (200, b"abc".to_vec()));
}

#[tokio::test]
async fn a_body_that_contradicts_its_encoding_is_a_decode_fault() {
    let reply = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain";
    check_fault(reply, FaultKind::Decode, Phase::Transfer).await;
}

#[tokio::test]
async fn a_port_without_a_listener_refuses_the_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let seen = probe(&target(&url)).await;
    check(&seen, Some((FaultKind::ConnectionRefused, Phase::Connect)));
}

/// A prober whose name server replies with a response code and an address, or not at all;
/// `timeout` in milliseconds.
async fn prober_with_dns(reply: Option<(u8, Option<[u8; 4]>)>, timeout: u64) -> Prober {
    Prober::new(&ResolverSettings {
        servers: vec![dns(reply).await],
        timeout: Duration::from_millis(timeout),
        attempts: 1,
    })
    .unwrap()
}

#[tokio::test]
async fn replies_of_the_name_server_are_distinguished() {
    for (reply, kind) in [
        (Some((3, None)), FaultKind::NameNotFound),
        (Some((0, None)), FaultKind::NoAddress),
        (Some((2, None)), FaultKind::ResolverFailure),
        (Some((5, None)), FaultKind::ResolverFailure),
        (None, FaultKind::ResolverUnreachable),
        (
            Some((0, Some([169, 254, 169, 254]))),
            FaultKind::AddressRefused,
        ),
    ] {
        let prober = prober_with_dns(reply, 100).await;
        let seen = Box::pin(prober.probe(&target("http://name.test/"))).await;
        check(&seen, Some((kind, Phase::Resolve)));
    }
}

#[tokio::test]
async fn the_time_of_name_resolution_is_measured() {
    let server = answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let prober = prober_with_dns(Some((0, Some([127, 0, 0, 1]))), 1000).await;
    let url = format!("http://name.test:{}/", server.address.port());
    let seen = Box::pin(prober.probe(&target(&url))).await;
    check(&seen, None);
    assert!(seen.phases.resolve.is_some() && seen.phases.connect.is_some());
    assert_eq!(seen.remote, Some(server.address));
}

#[tokio::test]
async fn a_timeout_names_the_phase_in_progress() {
    // Long enough that a busy machine still spends most of it in the stalled phase.
    let limit = Duration::from_millis(500);
    let mut slow_name = target("http://name.test/");
    slow_name.timeout = limit;
    let prober = prober_with_dns(None, 5000).await;
    let seen = Box::pin(prober.probe(&slow_name)).await;
    check(&seen, Some((FaultKind::Timeout, Phase::Resolve)));
    for (head, https, phase) in [
        ("", true, Phase::Tls),
        ("", false, Phase::Processing),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
            false,
            Phase::Transfer,
        ),
    ] {
        let server = serve(move |mut stream, _| async move {
            if !https {
                read_request(&mut stream).await;
            }
            stream.write_all(head.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
        })
        .await;
        let scheme = if https { "https" } else { "http" };
        let mut stalled = target(&format!("{scheme}://{}/", server.address));
        stalled.timeout = limit;
        let seen = Box::pin(crate::support::probe::prober().probe(&stalled)).await;
        check(&seen, Some((FaultKind::Timeout, phase)));
        let ran = seen.phases.get(phase).unwrap();
        assert!(ran > limit / 2 && ran <= seen.duration, "{ran:?}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_metadata_address_is_refused() {
    let reply =
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/x\r\ncontent-length: 0\r\n\r\n";
    let server = answer(reply).await;
    let mut target = target(&server.url("/"));
    target.request.max_redirects = 3;
    let seen = Box::pin(prober().probe(&target)).await;
    assert_eq!(seen.fault.unwrap().kind, FaultKind::AddressRefused);
}

/// A listener with a full accept queue: Linux drops further SYNs, as a firewall does.
async fn full_queue() -> (
    std::net::SocketAddr,
    Vec<tokio::net::TcpStream>,
    tokio::net::TcpListener,
) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    let limit = Duration::from_millis(200);
    while let Ok(stream) =
        tokio::time::timeout(limit, tokio::net::TcpStream::connect(address)).await
    {
        held.push(stream.unwrap());
    }
    (address, held, listener)
}

#[tokio::test]
async fn a_host_that_drops_packets_causes_a_timeout_in_connect() {
    let (address, _held, _listener) = full_queue().await;
    let mut target = target(&format!("http://{address}/"));
    target.timeout = Duration::from_millis(300);
    let seen = probe(&target).await;
    check(&seen, Some((FaultKind::Timeout, Phase::Connect)));
    assert!(seen.phases.connect.unwrap() >= Duration::from_millis(250));
}

#[tokio::test]
async fn a_redirect_without_a_usable_location_is_a_bad_redirect() {
    for location in [
        "",
        "location: ftp://x.test/\r\n",
        "location: http://[::bad/\r\n",
    ] {
        let reply = format!("HTTP/1.1 302 Found\r\n{location}content-length: 0\r\n\r\n");
        let server = answer(reply).await;
        let seen = probe(&target(&server.url("/"))).await;
        let fault = seen.fault.map(|fault| fault.kind);
        assert_eq!(fault, Some(FaultKind::BadRedirect), "{location:?}");
    }
}
