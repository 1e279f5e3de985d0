//! Reads JSON documents: HAR files, this program's own output, curl's `%{json}`, lines of the logs
//! of API Gateway, Envoy, Traefik and Caddy, and responses and errors that programs store as JSON.

mod failure;
mod gateway;
mod har;
mod own;
mod proxy;
mod status;

use serde_json::Value;

pub(in crate::domain::transcript) use self::gateway::{is_access_line, without_time};
pub(in crate::domain::transcript) use self::proxy::of_console;
pub(in crate::domain::transcript) use self::status::{
    is_without_error, status_of_body, status_of_gateway,
};
use crate::domain::transcript::body::json_text::Depth;
use crate::domain::transcript::exchange::Exchange;

/// Maximum size of a JSON document in bytes.
const MAX_DOCUMENT: usize = 16 << 20;

/// Maximum nesting depth to which a JSON document is searched for responses.
const MAX_DEPTH: usize = 6;

/// Maximum number of exchanges, or of strings with output of programs, read from one JSON document.
const MAX_EXCHANGES: usize = 10_000;

/// A recognized part of a JSON document.
#[derive(Debug)]
pub(in crate::domain::transcript) enum Document {
    Exchange(Box<Exchange>),
    /// The output of curl's `%{json}`.
    Output(String),
    /// The output of a program, from a string of the document.
    Text(String),
}

/// The lines of a JSON document that have been read so far.
#[derive(Clone, Debug, Default)]
pub(in crate::domain::transcript) struct Block {
    pub(in crate::domain::transcript) text: String,
    /// The number of the document's first line.
    pub(in crate::domain::transcript) number: usize,
    /// The number of each line. Lines have the same number if a carriage return separates them.
    numbers: Vec<usize>,
    depth: Depth,
}

/// Whether more lines belong to a JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::transcript) enum Step {
    More,
    Done,
}

impl Block {
    /// Returns whether a line may start a JSON document.
    pub(in crate::domain::transcript) fn starts(line: &str) -> bool {
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

    /// Adds a line, and returns whether more lines belong to the document.
    pub(in crate::domain::transcript) fn add(&mut self, line: &str, number: usize) -> Step {
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
        self.numbers.push(number);
        if is_closed || self.text.len() > MAX_DOCUMENT {
            Step::Done
        } else {
            Step::More
        }
    }

    /// Returns the lines of the document and their numbers.
    pub(in crate::domain::transcript) fn lines(&self) -> impl Iterator<Item = (&str, usize)> {
        self.text.lines().zip(self.numbers.iter().copied())
    }
}

/// Reads a JSON document; `None` if the text is not JSON or no part of it is recognized. The list
/// is empty for a line of a proxy's log about a request that did not fail.
pub(in crate::domain::transcript) fn read(text: &str) -> Option<Vec<Document>> {
    let value: Value = serde_json::from_str(text).ok()?;
    if let Some(exchange) = gateway::read(text, &value) {
        return Some(vec![Document::Exchange(Box::new(exchange))]);
    }
    if let Some(exchange) = proxy::read(&value) {
        let exchange = exchange.map(|exchange| Document::Exchange(Box::new(exchange)));
        return Some(exchange.into_iter().collect());
    }
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

/// Returns the lowercase names and the values of headers in a JSON object; an empty list for other
/// texts.
pub(in crate::domain::transcript) fn headers(text: &str) -> Vec<(String, String)> {
    let value: Option<Value> = serde_json::from_str(text).ok();
    let members = value.as_ref().and_then(Value::as_object);
    let members = members.into_iter().flatten();
    members
        .filter_map(|(name, value)| {
            let value = value.as_str().or_else(|| value.get(0)?.as_str())?;
            Some((name.to_ascii_lowercase(), value.to_owned()))
        })
        .collect()
}

/// Collects the strings in a JSON value that have several lines, and may therefore be the output of
/// a program.
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

/// Returns the message in a line of a log whose lines are JSON objects. For an error of cloudflared
/// or Traefik, returns the text of [`proxy::of_zerolog`], because the message alone does not state
/// the failure. Returns `None` for a message of several lines, for an object with a member `cause`,
/// for an object of Caddy or of Traefik's access log, and for other lines.
pub(in crate::domain::transcript) fn log_line(line: &str) -> Option<String> {
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
    if let Some(line) = proxy::of_zerolog(&value) {
        return Some(line);
    }
    // `proxy` reads whole objects of Caddy's logs and of Traefik's access log. The message alone
    // would be misread: in Caddy's error log, the message describes Caddy's connection to the
    // upstream, not the client's request.
    let is_of_proxy = proxy::is_of_proxy(&value);
    (value.get("cause").is_none() && !is_of_proxy).then_some(())?;
    let message = ["log", "msg", "message", "line"]
        .iter()
        .find_map(|name| value.get(name)?.as_str())?;
    let message = message.trim_end_matches(['\n', '\r']);
    (!message.contains('\n')).then(|| message.to_owned())
}

/// Maximum length of a JSON log line in bytes.
const MAX_LOG_LINE: usize = 65_536;

/// Collects the exchanges in a JSON value and its members.
fn search(value: &Value, depth: usize, found: &mut Vec<Document>) {
    if depth > MAX_DEPTH || found.len() >= MAX_EXCHANGES {
        return;
    }
    let exchange = own::read(value)
        .or_else(|| har::entry(value))
        .or_else(|| har::response(value))
        .or_else(|| failure::read(value));
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
