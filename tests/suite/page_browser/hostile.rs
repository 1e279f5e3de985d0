//! Targets that answer with markup, probed by a whole daemon, its pages in a real browser.
//!
//! Two things keep markup from running: it is written as text, and the policy that each page
//! comes with. Either alone must do, so each is tried without the other, and both without
//! either, or this test could not fail.

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

/// Says so in the title wherever it runs: as an element, or as an attribute that it breaks
/// out of.
const MARKUP: &str = "'\"><img src=x onerror=\"document.title='pwned'\">\
    <script>document.title='pwned'</script>";

/// An answer with markup in everything that the server chooses.
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

/// Answers one request.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut request = vec![0; 4096];
    let Ok(length @ 1..) = stream.read(&mut request).await else {
        return;
    };
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap();
    let _ = stream.write_all(answer(path).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The hostile endpoint: plain, and behind a certificate whose every name is markup.
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
            tokio::spawn(converse(stream));
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = secure.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    converse(stream).await;
                }
            });
        }
    });
    addresses
}

/// Targets named by markup, labelled with it, and answered with it.
async fn configuration() -> String {
    let (plain, secure) = endpoints().await;
    let mut text = String::from(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"900ms\"\nconfirm_after = \"500ms\"\n",
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

/// Waits until every target has a cause.
async fn all_failed(daemon: &Daemon) {
    let begun = Instant::now();
    loop {
        let told = daemon.get("/api/v1/targets").await;
        let targets: Value = serde_json::from_str(&told).unwrap();
        let targets = targets.as_array().unwrap();
        if targets
            .iter()
            .all(|target| target["health"] == "down" && target["cause"].is_string())
        {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {told}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Every page that the list and its pages link to.
async fn pages(daemon: &Daemon) -> BTreeSet<String> {
    let mut found = BTreeSet::from(["/".to_owned()]);
    let mut left = vec!["/".to_owned()];
    while let Some(path) = left.pop() {
        let page = daemon.get(&path).await;
        let links = page.split("href=\"").skip(1);
        for link in links.filter_map(|rest| rest.split('"').next()) {
            let link = link.split('#').next().unwrap();
            let of_ours = ["/targets/", "/causes"]
                .iter()
                .any(|under| link.starts_with(under));
            if of_ours && found.insert(link.to_owned()) {
                left.push(link.to_owned());
            }
        }
    }
    found
}

/// The daemon's pages without the policy that they come with.
async fn unguarded(State(daemon): State<String>, request: Request) -> Response {
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
async fn what_a_target_answers_is_shown_and_never_run() {
    let daemon = Daemon::start(&configuration().await).await;
    all_failed(&daemon).await;
    let pages = pages(&daemon).await;
    assert!(pages.len() > 6, "{pages:?}");
    let router = Router::new()
        .fallback(unguarded)
        .with_state(daemon.url.clone());
    let unguarded = format!("http://{}", serve(router).await);
    for path in &pages {
        for from in [&daemon.url, &unguarded] {
            let dom = browse(&["--dump-dom"], &format!("{from}{path}")).await;
            assert_ne!(title(&dom), "pwned", "{from}{path}:\n{dom}");
            // As the browser writes elements that it made of markup.
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
async fn the_policy_alone_keeps_markup_from_running() {
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
