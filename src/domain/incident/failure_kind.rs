//! Defines the kind of a failure: the properties by which failures of one target differ even if
//! their possible causes are the same.

use crate::model::hash::fnv1a;
use crate::model::observation::{FaultKind, Observation, Response};

/// The kind of a failure. A cause that was found for one failure applies to later failures only if
/// they are of the same kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureKind {
    /// The status of the response; `None` without a response.
    pub status: Option<u16>,
    /// The kind of the fault; `None` if the response is complete.
    pub fault: Option<FaultKind>,
    /// Number of redirects that were followed before the request that failed.
    pub redirects: u32,
}

impl From<&Observation> for FailureKind {
    fn from(observation: &Observation) -> Self {
        let (response, fault) = (observation.response.as_ref(), observation.fault.as_ref());
        Self {
            status: response.map(|response| response.status),
            fault: fault.map(|fault| fault.kind),
            redirects: observation.redirects,
        }
    }
}

/// A hash of the parts of a response that show which server generated it and what it says. These
/// parts are the status, the values of `MARKED_HEADERS`, the names of all headers except
/// `VARYING_HEADERS`, and the words at the beginning of the body. Numbers, times and most ids in
/// the body do not count. Without a response, the hash is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseMark(u64);

/// Maximum number of bytes at the beginning of a body that count for the mark.
const MAX_MARKED: usize = 2048;

/// The lengths in bytes of the words that count for the mark. Longer texts are usually ids.
const WORDS: std::ops::RangeInclusive<usize> = 2..=20;

/// The characters that, like whitespace, separate the tokens of a body. A token may be an id, such
/// as a UUID or text in Base64, which contains letters beside digits, `-`, `+`, `/` and `=`.
const SEPARATORS: [char; 14] = [
    '"', '\'', '<', '>', '{', '}', '[', ']', '(', ')', ',', ';', ':', '&',
];

/// Headers whose value counts for the mark, up to a parameter such as `; charset` or `:http://…`.
const MARKED_HEADERS: [&str; 4] = ["server", "x-cache", "x-amzn-errortype", "content-type"];

/// Headers that do not count for the mark, because only some of the responses of a server have
/// them.
const VARYING_HEADERS: [&str; 9] = [
    "age",
    "connection",
    "content-length",
    "date",
    "expires",
    "keep-alive",
    "retry-after",
    "set-cookie",
    "transfer-encoding",
];

impl ResponseMark {
    /// Returns the mark of the final response of a probe; zero if there is no response.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        observation
            .response
            .as_ref()
            .map(Self::of_response)
            .unwrap_or_default()
    }

    fn of_response(response: &Response) -> Self {
        let mut text = response.status.to_string();
        let mut headers: Vec<String> = response
            .headers
            .iter()
            .filter(|(name, _)| !VARYING_HEADERS.contains(&name.as_str()))
            .map(|(name, value)| {
                if MARKED_HEADERS.contains(&name.as_str()) {
                    let value = value.split([';', ':']).next().unwrap_or_default();
                    format!("{name}={}", value.trim().to_ascii_lowercase())
                } else {
                    name.clone()
                }
            })
            .collect();
        headers.sort_unstable();
        headers.dedup();
        let body = &response.body[..response.body.len().min(MAX_MARKED)];
        let body = String::from_utf8_lossy(body);
        // The letters of an id do not count, so a token with a digit is dropped as a whole.
        let words = body
            .split(|letter: char| letter.is_whitespace() || SEPARATORS.contains(&letter))
            .filter(|token| !token.contains(|letter: char| letter.is_numeric() || letter == '='))
            .flat_map(|token| token.split(|letter: char| !letter.is_alphanumeric()))
            .filter(|word| WORDS.contains(&word.len()))
            .map(str::to_owned);
        for part in headers.into_iter().chain(words) {
            text.push('\n');
            text.push_str(&part);
        }
        Self(fnv1a(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_with_the_same_meaning_have_the_same_mark() {
        let mark = |status, headers: &[(&str, &str)], body: &str| {
            let mut observation =
                Observation::begun(jiff::Timestamp::UNIX_EPOCH, "https://x.example/");
            observation.response = Some(Response::of(status, headers, body));
            ResponseMark::of(&observation)
        };
        let json = ("content-type", "application/json");
        let error = ("x-amzn-errortype", "AccessDeniedException:http://internal");
        let known = mark(403, &[json, error], r#"{"message":"Forbidden"}"#);
        let same = [
            mark(403, &[error, json], r#"{"message":"Forbidden"}"#),
            mark(
                403,
                &[
                    ("content-type", "application/json; charset=utf-8"),
                    error,
                    ("date", "x"),
                ],
                r#"{"message": "Forbidden", "1": "2026-01-02T03:04:05Z"}"#,
            ),
        ];
        assert_eq!(same, [known, known]);
        for other in [
            mark(
                403,
                &[json, error],
                r#"{"message":"Missing Authentication Token"}"#,
            ),
            mark(401, &[json, error], r#"{"message":"Forbidden"}"#),
            mark(403, &[json], r#"{"message":"Forbidden"}"#),
            mark(
                403,
                &[json, error, ("x-powered-by", "a")],
                r#"{"message":"Forbidden"}"#,
            ),
            ResponseMark::default(),
        ] {
            assert_ne!(other, known);
        }
        let page = |id: &str| mark(502, &[], &format!("<p>Request ID: {id}</p> 502 ERROR"));
        assert_eq!(
            page("4mF0dzq3xbkpl0e1vW2xQd=="),
            page("Zz9b0e1vW2xQd4mF0dzq3==")
        );
    }

    #[test]
    fn ids_in_the_body_do_not_count_for_the_mark() {
        let mark = |body: &str| ResponseMark::of_response(&Response::of(500, &[], body));
        let bodies = |ids: [&str; 4]| {
            let [uuid, gateway, request, host] = ids;
            [
                format!(r#"{{"message":"Internal Server Error","requestId":"{uuid}"}}"#),
                format!(r#"{{"message":"Internal Server Error","id":"{gateway}"}}"#),
                format!(
                    "<Error><Code>InternalError</Code><RequestId>{request}</RequestId>\
                     <HostId>{host}</HostId></Error>"
                ),
            ]
        };
        let one = bodies([
            "1db11618-724e-4940-83ce-f5e4069c7593",
            "K2ZEDjwtIAMEcig=",
            "GK4Q3W1X9Z7T2A8B",
            "Qk3vTz/aBcD+xyz9hWmN/Lq+pOiU7yTrE4wQ/asDfGhJkL1zXcVbNm2+QwErTy==",
        ]);
        let other = bodies([
            "f00dbabe-cafe-4bad-beef-abcdefabcdef",
            "AbCdEjwtoAMEVxw=",
            "ZX81CV5BN7MQ2WER",
            "mNbVcXz/lKj8+hGfDsA/pOi+UyTrEwQ9/zXcVbNm+aSdFgHjK/qWeRtYuIoP+As=",
        ]);
        for (one, other) in one.iter().zip(&other) {
            assert_ne!(one, other);
            assert_eq!(mark(one), mark(other), "{one} {other}");
        }
        assert_ne!(mark("upstream-refused"), mark("upstream-timeout"));
    }
}
