//! An in-process fake of CloudWatch for more alarms than the emulator can evaluate. It
//! stores alarms, evaluates each by the maximum of its newest period and counts the writes.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use crate::support::cloudwatch::answers;
use crate::support::cloudwatch::cbor;
use crate::support::loopback::serve;

/// The fake CloudWatch. Clones share their state.
#[derive(Clone, Default)]
pub(crate) struct FakeCloudWatch(Arc<Mutex<AlarmStore>>);

#[derive(Default)]
struct AlarmStore {
    /// Alarms by name.
    alarms: BTreeMap<String, Alarm>,
    /// Writes to alarms: operation and alarm name.
    writes: Vec<(String, String)>,
    /// Names of alarms that started firing with their actions enabled, oldest first.
    pages: Vec<String>,
}

#[derive(Default)]
struct Alarm {
    definition: Value,
    tags: BTreeMap<String, String>,
    /// The start of the newest period with a datapoint, and the maximum of its values.
    newest: (f64, f64),
    firing: bool,
}

const ARN: &str = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:";

impl FakeCloudWatch {
    /// Starts the server on a free port and returns it with its URL.
    pub(crate) async fn start() -> (Self, String) {
        let cloudwatch = Self::default();
        let app = Router::new()
            .fallback(respond)
            .with_state(cloudwatch.clone());
        (cloudwatch, format!("http://{}", serve(app).await))
    }

    /// Number of alarms.
    pub(crate) fn alarms(&self) -> usize {
        self.0.lock().unwrap().alarms.len()
    }

    /// Number of alarms that are firing.
    pub(crate) fn firing(&self) -> usize {
        let store = self.0.lock().unwrap();
        store.alarms.values().filter(|alarm| alarm.firing).count()
    }

    /// How many times an alarm started firing with its actions enabled.
    pub(crate) fn pages(&self) -> usize {
        self.0.lock().unwrap().pages.len()
    }

    /// All writes to alarms so far: operation and alarm name.
    pub(crate) fn writes(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().writes.clone()
    }

    /// The value of an alarm's tag.
    pub(crate) fn tag(&self, alarm: &str, key: &str) -> Option<String> {
        let store = self.0.lock().unwrap();
        store.alarms.get(alarm)?.tags.get(key).cloned()
    }
}

impl AlarmStore {
    fn respond(&mut self, operation: &str, request: &Value) -> Value {
        let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
        match operation {
            "PutMetricData" => {
                for datum in request["MetricData"].as_array().unwrap() {
                    self.evaluate(datum);
                }
            }
            "PutMetricAlarm" => {
                let name = text("AlarmName");
                let alarm = self.alarms.entry(name.clone()).or_default();
                if alarm.definition.is_null() {
                    alarm.tags = tags(&request["Tags"]);
                }
                alarm.definition = request.clone();
                alarm.definition["AlarmArn"] = json!(format!("{ARN}{name}"));
                self.writes.push((operation.to_owned(), name));
            }
            "TagResource" => {
                let arn = text("ResourceARN");
                let name = arn.strip_prefix(ARN).unwrap().to_owned();
                let alarm = self.alarms.get_mut(&name).unwrap();
                alarm.tags.extend(tags(&request["Tags"]));
                self.writes.push((operation.to_owned(), name));
            }
            "ListTagsForResource" => {
                let arn = text("ResourceARN");
                let tags = &self.alarms[arn.strip_prefix(ARN).unwrap()].tags;
                let tags = tags
                    .iter()
                    .map(|(key, value)| json!({"Key": key, "Value": value}));
                return json!({ "Tags": tags.collect::<Vec<_>>() });
            }
            "DescribeAlarms" => {
                let names = request["AlarmNames"].as_array();
                let is_requested =
                    |name: &String| names.is_none_or(|list| list.contains(&json!(name)));
                let found = self.alarms.iter().filter(|(name, _)| is_requested(name));
                let found: Vec<_> = found.map(|(_, alarm)| alarm.definition.clone()).collect();
                return json!({ "MetricAlarms": found });
            }
            other => panic!("unexpected operation {other}"),
        }
        json!({})
    }

    /// Updates the state of the alarm on the datapoint's dimensions, if there is one: it fires if the
    /// maximum of its newest period is at least 1.
    fn evaluate(&mut self, datum: &Value) {
        let value = datum["Value"].as_f64();
        let values = datum["Values"].as_array();
        let value = value.or_else(|| values?.iter().filter_map(Value::as_f64).reduce(f64::max));
        let Some(value) = value.filter(|_| datum["MetricName"] == "Down") else {
            return;
        };
        let is_on_metric =
            |alarm: &&mut Alarm| alarm.definition["Dimensions"] == datum["Dimensions"];
        let Some(alarm) = self.alarms.values_mut().find(is_on_metric) else {
            return;
        };
        // Datapoints do not arrive in the order of their times.
        let period = alarm.definition["Period"].as_f64().unwrap();
        let start = (datum["Timestamp"].as_f64().unwrap() / period).floor() * period;
        let (newest, maximum) = alarm.newest;
        alarm.newest = match start.total_cmp(&newest) {
            Ordering::Less => return,
            Ordering::Equal => (newest, maximum.max(value)),
            Ordering::Greater => (start, value),
        };
        let firing = alarm.newest.1 >= 1.0;
        if firing && !alarm.firing && alarm.definition["ActionsEnabled"] != json!(false) {
            let name = alarm.definition["AlarmName"].as_str().unwrap();
            self.pages.push(name.to_owned());
        }
        alarm.firing = firing;
    }
}

fn tags(list: &Value) -> BTreeMap<String, String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = list
        .iter()
        .map(|tag| (text(&tag["Key"]), text(&tag["Value"])));
    pairs.collect()
}

async fn respond(
    State(cloudwatch): State<FakeCloudWatch>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = uri.path().rsplit('/').next().unwrap_or_default();
    let request = cbor::body(&headers, &body);
    let response = cloudwatch.0.lock().unwrap().respond(operation, &request);
    answers::answer(&response)
}
