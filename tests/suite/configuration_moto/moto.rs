//! Starts moto, which serves the control planes of AWS, from the virtual environment of
//! `tests/moto/setup`, and calls its operations.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::sleep;
use url::form_urlencoded;

use crate::support::process::client;

/// The Region of all resources.
pub(super) const REGION: &str = "eu-west-1";

/// A running moto server; killed when dropped.
pub(super) struct Moto {
    pub(super) address: SocketAddr,
    client: Client,
    child: Child,
}

/// Time limit of a cold start on a loaded machine.
const START: Duration = Duration::from_secs(120);

/// Attempts to start: another process may take the port before moto binds it.
const ATTEMPTS: usize = 3;

impl Moto {
    /// Starts a server without resources.
    pub(super) async fn start() -> Self {
        for _ in 0..ATTEMPTS {
            let (address, child) = spawn();
            let mut moto = Self {
                address,
                client: client(),
                child,
            };
            if moto.answers().await {
                return moto;
            }
        }
        panic!("moto did not start in {ATTEMPTS} attempts");
    }

    /// Waits until the server answers; returns false if its process has ended.
    async fn answers(&mut self) -> bool {
        let started = Instant::now();
        let url = format!("http://{}/moto-api/data.json", self.address);
        loop {
            // The port may belong to another process.
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let answer = self.client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            assert!(
                started.elapsed() < START,
                "moto does not answer at {}",
                self.address
            );
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Calls an operation of a REST service. `body` may be null. Returns null if the response has no
    /// body.
    pub(super) async fn call(
        &self,
        service: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Value {
        let content = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let kind = "application/json";
        let text = self.send(service, method, path, (kind, content)).await;
        if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        }
    }

    /// Calls an operation of a service with AWS's query protocol. Returns the XML document.
    pub(super) async fn query(
        &self,
        service: &str,
        (action, version): (&str, &str),
        parameters: &[(&str, &str)],
    ) -> String {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("Action", action), ("Version", version)])
            .extend_pairs(parameters)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        self.send(service, Method::POST, "/", (kind, form)).await
    }

    async fn send(
        &self,
        service: &str,
        method: Method,
        path: &str,
        (kind, body): (&str, String),
    ) -> String {
        // Moto reads the service and the Region from this header, and does not check the signature.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let url = format!("http://{}{path}", self.address);
        let request = self.client.request(method, url);
        let request = request.header("authorization", authorization);
        let request = request.header("content-type", kind).body(body);
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{service} {path}: {status}: {text}");
        text
    }
}

fn spawn() -> (SocketAddr, Child) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let setup = std::process::Command::new(root.join("tests/moto/setup"))
        .output()
        .unwrap();
    assert!(
        setup.status.success(),
        "{}",
        String::from_utf8_lossy(&setup.stderr)
    );
    let python = String::from_utf8(setup.stdout).unwrap();
    // Moto cannot bind port 0 and report the port.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let port = address.port().to_string();
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("moto-{port}.log"));
    let log = std::fs::File::create(log).unwrap();
    let child = Command::new(python.trim())
        .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    (address, child)
}
