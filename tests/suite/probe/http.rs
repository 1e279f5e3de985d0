//! Requests, redirects, bodies, and reused connections, on real sockets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::probe::{answer, check, dns, probe, prober, read_request, serve, target};
use probecause::io::probe::Prober;
use probecause::model::observation::{FaultKind, Phase};
use probecause::model::secret::Secret;
use probecause::model::settings::ResolverSettings;
use probecause::model::target::{Auth, HeaderText, IpVersion};
use tokio::io::AsyncWriteExt;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn the_request_contains_the_configured_parts() {
    let server = answer(OK).await;
    let mut target = target(&server.url("/a?b=c"));
    target.request.method = "POST".to_owned();
    target.request.body = b"hello".as_slice().into();
    target.request.headers = vec![
        ("Host".to_owned(), HeaderText::Plain("shop.test".to_owned())),
        (
            "X-Key".to_owned(),
            HeaderText::Secret(Secret::new("k1".to_owned())),
        ),
    ];
    target.auth = Some(Auth::Bearer(Secret::new("t1".to_owned())));
    let seen = probe(&target).await;
    check(&seen, None);
    let request = server.seen().remove(0).to_lowercase();
    for part in [
        "post /a?b=c http/1.1",
        "host: shop.test",
        "x-key: k1",
        "authorization: bearer t1",
        "content-length: 5",
        "user-agent: probecause/",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    let response = seen.response.unwrap();
    assert_eq!((response.content_length, response.body_bytes), (Some(2), 2));
}

#[tokio::test]
async fn redirects_are_limited_and_a_limit_of_zero_makes_them_the_response() {
    let reply = "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n";
    for (limit, requests, fault) in [
        (0, 1, None),
        (2, 3, Some((FaultKind::TooManyRedirects, Phase::Transfer))),
    ] {
        let server = answer(reply).await;
        let mut target = target(&server.url("/"));
        target.request.max_redirects = limit;
        let seen = probe(&target).await;
        check(&seen, fault);
        assert_eq!(server.seen().len(), requests);
        assert_eq!(seen.response.unwrap().status, 302);
    }
}

#[tokio::test]
async fn a_long_body_is_cut_at_the_limit_and_counted_in_full() {
    let body = "x".repeat(100_000);
    let server = answer(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{body}"
    ))
    .await;
    let mut target = target(&server.url("/"));
    target.request.body_limit = 1000;
    let response = probe(&target).await.response.unwrap();
    assert_eq!((response.body.len(), response.body_bytes), (1000, 100_000));
    assert!(response.body_truncated);
}

#[tokio::test]
async fn a_connection_is_reused() {
    let server = serve(|mut stream, record| async move {
        loop {
            let request = read_request(&mut stream).await;
            if request.is_empty() {
                return;
            }
            record.lock().unwrap().push(request);
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let mut target = target(&server.url("/"));
    target.request.reuse_connection = true;
    let prober: Prober = prober();
    check(&Box::pin(prober.probe(&target)).await, None);
    let again = Box::pin(prober.probe(&target)).await;
    check(&again, None);
    assert_eq!(again.phases.connect, None);
    assert_eq!(again.remote, Some(server.address));
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn concurrent_probes_on_one_client_are_timed_separately() {
    const FAST: u64 = 200;
    const SLOW: u64 = 1000;
    let server = serve(|mut stream, _| async move {
        let request = read_request(&mut stream).await;
        let millis: u64 = request[5..].split(' ').next().unwrap().parse().unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let _ = stream.write_all(OK.as_bytes()).await;
    })
    .await;
    let prober = Arc::new(prober());
    let mut tasks = Vec::new();
    for index in 0..200_u64 {
        let millis = if index % 2 == 0 { FAST } else { SLOW };
        let target = target(&server.url(&format!("/{millis}")));
        let prober = Arc::clone(&prober);
        tasks.push(tokio::spawn(async move {
            (millis, Box::pin(prober.probe(&target)).await)
        }));
    }
    let mut fast = Vec::new();
    for task in tasks {
        let (millis, seen) = task.await.unwrap();
        check(&seen, None);
        let processing = seen.phases.processing.unwrap();
        assert!(
            processing >= Duration::from_millis(millis),
            "{processing:?}"
        );
        assert!(seen.phases.connect.is_some());
        if millis == FAST {
            fast.push(processing);
        }
    }
    // If the times of different probes were mixed up, half of these would be those of slow
    // ones.
    fast.sort_unstable();
    let median = fast[fast.len() / 2];
    assert!(median < Duration::from_millis(SLOW), "{median:?}");
}

#[tokio::test]
async fn every_accepted_encoding_is_decoded() {
    let bodies: [(&str, &[u8]); 4] = [
        (
            "gzip",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00",
        ),
        ("deflate", b"x\x9c\xcbH\xcd\xc9\xc9\x07\x00\x06,\x02\x15"),
        ("br", b"\x0b\x02\x80hello\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello"),
    ];
    for (name, body) in bodies {
        let mut reply = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {name}\r\n\r\n").into_bytes();
        reply.extend(body);
        let seen = probe(&target(&answer(reply).await.url("/"))).await;
        check(&seen, None);
        assert_eq!(seen.response.unwrap().body, b"hello", "{name}");
    }
}

#[tokio::test]
async fn a_signed_request_contains_the_signed_headers() {
    let server = answer(OK).await;
    let credentials = aws_credential_types::Credentials::new(
        "AKIDEXAMPLE",
        "secret-key",
        Some("session-token".to_owned()),
        None,
        "test",
    );
    let provider = aws_credential_types::provider::SharedCredentialsProvider::new(credentials);
    let prober = Prober::with_credentials(&Default::default(), provider).unwrap();
    let mut target = target(&server.url("/a?b=c"));
    target.auth = Some(Auth::SigV4 {
        service: "execute-api".to_owned(),
        region: "eu-west-1".to_owned(),
    });
    check(&Box::pin(prober.probe(&target)).await, None);
    let request = server.seen().remove(0).to_lowercase();
    for part in [
        "authorization: aws4-hmac-sha256 credential=akidexample/",
        "/eu-west-1/execute-api/aws4_request",
        "signedheaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
        "x-amz-security-token: session-token",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert!(!request.contains("secret-key"));
}

#[tokio::test]
async fn an_unreachable_proxy_is_a_proxy_fault() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut target = target("http://name.test/");
    target.request.proxy = Some(proxy.parse().unwrap());
    check(
        &probe(&target).await,
        Some((FaultKind::Proxy, Phase::Connect)),
    );
}

#[tokio::test]
async fn a_refused_tunnel_is_a_proxy_fault() {
    let server = answer("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    let mut target = target("https://name.test/");
    target.request.proxy = Some(server.url("/").parse().unwrap());
    check(
        &probe(&target).await,
        Some((FaultKind::Proxy, Phase::Connect)),
    );
    assert!(server.seen()[0].starts_with("CONNECT name.test:443"));
}

#[tokio::test]
async fn a_plain_request_through_a_proxy_has_an_absolute_url() {
    let server = answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut target = target("http://name.test/path");
    target.request.proxy = Some(server.url("/").parse().unwrap());
    check(&probe(&target).await, None);
    assert!(server.seen()[0].starts_with("GET http://name.test/path HTTP/1.1"));
}

#[tokio::test]
async fn an_ipv6_literal_is_probed_without_name_resolution() {
    let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else {
        // Without IPv6 on this machine, the probe must fail in the connect phase.
        let seen = probe(&target("http://[::1]:9/")).await;
        let fault = seen.fault.expect("nothing can listen on ::1");
        assert_eq!((fault.phase, seen.phases.resolve), (Phase::Connect, None));
        return;
    };
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    });
    let seen = probe(&target(&format!("http://{address}/"))).await;
    check(&seen, None);
    assert_eq!((seen.remote, seen.phases.resolve), (Some(address), None));
    let mut by_name = target(&format!("http://localhost:{}/", address.port()));
    by_name.request.ip = IpVersion::V4;
    let seen = probe(&by_name).await;
    check(&seen, Some((FaultKind::ConnectionRefused, Phase::Connect)));
}

#[tokio::test]
async fn only_addresses_of_the_configured_ip_version_are_used() {
    let server = answer(OK).await;
    let resolver = ResolverSettings {
        servers: vec![dns(Some((0, Some([127, 0, 0, 1])))).await],
        ..ResolverSettings::default()
    };
    let prober = Prober::new(&resolver).unwrap();
    let mut target = target(&format!("http://name.test:{}/", server.address.port()));
    for (version, fault) in [
        (IpVersion::Any, None),
        (IpVersion::V4, None),
        (IpVersion::V6, Some((FaultKind::NoAddress, Phase::Resolve))),
    ] {
        target.request.ip = version;
        check(&Box::pin(prober.probe(&target)).await, fault);
    }
}
