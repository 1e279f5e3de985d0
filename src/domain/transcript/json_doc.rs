//! Reads JSON documents: HAR files, this program's own output, curl's `%{json}`, and responses
//! that tools store as JSON.

use jiff::Timestamp;
use serde_json::Value;

use super::body::json_text::Depth;
use super::command;
use super::exchange::{Exchange, FoundFault, Source};
use super::fault::Found;
use super::response::RawResponse;
use super::settle::millis;
use super::status;
use super::time::clocks::Clock;
use crate::domain::diagnosis::fact::FactValue;
use crate::model::observation::{FaultKind, Phase, Phases};

/// Maximum size of a document in bytes.
const MAX_DOCUMENT: usize = 16 << 20;

/// Maximum depth at which responses are looked for in other documents.
const MAX_DEPTH: usize = 6;

/// Maximum number of exchanges of one document.
const MAX_EXCHANGES: usize = 10_000;

/// A part of a document that means something.
#[derive(Debug)]
pub(super) enum Document {
    Exchange(Box<Exchange>),
    /// The output of curl's `%{json}`.
    Output(String),
    /// The output of a program that a member holds.
    Text(String),
}

/// The lines of a document, as far as they are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) text: String,
    /// The number of the first line.
    pub(super) number: usize,
    depth: Depth,
}

/// Whether more lines belong to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Done,
}

impl Block {
    /// Whether a line may start a document.
    pub(super) fn starts(line: &str) -> bool {
        let line = line.trim_start();
        let Some(rest) = line.strip_prefix(['{', '[']) else {
            return false;
        };
        let next = rest.trim_start().chars().next();
        match next {
            None => true,
            Some('"') => line.starts_with('{'),
            Some('{' | '}') => true,
            _ => false,
        }
    }

    /// Adds a line.
    pub(super) fn add(&mut self, line: &str, number: usize) -> Step {
        if self.number == 0 {
            self.number = number;
        }
        let mut is_closed = false;
        for byte in line.bytes() {
            is_closed |= self.depth.add(byte);
        }
        self.depth.end_line();
        self.text.push_str(line);
        self.text.push('\n');
        if is_closed || self.text.len() > MAX_DOCUMENT {
            Step::Done
        } else {
            Step::More
        }
    }

    /// The lines and their numbers.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&str, usize)> {
        let first = self.number;
        self.text
            .lines()
            .enumerate()
            .map(move |(at, line)| (line, first + at))
    }
}

/// Reads a document; `None` if it is no JSON or has no known meaning.
pub(super) fn read(text: &str) -> Option<Vec<Document>> {
    let value: Value = serde_json::from_str(text).ok()?;
    let mut found = Vec::new();
    search(&value, 0, &mut found);
    if value.get("time_total").is_some() {
        found.push(Document::Output(value.to_string()));
    }
    if found.is_empty() {
        texts(&value, 0, &mut found);
    }
    (!found.is_empty()).then_some(found)
}

/// Looks for members that hold the output of a program.
fn texts(value: &Value, depth: usize, found: &mut Vec<Document>) {
    match value {
        Value::String(text) if text.contains('\n') && found.len() < MAX_EXCHANGES => {
            found.push(Document::Text(text.clone()));
        }
        Value::Array(list) if depth < MAX_DEPTH => {
            list.iter().for_each(|one| texts(one, depth + 1, found));
        }
        Value::Object(members) if depth < MAX_DEPTH => {
            members
                .values()
                .for_each(|one| texts(one, depth + 1, found));
        }
        _ => {}
    }
}

/// The message of a line of a log whose lines are JSON objects; `None` if the line is none.
pub(super) fn log_line(line: &str) -> Option<String> {
    let is_object = line.starts_with("{\"") && line.ends_with('}') && line.len() < MAX_LOG_LINE;
    let keys = [
        "\"stream\":",
        "\"time\":",
        "\"level\":",
        "\"ts\":",
        "\"timestamp\":",
    ];
    if !is_object || !keys.iter().any(|key| line.contains(key)) {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    value.get("cause").is_none().then_some(())?;
    let message = ["log", "msg", "message", "line"]
        .iter()
        .find_map(|name| value.get(name)?.as_str())?;
    let message = message.trim_end_matches(['\n', '\r']);
    (!message.contains('\n')).then(|| message.to_owned())
}

/// Maximum length of a line of a log in bytes.
const MAX_LOG_LINE: usize = 65_536;

fn search(value: &Value, depth: usize, found: &mut Vec<Document>) {
    if depth > MAX_DEPTH || found.len() >= MAX_EXCHANGES {
        return;
    }
    let exchange = own(value)
        .or_else(|| entry(value))
        .or_else(|| response(value));
    if let Some(exchange) = exchange {
        found.push(Document::Exchange(Box::new(exchange)));
        return;
    }
    match value {
        Value::Array(list) => list.iter().for_each(|one| search(one, depth + 1, found)),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "request" | "config" | "pages"))
            .for_each(|(_, member)| search(member, depth + 1, found)),
        _ => {}
    }
}

/// A result of this program, as `probe --json` and `diagnose --json` print it.
fn own(value: &Value) -> Option<Exchange> {
    let evidence = value.get("evidence")?.as_array()?;
    value.get("certainty")?;
    let phases = value.get("phases")?;
    let mut exchange = Exchange::default();
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    exchange.request.url = text("url")
        .or_else(|| text("target"))
        .and_then(command::url_of);
    if let Some(time) = value.get("duration_seconds").and_then(Value::as_f64) {
        exchange
            .times
            .set(Clock::Client, super::time::seconds(time)?);
    }
    for phase in Phase::ALL {
        let time = phases.get(phase.as_str()).and_then(Value::as_f64);
        if let Some(time) = time.and_then(super::time::seconds) {
            exchange.phases.add(phase, time);
        }
    }
    let facts = evidence.iter().filter_map(|one| {
        let value = match one.get("value")? {
            Value::String(text) => FactValue::Text(text.clone()),
            Value::Number(number) => FactValue::Number(number.as_f64()?),
            _ => return None,
        };
        Some((one.get("fact")?.as_str()?.to_owned(), value))
    });
    exchange.facts = facts.take(MAX_FACTS).collect();
    let fact = |name: &str| {
        let found = exchange.facts.iter().find(|(fact, _)| fact == name);
        match found {
            Some((_, FactValue::Text(text))) => Some(text.clone()),
            _ => None,
        }
    };
    let kind = fact("fault").and_then(|kind| FaultKind::parse(&kind));
    let phase = fact("phase").and_then(|phase| Phase::parse(&phase));
    if let (Some(kind), Some(phase)) = (kind, phase) {
        let message = text("error").unwrap_or_default().to_owned();
        let found = Found {
            phase,
            kind,
            is_stated: true,
            is_vague: false,
            rank: 0,
        };
        exchange.fault = Some(FoundFault { found, message });
    }
    let code = value.get("status").and_then(Value::as_u64);
    if let Some(status) = code.and_then(|code| u16::try_from(code).ok()) {
        let mut response = RawResponse::of_status(status, None);
        response.is_cut = true;
        for (name, value) in &exchange.facts {
            if let (Some(name), FactValue::Text(value)) = (name.strip_prefix("header."), value) {
                response.push(name.to_owned(), value);
            }
        }
        exchange.response = Some(response);
    }
    exchange.is_answered().then_some(exchange)
}

/// Maximum number of facts that are taken over.
const MAX_FACTS: usize = 100;

/// An entry of a HAR file.
fn entry(value: &Value) -> Option<Exchange> {
    let (request, answer) = (value.get("request")?, value.get("response")?);
    let mut exchange = Exchange {
        source: Source::Object,
        ..Exchange::default()
    };
    let url = request.get("url")?.as_str()?;
    exchange.request.url = command::url_of(url);
    exchange.progress.uses_tls = url.starts_with("https");
    let method = request.get("method").and_then(Value::as_str);
    exchange.request.method = method.map(str::to_owned);
    if let Some(time) = value.get("time").and_then(Value::as_f64).and_then(millis) {
        exchange.times.set(Clock::Client, time);
    }
    if let Some(timings) = value.get("timings") {
        exchange.phases = timings_of(timings);
    }
    let status = answer.get("status").and_then(Value::as_u64).unwrap_or(0);
    if status == 0 {
        let error = [
            answer.get("_error"),
            value.get("_error"),
            answer.get("comment"),
        ];
        let error = error.iter().flatten().find_map(|error| error.as_str())?;
        exchange.message(error, 1);
        return exchange.fault.is_some().then_some(exchange);
    }
    exchange.response = Some(raw(answer)?);
    let started = value.get("startedDateTime").and_then(Value::as_str);
    if let Some(started) = started.and_then(|text| text.parse::<Timestamp>().ok())
        && let Some(response) = &mut exchange.response
        && response.value("date").is_none()
    {
        let date = jiff::fmt::rfc2822::to_string(&started.to_zoned(jiff::tz::TimeZone::UTC));
        if let Ok(date) = date {
            response.push("date".to_owned(), &date);
        }
    }
    Some(exchange)
}

fn timings_of(timings: &Value) -> Phases {
    let time = |name: &str| {
        let time = timings.get(name).and_then(Value::as_f64)?;
        millis(time).filter(|time| !time.is_zero())
    };
    let tls = time("ssl");
    Phases {
        resolve: time("dns"),
        // The time to connect includes that of TLS.
        connect: time("connect").map(|connect| connect.saturating_sub(tls.unwrap_or_default())),
        tls,
        processing: time("wait"),
        transfer: time("receive"),
    }
}

/// A response that another tool stored.
fn response(value: &Value) -> Option<Exchange> {
    value
        .get("headers")
        .or_else(|| value.get("responseHeaders"))?;
    let mut exchange = Exchange {
        source: Source::Object,
        response: Some(raw(value)?),
        ..Exchange::default()
    };
    let url = ["url", "responseUrl", "requestUrl"]
        .iter()
        .find_map(|name| value.get(name)?.as_str());
    exchange.request.url = url.and_then(command::url_of);
    Some(exchange)
}

/// The response in an object with a status and headers, in the spellings of several tools.
fn raw(value: &Value) -> Option<RawResponse> {
    let get = |names: &[&str]| names.iter().find_map(|name| value.get(name));
    let code = get(&[
        "status",
        "statusCode",
        "status_code",
        "StatusCode",
        "httpStatus",
    ])?;
    let code = code
        .as_u64()
        .or_else(|| code.as_str()?.get(..3)?.parse().ok())?;
    let status = u16::try_from(code)
        .ok()
        .filter(|code| (100..1000).contains(code))?;
    let reason = get(&["statusText", "statusMessage", "reason", "reasonPhrase"]);
    let reason = reason.and_then(Value::as_str).and_then(status::reason);
    let mut response = RawResponse::of_status(status, reason);
    let version = get(&["httpVersion", "protocol"]).and_then(Value::as_str);
    if let Some(version) = version {
        let number = version.to_ascii_lowercase();
        let number = number.trim_start_matches("http/").trim_start_matches('h');
        response.version = status::version_of(number).unwrap_or(response.version);
    }
    match get(&["headers", "responseHeaders"]) {
        Some(Value::Array(list)) => {
            for header in list {
                let text = |name: &str| header.get(name).and_then(Value::as_str);
                if let (Some(name), Some(value)) = (text("name"), text("value")) {
                    response.push(name.to_ascii_lowercase(), value);
                }
            }
        }
        Some(Value::Object(members)) => {
            for (name, value) in members {
                let value = value.as_str().or_else(|| value.get(0)?.as_str());
                if let Some(value) = value {
                    response.push(name.to_ascii_lowercase(), value);
                }
            }
        }
        _ => {}
    }
    let text = value.get("content").and_then(|content| content.get("text"));
    let is_encoded = value.pointer("/content/encoding").is_some();
    match text.or_else(|| get(&["body", "data", "text"])) {
        Some(Value::String(text)) if !is_encoded => response.raw_body(text),
        Some(body @ (Value::Object(_) | Value::Array(_))) => {
            response.raw_body(&body.to_string());
            response.is_reformatted = true;
        }
        _ => response.is_cut = true,
    }
    Some(response)
}
