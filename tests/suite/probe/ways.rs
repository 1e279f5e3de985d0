//! Other ways to an endpoint than its URL says: another address, server name, HTTP version, DNS
//! server or proxy, and certificates that are not verified.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::support::certified::{ca, http2, leaf, serve as serve_tls, valid};
use crate::support::probe::{answer, check, dns, probe, read_request, serve, target};
use probecause::model::host_port::HostPort;
use probecause::model::observation::{FaultKind, HttpVersion, Phase};
use probecause::model::secret::Secret;
use probecause::model::target::{HeaderText, HttpChoice, ProxyAuth, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn connections_lead_to_the_named_host_and_port_and_the_request_stays() {
    let server = answer(OK).await;
    let to = HostPort::parse(&server.address.to_string()).unwrap();
    for url in [
        "http://name.test/x",
        "http://name.test:8080/x",
        "http://192.0.2.1/x",
    ] {
        let mut target = target(url);
        target.request.connect_to = Some(to.clone());
        let seen = probe(&target).await;
        check(&seen, None);
        assert_eq!(seen.remote, Some(server.address));
        let host = url.trim_start_matches("http://").trim_end_matches("/x");
        let request = server.seen().pop().unwrap();
        assert!(request.contains(&format!("host: {host}\r\n")), "{request}");
    }
}

#[tokio::test]
async fn a_configured_host_replaces_that_of_the_url() {
    let server = answer(OK).await;
    let mut target = target(&server.url("/"));
    let host = HeaderText::Plain("shop.test".to_owned());
    target.request.headers = vec![("Host".to_owned(), host)];
    check(&probe(&target).await, None);
    let request = server.seen().pop().unwrap().to_lowercase();
    assert_eq!(request.matches("host:").count(), 1, "{request}");
    assert!(request.contains("host: shop.test\r\n"), "{request}");
}

#[tokio::test]
async fn the_configured_server_name_is_sent_and_verified() {
    let ca = ca();
    let server = serve_tls(Some(&ca), leaf("shop.test", (2020, 2100)), None, http2).await;
    let mut target = target(&format!("https://{}/", server.address));
    target.tls.ca = Some(ca.pem().into_bytes().into());
    let mismatch = Some((FaultKind::CertificateNameMismatch, Phase::Tls));
    check(&probe(&target).await, mismatch);
    target.request.server_name = Some("shop.test".to_owned());
    check(&probe(&target).await, None);
    target.request.server_name = Some("other.test".to_owned());
    check(&probe(&target).await, mismatch);
}

#[tokio::test]
async fn any_certificate_is_accepted_only_if_verification_is_off() {
    let (ca, unknown) = (ca(), ca());
    for (issuer, params) in [
        (Some(&ca), leaf("127.0.0.1", (2001, 2002))),
        (Some(&ca), leaf("other.test", (2020, 2100))),
        (Some(&unknown), valid()),
        (None, valid()),
    ] {
        let until = params.not_after.unix_timestamp();
        let server = serve_tls(issuer, params, None, http2).await;
        let mut target = target(&format!("https://{}/", server.address));
        target.tls.ca = Some(ca.pem().into_bytes().into());
        assert!(probe(&target).await.fault.is_some());
        target.tls.accept_any_certificate = true;
        let seen = probe(&target).await;
        check(&seen, None);
        assert_eq!(seen.earliest_expiry().unwrap().as_second(), until);
    }
}

#[tokio::test]
async fn the_version_of_http_is_the_configured_one() {
    let ca = ca();
    let server = serve_tls(Some(&ca), valid(), None, |mut stream| async move {
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            return http2(stream).await;
        }
        read_request(&mut stream).await;
        let _ = stream.write_all(OK.as_bytes()).await;
        let _ = stream.shutdown().await;
    })
    .await;
    let mut target = target(&format!("https://{}/", server.address));
    target.tls.ca = Some(ca.pem().into_bytes().into());
    for (choice, version) in [
        (HttpChoice::Any, HttpVersion::Http2),
        (HttpChoice::Http1, HttpVersion::Http11),
        (HttpChoice::Http2, HttpVersion::Http2),
    ] {
        target.request.http = choice;
        let seen = probe(&target).await;
        check(&seen, None);
        assert_eq!(seen.response.unwrap().version, version);
    }
}

#[tokio::test]
async fn the_dns_servers_of_a_target_are_asked() {
    let server = answer(OK).await;
    let name_server = dns(Some((0, Some([127, 0, 0, 1])))).await;
    let mut target = target(&format!(
        "http://only-there.test:{}/",
        server.address.port()
    ));
    target.request.resolver = vec![name_server];
    check(&probe(&target).await, None);
    target.request.resolver = vec![dns(Some((3, None))).await];
    check(
        &probe(&target).await,
        Some((FaultKind::NameNotFound, Phase::Resolve)),
    );
}

/// What a SOCKS proxy was asked: the address as text, and the user with the password.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Vec<(String, String)>>>);

/// Starts a SOCKS5 proxy that connects to `to`, whatever it is asked for. With `reply` it refuses.
async fn socks(to: SocketAddr, needs_password: bool, reply: u8) -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let record = asked.clone();
    let proxy = serve(move |mut stream, _| {
        let record = record.clone();
        async move {
            let _ = serve_socks(&mut stream, to, needs_password, reply, &record).await;
        }
    })
    .await;
    (proxy.address, asked)
}

async fn serve_socks(
    stream: &mut TcpStream,
    to: SocketAddr,
    needs_password: bool,
    reply: u8,
    record: &Asked,
) -> std::io::Result<()> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let mut methods = vec![0; usize::from(head[1])];
    stream.read_exact(&mut methods).await?;
    let method = match (needs_password, methods.contains(&2)) {
        (false, _) => 0,
        (true, true) => 2,
        (true, false) => 255,
    };
    stream.write_all(&[5, method]).await?;
    let mut credentials = String::new();
    if method == 2 {
        stream.read_u8().await?;
        for _ in 0..2 {
            let mut text = vec![0; usize::from(stream.read_u8().await?)];
            stream.read_exact(&mut text).await?;
            credentials.push_str(&String::from_utf8_lossy(&text));
            credentials.push(' ');
        }
        let is_right = credentials == "probe hunter2 ";
        stream.write_all(&[1, u8::from(!is_right)]).await?;
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => {
            let mut octets = [0; 4];
            stream.read_exact(&mut octets).await?;
            std::net::Ipv4Addr::from(octets).to_string()
        }
        3 => {
            let mut name = vec![0; usize::from(stream.read_u8().await?)];
            stream.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
        other => format!("type {other}"),
    };
    let port = stream.read_u16().await?;
    record
        .0
        .lock()
        .unwrap()
        .push((format!("{host}:{port}"), credentials));
    stream
        .write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
        .await?;
    if reply == 0 {
        let mut server = TcpStream::connect(to).await?;
        copy_bidirectional(stream, &mut server).await?;
    }
    Ok(())
}

fn through(proxy: SocketAddr, scheme: &str, url: &str) -> Target {
    let mut target = target(url);
    target.request.proxy = Some(format!("{scheme}://{proxy}").parse().unwrap());
    target
}

#[tokio::test]
async fn a_socks_proxy_gets_the_name_or_the_address() {
    let server = answer(OK).await;
    let (proxy, asked) = socks(server.address, false, 0).await;
    let url = "http://name.test:81/x";
    check(&probe(&through(proxy, "socks5h", url)).await, None);
    let mut local = through(proxy, "socks5", url);
    local.request.resolver = vec![dns(Some((0, Some([192, 0, 2, 7])))).await];
    check(&probe(&local).await, None);
    let asked = asked.0.lock().unwrap().clone();
    let hosts: Vec<&str> = asked.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(hosts, ["name.test:81", "192.0.2.7:81"]);
    let request = server.seen().pop().unwrap();
    assert!(request.starts_with("GET /x HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn https_goes_through_a_socks_proxy() {
    let ca = ca();
    let server = serve_tls(Some(&ca), leaf("name.test", (2020, 2100)), None, http2).await;
    let (proxy, _) = socks(server.address, false, 0).await;
    let mut target = through(proxy, "socks5h", "https://name.test/");
    target.tls.ca = Some(ca.pem().into_bytes().into());
    check(&probe(&target).await, None);
}

#[tokio::test]
async fn a_socks_proxy_gets_the_password_and_its_refusals_are_named() {
    let server = answer(OK).await;
    let proxy_fault = Some((FaultKind::Proxy, Phase::Connect));
    let detail = |seen: probecause::model::observation::Observation| {
        check(&seen, proxy_fault);
        seen.fault.unwrap().detail
    };
    let auth = |password: &str| {
        Some(ProxyAuth {
            username: "probe".to_owned(),
            password: Secret::new(password.to_owned()),
        })
    };
    let (proxy, _) = socks(server.address, true, 0).await;
    let mut target = through(proxy, "socks5h", "http://name.test/");
    assert!(detail(probe(&target).await).contains("set or correct `request.proxy_auth`"));
    target.request.proxy_auth = auth("wrong");
    assert!(detail(probe(&target).await).contains("rejected the user name and password"));
    target.request.proxy_auth = auth("hunter2");
    check(&probe(&target).await, None);
    let (refusing, _) = socks(server.address, false, 5).await;
    let refused = probe(&through(refusing, "socks5h", "http://name.test/")).await;
    assert!(detail(refused).contains("could not connect to name.test:80: connection refused"));
    let http = serve(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = read_request(&mut stream).await;
    })
    .await;
    let other = probe(&through(http.address, "socks5h", "http://name.test/")).await;
    assert!(detail(other).contains("does not use SOCKS5"));
}

#[tokio::test]
async fn an_http_proxy_gets_the_password() {
    let proxy = answer(OK).await;
    let mut target = through(proxy.address, "http", "http://name.test/");
    target.request.proxy_auth = Some(ProxyAuth {
        username: "probe".to_owned(),
        password: Secret::new("hunter2".to_owned()),
    });
    check(&probe(&target).await, None);
    let request = proxy.seen().pop().unwrap();
    let expected = "proxy-authorization: Basic cHJvYmU6aHVudGVyMg==\r\n";
    assert!(request.contains(expected), "{request}");
}

#[tokio::test]
async fn the_command_connects_to_the_given_host_and_port() {
    let server = answer(OK).await;
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args([
            "probe",
            "--json",
            "--connect-to",
            &server.address.to_string(),
        ])
        .arg("http://name.test/x")
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["remote"], server.address.to_string());
    assert!(server.seen()[0].contains("host: name.test\r\n"));
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["probe", "--connect-to", "name.test", "http://name.test/x"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("has no port; write HOST:PORT"), "{error}");
}
