//! Which answer to a control request counts towards the floor.
//!
//! Only the gateway's own, exact answer to a path that it does not know: a `$default` or
//! `{proxy+}` route, a mock, a cache or a page of somebody in between would measure
//! something else. A function may return the very bytes all the same, which is why
//! `floor` looks at the times again. When in doubt, an answer does not count.

use std::time::Duration;

use crate::domain::baseline::history::is_cached;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::timing::through_intermediary;
use crate::model::observation::{Observation, Response};

/// What one control answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// The gateway answered by itself, in this time.
    Counts(Duration),
    /// Says nothing: no answer, throttled, cached, a server error, or too late.
    Nothing,
    /// The path leads to something else than the gateway's own refusal.
    Elsewhere,
}

/// An HTTP API's answer where no route fits. Its bytes are of the form that captures of
/// its other answers have, and not captured themselves: where the real ones differ, no
/// control counts and no floor is measured.
const HTTP_API: (u16, &[u8]) = (404, br#"{"message":"Not Found"}"#);

/// A REST API's answer where no resource fits (gateway response types, developer guide).
const REST_API: (u16, &[u8]) = (403, br#"{"message":"Missing Authentication Token"}"#);

/// The error type that a REST API names beside it.
const REST_API_ERROR: &str = "MissingAuthenticationTokenException";

/// Captured headers of an HTTP API's own answers, and what HTTP/1.1 adds for one hop.
const HTTP_API_HEADERS: &[&str] = &[
    "date",
    "content-type",
    "content-length",
    "apigw-requestid",
    "connection",
    "keep-alive",
];

/// The same of a REST API.
const REST_API_HEADERS: &[&str] = &[
    "date",
    "content-type",
    "content-length",
    "x-amzn-requestid",
    "x-amz-apigw-id",
    "x-amzn-errortype",
    "x-amzn-trace-id",
    "connection",
    "keep-alive",
];

/// What CloudFront adds on the way: an edge-optimised REST API has it always.
const CLOUDFRONT_HEADERS: &[&str] = &["via", "x-cache", "x-amz-cf-pop", "x-amz-cf-id"];

/// A gateway that refuses an unknown path takes one round trip and little more; an answer
/// this much later left a function time to run, or found the gateway's configuration
/// cold (which alone adds from 50 ms up), and a floor must hold neither.
const ABOVE_ROUND_TRIP: Duration = Duration::from_millis(50);

/// Judges the answer to one control request to `host`.
pub(super) fn judge(observation: &Observation, host: &str) -> Worth {
    let (Some(answer), None) = (&observation.response, &observation.fault) else {
        return Worth::Nothing;
    };
    if answer.status == 429 || answer.status >= 500 || is_cached(answer) {
        return Worth::Nothing;
    }
    if observation.redirects > 0 || !is_gateways_own(answer, host) {
        return Worth::Elsewhere;
    }
    // No connect time: a kept connection, whose answer shares less with a fresh one.
    let (Some(processing), Some(round_trip)) =
        (observation.phases.processing, observation.phases.connect)
    else {
        return Worth::Nothing;
    };
    // Behind a CDN the connection ends at its edge, and the round trip is not the whole way.
    if processing > round_trip + ABOVE_ROUND_TRIP && !through_intermediary(observation) {
        return Worth::Nothing;
    }
    Worth::Counts(processing)
}

fn is_gateways_own(answer: &Response, host: &str) -> bool {
    let ((status, body), headers) = match FrontDoor::recognize(answer, host) {
        FrontDoor::HttpApi => (HTTP_API, HTTP_API_HEADERS),
        FrontDoor::RestApi => (REST_API, REST_API_HEADERS),
        _ => return false,
    };
    let named = |name: &str| headers.contains(&name) || CLOUDFRONT_HEADERS.contains(&name);
    let is_exact = answer.status == status && !answer.body_truncated && answer.body == body;
    // A function whose reply names no type gets `text/plain` from an HTTP API.
    let is_json = answer.header("content-type") == Some("application/json");
    let error = answer.header("x-amzn-errortype");
    let says_so = status != REST_API.0 || error == Some(REST_API_ERROR);
    let own_headers = answer.headers.iter().all(|(name, _)| named(name));
    is_exact && is_json && says_so && own_headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    use crate::model::observation::{Fault, FaultKind, HttpVersion, Phase};

    const HTTP: &[(&str, &str)] = &[
        ("date", "Tue, 20 May 2025 04:47:06 GMT"),
        ("content-type", "application/json"),
        ("content-length", "23"),
        ("apigw-requestid", "K2Zjqj7voAMEbiw="),
    ];
    const REST: &[(&str, &str)] = &[
        ("content-type", "application/json"),
        ("x-amzn-requestid", "5c1e8a2e"),
        ("x-amz-apigw-id", "K2Zj="),
        ("x-amzn-errortype", REST_API_ERROR),
    ];
    const NOT_FOUND: &str = r#"{"message":"Not Found"}"#;
    const NO_TOKEN: &str = r#"{"message":"Missing Authentication Token"}"#;

    /// An answer 20 ms after a round trip of 10 ms.
    fn answered(status: u16, headers: &[(&str, &str)], body: &str) -> Observation {
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/none");
        seen.phases.connect = Some(Duration::from_millis(10));
        seen.phases.processing = Some(Duration::from_millis(20));
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        seen.response = Some(Response {
            status,
            version: HttpVersion::Http2,
            headers: headers.iter().map(pair).collect(),
            body: body.as_bytes().to_vec(),
            body_truncated: false,
            body_bytes: body.len() as u64,
            content_length: None,
        });
        seen
    }

    const COUNTS: Worth = Worth::Counts(Duration::from_millis(20));

    #[track_caller]
    fn check(status: u16, headers: &[(&str, &str)], body: &str, expected: Worth) {
        assert_eq!(
            judge(&answered(status, headers, body), "x.example"),
            expected
        );
    }

    fn with<'a>(
        headers: &[(&'a str, &'a str)],
        more: (&'a str, &'a str),
    ) -> Vec<(&'a str, &'a str)> {
        let mut headers = headers.to_vec();
        headers.push(more);
        headers
    }

    #[test]
    fn the_exact_refusals_of_both_gateways_count() {
        check(404, HTTP, NOT_FOUND, COUNTS);
        check(403, REST, NO_TOKEN, COUNTS);
    }

    #[test]
    fn an_edge_optimised_api_counts_though_its_edge_is_nearer() {
        let edge = with(REST, ("x-cache", "Error from cloudfront"));
        check(403, &edge, NO_TOKEN, COUNTS);
        let mut far = answered(403, &edge, NO_TOKEN);
        far.phases.processing = Some(Duration::from_millis(120));
        let expected = Worth::Counts(Duration::from_millis(120));
        assert_eq!(judge(&far, "x.example"), expected);
    }

    #[test]
    fn throttled_failing_cached_and_missing_answers_say_nothing() {
        check(
            429,
            HTTP,
            r#"{"message":"Too Many Requests"}"#,
            Worth::Nothing,
        );
        check(
            503,
            HTTP,
            r#"{"message":"Service Unavailable"}"#,
            Worth::Nothing,
        );
        check(404, &with(HTTP, ("age", "4")), NOT_FOUND, Worth::Nothing);
        let hit = with(HTTP, ("x-cache", "Hit from cloudfront"));
        check(404, &hit, NOT_FOUND, Worth::Nothing);
        let mut broken = answered(404, HTTP, NOT_FOUND);
        broken.fault = Some(Fault {
            phase: Phase::Transfer,
            kind: FaultKind::ConnectionReset,
            detail: String::new(),
        });
        assert_eq!(judge(&broken, "x.example"), Worth::Nothing);
        broken.response = None;
        assert_eq!(judge(&broken, "x.example"), Worth::Nothing);
    }

    #[test]
    fn whatever_a_function_or_somebody_else_answers_is_elsewhere() {
        check(200, HTTP, r#"{"status":"ok"}"#, Worth::Elsewhere);
        check(302, HTTP, "", Worth::Elsewhere);
        check(404, HTTP, r#"{"message": "Not Found"}"#, Worth::Elsewhere);
        check(404, HTTP, "not here", Worth::Elsewhere);
        check(
            404,
            &with(HTTP, ("x-powered-by", "shop")),
            NOT_FOUND,
            Worth::Elsewhere,
        );
        check(404, &[("server", "nginx")], NOT_FOUND, Worth::Elsewhere);
        check(403, HTTP, NO_TOKEN, Worth::Elsewhere);
        check(403, REST, r#"{"message":"Forbidden"}"#, Worth::Elsewhere);
        check(403, &REST[..3], NO_TOKEN, Worth::Elsewhere);
        check(404, REST, NOT_FOUND, Worth::Elsewhere);
        let plain = [("content-type", "text/plain;charset=utf-8"), HTTP[3]];
        check(404, &plain, NOT_FOUND, Worth::Elsewhere);
    }

    #[test]
    fn an_answer_that_left_time_to_run_or_came_over_a_kept_connection_says_nothing() {
        let mut late = answered(404, HTTP, NOT_FOUND);
        late.phases.processing = Some(Duration::from_millis(61));
        assert_eq!(judge(&late, "x.example"), Worth::Nothing);
        let mut kept = answered(404, HTTP, NOT_FOUND);
        kept.phases.connect = None;
        assert_eq!(judge(&kept, "x.example"), Worth::Nothing);
    }
}
