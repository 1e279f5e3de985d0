//! The search for changes in an AWS account with `LookupEvents`.
//!
//! An in-process server stands in for CloudTrail, because no emulator has this operation. It speaks
//! the protocol of the service.

#![cfg(test)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudwatch::config::Credentials;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use probecause::domain::account_changes::Watched;
use probecause::domain::incident::IncidentId;
use probecause::io::evidence::changes::{ChangeCollector, ChangeRequest, ChangeUpdate};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::cause::CauseId;
use probecause::model::scope::Scope;
use probecause::model::settings::Settings;
use probecause::model::target::Target;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::cloudwatch::evidence;
use crate::support::log::Log;
use crate::support::loopback;

/// A server that stands in for CloudTrail. It denies every request if it has no events.
#[derive(Clone, Default)]
struct CloudTrail {
    events: Arc<Vec<Value>>,
    /// The bodies of the received requests.
    requests: Arc<Mutex<Vec<Value>>>,
}

impl CloudTrail {
    async fn start(&self) -> String {
        let app = Router::new().fallback(answer).with_state(self.clone());
        format!("http://{}", loopback::serve(app).await)
    }

    fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(State(server): State<CloudTrail>, headers: HeaderMap, body: String) -> Response {
    let operation = headers["x-amz-target"].to_str().unwrap();
    assert_eq!(
        operation,
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"
    );
    let request: Value = serde_json::from_str(&body).unwrap();
    let name = request["LookupAttributes"][0]["AttributeValue"].clone();
    server.requests.lock().unwrap().push(request);
    let json = [("content-type", "application/x-amz-json-1.1")];
    if server.events.is_empty() {
        let body = json!({ "__type": "AccessDeniedException", "Message": "not authorized" });
        return (StatusCode::BAD_REQUEST, json, body.to_string()).into_response();
    }
    let events = server.events.iter();
    let found: Vec<_> = events.filter(|event| event["EventName"] == name).collect();
    (json, json!({ "Events": found }).to_string()).into_response()
}

/// An event as in the field `Events` of a response.
fn event(name: &str, time: Timestamp, parameters: &Value) -> Value {
    let details = json!({
        "eventTime": format!("{time:.0}"),
        "eventSource": "lambda.amazonaws.com",
        "eventName": name,
        "readOnly": false,
        "sourceIPAddress": "203.0.113.77",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::123456789012:assumed-role/deploy-role/jane@example.com",
            "accessKeyId": "ASIASECRETKEY",
        },
        "requestParameters": parameters,
    });
    json!({ "EventName": name, "Username": "jane@example.com", "CloudTrailEvent": details.to_string() })
}

fn target() -> Arc<Target> {
    evidence::target("orders", |target| {
        target.aws.function = Some("orders".to_owned());
        target.aws.qualifier = Some("live".to_owned());
    })
}

fn settings(endpoint: &str) -> Settings {
    let mut settings = evidence::settings(endpoint, &[target()]);
    settings.evidence.changes = true;
    settings
}

/// A request about an incident whose first failure was at `first_failure`.
fn request(first_failure: Timestamp) -> ChangeRequest {
    let target = target();
    let opened = Timestamp::now();
    ChangeRequest {
        watched: Watched::of(&target, &target.aws),
        incident: IncidentId::new(&Scope::Target(target.name.clone()), opened),
        opened,
        first_failure,
        cause: CauseId::new("lambda-permission-denied").unwrap(),
        target,
    }
}

async fn start(settings: &Settings) -> (ChangeCollector, mpsc::Receiver<ChangeUpdate>) {
    let base = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await;
    let (sender, updates) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let collector = ChangeCollector::start(settings, metrics, sender, Some(base));
    (collector, updates)
}

/// Time limit of a wait.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_removal_of_a_permission_before_the_first_failure_is_found() {
    let first_failure: Timestamp = "2026-07-14T22:32:28.798Z".parse().unwrap();
    let removal = "RemovePermission20150331v2";
    let live = json!({ "functionName": "orders", "qualifier": "live", "statementId": "secret" });
    let other = json!({ "functionName": "users" });
    let at = |time: &str| -> Timestamp { time.parse().unwrap() };
    let server = CloudTrail {
        events: Arc::new(vec![
            event(removal, at("2026-07-14T22:32:20Z"), &other),
            event(removal, at("2026-07-14T22:32:02Z"), &live),
            event(removal, at("2026-07-14T21:00:00Z"), &live),
        ]),
        ..CloudTrail::default()
    };
    let (collector, mut updates) = start(&settings(&server.start().await)).await;
    let request = request(first_failure);
    collector.watch(request.clone());
    let update = timeout(PATIENCE, updates.recv()).await.unwrap().unwrap();
    assert_eq!(update.incident, request.incident);
    assert_eq!(update.target, request.target.name);
    let summaries: Vec<_> = update.changes.iter().map(|one| one.summary()).collect();
    assert_eq!(summaries, ["RemovePermission by deploy-role 26 s before"]);
    let shown = format!("{update:?}");
    for secret in ["jane", "ASIA", "203.0.113", "secret", "123456789012"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let first = &server.requests()[0];
    assert_eq!(first["LookupAttributes"][0]["AttributeKey"], "EventName");
    let an_hour_before = first_failure.as_second() - 3600;
    assert_eq!(first["StartTime"], an_hour_before);
}

#[tokio::test]
async fn requests_are_five_seconds_apart_and_end_with_the_incident() {
    let server = CloudTrail {
        events: Arc::new(vec![json!({})]),
        ..CloudTrail::default()
    };
    let (collector, mut updates) = start(&settings(&server.start().await)).await;
    let request = request(Timestamp::now());
    collector.watch(request.clone());
    tokio::time::sleep(Duration::from_secs(7)).await;
    let count = server.requests().len();
    assert!((1..=2).contains(&count), "{count} requests in 7 s");
    collector.forget(&request.target.name);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let count = server.requests().len();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(server.requests().len(), count);
    assert!(updates.try_recv().is_err());
    collector.shutdown(PATIENCE).await;
    timeout(PATIENCE, collector.ended()).await.unwrap();
}

#[tokio::test]
async fn a_missing_permission_is_logged_once_with_its_action() {
    let (log, _capture) = Log::capture();
    let server = CloudTrail::default();
    let (collector, _updates) = start(&settings(&server.start().await)).await;
    for _ in 0..3 {
        collector.watch(request(Timestamp::now()));
    }
    let logged = async {
        while log.lines_with("evidence: ").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, logged).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let warnings = log.lines_with("evidence: ");
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("grant `cloudtrail:LookupEvents`"));
    // After the denial, the operation is not called again for at least half a minute.
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn nothing_is_requested_unless_it_is_enabled() {
    let server = CloudTrail::default();
    let endpoint = server.start().await;
    let disabled = evidence::settings(&endpoint, &[target()]);
    let (collector, _updates) = start(&disabled).await;
    collector.watch(request(Timestamp::now()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.requests().len(), 0);
    // A reload enables it, and the next failed probe repeats the request.
    collector.configure(&settings(&endpoint));
    let requested = async {
        while server.requests().is_empty() {
            collector.watch(request(Timestamp::now()));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, requested).await.unwrap();
}
