//! Tests the calls with a server in the process that answers like AWS.

use std::sync::Mutex;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use super::*;
use crate::domain::evidence_sources::{Source, State};

/// A server with the paths and operations that were requested.
struct Server {
    url: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
            let log = Arc::clone(&log);
            async move {
                let named = headers.get("x-amz-target");
                let named = named.and_then(|name| name.to_str().ok()?.rsplit('.').next());
                let path = named.unwrap_or_else(|| uri.path()).to_owned();
                log.lock().unwrap().push(path.clone());
                answer(&path)
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

/// Answers like an account with a REST API, whose credentials may neither read the policy nor search
/// CloudTrail, and without the log group.
fn answer(path: &str) -> Response {
    let error = |status: StatusCode, code: &str, message: &str| {
        let body = json!({ "__type": code, "message": message }).to_string();
        let headers = [
            ("x-amzn-errortype", code.to_owned()),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
        ];
        (status, headers, body).into_response()
    };
    let denied = |action: &str| {
        let message = format!(
            "User: arn:aws:iam::1:user/a is not authorized to perform: {action} because no \
             identity-based policy allows the {action} action"
        );
        error(StatusCode::FORBIDDEN, "AccessDeniedException", &message)
    };
    match path {
        "/v2/apis/a1" => error(StatusCode::NOT_FOUND, "NotFoundException", "no API"),
        "/v2/apis/rest" | "/v2/apis/denied" | "/restapis/denied" => denied("apigateway:GET"),
        "/restapis/a1"
        | "/restapis/rest"
        | "/2015-03-31/functions/orders/configuration"
        | "/2019-09-30/functions/orders/concurrency"
        | "/2016-08-19/account-settings/" => "{}".into_response(),
        "/2015-03-31/functions/orders/policy" => denied("lambda:GetPolicy"),
        "LookupEvents" => denied("cloudtrail:LookupEvents"),
        "FilterLogEvents" => error(
            StatusCode::BAD_REQUEST,
            NOT_FOUND,
            "The specified log group does not exist.",
        ),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn config(credentials: bool) -> SdkConfig {
    let builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"));
    if !credentials {
        return builder.build();
    }
    let credentials = Credentials::new("test", "test", None, None, "test");
    builder
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

fn settings(server: &Server, targets: Vec<Target>) -> Settings {
    let mut settings = Settings {
        targets: targets.into_iter().map(Arc::new).collect(),
        ..Settings::default()
    };
    settings.cloudwatch.region = Some("eu-west-1".to_owned());
    settings.evidence.endpoint_url = Some(server.url.clone());
    settings.evidence.configuration = true;
    settings.evidence.changes = true;
    settings.evidence.max_requests_per_second = 1000;
    settings
}

fn target(name: &str) -> Target {
    Target::with_defaults(name, "https://orders.example/".parse().unwrap())
}

/// Checks the settings. Returns the calls that were announced, and the result.
async fn checked(settings: &Settings, base: SdkConfig) -> (Vec<String>, Vec<TargetEvidence>) {
    let mut calls = Vec::new();
    let mut progress = |progress: &Progress| {
        let Progress {
            number,
            total,
            call,
        } = progress;
        calls.push(format!("{number}/{total} {call}"));
    };
    let found = check(settings, Some(base), &mut progress).await.unwrap();
    (calls, found)
}

#[tokio::test]
async fn one_call_per_action_shows_what_each_target_lacks() {
    let server = Server::start().await;
    let [mut first, mut second] = ["orders", "carts"].map(target);
    first.aws.api_id = Some("a1".to_owned());
    first.aws.stage = Some("prod".to_owned());
    first.aws.function = Some("orders".to_owned());
    first.aws.access_log_group = Some("/api/orders".to_owned());
    second.aws.function = Some("carts".to_owned());
    let settings = settings(&server, vec![first, second, target("other")]);
    let (calls, found) = checked(&settings, config(true)).await;
    assert_eq!(
        calls.first().map(String::as_str),
        Some("1/8 cloudwatch:GetMetricData in eu-west-1")
    );
    assert_eq!(calls.len(), 8);
    let received = server.received();
    let count = |path: &str| received.iter().filter(|one| *one == path).count();
    for path in ["/restapis/a1", "LookupEvents", "FilterLogEvents"] {
        assert_eq!(count(path), 1, "{path} in {received:?}");
    }
    let names: Vec<&str> = found.iter().map(|one| one.target.as_str()).collect();
    assert_eq!(names, ["orders", "carts", "other"]);
    let states = |index: usize| -> Vec<State> {
        let sources = found[index].report.sources.iter();
        sources.map(|one| one.state).collect()
    };
    let (denied, undeclared) = (State::PermissionMissing, State::DeclarationMissing);
    assert_eq!(
        states(0),
        [
            State::Unknown,
            State::LogMissing,
            State::NotApplicable,
            denied,
            denied
        ]
    );
    assert_eq!(
        states(1),
        [State::Unknown, undeclared, undeclared, denied, denied]
    );
    assert_eq!(states(2), [undeclared; 5]);
    let step = found[1].report.next_step.as_deref().unwrap();
    assert!(step.contains("grant `lambda:GetPolicy`"), "{step}");
}

#[tokio::test]
async fn a_permission_for_rest_apis_only_is_enough_for_a_rest_api() {
    let server = Server::start().await;
    for (id, expected) in [
        ("rest", State::Available),
        ("denied", State::PermissionMissing),
    ] {
        let mut target = target("orders");
        target.aws.api_id = Some(id.to_owned());
        target.aws.api_name = Some("shop".to_owned());
        target.aws.stage = Some("prod".to_owned());
        let settings = settings(&server, vec![target]);
        let (_, found) = checked(&settings, config(true)).await;
        let mut sources = found[0].report.sources.iter();
        let source = sources.find(|it| it.source == Source::Configuration);
        assert_eq!(source.unwrap().state, expected, "{id}");
    }
}

#[tokio::test]
async fn without_credentials_nothing_else_is_tried() {
    let server = Server::start().await;
    let mut target = target("orders");
    target.url = "https://a1.execute-api.eu-west-1.amazonaws.com/"
        .parse()
        .unwrap();
    let settings = settings(&server, vec![target]);
    let (calls, found) = checked(&settings, config(false)).await;
    assert_eq!(calls.len(), 2);
    assert_eq!(server.received(), Vec::<String>::new());
    let step = found[0].report.next_step.as_deref().unwrap();
    assert!(step.contains("credentials"), "{step}");
}

#[tokio::test]
async fn after_the_time_limit_nothing_else_is_tried() {
    let now = Instant::now();
    assert_eq!(known_outcome(&[], now + TIME_LIMIT), None);
    let outcome = known_outcome(&[], now);
    assert!(matches!(outcome, Some(Outcome::Failed(_))), "{outcome:?}");
}
