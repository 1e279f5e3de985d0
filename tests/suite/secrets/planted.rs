//! A configuration with a distinct secret in every setting that takes one, and the servers
//! that it probes and publishes to.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::cloudwatch::answers;
use crate::support::loopback::serve;

/// User name and password of the daemon's endpoint.
pub(crate) const VIEWER: (&str, &str) = ("viewer", "PLANTED-viewer-password");

/// Name, path and settings of each target. The secrets are in files and environment variables.
const TARGETS: [(&str, &str, &str); 9] = [
    (
        "header-env",
        "/",
        "request.headers = { X-Secret = { env = \"PLANTED_HEADER\" } }",
    ),
    (
        "header-file",
        "/",
        "request.headers = { X-Secret = { file = \"header.txt\" } }",
    ),
    (
        "header-credential",
        "/",
        "request.headers = { X-Secret = { credential = \"header-credential\" } }",
    ),
    // The expectations do not match, so that the error quotes the response.
    (
        "bearer",
        "/",
        "auth.bearer = { file = \"token.txt\" }\nexpect.headers = { Server = \"none\" }\n\
         expect.body = { json = { message = \"none\" } }",
    ),
    (
        "basic",
        "/",
        "auth.basic = { username = \"probe\", password = { file = \"password.txt\" } }",
    ),
    (
        "sigv4",
        "/",
        "auth.sigv4 = { service = \"execute-api\", region = \"eu-west-1\" }",
    ),
    (
        "redirected",
        "/redirect",
        "auth.bearer = { file = \"token.txt\" }",
    ),
    (
        "body-file",
        "/",
        "request.method = \"POST\"\nrequest.body_file = \"body.json\"",
    ),
    (
        "certificate",
        "/",
        "tls.cert_file = \"client.pem\"\ntls.key_file = \"client.key\"",
    ),
];

/// The inputs of the program, with the secrets in them.
pub(crate) struct PlantedSecrets {
    /// The secrets, by the setting that contains them.
    pub(crate) secrets: BTreeMap<&'static str, String>,
    pub(crate) directory: TempDir,
    /// The bodies of all requests to CloudWatch.
    pub(crate) published: Arc<Mutex<String>>,
    environment: Vec<(&'static str, String)>,
}

impl PlantedSecrets {
    /// Writes the files and starts the target and a CloudWatch endpoint.
    pub(crate) async fn new(log_format: &str) -> Self {
        let published = Arc::new(Mutex::new(String::new()));
        let target = serve(Router::new().fallback(echo)).await;
        let recorder = Router::new()
            .fallback(record)
            .with_state(Arc::clone(&published));
        let cloudwatch = serve(recorder).await;
        let mut planted = Self {
            secrets: BTreeMap::new(),
            directory: tempfile::tempdir().unwrap(),
            published,
            environment: Vec::new(),
        };
        planted.write_web_config();
        let text = planted.targets(target) + &settings(log_format, cloudwatch);
        planted.write("probecause.toml", &text);
        let wrong = planted.invalid_config();
        planted.write("wrong.toml", &wrong);
        planted.set_variables();
        planted
    }

    /// Returns a command that runs the program with the secrets in its environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_probecause"));
        command
            .env_remove("STATE_DIRECTORY")
            .env("CREDENTIALS_DIRECTORY", self.directory.path())
            .env("RUST_BACKTRACE", "full")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The path of a file in the configuration directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Creates and registers a secret for a setting.
    fn secret(&mut self, setting: &'static str) -> String {
        let text = format!("PLANTED-{setting}-3f9c");
        self.secrets.insert(setting, text.clone());
        text
    }

    /// Writes the web configuration with a TLS key and a password hash.
    fn write_web_config(&mut self) {
        let hash = bcrypt::hash(VIEWER.1, 4).unwrap();
        self.write(
            "web.yml",
            &format!(
                "tls_server_config:\n  cert_file: own.pem\n  key_file: own.key\n\
                 basic_auth_users:\n  {}: {hash}\n",
                VIEWER.0
            ),
        );
        self.secrets.insert("viewer's hash", hash);
        self.secrets.insert("viewer", VIEWER.1.to_owned());
        self.write_key_pair("own", "the endpoint's key");
    }

    /// Writes a certificate and its key. A line of the key is registered as a secret.
    fn write_key_pair(&mut self, name: &str, setting: &'static str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let pem = key.serialize_pem();
        let line = pem.lines().nth(1).unwrap().to_owned();
        self.secrets.insert(setting, line);
        self.write(
            &format!("{name}.pem"),
            &params.self_signed(&key).unwrap().pem(),
        );
        self.write(&format!("{name}.key"), &pem);
    }

    /// Writes the secret files and returns the configuration of the targets at address `at`.
    fn targets(&mut self, at: SocketAddr) -> String {
        for (file, setting) in [
            ("header.txt", "header-file"),
            ("header-credential", "header-credential"),
            ("token.txt", "bearer"),
            ("password.txt", "password"),
            ("body.json", "body-file"),
        ] {
            let secret = self.secret(setting);
            self.write(file, &secret);
        }
        let basic = STANDARD.encode(format!("probe:{}", self.secrets["password"]));
        self.secrets.insert("basic header", basic);
        self.write_key_pair("client", "the target's key");
        let [query, body] = ["query", "body"].map(|setting| self.secret(setting));
        let query_path = format!("/?token={query}");
        let body_keys = format!("request.method = \"POST\"\nrequest.body = \"{body}\"");
        let target = |(name, path, keys): (&str, &str, &str)| {
            format!("[[target]]\nname = \"{name}\"\nurl = \"http://{at}{path}\"\n{keys}\n")
        };
        let mut text = TARGETS.map(target).concat();
        text += &target(("query", &query_path, ""));
        text += &target(("body", "/", &body_keys));
        text
    }

    /// Returns an invalid configuration with secrets in settings that must not hold them, and with
    /// an unusable secret file.
    fn invalid_config(&mut self) -> String {
        let [url, inline, broken] = ["url", "inline", "broken"].map(|setting| self.secret(setting));
        self.write("broken.txt", &format!("{broken}\u{1}\nmore"));
        format!(
            "[[target]]\nname = \"a\"\nurl = \"https://user:{url}@a.example/\"\n\
             auth.bearer = \"{inline}\"\n\
             [[target]]\nname = \"b\"\nurl = \"https://b.example/\"\n\
             request.headers = {{ X-Secret = {{ file = \"broken.txt\" }} }}\n\
             auth.basic = {{ username = \"b\", password = \"{inline}\" }}\n\
             request.proxy = \"http://user:{url}@proxy.example\"\n"
        )
    }

    /// Sets the environment variables that hold secrets.
    fn set_variables(&mut self) {
        let header = self.secret("header-env");
        let [key, session] = ["aws-secret-key", "aws-session"].map(|setting| self.secret(setting));
        self.environment = vec![
            ("PLANTED_HEADER", header),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", key),
            ("AWS_SESSION_TOKEN", session),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
    }
}

fn settings(log_format: &str, cloudwatch: SocketAddr) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nweb_config = \"web.yml\"\n\
         [log]\nformat = \"{log_format}\"\nlevel = \"trace\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\n\
         endpoint_url = \"http://{cloudwatch}\"\n\
         [defaults]\ninterval = \"2s\"\ntimeout = \"20s\"\nconfirm_after = \"500ms\"\n"
    )
}

/// The target: answers with everything that it received in headers, body and redirect.
async fn echo(uri: Uri, headers: HeaderMap, body: String) -> Response {
    let mut received: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    received.push(uri.to_string());
    received.push(body);
    let received = received.join(" ").replace(['\r', '\n'], " ");
    if uri.path() == "/redirect" {
        let safe: String = received.split(' ').collect::<Vec<_>>().join("+");
        return (
            StatusCode::FOUND,
            [(header::LOCATION, format!("/moved/{safe}?{safe}"))],
        )
            .into_response();
    }
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json"),
        ("apigw-requestid", &*received),
        ("x-amzn-errortype", &*received),
        ("server", &*received),
    ];
    let body = json!({ "message": received, "errorType": received, "errorMessage": received });
    (StatusCode::INTERNAL_SERVER_ERROR, headers, body.to_string()).into_response()
}

/// The CloudWatch endpoint: records every request body and answers with an empty object.
async fn record(
    State(published): State<Arc<Mutex<String>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut plain = Vec::new();
    if headers.contains_key(header::CONTENT_ENCODING) {
        flate2::read::GzDecoder::new(&*body)
            .read_to_end(&mut plain)
            .unwrap();
    } else {
        plain.extend(body);
    }
    published
        .lock()
        .unwrap()
        .push_str(&String::from_utf8_lossy(&plain));
    answers::answer(&json!({}))
}
