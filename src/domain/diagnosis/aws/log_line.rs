//! A request's own log line, read down to what it means.
//!
//! Two forms: a JSON line of an HTTP or REST API's access log, and the lines that a REST
//! API's execution log holds of one request. A meaning is proven only where AWS's own
//! phrase, or a status of the Lambda service, says it; two that disagree are `Unknown`.
//! An exception's text stands between AWS's words and may hold any of our phrases, so a
//! phrase counts only where AWS writes it, never somewhere inside. No text leaves here.

mod fields;
mod phrase;

use std::time::Duration;

use self::fields::Fields;
use crate::domain::diagnosis::aws::{LogFinding, LogSource, LogTemplate};

/// A wait from which an empty id of the integration's request says nothing: the id comes
/// with the integration's answer, so a call that was given up has none either. A call
/// that Lambda refuses takes a fraction of this (captures: below 0.2 s in all).
const CALLED_FROM: Duration = Duration::from_secs(1);

/// Opens each line of an execution log's event, before the id in brackets closes.
const EXECUTION_LINE: char = '(';

/// Reads a JSON line of an access log: the request's id, and what the line says of it.
/// Keys are the `$context` names, dotted, nested or in camel case; `-` is unset.
/// `None`: no JSON object, or no request id in it.
#[must_use]
pub fn read_access_line(text: &str) -> Option<(String, LogFinding)> {
    let fields = Fields::read(text)?;
    let id = fields
        .text(&["requestid"])
        .or_else(|| fields.text(&["extendedrequestid"]))?;
    let status = fields.status(&["status"]);
    let service_status = fields.status(SERVICE_STATUS);
    let latency = fields.milliseconds(&["integrationlatency", "integration.latency"]);
    let wrapped = fields.text(INTEGRATION_ERROR).and_then(phrase::of_function);
    let template = if wrapped.is_none() && phrase::holds_wrapper(text) {
        // AWS's wrapper stands where AWS does not write it: an exception's text has broken
        // out of its field, and no other field can be trusted.
        LogTemplate::Unknown
    } else {
        wrapped.unwrap_or_else(|| access_template(&fields, status, service_status))
    };
    let finding = LogFinding {
        source: LogSource::AccessLog,
        template,
        status,
        integration_status: service_status.or_else(|| fields.status(CODE_STATUS)),
        invoked: invoked(template, fields.logged(INTEGRATION_REQUEST), latency),
        integration_latency: latency,
    };
    Some((id.to_owned(), finding))
}

/// Reads all lines that a REST API's execution log holds of one request, in any order.
/// `None`: none of them is a line of an execution log.
#[must_use]
pub fn read_execution_lines(lines: &[&str]) -> Option<LogFinding> {
    // Events open with the request's id in brackets; what does not is the rest of an
    // event that was split, such as a body, and may say anything.
    let bracketed = lines.iter().any(|line| told(line).is_some());
    let told: Vec<&str> = lines
        .iter()
        .filter_map(|line| {
            if bracketed {
                told(line)
            } else {
                Some(line.trim())
            }
        })
        .collect();
    let status = told.iter().find_map(|line| {
        let rest = line.strip_prefix("Method completed with status:")?;
        leading_status(rest)
    });
    let found: Vec<(LogTemplate, Option<u16>)> = told
        .iter()
        .filter_map(|line| phrase::of_execution(line))
        .collect();
    if status.is_none() && found.is_empty() && !bracketed {
        return None;
    }
    let template = agreed(found.iter().map(|(template, _)| *template));
    Some(LogFinding {
        source: LogSource::ExecutionLog,
        template,
        status,
        integration_status: found.iter().find_map(|(_, status)| *status),
        invoked: invoked(template, None, None),
        integration_latency: None,
    })
}

/// The status of the Lambda service, as both of AWS's tables name it.
const SERVICE_STATUS: &[&str] = &["integrationstatus", "integration.integrationstatus"];
/// The status that the function's code or the backend returned. AWS's two tables contradict
/// each other on whether it equals the above, so nothing is inferred from it alone.
const CODE_STATUS: &[&str] = &["integration.status"];
/// AWS's word on what went wrong with the integration; two names of one variable.
const INTEGRATION_ERROR: &[&str] = &[
    "integrationerrormessage",
    "integration.error",
    "integrationerror",
];
/// The id of the integration's request: Lambda's, where Lambda was reached.
const INTEGRATION_REQUEST: &[&str] = &["integrationrequestid", "integration.requestid"];
/// The API's own error: set only where it answers for itself.
const API_ERROR: &[&str] = &["error.message", "errormessage"];
/// The kind of gateway response: set only where the API answers for itself.
const RESPONSE_TYPE: &[&str] = &["error.responsetype", "errorresponsetype", "responsetype"];
/// What went wrong with the authorizer.
const AUTHORIZER_ERROR: &[&str] = &["authorizer.error", "authorizererror", "authorize.error"];

fn access_template(
    fields: &Fields,
    status: Option<u16>,
    service_status: Option<u16>,
) -> LogTemplate {
    // No phrase explains an answer that went well.
    if status.is_some_and(|status| status < 400) {
        return LogTemplate::Unknown;
    }
    let said = [
        fields.text(INTEGRATION_ERROR).and_then(phrase::of_gateway),
        fields.text(API_ERROR).and_then(phrase::of_gateway),
        fields
            .text(AUTHORIZER_ERROR)
            .and_then(phrase::of_authorizer),
        fields
            .text(RESPONSE_TYPE)
            .and_then(phrase::of_response_type),
        throttled(status, service_status),
    ];
    match agreed(said.into_iter().flatten()) {
        LogTemplate::Unknown
            if said.iter().all(Option::is_none)
                && refused_without_error(fields, status, service_status) =>
        {
            LogTemplate::RefusedWithoutError
        }
        template => template,
    }
}

/// The Lambda service's own 429 is a throttle; the function's own 429 would be passed on
/// as the answer's status.
fn throttled(status: Option<u16>, service_status: Option<u16>) -> Option<LogTemplate> {
    let own_error = status.is_some_and(|status| status >= 500);
    (own_error && service_status == Some(429)).then_some(LogTemplate::Throttled)
}

/// Lambda answered the call; the format logs the integration's error, and there was none;
/// the API answered for itself; and the function's code did not choose this status.
fn refused_without_error(
    fields: &Fields,
    status: Option<u16>,
    service_status: Option<u16>,
) -> bool {
    let api_answered = fields.text(API_ERROR).is_some() || fields.text(RESPONSE_TYPE).is_some();
    status.is_some_and(|status| status >= 500)
        && service_status == Some(200)
        && fields.logged(INTEGRATION_ERROR) == Some(false)
        && fields.text(AUTHORIZER_ERROR).is_none()
        && api_answered
        && fields.status(CODE_STATUS) != status
}

/// Whether the integration was called. The template knows best; else the id of the
/// integration's request, set, or logged and empty.
fn invoked(
    template: LogTemplate,
    request: Option<bool>,
    latency: Option<Duration>,
) -> Option<bool> {
    match template {
        LogTemplate::FunctionError
        | LogTemplate::FunctionTimedOut
        | LogTemplate::MalformedResponse
        | LogTemplate::RefusedWithoutError => Some(true),
        LogTemplate::Throttled | LogTemplate::PermissionDenied | LogTemplate::AuthorizerFailure => {
            Some(false)
        }
        LogTemplate::IntegrationTimeout | LogTemplate::NetworkFailure | LogTemplate::Unknown => {
            match request {
                Some(false)
                    if template != LogTemplate::Unknown
                        || latency.is_some_and(|latency| latency >= CALLED_FROM) =>
                {
                    None
                }
                known => known,
            }
        }
    }
}

/// The one template that is said; `Unknown` for none and for several.
fn agreed(said: impl Iterator<Item = LogTemplate>) -> LogTemplate {
    let mut said = said;
    match said.next() {
        Some(first) if said.all(|other| other == first) => first,
        _ => LogTemplate::Unknown,
    }
}

/// What a line of an execution log says, after `(id) `.
fn told(line: &str) -> Option<&str> {
    let (id, said) = line.trim().strip_prefix(EXECUTION_LINE)?.split_once(") ")?;
    let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_id.then_some(said)
}

/// A status at the start of a text.
fn leading_status(text: &str) -> Option<u16> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end)?
        .parse()
        .ok()
        .filter(|status| (100..600).contains(status))
}
