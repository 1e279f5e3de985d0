//! Tests the reads with a server in the process that answers like AWS.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::domain::configuration::evidence::evidence;
use crate::io::aws::FailureKind;
use crate::io::evidence::operation::Operation;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;

const SECRET: &str = "hunter2";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
const API: &str = "https://a1.execute-api.eu-west-1.amazonaws.com/orders";

/// The answers of the server, by path with its query. An answer is a status and a body; every other
/// path answers that the resource does not exist.
type Answers = BTreeMap<String, (u16, Value)>;

/// The means to read from a server.
struct Fixture {
    clients: ClientCache,
    cache: ApiCache,
    scope: AwsScope,
    /// The end of the failed request of every read.
    after: Timestamp,
    answers: Arc<Mutex<Answers>>,
    /// The paths of the requests.
    received: Arc<Mutex<Vec<String>>>,
}

impl Fixture {
    async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (known, log) = (Arc::clone(&answers), Arc::clone(&received));
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().to_string();
            let answer = known.lock().unwrap().get(&path).cloned();
            log.lock().unwrap().push(path);
            async move { respond(answer) }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        let credentials = Credentials::builder()
            .access_key_id("test")
            .secret_access_key("test")
            .account_id("123456789012")
            .provider_name("test")
            .build();
        let base = SdkConfig::builder()
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let mut settings = Settings::default();
        settings.evidence.endpoint_url = Some(url);
        Self {
            clients: ClientCache::new(&settings, Some(base), DaemonMetrics::new().unwrap()),
            cache: ApiCache::default(),
            scope: AwsScope {
                region: Some("eu-west-1".to_owned()),
                role: None,
            },
            after: Timestamp::now(),
            answers,
            received,
        }
    }

    async fn read(&self, target: &Arc<Target>, blocked: BlockedOperations) -> Reading {
        let source = Source {
            clients: &self.clients,
            cache: &self.cache,
            scope: &self.scope,
        };
        let query = ConfigurationQuery {
            target: Arc::clone(target),
            after: self.after,
        };
        read(source, &query, blocked).await.unwrap()
    }

    fn answer(&self, path: &str, status: u16, body: Value) {
        let mut answers = self.answers.lock().unwrap();
        answers.insert(path.to_owned(), (status, body));
    }

    fn received(&self) -> Vec<String> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }
}

fn respond(answer: Option<(u16, Value)>) -> Response {
    let (status, body) = answer.unwrap_or((404, json!({ "__type": "ResourceNotFoundException" })));
    let status = StatusCode::from_u16(status).unwrap();
    let body = match body {
        Value::String(text) => text,
        json => json.to_string(),
    };
    (status, body).into_response()
}

fn target(url: &str) -> Arc<Target> {
    Arc::new(Target::with_defaults("orders", url.parse().unwrap()))
}

/// Returns the path of a resource of the function, whose ARN is encoded.
fn of_function(version: &str, resource: &str) -> String {
    format!(
        "/{version}/functions/{}/{resource}",
        FUNCTION.replace(':', "%3A")
    )
}

/// Returns the answers about an HTTP API with the route `GET /orders`, whose function lacks a
/// permission.
fn http_api() -> Answers {
    let routes = "/v2/apis/a1/routes?maxResults=100";
    let route = json!({
        "routeKey": "GET /orders", "target": "integrations/i1", "authorizationType": "NONE"
    });
    let integration = json!({
        "integrationId": "i1", "integrationType": "AWS_PROXY", "integrationUri": FUNCTION,
        "timeoutInMillis": 6500
    });
    let settings = json!({
        "FunctionName": "orders", "State": "Active", "Timeout": 5, "RevisionId": "r1",
        "Environment": { "Variables": { "PASSWORD": SECRET } }
    });
    let stage = json!({
        "stageName": "$default", "autoDeploy": true, "stageVariables": { "key": SECRET }
    });
    let policy = json!({ "Policy": "{\"Statement\":[]}", "RevisionId": "p1" });
    [
        (
            "/v2/apis/a1".to_owned(),
            json!({ "apiId": "a1", "protocolType": "HTTP" }),
        ),
        ("/v2/apis/a1/stages/%24default".to_owned(), stage),
        (routes.to_owned(), json!({ "items": [], "nextToken": "n" })),
        (format!("{routes}&nextToken=n"), json!({ "items": [route] })),
        (
            "/v2/apis/a1/integrations?maxResults=100".to_owned(),
            json!({ "items": [integration] }),
        ),
        (of_function("2015-03-31", "configuration"), settings),
        (of_function("2015-03-31", "policy"), policy),
        (
            of_function("2019-09-30", "concurrency"),
            json!({ "ReservedConcurrentExecutions": 0 }),
        ),
        (
            "/2016-08-19/account-settings/".to_owned(),
            json!({ "AccountLimit": { "ConcurrentExecutions": 10 } }),
        ),
    ]
    .into_iter()
    .map(|(path, body)| (path, (200, body)))
    .collect()
}

/// Checks facts about the configuration.
#[track_caller]
fn check(target: &Target, reading: &Reading, expected: &[(&str, Option<&str>)]) {
    let found = evidence(target, &reading.configuration, None).unwrap();
    for (name, value) in expected {
        let fact = found.facts.iter().find(|(fact, _)| fact == name);
        let text = fact.map(|(_, value)| value.to_string());
        assert_eq!(text.as_deref(), *value, "{name}");
    }
}

#[tokio::test]
async fn an_http_api_and_its_function_are_read_without_their_secrets() {
    let (fixture, target) = (Fixture::start(http_api()).await, target(API));
    let reading = fixture.read(&target, HashSet::new()).await;
    check(
        &target,
        &reading,
        &[
            ("config.route", Some("found")),
            ("config.permission", Some("denied")),
            ("config.reserved_concurrency", Some("0")),
            ("config.function_timeout", Some("5")),
            ("config.integration_timeout", Some("6.5")),
            ("config.account_concurrency", Some("10")),
        ],
    );
    let failed = reading.calls.iter().filter(|call| call.result.is_err());
    assert_eq!(failed.count(), 0);
    let text = format!("{reading:?} {:?}", fixture.cache);
    assert!(!text.contains(SECRET), "{text}");
    // The stage `orders`, which the path might name, does not exist.
    assert!(
        fixture
            .received()
            .contains(&"/v2/apis/a1/stages/orders".to_owned())
    );
}

#[tokio::test]
async fn targets_of_one_api_share_its_reads_but_not_those_before_their_failure() {
    let (fixture, target) = (Fixture::start(http_api()).await, target(API));
    for expected in [6, 0] {
        fixture.read(&target, HashSet::new()).await;
        let paths = fixture.received();
        let of_api = paths.iter().filter(|path| path.starts_with("/v2/"));
        assert_eq!(of_api.count(), expected);
    }
    let (scope, plan) = (&fixture.scope, Plan::of(&target).api.unwrap());
    assert!(fixture.cache.get(scope, &plan, fixture.after).is_some());
    assert!(fixture.cache.get(scope, &plan, Timestamp::now()).is_none());
}

#[tokio::test]
async fn a_part_that_is_denied_is_left_out_and_not_called_again() {
    let (fixture, target) = (Fixture::start(http_api()).await, target(API));
    let policy = of_function("2015-03-31", "policy");
    fixture.answer(&policy, 403, json!({ "__type": "AccessDeniedException" }));
    let facts = [
        ("config.permission", None),
        ("config.reserved_concurrency", Some("0")),
    ];
    let reading = fixture.read(&target, HashSet::new()).await;
    check(&target, &reading, &facts);
    let mut failed = reading.calls.iter().filter(|call| call.result.is_err());
    let call = failed.next().unwrap();
    assert!(failed.next().is_none());
    assert_eq!(call.operation, Operation::GetPolicy);
    assert_eq!(call.resource.as_deref(), Some("orders"));
    let error = call.result.as_ref().unwrap_err();
    assert_eq!(error.kind, FailureKind::Denied);
    assert!(error.text.contains("grant `lambda:GetPolicy`"), "{error}");
    fixture.received();
    let blocked = HashSet::from([(Operation::GetPolicy, Some("orders".to_owned()))]);
    let reading = fixture.read(&target, blocked).await;
    check(&target, &reading, &facts);
    assert!(!fixture.received().contains(&policy));
    let skipped = (Operation::GetPolicy, Some("orders".to_owned()));
    assert_eq!(reading.skipped, [skipped]);
}

#[tokio::test]
async fn invalid_credentials_end_the_reads() {
    let (fixture, target) = (Fixture::start(http_api()).await, target(API));
    let expired = json!({ "__type": "ExpiredTokenException", "message": "expired" });
    fixture.answer("/v2/apis/a1", 403, expired);
    let reading = fixture.read(&target, HashSet::new()).await;
    assert_eq!(fixture.received(), ["/v2/apis/a1"]);
    assert_eq!(reading.configuration.api, None);
    let last = reading.calls.last().unwrap();
    assert!(last.result.is_err(), "{last:?}");
}

#[tokio::test]
async fn a_throttled_read_does_not_show_the_type_of_the_api() {
    let (fixture, target) = (Fixture::start(http_api()).await, target(API));
    let throttled = json!({ "__type": "TooManyRequestsException" });
    fixture.answer("/v2/apis/a1", 429, throttled);
    let reading = fixture.read(&target, HashSet::new()).await;
    assert_eq!(fixture.received(), ["/v2/apis/a1"]);
    assert_eq!(reading.configuration.api, None);
}

#[tokio::test]
async fn a_missing_function_is_an_answer() {
    let mut answers = http_api();
    answers.remove(&of_function("2015-03-31", "configuration"));
    let (fixture, target) = (Fixture::start(answers).await, target(API));
    let reading = fixture.read(&target, HashSet::new()).await;
    check(
        &target,
        &reading,
        &[
            ("config.function_state", Some("missing")),
            ("config.permission", None),
        ],
    );
    assert!(
        !fixture
            .received()
            .contains(&of_function("2015-03-31", "policy"))
    );
}

#[tokio::test]
async fn a_rest_api_is_found_if_there_is_no_http_api_with_the_id() {
    let uri = format!(
        "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
    );
    let method = json!({
        "authorizationType": "NONE",
        "methodIntegration": { "type": "AWS_PROXY", "httpMethod": "POST", "uri": uri }
    });
    let resources =
        json!({ "item": [{ "path": "/orders", "resourceMethods": { "GET": method } }] });
    let mut answers = http_api();
    answers.retain(|path, _| !path.starts_with("/v2/"));
    for (path, body) in [
        ("/restapis/a1/stages/prod", json!({ "stageName": "prod" })),
        ("/restapis/a1/resources?embed=methods&limit=500", resources),
        (
            "/restapis/a1/gatewayresponses?limit=500",
            json!({ "item": [] }),
        ),
    ] {
        answers.insert(path.to_owned(), (200, body));
    }
    // The permission covers REST APIs only.
    let denied = json!({ "__type": "AccessDeniedException" });
    answers.insert("/v2/apis/a1".to_owned(), (403, denied));
    let fixture = Fixture::start(answers).await;
    let target = target(&API.replace("/orders", "/prod/orders"));
    let reading = fixture.read(&target, HashSet::new()).await;
    check(
        &target,
        &reading,
        &[
            ("config.integration", Some("lambda")),
            ("config.permission", Some("denied")),
            ("config.responses", Some("default")),
        ],
    );
    assert!(reading.calls.iter().all(|call| call.result.is_ok()));
}

#[tokio::test]
async fn an_empty_target_group_is_found_by_the_host_of_the_load_balancer() {
    // The server answers every operation with one document, in which each part is found.
    let document = "<R><Q><LoadBalancers><member><LoadBalancerArn>arn:lb</LoadBalancerArn>\
                    <DNSName>Shop-1.eu-west-1.elb.amazonaws.com</DNSName></member></LoadBalancers>\
                    <TargetGroups><member><TargetGroupArn>arn:tg</TargetGroupArn></member>\
                    </TargetGroups><TargetHealthDescriptions/></Q>\
                    <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></R>";
    let answers = Answers::from([("/".to_owned(), (200, Value::from(document)))]);
    let fixture = Fixture::start(answers).await;
    let target = target("https://shop-1.eu-west-1.elb.amazonaws.com/");
    let reading = fixture.read(&target, HashSet::new()).await;
    check(&target, &reading, &[("config.targets", Some("none"))]);
    assert_eq!(fixture.received().len(), 3);
}
