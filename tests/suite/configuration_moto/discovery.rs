//! `discover aws` in an account with many APIs, custom domains, authorizers and parameters: 200 APIs
//! with `tests/run --long`, 40 without, because `discover aws` limits its calls to a few per second.

use std::path::{Path, PathBuf};
use std::process::Output;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::account::{ACCOUNT, Account, STAGE, function_arn};
use super::front::Front;
use super::moto::REGION;
use crate::durability::long_form;

/// Returns the number of HTTP APIs. Each has a route that is probed and one that is proposed.
fn http_apis() -> usize {
    if long_form() { 120 } else { 24 }
}

/// Returns the number of REST APIs. Each has two methods that are proposed: moto returns no summary of a
/// deployment, so it cannot be verified that they are deployed.
fn rest_apis() -> usize {
    if long_form() { 80 } else { 16 }
}

/// The function behind all APIs.
const FUNCTION: &str = "orders";

/// Custom domains: name, path, index of the HTTP API, and whether clients need a certificate.
const DOMAINS: [(&str, &str, usize, bool); 3] = [
    ("shop.example.com", "", 0, false),
    ("api.example.com", "v1", 1, false),
    ("mtls.example.com", "", 2, true),
];

/// Returns the number of proposals: one for each HTTP API; two for each REST API; of the two domains without a
/// certificate, the routes at the APIs' own endpoints and the proposed route; and both routes of the
/// domain with a certificate.
fn proposals() -> usize {
    http_apis() + 2 * rest_apis() + 2 * 2 + 2
}

/// An HTTP API with its route that is probed.
struct HttpApi {
    id: String,
    /// The value of `target` of its routes.
    target: String,
    route: String,
}

/// Creates the HTTP API with this index.
async fn create_http_api(account: &Account, index: usize) -> HttpApi {
    let id = account.http_api(&format!("http-{index:03}")).await;
    let arn = function_arn(ACCOUNT, FUNCTION);
    let target = account.integration(&id, &arn, &json!({})).await;
    let route = account.route(&id, "GET /orders", &target, &json!({})).await;
    let (key, more) = match index % 4 {
        0 => ("GET /orders/{id}", json!({})),
        1 => {
            let path = format!("/v2/apis/{id}/authorizers");
            let body = json!({
                "name": "users",
                "authorizerType": "JWT",
                "identitySource": ["$request.header.Authorization"],
                "jwtConfiguration": { "audience": ["shop"], "issuer": "https://issuer.example" },
            });
            let authorizer = account.gateway(Method::POST, &path, &body).await;
            let authorizer = authorizer["authorizerId"].clone();
            let more = json!({ "authorizationType": "JWT", "authorizerId": authorizer });
            ("GET /profile", more)
        }
        2 => ("ANY /any", json!({})),
        _ => ("POST /orders", json!({})),
    };
    account.route(&id, key, &target, &more).await;
    let stage = if index.is_multiple_of(2) {
        "$default"
    } else {
        STAGE
    };
    account.stage(&id, stage, &json!({})).await;
    HttpApi { id, target, route }
}

async fn create_rest_api(account: &Account, index: usize) {
    let api = account.rest_api(&format!("rest-{index:03}")).await;
    let resource = account.resource(&api, "orders").await;
    for method in [("GET", "NONE"), ("POST", "AWS_IAM")] {
        account
            .method(&api, &resource, method, (FUNCTION, 29_000))
            .await;
    }
    account.deploy(&api).await;
}

/// Creates the account. Returns its HTTP APIs.
async fn create(account: &Account) -> Vec<HttpApi> {
    account.function(FUNCTION).await;
    let mut apis = Vec::new();
    for index in 0..http_apis() {
        apis.push(create_http_api(account, index).await);
    }
    for index in 0..rest_apis() {
        create_rest_api(account, index).await;
    }
    for (name, path, index, needs_certificate) in DOMAINS {
        let mut body = json!({ "domainName": name });
        if needs_certificate {
            let store = json!({ "truststoreUri": "s3://bucket/store.pem" });
            body["mutualTlsAuthentication"] = store;
        }
        account
            .gateway(Method::POST, "/v2/domainnames", &body)
            .await;
        let stage = if index.is_multiple_of(2) {
            "$default"
        } else {
            STAGE
        };
        let mapping = json!({ "apiId": apis[index].id, "stage": stage, "apiMappingKey": path });
        let path = format!("/v2/domainnames/{name}/apimappings");
        account.gateway(Method::POST, &path, &mapping).await;
    }
    apis
}

/// The results of runs of `discover aws`.
struct Files {
    directory: TempDir,
}

/// The result of one run.
struct Found {
    file: PathBuf,
    text: String,
    code: Option<i32>,
    messages: String,
}

impl Files {
    /// Runs `discover aws` with this endpoint.
    async fn discover(&self, front: &Front, name: &str) -> Found {
        let file = self.directory.path().join(name);
        let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .args(["discover", "aws", "--region", REGION, "--output"])
            .arg(&file)
            .env("AWS_ENDPOINT_URL", front.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .output()
            .await
            .unwrap();
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = std::fs::read_to_string(&file);
        Found {
            text: text.unwrap_or_else(|error| panic!("{error}: {messages}")),
            file,
            code: output.status.code(),
            messages,
        }
    }
}

async fn check(file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_probecause"))
        .arg("check")
        .arg(file)
        .output()
        .await
        .unwrap()
}

/// Returns the blocks of a file that another file does not have.
fn only_in<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    let others: Vec<&str> = other.split("\n\n").collect();
    text.split("\n\n")
        .filter(|block| !others.contains(block))
        .collect()
}

/// Returns a file without a block.
fn without(text: &str, block: &str) -> String {
    let blocks: Vec<&str> = text.split("\n\n").filter(|one| *one != block).collect();
    blocks.join("\n\n")
}

/// Checks what both runs in the unchanged account found.
async fn check_unchanged(first: &Found, second: &Found) {
    for found in [first, second] {
        assert_eq!(found.code, Some(0), "{}", found.messages);
        let (targets, proposals) = (http_apis(), proposals());
        let summary = format!("{targets} targets and {proposals} proposals in {REGION}; written");
        assert!(found.messages.contains(&summary), "{}", found.messages);
        let progress = found.messages.lines();
        let progress = progress.filter(|line| line.contains("reading ")).count();
        assert!(progress >= 5, "{}", found.messages);
    }
    assert!(first.text == second.text, "two runs differ");
    for part in [
        "url = \"https://shop.example.com/orders\"\n",
        "url = \"https://api.example.com/v1/orders\"\n",
        "# url = \"https://mtls.example.com/orders\"\n",
        "# the path has parameters; write their values\n",
        "# the route requires a JWT\n",
        "# the route accepts every method\n",
        "# whether the route is deployed could not be verified for stage prod\n",
        "# the route requires IAM authorization; add `auth.sigv4`\n",
        "function = \"orders\"\n",
        "function_timeout = \"3s\"\n",
    ] {
        assert!(first.text.contains(part), "no {part:?} in {}", first.text);
    }
    let output = check(&first.file).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let summary = format!("fine: {} targets", http_apis());
    assert!(text.contains(&summary), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run by tests/run"]
async fn many_apis_are_found_and_a_change_is_a_small_difference() {
    let account = Account::start().await;
    let apis = create(&account).await;
    let files = Files {
        directory: tempfile::tempdir().unwrap(),
    };
    let front = Front::start(account.moto.address).await;
    let (removed, changed, denied) = (&apis[4], &apis[6], &apis[20]);
    let path = format!("/v2/apis/{}/integrations", denied.id);
    let denying = Front::denying(account.moto.address, Some(path)).await;
    // The rate limit makes a long run take minutes, so the runs are concurrent.
    let (first, second, partial) = tokio::join!(
        files.discover(&front, "first.toml"),
        files.discover(&front, "second.toml"),
        files.discover(&denying, "partial.toml"),
    );
    check_unchanged(&first, &second).await;

    assert_eq!(partial.code, Some(1), "{}", partial.messages);
    let warning = format!(
        "warning: could not read HTTP API http-020 ({}): ",
        denied.id
    );
    let grant = format!(
        "grant `apigateway:GET` on `arn:aws:apigateway:{REGION}::/apis/{}/integrations`",
        denied.id
    );
    for part in [warning, grant] {
        assert!(partial.messages.contains(&part), "{}", partial.messages);
    }
    assert!(
        partial
            .text
            .contains("\n# Not read, so targets may be missing:\n")
    );
    let missing = only_in(&first.text, &partial.text);
    let missing = missing.iter().filter(|block| block.contains("[[target]]"));
    let missing: Vec<_> = missing.collect();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing.iter().all(|block| block.contains(&denied.id)));

    let path = format!("/v2/apis/{}/routes/{}", removed.id, removed.route);
    account
        .gateway(Method::DELETE, &path, &serde_json::Value::Null)
        .await;
    account
        .route(&changed.id, "GET /carts", &changed.target, &json!({}))
        .await;
    let after = files.discover(&front, "after.toml").await;
    assert_eq!(after.code, Some(0), "{}", after.messages);
    let (gone, new) = (
        only_in(&first.text, &after.text),
        only_in(&after.text, &first.text),
    );
    assert_eq!((gone.len(), new.len()), (1, 1), "{gone:?} {new:?}");
    assert!(gone[0].contains(&removed.id), "{gone:?}");
    let url = format!(
        "https://{}.execute-api.{REGION}.amazonaws.com/carts",
        changed.id
    );
    assert!(new[0].contains(&url), "{new:?}");
    // Everything else is the same, in the same order.
    assert!(without(&first.text, gone[0]) == without(&after.text, new[0]));
}
