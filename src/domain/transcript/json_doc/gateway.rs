//! Reads a line of an access log of API Gateway. The fields are those that the daemon recognizes in
//! CloudWatch Logs.

use serde_json::Value;

use crate::domain::diagnosis::aws::log_line::read_access_line;
use crate::domain::transcript::command;
use crate::domain::transcript::exchange::{Exchange, Source};
use crate::domain::transcript::log_facts;
use crate::domain::transcript::response::RawResponse;

/// Maximum length of a line in bytes.
const MAX_LINE: usize = 65_536;

/// Parts of names of fields that only the access logs of API Gateway have, in lower case.
const FIELDS: [&str; 5] = [
    "integration",
    "routekey",
    "resourcepath",
    "responsetype",
    "apiid",
];

/// Names of members that only other documents have, such as HAR files, events of Lambda and this
/// program's output.
const OTHER: [&str; 3] = ["headers", "evidence", "response"];

/// Reads a line of an access log; `None` if the object is another document or has no status.
pub(super) fn read(text: &str, value: &Value) -> Option<Exchange> {
    let members = value.as_object().filter(|_| text.len() <= MAX_LINE)?;
    let is_known = members.keys().any(|name| {
        let name = name.to_lowercase();
        FIELDS.iter().any(|field| name.contains(field))
    });
    if !is_known || OTHER.iter().any(|name| members.contains_key(*name)) {
        return None;
    }
    let (_, finding) = read_access_line(text)?;
    let mut response = RawResponse::of_status(finding.status?, None);
    response.is_cut = true;
    let mut exchange = Exchange {
        source: Source::Message,
        response: Some(response),
        facts: log_facts::of(&finding),
        ..Exchange::default()
    };
    let member = |names: &[&str]| names.iter().find_map(|name| value.get(name)?.as_str());
    if let Some(host) = member(&["domainName", "domain"]) {
        let path = member(&["path", "rawPath"]).unwrap_or("/");
        exchange.request.url = command::url_of(&format!("https://{host}{path}"));
    }
    let method = member(&["httpMethod", "method"]);
    exchange.request.method = method.map(str::to_owned);
    Some(exchange)
}

/// Returns the JSON object in a line of an access log, without the timestamp before the object.
/// Returns other lines unchanged.
pub(in crate::domain::transcript) fn without_time(line: &str) -> &str {
    let is_log = line.ends_with('}') && line.contains("equestId\":");
    match line.find("{\"").filter(|at| is_log && *at < MAX_TIME) {
        Some(at) if !line[..at].contains(['"', '{', '<']) => &line[at..],
        _ => line,
    }
}

/// Maximum length in bytes of the timestamp before the object.
const MAX_TIME: usize = 60;
