//! Recognizes the members of a response in the dump of an object, and reads their values.

use url::Url;

use super::pairs;
use crate::domain::transcript::command;
use crate::domain::transcript::status;

/// A member of a printed response object, with its value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::domain::transcript) enum Member {
    Status(u16, Option<String>),
    Reason(String),
    Headers(Vec<(String, String)>),
    /// The body, and whether it consists of exactly the bytes that were sent.
    Body(String, bool),
    Url(Url),
    Method(String),
}

/// The kinds of members that are recognized. `Request` is a member that contains the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Status,
    Reason,
    Headers,
    Body,
    Request,
    Url,
    Method,
}

/// Reads the value of a member from its text. Returns `None` for an invalid value, for the headers
/// of a request and for [`Kind::Request`].
pub(super) fn value(kind: Kind, text: &str) -> Option<Member> {
    let bare = text.trim_end_matches(',').trim();
    let quoted = bare
        .starts_with(['\'', '"', '`'])
        .then(|| pairs::string(bare).0);
    let plain = || quoted.clone().unwrap_or_else(|| bare.to_owned());
    match kind {
        Kind::Status => {
            let text = plain();
            let text = text.trim_start_matches(['[', '(']);
            let status = status::code(text)?;
            Some(Member::Status(status, status::reason(clean(&text[3..]))))
        }
        Kind::Reason => status::reason(clean(&plain())).map(Member::Reason),
        Kind::Headers => {
            let headers = pairs::read(bare);
            is_of_response(&headers).then_some(Member::Headers(headers))
        }
        Kind::Body if bare.starts_with(['{', '[']) => {
            let end = bare.rfind(['}', ']']).map_or(bare.len(), |at| at + 1);
            Some(Member::Body(pairs::to_json(&bare[..end]), false))
        }
        Kind::Body => quoted
            .filter(|text| !text.is_empty())
            .map(|text| Member::Body(text, true)),
        Kind::Url => command::url_of(&plain()).map(Member::Url),
        Kind::Method => Some(Member::Method(plain().to_ascii_uppercase()))
            .filter(|_| plain().bytes().all(|byte| byte.is_ascii_alphabetic())),
        Kind::Request => None,
    }
}

/// Returns a reason phrase without the whitespace and punctuation around it.
fn clean(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || "'\"`,;()[]{}:".contains(c))
}

/// Returns the kind of a member by its name, ignoring case and separators. Returns `None` for an
/// unknown name.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    let name: String = name
        .chars()
        .filter(|letter| letter.is_ascii_alphabetic())
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    Some(match name.as_str() {
        "status" | "statuscode" | "httpstatus" | "httpstatuscode" | "responsestatus"
        | "responsecode" | "httpcode" | "responsestatuscode" => Kind::Status,
        "statustext" | "statusmessage" | "statusdescription" | "reasonphrase" | "reason" => {
            Kind::Reason
        }
        "headers" | "responseheaders" | "header" | "rawheaders" | "headersmap" | "map"
        | "headerslist" => Kind::Headers,
        "data" | "body" | "text" | "content" | "responsebody" | "responsetext" => Kind::Body,
        "config" | "request" | "options" | "req" | "requestheaders" | "requestoptions" => {
            Kind::Request
        }
        "url" | "requesturl" | "requesturi" | "uri" => Kind::Url,
        "method" | "requestmethod" => Kind::Method,
        _ => return None,
    })
}

/// Returns whether headers may belong to a response: there is at least one header, and none is
/// typical of requests.
pub(super) fn is_of_response(headers: &[(String, String)]) -> bool {
    let has = |names: &[&str]| {
        headers
            .iter()
            .any(|(name, _)| names.contains(&name.as_str()))
    };
    !headers.is_empty() && !has(&["user-agent", "accept", "host", "origin", "referer"])
}
