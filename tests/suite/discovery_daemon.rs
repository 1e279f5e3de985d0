//! `probecause discover aws` and `[[discovery.aws]]` against a double of an AWS account.

use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::loopback::serve;
use crate::support::process::{Daemon, PATIENCE};

/// An account with one HTTP API, which answers like AWS.
#[derive(Clone)]
struct Account {
    url: String,
    /// The routes of the API; `None` if AWS is not reachable.
    routes: Arc<Mutex<Option<Vec<&'static str>>>>,
    /// A part of the paths that are denied.
    denied: Arc<Mutex<Option<&'static str>>>,
}

impl Account {
    async fn start(routes: &[&'static str]) -> Self {
        let mut account = Self {
            url: String::new(),
            routes: Arc::new(Mutex::new(Some(routes.to_vec()))),
            denied: Arc::default(),
        };
        let double = account.clone();
        let router = axum::Router::new().fallback(move |request: Request| {
            let double = double.clone();
            async move { double.answer(&request) }
        });
        account.url = format!("http://{}", serve(router).await);
        account
    }

    fn set(&self, routes: Option<&[&'static str]>) {
        *self.routes.lock().unwrap() = routes.map(<[_]>::to_vec);
    }

    fn answer(&self, request: &Request) -> Response {
        let error = |status: StatusCode, kind: &'static str| {
            let body = json!({ "message": "no" }).to_string();
            (status, [("x-amzn-errortype", kind)], body).into_response()
        };
        let Some(routes) = self.routes.lock().unwrap().clone() else {
            return error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
        };
        let path = request.uri().path();
        let denied = *self.denied.lock().unwrap();
        if denied.is_some_and(|part| path.contains(part)) {
            return error(StatusCode::FORBIDDEN, "AccessDeniedException");
        }
        if path == "/" {
            let name = "DescribeLoadBalancers";
            let list = format!("<{name}Result><LoadBalancers/></{name}Result>");
            return format!("<{name}Response>{list}</{name}Response>").into_response();
        }
        if path.starts_with("/2020-05-31/") {
            return "<DistributionList><Items/></DistributionList>".into_response();
        }
        items(path, &routes).to_string().into_response()
    }
}

/// Returns the page of a list.
fn items(path: &str, routes: &[&str]) -> Value {
    let route = |key: &&str| {
        json!({
            "routeKey": key, "target": "integrations/i1", "authorizationType": "NONE",
        })
    };
    let items = match path {
        "/v2/apis" => json!([{ "apiId": "a1", "name": "shop", "protocolType": "HTTP" }]),
        "/v2/apis/a1/routes" => routes.iter().map(route).collect(),
        "/v2/apis/a1/integrations" => json!([{
            "integrationId": "i1", "integrationType": "HTTP_PROXY", "timeoutInMillis": 30_000,
        }]),
        "/v2/apis/a1/stages" => json!([{
            "stageName": "$default", "deploymentId": "d1", "autoDeploy": true,
        }]),
        _ => json!([]),
    };
    json!({ "items": items })
}

/// Runs `discover aws` for the account.
async fn discover(account: &Account, output: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["discover", "aws", "--region", "eu-west-1", "--output"])
        .arg(output)
        .env("AWS_ENDPOINT_URL", &account.url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn discover_writes_the_same_valid_file_twice_and_names_a_denied_part() {
    let account = Account::start(&["GET /orders", "POST /orders"]).await;
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("a"), directory.path().join("b"));
    for file in [&first, &second] {
        let output = discover(&account, file).await;
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{messages}");
        let summary = "1 target and 1 proposal in eu-west-1; written to ";
        assert!(messages.contains(summary), "{messages}");
    }
    let text = std::fs::read_to_string(&first).unwrap();
    assert_eq!(text, std::fs::read_to_string(&second).unwrap());
    let main = directory.path().join("c.toml");
    let defaults = "[defaults.request]\nmethod = \"POST\"\n";
    std::fs::write(&main, format!("include = [\"a\"]\n{defaults}")).unwrap();
    let loaded = probecause::io::config::load(&main).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.settings.targets.len(), 1);
    assert_eq!(loaded.settings.targets[0].request.method, "GET");

    *account.denied.lock().unwrap() = Some("/functions/");
    let output = discover(&account, &second).await;
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("warning: could not read timeouts of functions: "));
    assert!(messages.contains("lambda:ListFunctions"), "{messages}");

    // Without any answer, the previous file stays.
    account.set(None);
    let output = discover(&account, &first).await;
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text, std::fs::read_to_string(&first).unwrap());
}

fn config(account: &Account) -> String {
    // Found targets are at AWS's host names, which nothing must resolve here.
    format!(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [resolver]\nservers = [\"127.0.0.1:1\"]\n\
         [evidence]\nendpoint_url = \"{}\"\n\
         [[discovery.aws]]\nregion = \"eu-west-1\"\n\
         [[target]]\nname = \"declared\"\nurl = \"http://127.0.0.1:1/\"\n",
        account.url
    )
}

/// Waits until the daemon has the declared target and the target that was found at `path`, and none
/// at `gone`.
async fn wait_for(daemon: &Daemon, path: &str, gone: &str) {
    let started = Instant::now();
    loop {
        let list = daemon.get("/api/v1/targets").await;
        let has = |path: &str| {
            let name = format!("\"a1.execute-api.eu-west-1.amazonaws.com{path}\"");
            list.contains(&name)
        };
        if has(path) && !has(gone) && list.contains("\"declared\"") {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "timed out; last list: {list}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn found_targets_survive_a_restart_without_aws() {
    let account = Account::start(&["GET /orders"]).await;
    let directory = Arc::new(tempfile::tempdir().unwrap());
    std::fs::write(directory.path().join("probecause.toml"), config(&account)).unwrap();
    let state = directory.path().join("state");
    let (mut daemon, _) = Daemon::start_in(Arc::clone(&directory), &state).await;
    wait_for(&daemon, "/orders", "/carts").await;
    assert_eq!(daemon.terminate().await, Some(0));

    account.set(None);
    let (mut daemon, _) = Daemon::start_in(Arc::clone(&directory), &state).await;
    wait_for(&daemon, "/orders", "/carts").await;
    assert_eq!(daemon.terminate().await, Some(0));

    account.set(Some(&["GET /carts"]));
    let (mut daemon, _) = Daemon::start_in(directory, &state).await;
    wait_for(&daemon, "/carts", "/orders").await;
    assert_eq!(daemon.terminate().await, Some(0));
}
