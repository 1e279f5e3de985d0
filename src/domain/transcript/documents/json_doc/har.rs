//! Reads the entries of HAR files, and responses that tools store in other JSON formats.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::transcript::command;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::settle::millis;
use crate::domain::transcript::exchange::{Exchange, Source};
use crate::domain::transcript::status;
use crate::domain::transcript::time::clocks::Clock;
use crate::model::observation::Phases;

/// Reads an entry of a HAR file; `None` if the value is not such an entry, or has neither a status
/// nor a known error.
pub(super) fn entry(value: &Value) -> Option<Exchange> {
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
        // In a HAR file, the time to connect includes the TLS handshake.
        connect: time("connect").map(|connect| connect.saturating_sub(tls.unwrap_or_default())),
        tls,
        processing: time("wait"),
        transfer: time("receive"),
    }
}

/// Reads a response that a tool stored in another JSON format than HAR; `None` if the value has no
/// headers or no valid status.
pub(super) fn response(value: &Value) -> Option<Exchange> {
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

/// Reads the response in an object with a status and headers. Accepts the names that several tools
/// give to these members. Returns `None` if the object has no valid status.
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
