//! Reads lines of the logs of Envoy, Caddy and Traefik in JSON.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::domain::transcript::command;
use crate::domain::transcript::exchange::Exchange;
use crate::domain::transcript::logs::access_log::{Entry, Logged, envoy, upstream_error};
use crate::domain::transcript::pattern::{MAX_LINE, pattern};
use crate::domain::transcript::time::seconds;

/// Reads a line of the log of Envoy, Caddy or Traefik; `None` for other objects. The inner option
/// is `None` if the request did not fail.
pub(super) fn read(value: &Value) -> Option<Option<Exchange>> {
    let logged = of_envoy(value)
        .or_else(|| of_caddy(value))
        .or_else(|| of_traefik(value))?;
    Some(match logged {
        Logged::Passed => None,
        Logged::Failed(entry) => Some(entry.exchange(1)),
    })
}

fn of_envoy(value: &Value) -> Option<Logged> {
    let text = |names: &[&str]| names.iter().find_map(|name| value.get(*name)?.as_str());
    let flags = text(&["response_flags", "RESPONSE_FLAGS", "responseFlags"])?;
    let code = value.get("response_code").or_else(|| value.get("status"))?;
    let code = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
    let time = value.get("duration");
    let fields = envoy::Fields {
        status: u16::try_from(code).ok()?,
        flags,
        details: text(&["response_code_details", "upstream_transport_failure_reason"])
            .unwrap_or_default(),
        method: text(&["method"]),
        host: text(&["authority"]).filter(|host| *host != "-"),
        path: text(&["path"]),
        time: time.and_then(|time| time.as_f64().or_else(|| time.as_str()?.parse().ok())),
    };
    Some(fields.read())
}

fn of_caddy(value: &Value) -> Option<Logged> {
    let logger = value.get("logger")?.as_str()?;
    let is_error = logger.starts_with("http.log.error");
    if !is_error && !is_caddys_access(logger) {
        return None;
    }
    let status = value.get("status")?.as_u64()?;
    // Caddy also logs a missing file, and a connection that the client closed (status 499), as
    // errors.
    if status < 500 {
        return Some(Logged::Passed);
    }
    let request = value.get("request")?;
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let host = text("host");
    let scheme = if request.get("tls").is_some() {
        "https"
    } else {
        "http"
    };
    let url = host.and_then(|host| {
        let path = text("uri").unwrap_or("/");
        command::url_of(&format!("{scheme}://{host}{path}"))
    });
    let message = value.get("msg").and_then(Value::as_str).unwrap_or_default();
    Some(Logged::Failed(Box::new(Entry {
        status: u16::try_from(status).ok()?,
        method: text("method").map(str::to_owned),
        url,
        time: value
            .get("duration")
            .and_then(Value::as_f64)
            .and_then(seconds),
        error: upstream_error(message).filter(|_| is_error),
        ..Entry::default()
    })))
}

/// Reads an object of Traefik's access log (Traefik's documentation, "Access logs"). The duration
/// is in nanoseconds.
fn of_traefik(value: &Value) -> Option<Logged> {
    let status = value.get("DownstreamStatus")?.as_u64()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    if status < 500 {
        return Some(Logged::Passed);
    }
    let url = text("RequestHost").and_then(|host| {
        let scheme = text("RequestScheme").unwrap_or("http");
        let path = text("RequestPath").unwrap_or("/");
        command::url_of(&format!("{scheme}://{host}{path}"))
    });
    let nanoseconds = value.get("Duration").and_then(Value::as_f64);
    Some(Logged::Failed(Box::new(Entry {
        status: u16::try_from(status).ok()?,
        method: text("RequestMethod").map(str::to_owned),
        url,
        time: nanoseconds.and_then(|time| seconds(time / 1e9)),
        ..Entry::default()
    })))
}

/// Returns whether a logger of Caddy writes the access log. The name of such a logger is
/// `http.log.access`, or `http.log.access.` and the name of the log.
fn is_caddys_access(logger: &str) -> bool {
    logger
        .strip_prefix("http.log.access")
        .is_some_and(|name| name.is_empty() || name.starts_with('.'))
}

/// Returns whether an object is a line of Caddy's log or of Traefik's access log, which [`read`]
/// reads.
pub(super) fn is_of_proxy(value: &Value) -> bool {
    let logger = value.get("logger").and_then(Value::as_str);
    let is_of_caddy =
        logger.is_some_and(|it| it.starts_with("http.log.error") || is_caddys_access(it));
    is_of_caddy || value.get("DownstreamStatus").is_some()
}

/// Matches a line of Caddy's log in the format `console`. Captures the logger, the message and the
/// object with the other fields.
static CONSOLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"\b(http\.log\.(?:error|access)[\w.]*)\s+(.{1,400}?)\s+(\{.*\})\s*$")
});

/// Converts a line of Caddy's log in the format `console` to the JSON object that Caddy logs in the
/// format `json`; `None` for other lines.
pub(in crate::domain::transcript) fn of_console(line: &str) -> Option<String> {
    if !line.contains("http.log.") || line.len() > MAX_LINE {
        return None;
    }
    let found = CONSOLE.as_ref()?.captures(line)?;
    let mut object: Value = serde_json::from_str(&found[3]).ok()?;
    let members = object.as_object_mut()?;
    members.insert("logger".to_owned(), found[1].into());
    members.insert("msg".to_owned(), found[2].into());
    Some(object.to_string())
}

/// Converts an object in the JSON log of cloudflared or Traefik to the line that the program would
/// log in its console format; `None` for other objects. Both programs log with the library zerolog.
pub(super) fn of_zerolog(object: &Value) -> Option<String> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let (error, caller) = (text("error")?, text("caller").unwrap_or_default());
    if !error.starts_with("Unable to reach the origin service. ") && !caller.contains("proxy.go:") {
        return None;
    }
    let time = text("time").unwrap_or_default();
    let message = text("message").unwrap_or_default();
    let mut line = format!("{time} {caller} > {message} error=\"{error}\"");
    if let Some(destination) = text("dest") {
        line.push_str(" dest=");
        line.push_str(destination);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proxies_are_read() {
        for (line, expected) in [
            (
                r#"{"authority":"a.example","path":"/b","method":"GET","response_code":503,"response_flags":"UF","response_code_details":"upstream_reset_before_response_started{connection_timeout}","duration":1001}"#,
                Some(Some((503, "timeout"))),
            ),
            (
                r#"{"authority":"a.example","response_code":200,"response_flags":"-","duration":1}"#,
                Some(None),
            ),
            (
                r#"{"level":"error","logger":"http.log.error","msg":"dial tcp 127.0.0.1:9000: connect: connection refused","request":{"method":"GET","host":"a.example","uri":"/"},"duration":0.001,"status":502}"#,
                Some(Some((502, "refused"))),
            ),
            (r#"{"level":"error","msg":"x","status":502}"#, None),
        ] {
            let value: Value = serde_json::from_str(line).unwrap();
            let found = read(&value).map(|exchange| {
                let exchange = exchange?;
                let error = exchange.facts[0].1.to_string();
                Some((exchange.response?.status, error))
            });
            let expected = expected.map(|it| it.map(|(status, error)| (status, error.to_owned())));
            assert_eq!(found, expected, "{line}");
        }
    }
}
