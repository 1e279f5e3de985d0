//! A CloudWatch that keeps alarms, evaluates them by the newest datapoint, and counts what
//! is written: for as many alarms as the emulator cannot evaluate.

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

/// The account. Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Account(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    /// Definitions as they were put, by name, with tags and state.
    alarms: BTreeMap<String, Alarm>,
    /// Writes to alarms: operation and name.
    writes: Vec<(String, String)>,
    /// Names of alarms that began to page, in this order.
    pages: Vec<String>,
}

#[derive(Default)]
struct Alarm {
    definition: Value,
    tags: BTreeMap<String, String>,
    firing: bool,
}

const ARN: &str = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:";

impl Account {
    /// Starts it on a free port; returns where.
    pub(crate) async fn start() -> (Self, String) {
        let account = Self::default();
        let app = Router::new().fallback(answer).with_state(account.clone());
        (account, format!("http://{}", serve(app).await))
    }

    /// How many alarms there are.
    pub(crate) fn alarms(&self) -> usize {
        self.0.lock().unwrap().alarms.len()
    }

    /// How many alarms fire.
    pub(crate) fn firing(&self) -> usize {
        let books = self.0.lock().unwrap();
        books.alarms.values().filter(|alarm| alarm.firing).count()
    }

    /// How often an alarm began to fire with its actions enabled.
    pub(crate) fn pages(&self) -> usize {
        self.0.lock().unwrap().pages.len()
    }

    /// Every write to an alarm so far.
    pub(crate) fn writes(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().writes.clone()
    }

    /// An alarm's tag.
    pub(crate) fn tag(&self, alarm: &str, key: &str) -> Option<String> {
        let books = self.0.lock().unwrap();
        books.alarms.get(alarm)?.tags.get(key).cloned()
    }
}

impl Books {
    fn answer(&mut self, operation: &str, request: &Value) -> Value {
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
                let asked = request["AlarmNames"].as_array();
                let wanted = |name: &String| asked.is_none_or(|names| names.contains(&json!(name)));
                let found = self.alarms.iter().filter(|(name, _)| wanted(name));
                let found: Vec<_> = found.map(|(_, alarm)| alarm.definition.clone()).collect();
                return json!({ "MetricAlarms": found });
            }
            other => panic!("{other} was not to be expected"),
        }
        json!({})
    }

    /// The alarm on the datapoint's metric and target, if there is one.
    fn evaluate(&mut self, datum: &Value) {
        let value = datum["Value"].as_f64();
        let values = datum["Values"].as_array();
        let value = value.or_else(|| values?.iter().filter_map(Value::as_f64).reduce(f64::max));
        let Some(value) = value.filter(|_| datum["MetricName"] == "Down") else {
            return;
        };
        let same = |alarm: &&mut Alarm| alarm.definition["Dimensions"] == datum["Dimensions"];
        let Some(alarm) = self.alarms.values_mut().find(same) else {
            return;
        };
        let fires = value >= 1.0;
        if fires && !alarm.firing && alarm.definition["ActionsEnabled"] != json!(false) {
            let name = alarm.definition["AlarmName"].as_str().unwrap();
            self.pages.push(name.to_owned());
        }
        alarm.firing = fires;
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

async fn answer(
    State(account): State<Account>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = uri.path().rsplit('/').next().unwrap_or_default();
    let request = cbor::body(&headers, &body);
    let answer = account.0.lock().unwrap().answer(operation, &request);
    answers::answer(&answer)
}
