//! A whole daemon whose verdicts from outside are revised by what AWS says of them.
//!
//! Each target has an API and a function of its own in the emulator; their series come
//! after the incident has opened, as AWS's do. The rows are those by which metrics tell
//! causes apart, and what may not be said of a function that others use too.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde_json::Value;

use crate::support::cloudwatch::telemetry::Telemetry;
use crate::support::loopback::serve;
use crate::support::process::Daemon;

/// The gateway gives up after this long, as declared.
const LIMIT: Duration = Duration::from_secs(2);

/// What a function takes, far above the answers of a gateway on loopback.
const RAN_FOR: Duration = Duration::from_millis(300);

/// Two probes and what comes after them: generous, the emulator is slow on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// One target, what AWS counts, and what may be said then.
struct Row {
    name: &'static str,
    status: u16,
    /// Whether others use the function.
    shared: bool,
    /// Lambda's sums: throttles, invocations, errors; and the longest duration in ms.
    lambda: [Option<f64>; 4],
    /// Requests and 5xx that the API counts; `None`: no series at all.
    api: Option<[f64; 2]>,
    outside: (&'static str, &'static str),
    settled: (&'static str, &'static str),
}

const UNHAPPY: u16 = 500;
const UNAVAILABLE: u16 = 503;

/// Each target is asked twice before its incident opens.
const ROWS: [Row; 8] = [
    Row {
        name: "throttled",
        status: UNAVAILABLE,
        shared: true,
        lambda: [Some(14.0), None, None, None],
        api: Some([2.0, 2.0]),
        outside: ("lambda-throttled", "likely"),
        settled: ("lambda-throttled", "corroborated"),
    },
    Row {
        name: "permission",
        status: UNHAPPY,
        shared: true,
        lambda: [None, None, None, None],
        api: Some([2.0, 2.0]),
        outside: ("lambda-permission-denied", "possible"),
        // A deleted function or alias looks the same: a log line would be needed.
        settled: ("lambda-permission-denied", "likely"),
    },
    Row {
        name: "error",
        status: UNHAPPY,
        shared: true,
        lambda: [None, Some(2.0), Some(2.0), Some(290.0)],
        api: Some([2.0, 2.0]),
        outside: ("lambda-function-error", "possible"),
        settled: ("lambda-function-error", "corroborated"),
    },
    Row {
        name: "malformed",
        status: UNHAPPY,
        shared: false,
        lambda: [None, Some(2.0), Some(0.0), Some(290.0)],
        api: Some([2.0, 2.0]),
        outside: ("lambda-function-error", "possible"),
        settled: ("lambda-malformed-response", "proven"),
    },
    Row {
        name: "timeout",
        status: UNAVAILABLE,
        shared: true,
        lambda: [None, Some(2.0), Some(0.0), Some(2900.0)],
        api: Some([2.0, 2.0]),
        outside: ("integration-timeout", "likely"),
        settled: ("integration-timeout", "corroborated"),
    },
    Row {
        name: "ours-alone",
        status: UNHAPPY,
        shared: false,
        lambda: [None, Some(2.0), Some(2.0), Some(290.0)],
        api: Some([2.0, 2.0]),
        outside: ("lambda-function-error", "possible"),
        settled: ("lambda-function-error", "proven"),
    },
    Row {
        name: "background",
        status: UNHAPPY,
        shared: true,
        lambda: [None, Some(60.0), Some(3.0), Some(290.0)],
        api: Some([50.0, 4.0]),
        outside: ("lambda-function-error", "possible"),
        // Some of many failed: whether ours did, nobody can tell.
        settled: ("", "possible"),
    },
    Row {
        name: "silent",
        status: UNAVAILABLE,
        shared: true,
        lambda: [None, None, None, None],
        api: None,
        outside: ("lambda-throttled", "likely"),
        // Nothing throttled: the name from outside is contradicted.
        settled: ("", "possible"),
    },
];

/// A gateway in the words of the captures: `/503/…` and `/500/…`, the timeout late.
async fn gateway() -> SocketAddr {
    let answer = |uri: Uri| async move {
        let row = ROWS.iter().find(|row| uri.path().ends_with(row.name));
        let took = match row.and_then(|row| row.lambda[1]) {
            _ if uri.path().ends_with("/timeout") => LIMIT,
            Some(_) => RAN_FOR,
            None => Duration::ZERO,
        };
        tokio::time::sleep(took).await;
        let (status, body) = if uri.path().starts_with("/503") {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            (status, r#"{"message":"Service Unavailable"}"#)
        } else {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            (status, r#"{"message":"Internal Server Error"}"#)
        };
        let headers = [
            ("content-type", "application/json"),
            ("apigw-requestid", "K2ZRZgLwoAMEbag="),
        ];
        (status, headers, body).into_response()
    };
    let router = axum::Router::new().fallback(answer);
    serve(router).await
}

/// An API and a function that an emulator which outlives the run has not seen.
fn own(row: &Row) -> String {
    format!("{}-{}", row.name, std::process::id())
}

fn config(gateway: SocketAddr, emulator: SocketAddr) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[cloudwatch]\nregion = \"eu-west-1\"\n\
         [evidence]\nendpoint_url = \"http://{emulator}\"\nfirst_look = \"1s\"\n\
         settle = \"20s\"\nmax_requests_per_second = 20\n\
         [defaults]\ninterval = \"10m\"\nconfirm_after = \"1s\"\ntimeout = \"35s\"\n"
    );
    for row in &ROWS {
        let (name, status, id) = (row.name, row.status, own(row));
        text.push_str(&format!(
            "[[target]]\nname = \"{name}\"\nurl = \"http://{gateway}/{status}/{name}\"\n\
             [target.aws]\napi_id = \"{id}\"\nstage = \"prod\"\nroute = \"GET /{name}\"\n\
             function = \"{id}\"\nintegration = \"lambda\"\nauthorizer = \"none\"\n\
             integration_timeout = \"2s\"\nfunction_timeout = \"3s\"\nshared = {}\n",
            row.shared
        ));
    }
    text
}

/// Waits until every target's incident is as wanted; returns the incidents by target.
async fn incidents(daemon: &Daemon, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let text = daemon.get("/api/v1/incidents").await;
        let all: Vec<Value> = serde_json::from_str(&text).unwrap();
        if all.len() >= ROWS.len() && all.iter().all(&wanted) {
            return all;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {text}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn of<'a>(incidents: &'a [Value], row: &Row) -> &'a Value {
    let own: Vec<_> = incidents
        .iter()
        .filter(|incident| incident["target"] == row.name)
        .collect();
    assert_eq!(own.len(), 1, "one incident for {}: {incidents:?}", row.name);
    own[0]
}

async fn put(telemetry: &Telemetry, row: &Row, at: Timestamp) {
    let id = own(row);
    let function = [("FunctionName", &*id)];
    let metrics = ["Throttles", "Invocations", "Errors", "Duration"];
    let known = metrics.into_iter().zip(row.lambda);
    let values: Vec<_> = known
        .filter_map(|(metric, value)| Some((metric, value?)))
        .collect();
    if !values.is_empty() {
        telemetry.put("AWS/Lambda", &function, at, &values).await;
    }
    if let Some([count, errors]) = row.api {
        let route = format!("GET /{}", row.name);
        let dimensions = [("ApiId", &*id), ("Stage", "prod"), ("Route", &*route)];
        let latency = if row.name == "timeout" { 2000.0 } else { 60.0 };
        let values = [
            ("Count", count),
            ("5xx", errors),
            ("IntegrationLatency", latency),
        ];
        telemetry
            .put("AWS/ApiGateway", &dimensions, at, &values)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn metrics_that_come_late_revise_each_verdict_and_never_say_too_much() {
    let emulator = crate::evidence_emulator::emulator().await;
    let daemon = Daemon::start(&config(gateway().await, emulator.address)).await;
    let opened = incidents(&daemon, |_| true).await;
    for row in &ROWS {
        let incident = of(&opened, row);
        let said = (incident["cause"].as_str(), incident["certainty"].as_str());
        let expected = (Some(row.outside.0), Some(row.outside.1));
        assert_eq!(said, expected, "{} from outside", row.name);
    }
    let telemetry = Telemetry::of(emulator.address);
    for row in &ROWS {
        let target = daemon.get(&format!("/api/v1/targets/{}", row.name)).await;
        let target: Value = serde_json::from_str(&target).unwrap();
        let began: Timestamp = target["time"].as_str().unwrap().parse().unwrap();
        put(&telemetry, row, began).await;
    }

    let told = |incident: &Value| {
        let name = incident["target"].as_str().unwrap();
        let row = ROWS.iter().find(|row| row.name == name).unwrap();
        let cause = row.settled.0.is_empty() || incident["cause"] == row.settled.0;
        cause && incident["certainty"] == row.settled.1
    };
    let settled = incidents(&daemon, told).await;
    for row in &ROWS {
        let (before, after) = (of(&opened, row), of(&settled, row));
        // The same incident, opened once: nobody is paged a second time.
        assert_eq!(before["incident_id"], after["incident_id"]);
        let history = after["history"].as_array().unwrap();
        let notes: Vec<_> = history
            .iter()
            .filter_map(|one| one["note"].as_str())
            .collect();
        let openings = notes.iter().filter(|note| note.starts_with("opened"));
        assert_eq!(openings.count(), 1, "{notes:?}");
        println!("{}: {notes:?}", row.name);
    }
    let throttled = of(&settled, &ROWS[0]).to_string();
    assert!(
        throttled.contains("likely → corroborated: Throttles 14, Invocations 0"),
        "{throttled}"
    );
}
