//! Compares the simulated gateway's responses over real sockets with the captured ones.
//!
//! Checks protocol, certificate, and bytes. The simulator's unit tests check its times with
//! a paused clock.

use std::time::Duration;

use probecause::io::simulator::{Options, RouteFault, Simulator};
use reqwest::{Certificate, Client, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Starts a simulator with an integration timeout of 300 ms instead of 30 s.
async fn start() -> Simulator {
    let options = Options {
        integration_timeout: Duration::from_millis(300),
        ..Options::default()
    };
    Simulator::start(options).await.unwrap()
}

fn client(simulator: &Simulator, http1: bool) -> Client {
    // Only the first installation in a process succeeds.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let root = Certificate::from_pem(simulator.ca_pem().as_bytes()).unwrap();
    let builder = Client::builder().tls_certs_only([root]).no_proxy();
    let builder = if http1 { builder.http1_only() } else { builder };
    builder.build().unwrap()
}

/// Requests a route over both protocols and compares status, body, and the four headers.
async fn check(fault: RouteFault, status: u16, body: &str) {
    let simulator = start().await;
    for http1 in [false, true] {
        let url = format!("https://{}{}", simulator.address(), fault.route());
        let response = client(&simulator, http1).get(url).send().await.unwrap();
        let version = if http1 {
            Version::HTTP_11
        } else {
            Version::HTTP_2
        };
        assert_eq!(response.version(), version);
        assert_eq!(response.status().as_u16(), status);
        let names: Vec<_> = response
            .headers()
            .keys()
            .map(|name| name.as_str())
            .collect();
        let captured = ["date", "content-type", "content-length", "apigw-requestid"];
        assert_eq!(names, captured);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.text().await.unwrap(), body);
    }
    assert_eq!(simulator.requests(fault.route()), 2);
    simulator.stop().await;
}

#[tokio::test]
async fn a_healthy_route_responds_over_both_protocols() {
    check(RouteFault::None, 200, r#"{"status":"ok","orders":3}"#).await;
}

#[tokio::test]
async fn a_timeout_and_a_throttle_have_the_same_response() {
    let body = r#"{"message":"Service Unavailable"}"#;
    check(RouteFault::Timeout, 503, body).await;
    check(RouteFault::Throttled, 503, body).await;
}

#[tokio::test]
async fn a_missing_permission_a_malformed_response_and_a_function_error_have_the_same_response() {
    let body = r#"{"message":"Internal Server Error"}"#;
    check(RouteFault::Permission, 500, body).await;
    check(RouteFault::Malformed, 500, body).await;
    check(RouteFault::FunctionError, 500, body).await;
}

#[tokio::test]
async fn an_http1_response_has_the_captured_headers_byte_for_byte() {
    let simulator = start().await;
    let text = raw_response(&simulator, "/throttled").await;
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines[0], "HTTP/1.1 503 Service Unavailable");
    assert!(
        lines[1].starts_with("date: ") && lines[1].ends_with(" GMT"),
        "{text}"
    );
    assert_eq!(lines[2], "content-type: application/json");
    assert_eq!(lines[3], "content-length: 33");
    assert!(lines[4].starts_with("apigw-requestid: "), "{text}");
    assert_eq!(lines[5..], ["", r#"{"message":"Service Unavailable"}"#]);
}

/// Sends one HTTP/1.1 request over TLS and returns the raw response.
async fn raw_response(simulator: &Simulator, path: &str) -> String {
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    let root = rustls_pki_types::CertificateDer::from_pem_slice(simulator.ca_pem().as_bytes());
    roots.add(root.unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let tcp = tokio::net::TcpStream::connect(simulator.address())
        .await
        .unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = connector.connect(name, tcp).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut response).await.unwrap(), 0);
    }
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn http2_can_be_disabled() {
    let options = Options {
        http2: false,
        ..Options::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let url = format!("https://{}/orders", simulator.address());
    let response = client(&simulator, false).get(url).send().await.unwrap();
    assert_eq!(response.version(), Version::HTTP_11);
}

#[tokio::test]
async fn an_unknown_route_returns_not_found() {
    let simulator = start().await;
    let url = format!("https://{}/nowhere", simulator.address());
    let response = client(&simulator, false).get(url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.text().await.unwrap(), r#"{"message":"Not Found"}"#);
}

#[tokio::test]
async fn the_function_runs_again_after_a_fault_is_removed() {
    let simulator = start().await;
    let client = client(&simulator, false);
    let url = format!("https://{}/permission", simulator.address());
    assert_eq!(
        client.get(&url).send().await.unwrap().status().as_u16(),
        500
    );
    assert_eq!(simulator.invocations("/permission"), 0);
    simulator.set_fault("/permission", RouteFault::None);
    assert_eq!(
        client.get(&url).send().await.unwrap().status().as_u16(),
        200
    );
    assert_eq!(simulator.invocations("/permission"), 1);
}

#[tokio::test]
async fn a_client_rejects_the_expired_certificate() {
    let simulator = start().await;
    let url = format!("https://{}/orders", simulator.expired_address());
    let error = client(&simulator, false).get(url).send().await.unwrap_err();
    let message = format!("{error:?}");
    assert!(message.contains("Expired"), "{message}");
    assert_eq!(simulator.requests("/orders"), 0);
}

#[tokio::test]
async fn the_refused_address_refuses_connections() {
    let simulator = start().await;
    let refused = tokio::net::TcpStream::connect(simulator.refused_address().unwrap()).await;
    assert_eq!(
        refused.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
}

#[tokio::test]
async fn stopping_closes_the_port_and_aborts_requests_in_flight() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let address = simulator.address();
    let url = format!("https://{address}/timeout");
    let client = client(&simulator, false);
    let waiting = tokio::spawn(async move { client.get(url).send().await.map(drop) });
    while simulator.requests("/timeout") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    simulator.stop().await;
    assert!(waiting.await.unwrap().is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
