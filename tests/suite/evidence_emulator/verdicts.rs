//! Runs a whole daemon whose first verdicts, made from the probe alone, are revised by AWS
//! metrics.
//!
//! Each target has its own API and function in the emulator. Their series arrive after the
//! incident has opened, as on AWS. The rows cover the causes that metrics tell apart, and the
//! limits of what metrics of a shared function can show.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde_json::Value;

use crate::support::cloudwatch::emulator::Emulator;
use crate::support::cloudwatch::telemetry::Telemetry;
use crate::support::loopback::serve;
use crate::support::process::Daemon;

/// The declared integration timeout of the gateway.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(2);

/// Run time of a function, far above the response time of a gateway on loopback.
const FUNCTION_DURATION: Duration = Duration::from_millis(300);

/// Time limit of a wait, generous because the emulator is slow on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// One target, the metrics of its API and function, and the expected verdicts.
struct Row {
    name: &'static str,
    status: u16,
    /// Whether the function has other callers.
    shared: bool,
    /// Lambda metrics: sums of throttles, invocations and errors, and the maximum duration in ms.
    lambda: [Option<f64>; 4],
    /// API metrics: number of requests and of 5xx responses; `None`: no series.
    api: Option<[f64; 2]>,
    /// Cause and certainty before the metrics arrive.
    first_verdict: (&'static str, &'static str),
    /// Cause and certainty once the metrics are settled. An empty cause is not checked.
    settled_verdict: (&'static str, &'static str),
}

const INTERNAL_ERROR: u16 = 500;
const UNAVAILABLE: u16 = 503;

/// Each target is probed twice before its incident opens.
const ROWS: [Row; 8] = [
    Row {
        name: "throttled",
        status: UNAVAILABLE,
        shared: true,
        lambda: [Some(14.0), None, None, None],
        api: Some([2.0, 2.0]),
        first_verdict: ("lambda-throttled", "likely"),
        settled_verdict: ("lambda-throttled", "corroborated"),
    },
    Row {
        name: "permission",
        status: INTERNAL_ERROR,
        shared: true,
        lambda: [None, None, None, None],
        api: Some([2.0, 2.0]),
        first_verdict: ("lambda-permission-denied", "possible"),
        // A deleted function or alias has the same metrics; only a log line could prove more.
        settled_verdict: ("lambda-permission-denied", "likely"),
    },
    Row {
        name: "error",
        status: INTERNAL_ERROR,
        shared: true,
        lambda: [None, Some(2.0), Some(2.0), Some(290.0)],
        api: Some([2.0, 2.0]),
        first_verdict: ("lambda-function-error", "possible"),
        settled_verdict: ("lambda-function-error", "corroborated"),
    },
    Row {
        name: "malformed",
        status: INTERNAL_ERROR,
        shared: false,
        lambda: [None, Some(2.0), Some(0.0), Some(290.0)],
        api: Some([2.0, 2.0]),
        first_verdict: ("lambda-function-error", "possible"),
        settled_verdict: ("lambda-malformed-response", "proven"),
    },
    Row {
        name: "timeout",
        status: UNAVAILABLE,
        shared: true,
        lambda: [None, Some(2.0), Some(0.0), Some(2900.0)],
        api: Some([2.0, 2.0]),
        first_verdict: ("integration-timeout", "likely"),
        settled_verdict: ("integration-timeout", "corroborated"),
    },
    Row {
        name: "unshared",
        status: INTERNAL_ERROR,
        shared: false,
        lambda: [None, Some(2.0), Some(2.0), Some(290.0)],
        api: Some([2.0, 2.0]),
        first_verdict: ("lambda-function-error", "possible"),
        settled_verdict: ("lambda-function-error", "proven"),
    },
    Row {
        name: "background",
        status: INTERNAL_ERROR,
        shared: true,
        lambda: [None, Some(60.0), Some(3.0), Some(290.0)],
        api: Some([50.0, 4.0]),
        first_verdict: ("lambda-function-error", "possible"),
        // Some of many requests failed; the metrics cannot show whether the probe was one of them.
        settled_verdict: ("", "possible"),
    },
    Row {
        name: "silent",
        status: UNAVAILABLE,
        shared: true,
        lambda: [None, None, None, None],
        api: None,
        first_verdict: ("lambda-throttled", "likely"),
        // There were no throttles, which contradicts the first verdict.
        settled_verdict: ("", "possible"),
    },
];

/// A gateway with the response bodies of real captures under `/503/…` and `/500/…`; the
/// response of `timeout` is delayed by the integration timeout.
async fn gateway() -> SocketAddr {
    let answer = |uri: Uri| async move {
        let row = ROWS.iter().find(|row| uri.path().ends_with(row.name));
        let delay = match row.and_then(|row| row.lambda[1]) {
            _ if uri.path().ends_with("/timeout") => INTEGRATION_TIMEOUT,
            Some(_) => FUNCTION_DURATION,
            None => Duration::ZERO,
        };
        tokio::time::sleep(delay).await;
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

/// Id of the row's API and function, unique to this run, since an emulator may keep data of
/// earlier runs.
fn unique_id(row: &Row) -> String {
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
        let (name, status, id) = (row.name, row.status, unique_id(row));
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

/// Waits until every target has an incident that meets a condition; returns the incidents.
async fn incidents(daemon: &Daemon, condition: impl Fn(&Value) -> bool) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let text = daemon.get("/api/v1/incidents").await;
        let incidents: Vec<Value> = serde_json::from_str(&text).unwrap();
        if incidents.len() >= ROWS.len() && incidents.iter().all(&condition) {
            return incidents;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "timed out; last incidents: {text}"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn incident_of<'a>(incidents: &'a [Value], row: &Row) -> &'a Value {
    let matching: Vec<_> = incidents
        .iter()
        .filter(|incident| incident["target"] == row.name)
        .collect();
    assert_eq!(
        matching.len(),
        1,
        "expected one incident of {}: {incidents:?}",
        row.name
    );
    matching[0]
}

async fn put_metrics(telemetry: &Telemetry, row: &Row, at: Timestamp) {
    let id = unique_id(row);
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
async fn late_metrics_revise_each_verdict_without_overstating_its_certainty() {
    let emulator = Emulator::shared().await;
    let daemon = Daemon::start(&config(gateway().await, emulator.address)).await;
    let first = incidents(&daemon, |_| true).await;
    for row in &ROWS {
        let incident = incident_of(&first, row);
        let verdict = (incident["cause"].as_str(), incident["certainty"].as_str());
        let expected = (Some(row.first_verdict.0), Some(row.first_verdict.1));
        assert_eq!(verdict, expected, "first verdict of {}", row.name);
    }
    let telemetry = Telemetry::new(emulator.address);
    for row in &ROWS {
        let target = daemon.get(&format!("/api/v1/targets/{}", row.name)).await;
        let target: Value = serde_json::from_str(&target).unwrap();
        let began: Timestamp = target["time"].as_str().unwrap().parse().unwrap();
        put_metrics(&telemetry, row, began).await;
    }

    let has_settled = |incident: &Value| {
        let name = incident["target"].as_str().unwrap();
        let row = ROWS.iter().find(|row| row.name == name).unwrap();
        let cause = row.settled_verdict.0.is_empty() || incident["cause"] == row.settled_verdict.0;
        cause && incident["certainty"] == row.settled_verdict.1
    };
    let settled = incidents(&daemon, has_settled).await;
    for row in &ROWS {
        let (before, after) = (incident_of(&first, row), incident_of(&settled, row));
        // The incident stays the same and was opened once, so nobody is paged twice.
        assert_eq!(before["incident_id"], after["incident_id"]);
        let history = after["history"].as_array().unwrap();
        let notes: Vec<_> = history
            .iter()
            .filter_map(|entry| entry["note"].as_str())
            .collect();
        let openings = notes.iter().filter(|note| note.starts_with("opened"));
        assert_eq!(openings.count(), 1, "{notes:?}");
        println!("{}: {notes:?}", row.name);
    }
    let throttled = incident_of(&settled, &ROWS[0]).to_string();
    assert!(
        throttled.contains("likely → corroborated: Throttles 14, Invocations 0"),
        "{throttled}"
    );
}
