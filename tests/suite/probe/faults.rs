//! Every way a probe can break below TLS, on real sockets.

use std::time::Duration;

use crate::support::probe::{
    answer, check, dns, probe, prober, read_request, reset, serve, target,
};
use probecause::io::probe::Prober;
use probecause::model::observation::{FaultKind, Phase};
use probecause::model::settings::ResolverSettings;
use tokio::io::AsyncWriteExt;

async fn breaks(reply: &[u8], kind: FaultKind, phase: Phase) {
    let server = answer(reply).await;
    check(&probe(&target(&server.url("/"))).await, Some((kind, phase)));
    assert_eq!(server.seen().len(), 1, "more than one request");
}

#[tokio::test]
async fn an_answer_cut_before_its_announced_length_is_truncated() {
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
    breaks(reply, FaultKind::Truncated, Phase::Transfer).await;
}

#[tokio::test]
async fn a_chunked_answer_without_its_end_is_truncated() {
    let reply = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc";
    breaks(reply, FaultKind::Truncated, Phase::Transfer).await;
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_protocol_fault() {
    breaks(
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        FaultKind::Protocol,
        Phase::Processing,
    )
    .await;
}

#[tokio::test]
async fn a_close_without_answer_is_told_from_a_reset() {
    breaks(b"", FaultKind::ConnectionClosed, Phase::Processing).await;
    let server = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        reset(stream);
    })
    .await;
    let seen = probe(&target(&server.url("/"))).await;
    check(&seen, Some((FaultKind::ConnectionReset, Phase::Processing)));
}

#[tokio::test]
async fn a_reset_within_the_body_keeps_the_answer_so_far() {
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
async fn a_body_that_is_not_what_it_says_is_a_decode_fault() {
    let reply = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain";
    breaks(reply, FaultKind::Decode, Phase::Transfer).await;
}

#[tokio::test]
async fn a_port_without_listener_refuses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let seen = probe(&target(&url)).await;
    check(&seen, Some((FaultKind::ConnectionRefused, Phase::Connect)));
}

async fn resolves(reply: Option<(u8, Option<[u8; 4]>)>, timeout: u64) -> Prober {
    Prober::new(&ResolverSettings {
        servers: vec![dns(reply).await],
        timeout: Duration::from_millis(timeout),
        attempts: 1,
    })
    .unwrap()
}

#[tokio::test]
async fn what_the_resolver_says_is_told_apart() {
    let name_not_found = FaultKind::NameNotFound;
    for (reply, kind) in [
        (Some((3, None)), name_not_found),
        (Some((0, None)), name_not_found),
        (Some((2, None)), FaultKind::ResolverFailure),
        (Some((5, None)), FaultKind::ResolverFailure),
        (None, FaultKind::ResolverFailure),
        (
            Some((0, Some([169, 254, 169, 254]))),
            FaultKind::AddressRefused,
        ),
    ] {
        let prober = resolves(reply, 100).await;
        let seen = Box::pin(prober.probe(&target("http://name.test/"))).await;
        check(&seen, Some((kind, Phase::Resolve)));
    }
}

#[tokio::test]
async fn a_resolved_name_is_probed_and_its_resolution_is_measured() {
    let server = answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let prober = resolves(Some((0, Some([127, 0, 0, 1]))), 1000).await;
    let url = format!("http://name.test:{}/", server.address.port());
    let seen = Box::pin(prober.probe(&target(&url))).await;
    check(&seen, None);
    assert!(seen.phases.resolve.is_some() && seen.phases.connect.is_some());
    assert_eq!(seen.remote, Some(server.address));
}

#[tokio::test]
async fn the_deadline_names_the_phase_that_was_running() {
    // Long enough that a busy machine still spends most of it in the stalled phase.
    let limit = Duration::from_millis(500);
    let mut slow_name = target("http://name.test/");
    slow_name.timeout = limit;
    let prober = resolves(None, 5000).await;
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
async fn a_metadata_literal_is_refused_after_a_redirect() {
    let reply =
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/x\r\ncontent-length: 0\r\n\r\n";
    let server = answer(reply).await;
    let mut target = target(&server.url("/"));
    target.request.max_redirects = 3;
    let seen = Box::pin(prober().probe(&target)).await;
    assert_eq!(seen.fault.unwrap().kind, FaultKind::AddressRefused);
}

/// A listener whose queue is full: Linux drops further SYNs, as a firewall would.
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
    let patience = Duration::from_millis(200);
    while let Ok(stream) =
        tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await
    {
        held.push(stream.unwrap());
    }
    (address, held, listener)
}

#[tokio::test]
async fn a_host_that_drops_packets_times_out_in_connect() {
    let (address, _held, _listener) = full_queue().await;
    let mut target = target(&format!("http://{address}/"));
    target.timeout = Duration::from_millis(300);
    let seen = probe(&target).await;
    check(&seen, Some((FaultKind::Timeout, Phase::Connect)));
    assert!(seen.phases.connect.unwrap() >= Duration::from_millis(250));
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_a_bad_redirect() {
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
