//! Recognizes an API of API Gateway by its host name and the body, if a text shows no headers.
//!
//! HTTP APIs and REST APIs have default host names of the same form, but most of their error bodies
//! differ in case or wording.

use crate::domain::diagnosis::fact::Facts;
use crate::domain::transcript::Transcript;

/// Part of the default host names of HTTP APIs and of REST APIs.
const HOST: &str = ".execute-api.";

/// Status and body of the errors that only an HTTP API writes.
const HTTP_API: [(u16, &str); 3] = [
    (500, r#"{"message":"Internal Server Error"}"#),
    (503, r#"{"message":"Service Unavailable"}"#),
    (404, r#"{"message":"Not Found"}"#),
];

/// Status and body of the errors that only a REST API writes.
const REST_API: [(u16, &str); 6] = [
    (500, r#"{"message": "Internal server error"}"#),
    (502, r#"{"message": "Internal server error"}"#),
    (504, r#"{"message": "Endpoint request timed out"}"#),
    (
        504,
        r#"{"message": "Network error communicating with endpoint"}"#,
    ),
    MISSING_TOKEN,
    (429, r#"{"message":"Limit Exceeded"}"#),
];

/// Status and body of the error of a REST API for a request that matches no route or is not signed.
const MISSING_TOKEN: (u16, &str) = (403, r#"{"message":"Missing Authentication Token"}"#);

/// Status and body of the errors that both HTTP APIs and REST APIs write.
const BOTH: [(u16, &str); 3] = [
    (401, r#"{"message":"Unauthorized"}"#),
    (403, r#"{"message":"Forbidden"}"#),
    (429, r#"{"message":"Too Many Requests"}"#),
];

/// Adds facts which state that an API of API Gateway wrote the response. This requires that the
/// status and body are listed above, and that the URL or the body itself shows such an API.
pub(super) fn add_facts(facts: &mut Facts, transcript: &Transcript) {
    let host = transcript.url.as_ref().and_then(|url| url.host_str());
    let response = transcript.observation.response.as_ref();
    let Some(response) = response else {
        return;
    };
    let is_written =
        |(status, body): &(u16, &str)| *status == response.status && is_same(body, &response.body);
    let door = if HTTP_API.iter().any(is_written) {
        "http-api"
    } else if REST_API.iter().any(is_written) {
        "rest-api"
    } else if BOTH.iter().any(is_written) {
        // For these errors, the rules for an HTTP API and the rules for a REST API name the same
        // causes.
        "http-api"
    } else {
        return;
    };
    // Only REST APIs write this body, so the body alone suffices if the text shows no host.
    let (status, body) = MISSING_TOKEN;
    let is_certain = || host.is_none() && is_written(&(status, body));
    if host.is_some_and(|host| host.contains(HOST)) || is_certain() {
        facts.set_text("front_door", door);
        facts.set_text("gateway_made", "yes");
        facts.set_text("answered_by", "proxy");
    }
}

/// Returns whether two JSON texts are equal apart from whitespace.
fn is_same(known: &str, body: &[u8]) -> bool {
    let letters = |bytes: &[u8]| -> Vec<u8> {
        let bytes = bytes.iter().copied();
        bytes.filter(|byte| !byte.is_ascii_whitespace()).collect()
    };
    body.len() < 2 * known.len() && letters(known.as_bytes()) == letters(body)
}
