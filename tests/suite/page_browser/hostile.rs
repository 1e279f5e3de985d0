//! Targets that answer with markup, probed by a daemon whose pages are opened in Chromium.
//!
//! Two defenses keep markup from running: escaping, and the Content-Security-Policy of each
//! page. Each must suffice alone, so each is tested without the other. A page without both is
//! tested too, to show that the markup runs there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, crypto::aws_lc_rs};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::page_browser::{browse, title};
use crate::support::loopback::serve;
use crate::support::process::{self, Daemon, PATIENCE};

/// Markup that sets the title to `pwned` if it runs, as an element or out of an attribute.
const MARKUP: &str = "'\"><img src=x onerror=\"document.title='pwned'\">\
    <script>document.title='pwned'</script>";

/// A response with markup in everything that the server controls.
fn answer(path: &str) -> String {
    let (status, kind, body) = match path {
        "/html" => (
            500,
            "text/html",
            format!("<html><title>{MARKUP}</title>{MARKUP}"),
        ),
        "/moved" => (302, "text/plain", String::new()),
        "/ok" => (
            200,
            "application/json",
            json!({"status": MARKUP}).to_string(),
        ),
        _ => (
            502,
            "application/json",
            json!({"message": MARKUP, "errorMessage": MARKUP}).to_string(),
        ),
    };
    let mut head = format!(
        "HTTP/1.1 {status} {MARKUP}\r\ncontent-type: {kind}; x=\"{MARKUP}\"\r\n\
         content-length: {}\r\nlocation: /{MARKUP}\r\n",
        body.len()
    );
    for name in [
        "server",
        "via",
        "x-cache",
        "apigw-requestid",
        "x-amzn-requestid",
        "x-amzn-errortype",
        "x-amz-cf-id",
        "retry-after",
    ] {
        head += &format!("{name}: {MARKUP}\r\n");
    }
    format!("{head}\r\n{body}")
}

/// Answers one request on a connection.
async fn handle(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut request = vec![0; 4096];
    let Ok(length @ 1..) = stream.read(&mut request).await else {
        return;
    };
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap();
    let _ = stream.write_all(answer(path).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Serves the hostile endpoint over HTTP, and over TLS with a certificate whose names are
/// markup. Returns both addresses.
async fn endpoints() -> (SocketAddr, SocketAddr) {
    let key = KeyPair::generate().unwrap();
    let mut certificate = CertificateParams::new(vec!["wrong.example".to_owned()]).unwrap();
    for name in [DnType::CommonName, DnType::OrganizationName] {
        certificate.distinguished_name.push(name, MARKUP);
    }
    let chain = vec![certificate.self_signed(&key).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secure = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = (plain.local_addr().unwrap(), secure.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = plain.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = secure.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    handle(stream).await;
                }
            });
        }
    });
    addresses
}

/// Returns a configuration of targets with markup in their names, labels and responses.
async fn configuration() -> String {
    let (plain, secure) = endpoints().await;
    let mut text = String::from(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"20s\"\nconfirm_after = \"500ms\"\n",
    );
    for (name, url, more) in [
        ("json", format!("http://{plain}/json"), ""),
        ("html", format!("http://{plain}/html"), ""),
        (
            "moved",
            format!("http://{plain}/moved"),
            "request.max_redirects = 3",
        ),
        (
            "unexpected",
            format!("http://{plain}/ok"),
            "expect.body = { json = { status = \"ok\" } }",
        ),
        ("certificate", format!("https://{secure}/json"), ""),
    ] {
        let name = json!(format!("{name} {MARKUP}"));
        let label = json!(MARKUP);
        text += &format!(
            "[[target]]\nname = {name}\nurl = \"{url}\"\nlabels = {{ team = {label} }}\n{more}\n"
        );
    }
    text
}

/// Waits until every target is down and has a cause.
async fn wait_until_all_failed(daemon: &Daemon) {
    let started = Instant::now();
    loop {
        let json = daemon.get("/api/v1/targets").await;
        let targets: Value = serde_json::from_str(&json).unwrap();
        let targets = targets.as_array().unwrap();
        if targets
            .iter()
            .all(|target| target["health"] == "down" && target["cause"].is_string())
        {
            return;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "timed out; last targets: {json}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Follows links from the list and returns the paths of all target and cause pages.
async fn pages(daemon: &Daemon) -> BTreeSet<String> {
    let mut found = BTreeSet::from(["/".to_owned()]);
    let mut left = vec!["/".to_owned()];
    while let Some(path) = left.pop() {
        let page = daemon.get(&path).await;
        let links = page.split("href=\"").skip(1);
        for link in links.filter_map(|rest| rest.split('"').next()) {
            let link = link.split('#').next().unwrap();
            let is_page = ["/targets/", "/causes"]
                .iter()
                .any(|under| link.starts_with(under));
            if is_page && found.insert(link.to_owned()) {
                left.push(link.to_owned());
            }
        }
    }
    found
}

/// Serves the daemon's pages without their Content-Security-Policy.
async fn without_policy(State(daemon): State<String>, request: Request) -> Response {
    let (_, page) = process::get(&format!("{daemon}{}", request.uri())).await;
    let kind = match request.uri().path() {
        path if path.ends_with(".js") => "text/javascript",
        path if path.ends_with(".css") => "text/css",
        _ => "text/html",
    };
    ([(CONTENT_TYPE, kind)], page).into_response()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: run by tests/run"]
async fn responses_of_a_target_are_shown_as_text() {
    let daemon = Daemon::start(&configuration().await).await;
    wait_until_all_failed(&daemon).await;
    let pages = pages(&daemon).await;
    assert!(pages.len() > 6, "{pages:?}");
    let router = Router::new()
        .fallback(without_policy)
        .with_state(daemon.url.clone());
    let without_policy_url = format!("http://{}", serve(router).await);
    for path in &pages {
        for from in [&daemon.url, &without_policy_url] {
            let dom = browse(&["--dump-dom"], &format!("{from}{path}")).await;
            assert_ne!(title(&dom), "pwned", "{from}{path}:\n{dom}");
            // The form in which Chromium prints elements that it parsed from markup.
            for element in ["<img src=\"x\"", "<script>"] {
                assert!(!dom.contains(element), "{from}{path}:\n{dom}");
            }
        }
    }
    let shown = daemon.get("/").await;
    assert!(shown.contains("&lt;img src=x onerror="), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: run by tests/run"]
async fn the_content_security_policy_alone_keeps_markup_from_running() {
    let daemon = Daemon::start(&configuration().await).await;
    let answer = process::client().get(&daemon.url).send().await.unwrap();
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].clone();
    let page = format!("<html><head><title>as it was</title></head><body>{MARKUP}</body></html>");
    let bare = Html(page.clone());
    let guarded = ([(CONTENT_SECURITY_POLICY, policy)], Html(page));
    let router = Router::new()
        .route("/bare", get(|| async { bare }))
        .route("/guarded", get(|| async { guarded }));
    let address = serve(router).await;
    for (path, wanted) in [("bare", "pwned"), ("guarded", "as it was")] {
        let dom = browse(&["--dump-dom"], &format!("http://{address}/{path}")).await;
        assert_eq!(title(&dom), wanted, "{path}:\n{dom}");
    }
}
