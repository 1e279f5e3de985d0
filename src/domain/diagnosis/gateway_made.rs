//! Decides whether a front door generated a response itself.
//!
//! Known bodies must match byte for byte and come with no header of the service. A customized
//! gateway response therefore counts as `unclear` or `no`. `front_door` recognizes which front door
//! it is.

use crate::domain::diagnosis::front_door::FrontDoor;
use crate::model::observation::Response;
use crate::model::text_enum::text_enum;

text_enum! {
    /// The decision whether a gateway generated a response itself or relayed it.
    ///
    /// The texts are the values of the fact `gateway_made`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum GatewayMade {
        /// The gateway generated the response: the body is a known one, and every header is one
        /// that gateways add.
        Yes = "yes",
        /// Every header is one that gateways add, but the body is unknown or empty.
        Unclear = "unclear",
        /// The backend generated the response, or the front door is unknown.
        No = "no",
    }
}

/// Status and exact body of the responses that an HTTP API generates: 5xx from captures,
/// `Unauthorized` from the developer guide, the rest by analogy.
const HTTP_API_BODIES: &[(u16, &str)] = &[
    (500, r#"{"message":"Internal Server Error"}"#),
    (503, r#"{"message":"Service Unavailable"}"#),
    (401, r#"{"message":"Unauthorized"}"#),
    (403, r#"{"message":"Forbidden"}"#),
    (404, r#"{"message":"Not Found"}"#),
    (429, r#"{"message":"Too Many Requests"}"#),
];

/// Status and exact body of the responses that a REST API generates. The bodies of 5xx have a space
/// after the colon and sentence case.
const REST_API_BODIES: &[(u16, &str)] = &[
    (500, r#"{"message": "Internal server error"}"#),
    (502, r#"{"message": "Internal server error"}"#),
    (504, r#"{"message": "Endpoint request timed out"}"#),
    (429, r#"{"message":"Too Many Requests"}"#),
    (429, r#"{"message":"Limit Exceeded"}"#),
    (403, r#"{"message":"Missing Authentication Token"}"#),
    (403, r#"{"message":"Forbidden"}"#),
    (401, r#"{"message":"Unauthorized"}"#),
    // This body was also observed with a space after the colon.
    (429, r#"{"message": "Too Many Requests"}"#),
    (413, "HTTP content length exceeded 10485760 bytes."),
    (413, r#"{"message":"Request Too Long"}"#),
];

/// Status and exact body of the responses that a function URL generates: the long 403 from a
/// capture, the short 403 of older accounts and the 502 from issue threads. A throttle response
/// contains one of several reasons, so [`THROTTLE`] describes its form instead.
const FUNCTION_URL_BODIES: &[(u16, &str)] = &[
    (
        403,
        r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#,
    ),
    (403, r#"{"Message":"Forbidden"}"#),
    (502, "Internal Server Error"),
];

/// The text before and after the reason in a function URL's throttle response (captured).
const THROTTLE: (&str, &str) = (
    r#"{"Reason":""#,
    r#"","Type":"User","message":"Rate Exceeded."}"#,
);

/// The text before, between, and after the two occurrences of status and reason in a load
/// balancer's error page (captured for 502 and 503).
const LOAD_BALANCER_PAGE: [&str; 3] = [
    "<html>\r\n<head><title>",
    "</title></head>\r\n<body>\r\n<center><h1>",
    "</h1></center>\r\n</body>\r\n</html>\r\n",
];

/// The header with which REST APIs and function URLs mark their own errors.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Headers that a gateway, an HTTP server, or a CDN on the path adds to a response. A
/// response that a function generates nearly always has another header as well.
const GATEWAY_HEADERS: &[&str] = &[
    "date",
    "content-type",
    "content-length",
    "connection",
    "keep-alive",
    "apigw-requestid",
    "www-authenticate",
    "vary",
    "via",
    "age",
    "x-cache",
    "alt-svc",
];

/// Prefixes of headers that a gateway adds: those of CORS, which gateways handle, and those of AWS.
const GATEWAY_HEADER_PREFIXES: &[&str] = &["access-control-", "x-amzn-", "x-amz-"];

impl GatewayMade {
    /// Decides whether `door` generated the response that came through it.
    #[must_use]
    pub fn judge(door: FrontDoor, response: &Response) -> Self {
        let exact = match door {
            FrontDoor::HttpApi => is_one_of(HTTP_API_BODIES, response),
            // A function may return the same bytes, but without the error type.
            FrontDoor::RestApi => {
                response.header(ERROR_TYPE).is_some() && is_one_of(REST_API_BODIES, response)
            }
            FrontDoor::FunctionUrl => {
                is_one_of(FUNCTION_URL_BODIES, response) || is_throttle(response)
            }
            // A listener's fixed response has the same `server` header; only the page differs.
            FrontDoor::Alb if is_load_balancer_page(response) => return Self::Yes,
            FrontDoor::Alb => return Self::Unclear,
            // CloudFront is recognized only by its own error page.
            FrontDoor::CloudFront => return Self::Yes,
            FrontDoor::Unknown => return Self::No,
        };
        if !response
            .headers
            .iter()
            .all(|(name, _)| is_gateway_header(name))
        {
            Self::No
        } else if exact && !response.body_truncated {
            Self::Yes
        } else {
            Self::Unclear
        }
    }
}

fn is_one_of(bodies: &[(u16, &str)], response: &Response) -> bool {
    bodies.iter().any(|(status, body)| {
        *status == response.status && body.as_bytes() == response.body.as_slice()
    })
}

/// Returns whether the response is a function URL's throttle response, with any single word as the
/// reason.
fn is_throttle(response: &Response) -> bool {
    let reason = std::str::from_utf8(&response.body)
        .ok()
        .and_then(|text| text.strip_prefix(THROTTLE.0)?.strip_suffix(THROTTLE.1));
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    response.status == 429 && reason.is_some_and(is_word)
}

/// Returns whether the body is the load balancer's error page for the status of the response. Any
/// reason is accepted, because only some of them are captured.
fn is_load_balancer_page(response: &Response) -> bool {
    let [before, between, after] = LOAD_BALANCER_PAGE;
    let names = std::str::from_utf8(&response.body)
        .ok()
        .and_then(|text| text.strip_prefix(before)?.strip_suffix(after))
        .and_then(|text| text.split_once(between));
    let reason = names
        .filter(|(title, heading)| title == heading)
        .and_then(|(title, _)| title.strip_prefix(&format!("{} ", response.status)));
    !response.body_truncated
        && reason.is_some_and(|reason| !reason.is_empty() && !reason.contains('<'))
}

fn is_gateway_header(header: &str) -> bool {
    GATEWAY_HEADERS.contains(&header)
        || GATEWAY_HEADER_PREFIXES
            .iter()
            .any(|prefix| header.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::HttpVersion;

    fn check(
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
        expected: (FrontDoor, GatewayMade),
    ) {
        check_at("x.example", status, headers, body, expected);
    }

    fn check_at(
        host: &str,
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
        expected: (FrontDoor, GatewayMade),
    ) {
        let response = Response {
            status,
            reason: None,
            version: HttpVersion::Http2,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
            body_truncated: false,
            body_bytes: body.len() as u64,
            content_length: None,
        };
        let door = FrontDoor::recognize(&response, host);
        assert_eq!((door, GatewayMade::judge(door, &response)), expected);
    }

    const CAPTURED: &[(&str, &str)] = &[
        ("date", "x"),
        ("content-type", "application/json"),
        ("content-length", "33"),
        ("apigw-requestid", "K2ZEDjwtIAMEcig="),
    ];

    #[test]
    fn a_captured_503_is_generated_by_the_http_api() {
        check(
            503,
            CAPTURED,
            r#"{"message":"Service Unavailable"}"#,
            (FrontDoor::HttpApi, GatewayMade::Yes),
        );
    }

    #[test]
    fn the_same_body_with_another_header_is_generated_by_the_function() {
        let mut headers = CAPTURED.to_vec();
        headers.push(("x-powered-by", "shop"));
        check(
            503,
            &headers,
            r#"{"message":"Service Unavailable"}"#,
            (FrontDoor::HttpApi, GatewayMade::No),
        );
    }

    #[test]
    fn a_body_with_one_more_byte_is_unclear() {
        check(
            503,
            CAPTURED,
            r#"{"message": "Service Unavailable"}"#,
            (FrontDoor::HttpApi, GatewayMade::Unclear),
        );
    }

    #[test]
    fn an_edge_optimized_rest_api_is_not_cloudfront() {
        check(
            502,
            &[
                ("x-amzn-requestid", "u"),
                ("x-amz-apigw-id", "i="),
                ("x-amzn-errortype", "InternalServerErrorException"),
                ("x-cache", "Error from cloudfront"),
                ("via", "1.1 a.cloudfront.net (CloudFront)"),
            ],
            r#"{"message": "Internal server error"}"#,
            (FrontDoor::RestApi, GatewayMade::Yes),
        );
    }

    #[test]
    fn a_plain_server_is_an_unknown_front_door() {
        check(
            503,
            &[("server", "nginx")],
            "",
            (FrontDoor::Unknown, GatewayMade::No),
        );
    }

    #[test]
    fn a_rest_api_body_without_the_error_type_is_unclear() {
        check(
            502,
            &[("x-amzn-requestid", "u"), ("x-amz-apigw-id", "i=")],
            r#"{"message": "Internal server error"}"#,
            (FrontDoor::RestApi, GatewayMade::Unclear),
        );
    }

    #[test]
    fn bodies_of_equal_length_are_distinguished_by_their_text() {
        for (body, made) in [
            (r#"{"message":"Forbidden"}"#, GatewayMade::Yes),
            (r#"{"message":"Not Found"}"#, GatewayMade::Unclear),
        ] {
            check(403, CAPTURED, body, (FrontDoor::HttpApi, made));
        }
    }

    #[test]
    fn a_load_balancer_page_is_recognized_by_its_form_and_status() {
        let page = |title: &str, heading: &str| {
            format!(
                "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
                 <center><h1>{heading}</h1></center>\r\n</body>\r\n</html>\r\n"
            )
        };
        let bad_gateway = page("502 Bad Gateway", "502 Bad Gateway");
        for (status, body, made) in [
            (502, bad_gateway.as_str(), GatewayMade::Yes),
            (503, &bad_gateway, GatewayMade::Unclear),
            (502, bad_gateway.trim_end(), GatewayMade::Unclear),
            (502, &page("502 Bad Gateway", "502"), GatewayMade::Unclear),
            (502, &page("502 ", "502 "), GatewayMade::Unclear),
            (502, &page("502 <b>", "502 <b>"), GatewayMade::Unclear),
            (502, "Maintenance", GatewayMade::Unclear),
            (502, "", GatewayMade::Unclear),
        ] {
            let headers = &[("server", "awselb/2.0")];
            check(status, headers, body, (FrontDoor::Alb, made));
        }
    }

    #[test]
    fn a_cloudfront_page_behind_an_api_belongs_to_the_api() {
        let page = "The request could not be satisfied. Generated by cloudfront (CloudFront)";
        check(
            502,
            &[("x-cache", "Error from cloudfront")],
            page,
            (FrontDoor::CloudFront, GatewayMade::Yes),
        );
        check(
            502,
            CAPTURED,
            page,
            (FrontDoor::HttpApi, GatewayMade::Unclear),
        );
    }

    #[test]
    fn a_function_url_is_recognized_by_its_host_and_a_throttle_by_its_form() {
        let body = |reason: &str| {
            format!(r#"{{"Reason":"{reason}","Type":"User","message":"Rate Exceeded."}}"#)
        };
        let host = "abc.lambda-url.eu-west-1.on.aws";
        let headers = &[("x-amzn-errortype", "TooManyRequestsException")];
        for (reason, made) in [
            ("ConcurrentInvocationLimitExceeded", GatewayMade::Yes),
            ("", GatewayMade::Unclear),
            ("not a word", GatewayMade::Unclear),
        ] {
            let expected = (FrontDoor::FunctionUrl, made);
            check_at(host, 429, headers, &body(reason), expected);
        }
        check_at(
            "lambda-url.example",
            429,
            headers,
            &body("ConcurrentInvocationLimitExceeded"),
            (FrontDoor::Unknown, GatewayMade::No),
        );
    }
}
