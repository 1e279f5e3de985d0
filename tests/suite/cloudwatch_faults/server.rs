//! A server that stands in for CloudWatch, injects the configured faults, and records requests,
//! datapoints and alarms.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::support::cloudwatch::answers;
use crate::support::cloudwatch::cbor;

/// How the server replies to one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// An error with its status, code and message.
    Fault(u16, &'static str, &'static str),
    /// Accepts the request after a delay.
    Slow(Duration),
    /// Accepts the request, then breaks the connection during the response.
    Broken,
    /// Never responds.
    Hang,
}

impl Reply {
    /// An error with its status, code and message.
    pub(crate) const fn fault(status: u16, code: &'static str, message: &'static str) -> Self {
        Self::Fault(status, code, message)
    }
}

/// An operation, the content encoding of its body, and the size of the body in bytes.
pub(crate) type Call = (String, Option<String>, usize);

/// The faults to inject and the recorded state. Clones share the state.
#[derive(Clone, Default)]
pub(crate) struct Server {
    /// Replies to `PutMetricData`, in order. The server accepts all further requests.
    pub(crate) data_replies: Arc<Mutex<VecDeque<Reply>>>,
    /// The reply to every other operation. If `None`, the server stores alarms as CloudWatch does.
    pub(crate) alarm_reply: Option<Reply>,
    /// Denies this operation, and writes to alarms with this text in their name.
    pub(crate) denied: Option<&'static str>,
    /// Denies calls that list the alarm of this name in `AlarmNames`.
    pub(crate) describe_denied: Option<&'static str>,
    /// Rejects every batch that contains a datapoint of this target.
    pub(crate) rejected_target: Option<&'static str>,
    /// How often each datapoint arrived, by target (or metric name) and datum as JSON.
    pub(crate) datapoints: Arc<Mutex<BTreeMap<(String, String), usize>>>,
    /// The description of each stored alarm, by alarm name.
    pub(crate) descriptions: Arc<Mutex<BTreeMap<String, String>>>,
    /// The tags of each alarm, by alarm ARN.
    pub(crate) tags: Arc<Mutex<BTreeMap<String, Map<String, Value>>>>,
    /// The names of alarms with disabled actions.
    pub(crate) disabled: Arc<Mutex<BTreeSet<String>>>,
    /// The names of alarms in state ALARM. All others are in state OK.
    pub(crate) firing: Arc<Mutex<BTreeSet<String>>>,
    /// All requests in the order of arrival.
    pub(crate) calls: Arc<Mutex<Vec<Call>>>,
    /// Number of reads of all alarms.
    pub(crate) full_reads: Arc<AtomicUsize>,
    /// Whether the server never responds to a read of all alarms.
    pub(crate) full_reads_hang: Arc<AtomicBool>,
}

impl Server {
    /// Serves on a free port and returns the URL.
    pub(crate) async fn start(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.start_on(listener)
    }

    /// Serves on a listener and returns the URL.
    pub(crate) fn start_on(self, listener: tokio::net::TcpListener) -> String {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(respond).with_state(self);
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    /// Stores the alarm and its tags, and responds as CloudWatch does. Finds alarms by name only,
    /// not by prefix.
    fn alarm_operation(&self, request: &Value, uri: &Uri) -> Response {
        let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
        let mut tags = self.tags.lock().unwrap();
        let value = match uri.path().rsplit('/').next().unwrap_or_default() {
            "PutMetricAlarm" => {
                let mut descriptions = self.descriptions.lock().unwrap();
                let previous = descriptions.insert(text("AlarmName"), text("AlarmDescription"));
                if previous.is_none() {
                    tags.insert(arn(&text("AlarmName")), pairs(&request["Tags"]));
                }
                json!({})
            }
            "TagResource" => {
                let stored = tags.entry(text("ResourceARN")).or_default();
                stored.extend(pairs(&request["Tags"]));
                json!({})
            }
            "ListTagsForResource" => {
                let stored = tags.get(&text("ResourceARN")).into_iter().flatten();
                let pair = |(key, value): (&String, &Value)| json!({"Key": key, "Value": value});
                json!({"Tags": stored.map(pair).collect::<Vec<_>>()})
            }
            "DisableAlarmActions" => {
                let names = request["AlarmNames"].as_array().into_iter().flatten();
                let names = names.filter_map(|name| Some(name.as_str()?.to_owned()));
                self.disabled.lock().unwrap().extend(names);
                json!({})
            }
            _ => {
                let names = request["AlarmNames"].as_array().into_iter().flatten();
                let found = names.filter_map(|name| self.alarm(name.as_str()?));
                json!({"MetricAlarms": found.collect::<Vec<_>>()})
            }
        };
        answers::answer(&value)
    }

    /// A stored alarm as `DescribeAlarms` returns it.
    fn alarm(&self, name: &str) -> Option<Value> {
        let description = self.descriptions.lock().unwrap().get(name)?.clone();
        let firing = self.firing.lock().unwrap().contains(name);
        let state = if firing { "ALARM" } else { "OK" };
        Some(json!({
            "AlarmName": name,
            "AlarmArn": arn(name),
            "AlarmDescription": description,
            "StateValue": state,
        }))
    }

    /// Records the datapoints of a request. Returns false if the server rejects the request.
    fn record(&self, request: &Value) -> bool {
        let points = request["MetricData"].as_array().unwrap();
        let points: Vec<_> = points.iter().map(point).collect();
        let rejected =
            |(target, _): &(String, String)| Some(target.as_str()) == self.rejected_target;
        if points.iter().any(rejected) {
            return false;
        }
        let mut datapoints = self.datapoints.lock().unwrap();
        for point in points {
            *datapoints.entry(point).or_default() += 1;
        }
        true
    }
}

/// The target of a datum (or its metric name if it has no target), and the datum as JSON.
fn point(datum: &Value) -> (String, String) {
    let dimensions = datum["Dimensions"].as_array().unwrap();
    let target = dimensions.iter().find(|one| one["Name"] == "Target");
    let name = target.map_or(&datum["MetricName"], |target| &target["Value"]);
    (name.as_str().unwrap().to_owned(), datum.to_string())
}

async fn respond(
    State(server): State<Server>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let is_data = operation == "PutMetricData";
    let reply = if is_data {
        server.data_replies.lock().unwrap().pop_front()
    } else {
        server.alarm_reply
    };
    let encoding = headers.get("content-encoding");
    let encoding = encoding.map(|encoding| encoding.to_str().unwrap().to_owned());
    let request = cbor::body(&headers, &body);
    let denied = server.denied.is_some_and(|denied| {
        let name = request["AlarmName"].as_str().unwrap_or_default();
        operation == denied || name.contains(denied)
    });
    let alarm_names = request["AlarmNames"].as_array().into_iter().flatten();
    let mut alarm_names = alarm_names.filter_map(Value::as_str);
    let denied = denied || alarm_names.any(|name| server.describe_denied == Some(name));
    let call = (operation, encoding, body.len());
    server.calls.lock().unwrap().push(call);
    if denied {
        return fault(403, "AccessDeniedException", "not this one");
    }
    if request.get("AlarmNamePrefix").is_some() {
        server.full_reads.fetch_add(1, Ordering::Relaxed);
        if server.full_reads_hang.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
    }
    if !is_data && server.alarm_reply.is_none() {
        return server.alarm_operation(&request, &uri);
    }
    match reply {
        Some(Reply::Hang) => return std::future::pending().await,
        Some(Reply::Fault(status, code, message)) => return fault(status, code, message),
        Some(Reply::Slow(time)) => tokio::time::sleep(time).await,
        Some(Reply::Broken) | None => {}
    }
    if is_data && !server.record(&request) {
        return fault(
            400,
            "InvalidParameterValue",
            "The value NaN is not supported.",
        );
    }
    if let Some(Reply::Broken) = reply {
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let chunks = [Ok(Bytes::from_static(&[0xa0])), Err(broken)];
        return (
            answers::CBOR,
            Body::from_stream(futures_util::stream::iter(chunks)),
        )
            .into_response();
    }
    answers::answer(&json!({}))
}

/// An error response with its status, code and message.
fn fault(status: u16, code: &str, message: &str) -> Response {
    let body = answers::answer(&json!({"__type": code, "message": message}));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// The ARN of an alarm.
pub(crate) fn arn(alarm: &str) -> String {
    format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{alarm}")
}

/// Converts tags from the list of the AWS API to a map.
fn pairs(tags: &Value) -> Map<String, Value> {
    let tags = tags.as_array().into_iter().flatten();
    tags.map(|tag| {
        (
            tag["Key"].as_str().unwrap().to_owned(),
            tag["Value"].clone(),
        )
    })
    .collect()
}
