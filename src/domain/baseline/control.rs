//! Decides which responses to control requests count for the floor.
//!
//! A control request has a path that does not reach the function. The floor is the response time
//! without the function; `floor` derives it from the responses that count. Only the gateway's own
//! response to an unknown path counts, and its body is compared byte for byte. The response of a
//! `$default` or `{proxy+}` route, a mock, a cache or an intermediary would not show the response
//! time of the gateway. A function may return the same bytes, so `floor` also compares the response
//! times with those of healthy responses. If in doubt, a response does not count.

use std::time::Duration;

use crate::domain::baseline::history::is_cached;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::timing::through_intermediary;
use crate::model::observation::{Observation, Response};

/// The result of one control request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlResult {
    /// The gateway itself responded; the value is the response time.
    Measured(Duration),
    /// There is no usable response time: the response is missing, incomplete, throttled, cached, a
    /// server error, or too slow, or the connection was reused.
    Inconclusive,
    /// Something other than the gateway responded.
    NotGateway,
}

/// Status and body of an HTTP API's response to an unknown route. They are derived from captures of
/// other responses, because no capture of this response is available. If the real bytes differ, no
/// floor is measured.
const HTTP_API: (u16, &[u8]) = (404, br#"{"message":"Not Found"}"#);

/// Status and body of a REST API's response to an unknown resource (API Gateway developer guide,
/// "Gateway response types").
const REST_API: (u16, &[u8]) = (403, br#"{"message":"Missing Authentication Token"}"#);

/// The value of `x-amzn-errortype` in a REST API's response to an unknown resource.
const REST_API_ERROR: &str = "MissingAuthenticationTokenException";

/// Names of the headers in captured responses that an HTTP API itself generated, and of hop-by-hop
/// headers.
const HTTP_API_HEADERS: &[&str] = &[
    "date",
    "content-type",
    "content-length",
    "apigw-requestid",
    "connection",
    "keep-alive",
];

/// Names of the headers in captured responses that a REST API itself generated, and of hop-by-hop
/// headers.
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

/// Names of the headers that CloudFront adds. CloudFront is always in front of an edge-optimized
/// REST API.
const CLOUDFRONT_HEADERS: &[&str] = &["via", "x-cache", "x-amz-cf-pop", "x-amz-cf-id"];

/// Maximum amount by which the response time of a control request may exceed one round trip. A
/// gateway rejects an unknown path in little more than one round trip. A slower response may come
/// from a function or from a gateway with a cold configuration (which adds at least 50 ms). Neither
/// of these responses may count for the floor.
const ABOVE_ROUND_TRIP: Duration = Duration::from_millis(50);

/// Returns the result of one control request that was sent to `host`.
pub(super) fn measure(observation: &Observation, host: &str) -> ControlResult {
    let (Some(response), None) = (&observation.response, &observation.fault) else {
        return ControlResult::Inconclusive;
    };
    if response.status == 429 || response.status >= 500 || is_cached(response) {
        return ControlResult::Inconclusive;
    }
    if observation.redirects > 0 || !is_from_gateway(response, host) {
        return ControlResult::NotGateway;
    }
    // Without a connect time, the connection was reused, so there is no round trip to compare the
    // response time with.
    let (Some(processing), Some(round_trip)) =
        (observation.phases.processing, observation.phases.connect)
    else {
        return ControlResult::Inconclusive;
    };
    // Behind a CDN, the connection ends at the CDN's edge, so the connect time does not cover the
    // whole path, and `ABOVE_ROUND_TRIP` does not apply.
    if processing > round_trip + ABOVE_ROUND_TRIP && !through_intermediary(observation) {
        return ControlResult::Inconclusive;
    }
    ControlResult::Measured(processing)
}

fn is_from_gateway(response: &Response, host: &str) -> bool {
    let ((status, body), headers) = match FrontDoor::of_aws(response, host) {
        FrontDoor::HttpApi => (HTTP_API, HTTP_API_HEADERS),
        FrontDoor::RestApi => (REST_API, REST_API_HEADERS),
        _ => return false,
    };
    let named = |name: &str| headers.contains(&name) || CLOUDFRONT_HEADERS.contains(&name);
    let is_exact = response.status == status && !response.body_truncated && response.body == body;
    // The content type excludes a function that returns the same body without a content type,
    // because an HTTP API then sends `text/plain`.
    let is_json = response.header("content-type") == Some("application/json");
    let error = response.header("x-amzn-errortype");
    let has_error = status != REST_API.0 || error == Some(REST_API_ERROR);
    let own_headers = response.headers.iter().all(|(name, _)| named(name));
    is_exact && is_json && has_error && own_headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::baseline::tests::observation;
    use crate::model::observation::{Fault, FaultKind, Phase};

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

    const MEASURED: ControlResult = ControlResult::Measured(Duration::from_millis(20));

    #[track_caller]
    fn check(status: u16, headers: &[(&str, &str)], body: &str, expected: ControlResult) {
        assert_eq!(
            measure(&observation(20, status, headers, body), "x.example"),
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
    fn the_exact_responses_of_both_gateways_count() {
        check(404, HTTP, NOT_FOUND, MEASURED);
        check(403, REST, NO_TOKEN, MEASURED);
    }

    #[test]
    fn a_response_of_an_edge_optimized_api_counts_although_the_edge_is_nearer() {
        let edge = with(REST, ("x-cache", "Error from cloudfront"));
        check(403, &edge, NO_TOKEN, MEASURED);
        let mut far = observation(20, 403, &edge, NO_TOKEN);
        far.phases.processing = Some(Duration::from_millis(120));
        let expected = ControlResult::Measured(Duration::from_millis(120));
        assert_eq!(measure(&far, "x.example"), expected);
    }

    #[test]
    fn throttled_failed_cached_and_missing_responses_are_inconclusive() {
        check(
            429,
            HTTP,
            r#"{"message":"Too Many Requests"}"#,
            ControlResult::Inconclusive,
        );
        check(
            503,
            HTTP,
            r#"{"message":"Service Unavailable"}"#,
            ControlResult::Inconclusive,
        );
        check(
            404,
            &with(HTTP, ("age", "4")),
            NOT_FOUND,
            ControlResult::Inconclusive,
        );
        let hit = with(HTTP, ("x-cache", "Hit from cloudfront"));
        check(404, &hit, NOT_FOUND, ControlResult::Inconclusive);
        let mut broken = observation(20, 404, HTTP, NOT_FOUND);
        broken.fault = Some(Fault {
            phase: Phase::Transfer,
            kind: FaultKind::ConnectionReset,
            detail: String::new(),
        });
        assert_eq!(measure(&broken, "x.example"), ControlResult::Inconclusive);
        broken.response = None;
        assert_eq!(measure(&broken, "x.example"), ControlResult::Inconclusive);
    }

    #[test]
    fn responses_of_a_function_or_an_intermediary_are_not_the_gateways() {
        check(200, HTTP, r#"{"status":"ok"}"#, ControlResult::NotGateway);
        check(302, HTTP, "", ControlResult::NotGateway);
        check(
            404,
            HTTP,
            r#"{"message": "Not Found"}"#,
            ControlResult::NotGateway,
        );
        check(404, HTTP, "not here", ControlResult::NotGateway);
        check(
            404,
            &with(HTTP, ("x-powered-by", "shop")),
            NOT_FOUND,
            ControlResult::NotGateway,
        );
        check(
            404,
            &[("server", "nginx")],
            NOT_FOUND,
            ControlResult::NotGateway,
        );
        check(403, HTTP, NO_TOKEN, ControlResult::NotGateway);
        check(
            403,
            REST,
            r#"{"message":"Forbidden"}"#,
            ControlResult::NotGateway,
        );
        check(403, &REST[..3], NO_TOKEN, ControlResult::NotGateway);
        check(404, REST, NOT_FOUND, ControlResult::NotGateway);
        let plain = [("content-type", "text/plain;charset=utf-8"), HTTP[3]];
        check(404, &plain, NOT_FOUND, ControlResult::NotGateway);
    }

    #[test]
    fn slow_responses_and_reused_connections_are_inconclusive() {
        let mut slow = observation(20, 404, HTTP, NOT_FOUND);
        slow.phases.processing = Some(Duration::from_millis(61));
        assert_eq!(measure(&slow, "x.example"), ControlResult::Inconclusive);
        let mut reused = observation(20, 404, HTTP, NOT_FOUND);
        reused.phases.connect = None;
        assert_eq!(measure(&reused, "x.example"), ControlResult::Inconclusive);
    }
}
