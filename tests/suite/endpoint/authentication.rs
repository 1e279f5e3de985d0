//! Basic authentication, server and client certificates, and permission to reload.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Client, Identity, StatusCode};

use crate::endpoint::{address, daemon};

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Returns a certificate for `name` signed by `ca`, and its key, as PEM.
fn signed(ca: &Ca, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, ca).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn client(ca: &Ca, identity: Option<&(String, String)>) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = Client::builder().no_proxy();
    builder = builder.add_root_certificate(Certificate::from_pem(ca.pem().as_bytes()).unwrap());
    if let Some((certificate, key)) = identity {
        let pem = format!("{certificate}{key}");
        builder = builder.identity(Identity::from_pem(pem.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

/// Returns a `basic_auth_users` section for `alice`. bcrypt has its lowest cost, 4, so that
/// the test is fast.
fn users() -> String {
    format!(
        "basic_auth_users:\n  alice: {}\n",
        bcrypt::hash("hunter2", 4).unwrap()
    )
}

const LOOPBACK: &str = "listen = \"127.0.0.1:0\"";

#[tokio::test]
async fn every_path_except_the_health_checks_requires_a_password() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let daemon = daemon(directory, Some(&users()), LOOPBACK).await;
    let client = crate::support::process::client();
    let status = async |path: &str, user: Option<(&str, &str)>| {
        let mut request = client.get(format!("{}{path}", daemon.url));
        if let Some((name, password)) = user {
            request = request.basic_auth(name, Some(password));
        }
        request.send().await.unwrap().status()
    };
    for path in ["/", "/metrics", "/api/v1/targets", "/nonsense"] {
        for wrong in [None, Some(("alice", "hunter3")), Some(("bob", "hunter2"))] {
            assert_eq!(
                status(path, wrong).await,
                StatusCode::UNAUTHORIZED,
                "{path}"
            );
        }
    }
    for path in ["/", "/metrics", "/api/v1/targets"] {
        assert_eq!(
            status(path, Some(("alice", "hunter2"))).await,
            StatusCode::OK
        );
    }
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(status(path, None).await, StatusCode::OK, "{path}");
    }
    let response = client.get(&daemon.url).send().await.unwrap();
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Basic "), "{challenge}");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_client_without_a_trusted_certificate_is_rejected() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let ca = ca();
    let server = signed(&ca, "127.0.0.1");
    write(directory.path(), "server.pem", &server.0);
    write(directory.path(), "server.key", &server.1);
    write(directory.path(), "ca.pem", &ca.pem());
    let web = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  \
               client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  \
               client_allowed_sans: [prometheus.example]\n\
               http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=31536000\n    \
               X-Frame-Options: SAMEORIGIN\n";
    let daemon = daemon(Arc::clone(&directory), Some(web), LOOPBACK).await;
    let url = format!("https://{}/metrics", address(&daemon));

    let trusted = signed(&ca, "prometheus.example");
    let answer = client(&ca, Some(&trusted)).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(
        answer.headers()["strict-transport-security"],
        "max-age=31536000"
    );
    assert_eq!(answer.headers()["x-frame-options"], "SAMEORIGIN");

    let other = self::ca();
    let foreign = signed(&other, "prometheus.example");
    let unnamed = signed(&ca, "somebody.example");
    for (case, identity) in [
        ("no certificate", None),
        ("another authority", Some(&foreign)),
        ("a name that is not allowed", Some(&unnamed)),
    ] {
        let rejected = client(&ca, identity).get(&url).send().await;
        assert!(rejected.is_err(), "{case} was accepted: {rejected:?}");
    }
    // Plain HTTP on a TLS port is not answered.
    let plain = crate::support::process::client()
        .get(format!("{}/metrics", daemon.url))
        .send()
        .await;
    assert!(plain.is_err(), "{plain:?}");
}

#[tokio::test]
async fn a_reload_applies_a_new_certificate_and_new_users() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let (first, second) = (ca(), ca());
    let install = |ca: &Ca| {
        let server = signed(ca, "127.0.0.1");
        write(directory.path(), "server.pem", &server.0);
        write(directory.path(), "server.key", &server.1);
    };
    install(&first);
    let web = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    let daemon = daemon(Arc::clone(&directory), Some(web), LOOPBACK).await;
    let url = format!("https://{}", address(&daemon));
    let healthy = async |ca: &Ca| {
        let sent = client(ca, None)
            .get(format!("{url}/-/healthy"))
            .send()
            .await;
        sent.is_ok_and(|answer| answer.status().is_success())
    };
    assert!(healthy(&first).await);
    install(&second);
    write(directory.path(), "web.yml", &format!("{web}{}", users()));
    let reload = client(&first, None)
        .post(format!("{url}/-/reload"))
        .send()
        .await
        .unwrap();
    assert_eq!(reload.status(), StatusCode::OK, "{:?}", reload.text().await);
    assert!(
        !healthy(&first).await,
        "the previous certificate is still in use"
    );
    assert!(healthy(&second).await);
    let unknown = client(&second, None)
        .get(format!("{url}/metrics"))
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);

    // An invalid file changes nothing.
    write(
        directory.path(),
        "web.yml",
        "basic_auth_users:\n  alice: hunter2\n",
    );
    let reload = client(&second, None).post(format!("{url}/-/reload"));
    let reload = reload
        .basic_auth("alice", Some("hunter2"))
        .send()
        .await
        .unwrap();
    assert_eq!(reload.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let error = reload.text().await.unwrap();
    assert!(
        error.contains("basic_auth_users.alice: is not a bcrypt hash"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
    assert!(healthy(&second).await);
}

#[tokio::test]
async fn beyond_loopback_a_reload_requires_permission() {
    let open = Arc::new(tempfile::tempdir().unwrap());
    let beyond = "listen = \"0.0.0.0:0\"";
    let reload = async |daemon: &crate::support::process::Daemon, user: Option<&str>| {
        let url = format!("http://127.0.0.1:{}/-/reload", address(daemon).port());
        let mut request = crate::support::process::client().post(url);
        if let Some(name) = user {
            request = request.basic_auth(name, Some("hunter2"));
        }
        request.send().await.unwrap().status()
    };
    let unprotected = daemon(open, None, beyond).await;
    assert_eq!(reload(&unprotected, None).await, StatusCode::FORBIDDEN);
    let allowed = Arc::new(tempfile::tempdir().unwrap());
    let allowed = daemon(allowed, None, &format!("{beyond}\nallow_reload = true")).await;
    assert_eq!(reload(&allowed, None).await, StatusCode::OK);
    let authenticated = Arc::new(tempfile::tempdir().unwrap());
    let authenticated = daemon(authenticated, Some(&users()), beyond).await;
    assert_eq!(reload(&authenticated, Some("alice")).await, StatusCode::OK);
}

#[tokio::test]
async fn the_health_check_command_uses_tls_and_needs_no_password() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let (certificate, key) = signed(&ca(), "probecause.example");
    write(directory.path(), "cert.pem", &certificate);
    write(directory.path(), "key.pem", &key);
    let tls = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";
    let web = format!("{tls}{}", users());
    let daemon = daemon(directory, Some(&web), LOOPBACK).await;
    for (scheme, healthy) in [("https", true), ("http", false)] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_probecause"));
        let url = format!("{scheme}://{}", address(&daemon));
        let output = command
            .args(["healthcheck", "--timeout", "60s", "--url", &url])
            .output()
            .await;
        let output = output.unwrap();
        let output_text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), healthy, "{url}: {output_text}");
    }
}
