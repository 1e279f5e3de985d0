//! A CloudWatch that fails as told, and remembers what it took.

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

/// How the server answers one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Fault(u16, &'static str, &'static str),
    /// Takes what it is given, this much later.
    Slow(Duration),
    /// Takes what it is given, and never says so: the connection breaks.
    Broken,
    /// Says nothing.
    Hang,
}

impl Answer {
    /// An error with its code and message.
    pub(crate) const fn fault(status: u16, code: &'static str, message: &'static str) -> Self {
        Self::Fault(status, code, message)
    }
}

/// An operation, and the encoding and bytes of its body.
pub(crate) type Call = (String, Option<String>, usize);

/// The server. Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Server {
    /// Answers to `PutMetricData`, in turn; then always well.
    pub(crate) data: Arc<Mutex<VecDeque<Answer>>>,
    /// The answer to every other operation; `None`: an empty one.
    pub(crate) alarms: Option<Answer>,
    /// Writes to an alarm with this in its name, or this operation, are denied.
    pub(crate) denied: Option<&'static str>,
    /// Looks at the alarm of this name alone are denied.
    pub(crate) unseen: Option<&'static str>,
    /// A batch with a datapoint of this target is refused as a whole.
    pub(crate) poison: Option<&'static str>,
    /// How often each point came: of which target, when, with which value.
    pub(crate) taken: Arc<Mutex<BTreeMap<(String, String), usize>>>,
    /// What each alarm that was put says, by its name.
    pub(crate) said: Arc<Mutex<BTreeMap<String, String>>>,
    /// Its tags, by its ARN.
    pub(crate) tags: Arc<Mutex<BTreeMap<String, Map<String, Value>>>>,
    /// Alarms whose actions were disabled.
    pub(crate) silenced: Arc<Mutex<BTreeSet<String>>>,
    /// Alarms in state ALARM; all others are OK.
    pub(crate) firing: Arc<Mutex<BTreeSet<String>>>,
    pub(crate) calls: Arc<Mutex<Vec<Call>>>,
    /// Reads of all alarms so far.
    pub(crate) full_reads: Arc<AtomicUsize>,
    /// Reads of all alarms never end.
    pub(crate) full_reads_hang: Arc<AtomicBool>,
}

impl Server {
    /// Listens on a free port; returns where.
    pub(crate) async fn start(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.start_on(listener)
    }

    /// Listens there.
    pub(crate) fn start_on(self, listener: tokio::net::TcpListener) -> String {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(self);
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    /// Keeps what an alarm says; answers as an account whose alarms can be asked for by
    /// name alone.
    fn keep(&self, request: &Value, uri: &Uri) -> Response {
        let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
        let mut tags = self.tags.lock().unwrap();
        let answer = match uri.path().rsplit('/').next().unwrap_or_default() {
            "PutMetricAlarm" => {
                let mut said = self.said.lock().unwrap();
                let before = said.insert(text("AlarmName"), text("AlarmDescription"));
                if before.is_none() {
                    tags.insert(arn(&text("AlarmName")), pairs(&request["Tags"]));
                }
                json!({})
            }
            "TagResource" => {
                let kept = tags.entry(text("ResourceARN")).or_default();
                kept.extend(pairs(&request["Tags"]));
                json!({})
            }
            "ListTagsForResource" => {
                let kept = tags.get(&text("ResourceARN")).into_iter().flatten();
                let pair = |(key, value): (&String, &Value)| json!({"Key": key, "Value": value});
                json!({"Tags": kept.map(pair).collect::<Vec<_>>()})
            }
            "DisableAlarmActions" => {
                let names = request["AlarmNames"].as_array().into_iter().flatten();
                let names = names.filter_map(|name| Some(name.as_str()?.to_owned()));
                self.silenced.lock().unwrap().extend(names);
                json!({})
            }
            _ => {
                let names = request["AlarmNames"].as_array().into_iter().flatten();
                let found = names.filter_map(|name| self.alarm(name.as_str()?));
                json!({"MetricAlarms": found.collect::<Vec<_>>()})
            }
        };
        answers::answer(&answer)
    }

    fn alarm(&self, name: &str) -> Option<Value> {
        let said = self.said.lock().unwrap().get(name)?.clone();
        let firing = self.firing.lock().unwrap().contains(name);
        let state = if firing { "ALARM" } else { "OK" };
        Some(json!({
            "AlarmName": name,
            "AlarmArn": arn(name),
            "AlarmDescription": said,
            "StateValue": state,
        }))
    }

    /// Notes the datapoints of a request; false: it is refused.
    fn take(&self, request: &Value) -> bool {
        let points = request["MetricData"].as_array().unwrap();
        let points: Vec<_> = points.iter().map(point).collect();
        let poisoned = |(target, _): &(String, String)| Some(target.as_str()) == self.poison;
        if points.iter().any(poisoned) {
            return false;
        }
        let mut taken = self.taken.lock().unwrap();
        for point in points {
            *taken.entry(point).or_default() += 1;
        }
        true
    }
}

/// Of which target (or the metric, where there is none), and everything else.
fn point(datum: &Value) -> (String, String) {
    let dimensions = datum["Dimensions"].as_array().unwrap();
    let target = dimensions.iter().find(|one| one["Name"] == "Target");
    let name = target.map_or(&datum["MetricName"], |target| &target["Value"]);
    (name.as_str().unwrap().to_owned(), datum.to_string())
}

async fn answer(
    State(server): State<Server>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let data = operation == "PutMetricData";
    let answer = if data {
        server.data.lock().unwrap().pop_front()
    } else {
        server.alarms
    };
    let encoding = headers.get("content-encoding");
    let encoding = encoding.map(|encoding| encoding.to_str().unwrap().to_owned());
    let request = cbor::body(&headers, &body);
    let denied = server.denied.is_some_and(|denied| {
        let name = request["AlarmName"].as_str().unwrap_or_default();
        operation == denied || name.contains(denied)
    });
    let looked_at = request["AlarmNames"].as_array().into_iter().flatten();
    let mut looked_at = looked_at.filter_map(Value::as_str);
    let denied = denied || looked_at.any(|name| server.unseen == Some(name));
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
    if !data && server.alarms.is_none() {
        return server.keep(&request, &uri);
    }
    match answer {
        Some(Answer::Hang) => return std::future::pending().await,
        Some(Answer::Fault(status, code, message)) => return fault(status, code, message),
        Some(Answer::Slow(time)) => tokio::time::sleep(time).await,
        Some(Answer::Broken) | None => {}
    }
    if data && !server.take(&request) {
        return fault(
            400,
            "InvalidParameterValue",
            "The value NaN is not supported.",
        );
    }
    if let Some(Answer::Broken) = answer {
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let pieces = [Ok(Bytes::from_static(&[0xa0])), Err(broken)];
        return (
            answers::CBOR,
            Body::from_stream(futures_util::stream::iter(pieces)),
        )
            .into_response();
    }
    answers::answer(&json!({}))
}

fn fault(status: u16, code: &str, message: &str) -> Response {
    let body = answers::answer(&json!({"__type": code, "message": message}));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

pub(crate) fn arn(alarm: &str) -> String {
    format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{alarm}")
}

/// Tags as AWS writes them.
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
