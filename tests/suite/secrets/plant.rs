//! Where a secret may stand, each with a text of its own.

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

/// Who may look at the daemon's endpoint.
pub(crate) const VIEWER: (&str, &str) = ("viewer", "PLANTED-viewer-password");

/// Targets by name, path and what they are told; their secrets stand in files and variables.
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
    // What it expects is not what comes, so that the error tells of both.
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

/// Everything that the program is given.
pub(crate) struct Plant {
    /// By the place: what must show nowhere.
    pub(crate) secrets: BTreeMap<&'static str, String>,
    pub(crate) directory: TempDir,
    /// Everything that CloudWatch was told.
    pub(crate) published: Arc<Mutex<String>>,
    environment: Vec<(&'static str, String)>,
}

impl Plant {
    /// Writes the files, and starts the target and a CloudWatch.
    pub(crate) async fn new(log_format: &str) -> Self {
        let published = Arc::new(Mutex::new(String::new()));
        let target = serve(Router::new().fallback(echo)).await;
        let recorder = Router::new()
            .fallback(record)
            .with_state(Arc::clone(&published));
        let cloudwatch = serve(recorder).await;
        let mut plant = Self {
            secrets: BTreeMap::new(),
            directory: tempfile::tempdir().unwrap(),
            published,
            environment: Vec::new(),
        };
        plant.endpoint();
        let text = plant.targets(target) + &settings(log_format, cloudwatch);
        plant.write("probecause.toml", &text);
        let wrong = plant.wrong();
        plant.write("wrong.toml", &wrong);
        plant.variables();
        plant
    }

    /// The program, with all that it needs to know.
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

    /// A file of the configuration's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A new secret.
    fn secret(&mut self, place: &'static str) -> String {
        let text = format!("PLANTED-{place}-3f9c");
        self.secrets.insert(place, text.clone());
        text
    }

    /// Who gets in: a key, and a password's hash.
    fn endpoint(&mut self) {
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
        self.pair("own", "the endpoint's key");
    }

    /// A certificate and its key, whose middle line must show nowhere.
    fn pair(&mut self, name: &str, place: &'static str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let pem = key.serialize_pem();
        let line = pem.lines().nth(1).unwrap().to_owned();
        self.secrets.insert(place, line);
        self.write(
            &format!("{name}.pem"),
            &params.self_signed(&key).unwrap().pem(),
        );
        self.write(&format!("{name}.key"), &pem);
    }

    /// A target for each place.
    fn targets(&mut self, at: SocketAddr) -> String {
        for (file, place) in [
            ("header.txt", "header-file"),
            ("header-credential", "header-credential"),
            ("token.txt", "bearer"),
            ("password.txt", "password"),
            ("body.json", "body-file"),
        ] {
            let secret = self.secret(place);
            self.write(file, &secret);
        }
        let basic = STANDARD.encode(format!("probe:{}", self.secrets["password"]));
        self.secrets.insert("basic header", basic);
        self.pair("client", "the target's key");
        let [query, body] = ["query", "body"].map(|place| self.secret(place));
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

    /// A configuration with secrets where they must not stand, or cannot be used.
    fn wrong(&mut self) -> String {
        let [url, inline, broken] = ["url", "inline", "broken"].map(|place| self.secret(place));
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

    fn variables(&mut self) {
        let header = self.secret("header-env");
        let [key, session] = ["aws-secret-key", "aws-session"].map(|place| self.secret(place));
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
         [defaults]\ninterval = \"2s\"\ntimeout = \"2s\"\nconfirm_after = \"500ms\"\n"
    )
}

/// A target that says everything it was told, in every way that an answer has.
async fn echo(uri: Uri, headers: HeaderMap, body: String) -> Response {
    let mut told: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    told.push(uri.to_string());
    told.push(body);
    let told = told.join(" ").replace(['\r', '\n'], " ");
    if uri.path() == "/redirect" {
        let safe: String = told.split(' ').collect::<Vec<_>>().join("+");
        return (
            StatusCode::FOUND,
            [(header::LOCATION, format!("/moved/{safe}?{safe}"))],
        )
            .into_response();
    }
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json"),
        ("apigw-requestid", &*told),
        ("x-amzn-errortype", &*told),
        ("server", &*told),
    ];
    let body = json!({ "message": told, "errorType": told, "errorMessage": told });
    (StatusCode::INTERNAL_SERVER_ERROR, headers, body.to_string()).into_response()
}

/// Takes whatever CloudWatch is told; answers everything with nothing.
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
