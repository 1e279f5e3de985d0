//! Reads a line of an access log of API Gateway. The fields are those that the daemon recognizes in
//! CloudWatch Logs. Also removes what a collector of logs writes before a JSON object.

use serde_json::Value;

use super::proxy;
use crate::domain::diagnosis::aws::log_line::{is_of_gateway, read_access_line};
use crate::domain::transcript::command;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::{Exchange, Source};
use crate::domain::transcript::time;

/// Maximum length of a line in bytes.
const MAX_LINE: usize = 65_536;

/// Names of members that a line of an access log does not have, in lower case. An object with such
/// a member is another document: a HAR file, a Lambda event, this program's output, or a line of an
/// application's log.
const OTHER: [&str; 8] = [
    "headers", "evidence", "response", "level", "severity", "logger", "msg", "stack",
];

/// Reads a line of an access log of API Gateway; `None` if the object is another document, has no
/// request id or status, or is longer than [`MAX_LINE`].
pub(super) fn read(text: &str, value: &Value) -> Option<Exchange> {
    let members = value.as_object().filter(|_| text.len() <= MAX_LINE)?;
    let is_other = |name: &String| OTHER.iter().any(|other| name.eq_ignore_ascii_case(other));
    if members.keys().any(is_other) || !is_of_gateway(text) {
        return None;
    }
    let (_, finding) = read_access_line(text)?;
    let mut response = RawResponse::of_status(finding.status?, None);
    response.is_cut = true;
    let mut exchange = Exchange {
        source: Source::Message,
        response: Some(response),
        log: Some(finding),
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

/// Returns whether a line is a JSON object of an access log of API Gateway.
pub(in crate::domain::transcript) fn is_access_line(line: &str) -> bool {
    let is_object = line.starts_with('{') && line.ends_with('}') && line.len() <= MAX_LINE;
    let may_be = is_object && (line.contains("equestId\"") || line.contains("equest_id\""));
    may_be && serde_json::from_str(line).is_ok_and(|value| read(line, &value).is_some())
}

/// Returns the object in a line of a proxy's log after the prefix of a collector, such as
/// journald's `Nov 11 03:12:44 host caddy[1]: ` and Compose's `caddy | `; `None` for other lines.
fn after_prefix(line: &str) -> Option<&str> {
    let line = line.trim_end();
    let at = line.find(" {\"").filter(|at| *at < MAX_PREFIX)? + 1;
    let ends = [": ", "| ", "] ", "\t"];
    let is_prefix = ends.iter().any(|end| line[..at].ends_with(end));
    if !is_prefix || !line.ends_with('}') || line.len() > MAX_LINE {
        return None;
    }
    let value = serde_json::from_str(&line[at..]).ok()?;
    proxy::read(&value).is_some().then(|| &line[at..])
}

/// Maximum length in bytes of the prefix that a collector of logs adds to a line.
const MAX_PREFIX: usize = 160;

/// Returns the object in a line of an access log or a proxy's log, without the time or the prefix
/// before the object. Returns other lines unchanged.
pub(in crate::domain::transcript) fn without_time(line: &str) -> &str {
    if let Some(object) = after_prefix(line) {
        return object;
    }
    let rest = time::without_timestamp(line);
    let is_shorter = rest.len() < line.len();
    if is_shorter && is_access_line(rest) {
        rest
    } else {
        line
    }
}
