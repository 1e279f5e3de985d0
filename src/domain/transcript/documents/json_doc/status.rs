//! Infers the status of a response from its JSON body. Standard bodies of gateways and frameworks
//! name their status.

use serde_json::Value;

/// Maximum length of a body that is examined, in bytes.
const MAX_BODY: usize = 65_536;

/// JSON pointers to the members of a body that may contain the status.
const STATUS: [&str; 5] = [
    "/status",
    "/statusCode",
    "/status_code",
    "/error/code",
    "/error/status",
];

/// JSON pointers to the members of a body that may contain a message.
const MESSAGE: [&str; 5] = ["/message", "/Message", "/error", "/error/message", "/title"];

/// JSON pointers to the members of a body that may contain the message or error type of a gateway.
const GATEWAY_MESSAGE: [&str; 4] = [
    "/message",
    "/Message",
    "/errors/0/message",
    "/errors/0/errorType",
];

/// Messages, converted to lower case, that gateways write for one status only. The REST APIs of API
/// Gateway write `Internal server error` for 500 and for 502, so this message is not listed.
const PHRASES: &[(&str, u16)] = &[
    ("bad request", 400),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("not found", 404),
    ("method not allowed", 405),
    ("too many requests", 429),
    ("limit exceeded", 429),
    ("bad gateway", 502),
    ("service unavailable", 503),
    ("gateway timeout", 504),
    ("gateway time-out", 504),
];

/// JSON pointers to the members of a body that may contain the name of an error (see [`CODES`]).
const CODE: [&str; 2] = ["/Code", "/error/code"];

/// The names of errors in the bodies of Chalice and of Azure's services, each with its status.
const CODES: &[(&str, u16)] = &[
    ("InternalServerError", 500),
    ("BadGateway", 502),
    ("ServiceUnavailable", 503),
    ("GatewayTimeout", 504),
    ("TooManyRequests", 429),
    ("TooManyRequestsError", 429),
];

/// Messages that only a gateway or platform writes (Kong, API Gateway, AppSync or Railway), each
/// with its status. The messages are in lower case and without a final period.
const GATEWAY_PHRASES: &[(&str, u16)] = &[
    ("no route matched with those values", 404),
    ("no api key found in request", 401),
    (
        "an invalid response was received from the upstream server",
        502,
    ),
    ("failure to get a peer from the ring-balancer", 503),
    ("name resolution failed", 503),
    ("the upstream server is timing out", 504),
    ("missing authentication token", 403),
    ("endpoint request timed out", 504),
    ("network error communicating with endpoint", 504),
    ("application failed to respond", 502),
    ("unable to parse jwt token", 401),
    ("valid authorization header not provided", 401),
    ("unauthorizedexception", 401),
];

/// Prefixes of messages that only gateways write, in lower case, each with the status of the
/// response. Envoy's text is in a JSON body if the configuration of Envoy or ESPv2 demands JSON.
const GATEWAY_BEGINNINGS: &[(&str, u16)] = &[
    ("forbidden. for troubleshooting function url", 403),
    ("user is not authorized to access this resource", 403),
    (
        "upstream connect error or disconnect/reset before headers",
        503,
    ),
];

/// Returns the status that a body names; `None` if the body names no status of an error.
pub(in crate::domain::transcript) fn status_of_body(body: &str) -> Option<u16> {
    let value = parse_json(body)?;
    let number = STATUS.iter().find_map(|path| {
        if *path == "/status" && !has_error(&value) {
            return None;
        }
        let member = value.pointer(path)?;
        let number = member.as_u64().or_else(|| member.as_str()?.parse().ok())?;
        u16::try_from(number).ok()
    });
    number
        .filter(|status| (400..600).contains(status))
        .or_else(|| of_gateway(&value))
        .or_else(|| of_code(&value))
        .or_else(|| {
            MESSAGE.iter().find_map(|path| {
                if has_data(&value) || *path == "/title" && !has_error(&value) {
                    return None;
                }
                let message = value.pointer(path)?.as_str()?.trim().trim_end_matches('.');
                if message == "Internal Server Error" {
                    return Some(500);
                }
                let lower = message.to_lowercase();
                let found = PHRASES.iter().find(|(phrase, _)| *phrase == lower);
                found.map(|(_, status)| *status)
            })
        })
}

/// Returns whether a text is JSON that reports no error: a list, an object that states success, or an
/// object without a member that describes an error.
pub(in crate::domain::transcript) fn is_without_error(text: &str) -> bool {
    const STATED: [&str; 12] = [
        "error",
        "errors",
        "error_msg",
        "errorMessage",
        "errorType",
        "fault",
        "message",
        "Message",
        "detail",
        "__type",
        "code",
        "Code",
    ];
    let Some(value) = parse_json(text) else {
        return false;
    };
    let Some(members) = value.as_object() else {
        return value.is_array();
    };
    let is_true = |name: &str| members.get(name) == Some(&Value::Bool(true));
    let is_success = members
        .get("status")
        .and_then(Value::as_str)
        .is_some_and(|status| matches!(status, "success" | "ok" | "OK"));
    let is_stated = |name: &&str| members.get(*name).is_some_and(|value| !value.is_null());
    is_true("ok") || is_true("success") || is_success || !STATED.iter().any(is_stated)
}

fn of_code(value: &Value) -> Option<u16> {
    let names = CODE.iter().filter_map(|path| value.pointer(path)?.as_str());
    let mut found = names.filter_map(|name| CODES.iter().find(|(code, _)| *code == name));
    found.next().map(|(_, status)| *status)
}

/// Names of members that describe an error. The names `status` and `title` are not listed, because
/// objects such as orders and tickets have them too.
const ERROR: [&str; 12] = [
    "type",
    "error",
    "errors",
    "message",
    "Message",
    "detail",
    "details",
    "code",
    "reason",
    "traceId",
    "error_description",
    "msg",
];

/// Returns whether an object has a member of [`ERROR`], or only the members `status` and `title`.
fn has_error(value: &Value) -> bool {
    let Some(members) = value.as_object() else {
        return false;
    };
    let is_main = |name: &String| name == "status" || name == "title";
    members.keys().all(is_main) || ERROR.iter().any(|name| members.contains_key(*name))
}

/// Returns whether an object contains the data of a successful response.
fn has_data(value: &Value) -> bool {
    let names = ["items", "data", "results", "rows", "records"];
    names
        .iter()
        .any(|name| value.get(name).is_some_and(|member| !member.is_null()))
}

/// Returns the status of a body that only a gateway or a platform writes; `None` for other bodies.
pub(in crate::domain::transcript) fn status_of_gateway(body: &str) -> Option<u16> {
    of_gateway(&parse_json(body)?)
}

fn of_gateway(value: &Value) -> Option<u16> {
    GATEWAY_MESSAGE.iter().find_map(|path| {
        let message = value.pointer(path)?.as_str()?.to_lowercase();
        let message = message.trim().trim_end_matches('.');
        let whole = || {
            GATEWAY_PHRASES
                .iter()
                .find(|(phrase, _)| *phrase == message)
        };
        let mut beginnings = GATEWAY_BEGINNINGS.iter();
        let known = beginnings
            .find(|(start, _)| message.starts_with(start))
            .or_else(whole);
        known.map(|(_, status)| *status)
    })
}

fn parse_json(body: &str) -> Option<Value> {
    let body = body.trim();
    (body.len() <= MAX_BODY).then(|| serde_json::from_str(body).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_bodies_name_their_status() {
        for (body, expected) in [
            ("{\"message\":\"Internal Server Error\"}", Some(500)),
            ("{\"message\": \"Service Unavailable\"}", Some(503)),
            ("{\"message\":\"Endpoint request timed out\"}", Some(504)),
            ("{\"status\":500,\"error\":\"oops\"}", Some(500)),
            ("{\"statusCode\":\"404\"}", Some(404)),
            (
                "{\"message\":\"no Route matched with those values\"}",
                Some(404),
            ),
            (
                "{\"errors\":[{\"errorType\":\"UnauthorizedException\",\"message\":\"Unable to parse JWT token.\"}]}",
                Some(401),
            ),
            ("{\"message\":\"Internal server error\"}", None),
            ("{\"message\":\"hello\"}", None),
            ("{\"status\":200}", None),
            ("{\"status\":\"ok\"}", None),
            ("{\"status\":503}", Some(503)),
            ("{\"status\":404,\"title\":\"Not Found\"}", Some(404)),
            (
                "{\"status\":503,\"url\":\"https://a.example/\",\"since\":1}",
                None,
            ),
            ("{\"id\":7,\"title\":\"Forbidden\",\"author\":\"A\"}", None),
            ("{\"message\":\"Not found\",\"items\":[]}", None),
            ("{", None),
        ] {
            assert_eq!(status_of_body(body), expected, "{body}");
        }
    }
}
