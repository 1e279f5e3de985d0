//! What answered: which front door, and whether it made the answer itself.
//!
//! Only exact, documented or captured clues count: a missing match is `unknown`, never
//! a wrong door. `x-cache: Error from cloudfront` is no clue at all, since the CloudFront
//! of an edge-optimised REST API puts it on every backend fault. A gateway whose answers
//! were customised is not second-guessed: its answers are `unclear`, or not its own.

use crate::model::observation::Response;

/// The front doors we know by sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontDoor {
    /// API Gateway HTTP API.
    HttpApi,
    /// API Gateway REST API.
    RestApi,
    /// Lambda function URL.
    FunctionUrl,
    /// Application load balancer, answering itself: its own page or a fixed response.
    Alb,
    /// CloudFront, answering itself.
    CloudFront,
    /// None of them, as far as one can see.
    Unknown,
}

/// Whether a gateway made the answer, or something behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayMade {
    /// A body in its exact form, none but its own headers.
    Yes,
    /// None but its own headers, but a body we do not know, or none at all.
    Unclear,
    /// Something behind it, or not a gateway.
    No,
}

/// Bodies that an HTTP API makes, byte by byte: the 5xx from captures, `Unauthorized`
/// from its developer guide, the rest in the same form.
const HTTP_API_BODIES: &[(u16, &str)] = &[
    (500, r#"{"message":"Internal Server Error"}"#),
    (503, r#"{"message":"Service Unavailable"}"#),
    (401, r#"{"message":"Unauthorized"}"#),
    (403, r#"{"message":"Forbidden"}"#),
    (404, r#"{"message":"Not Found"}"#),
    (429, r#"{"message":"Too Many Requests"}"#),
];

/// Bodies that a REST API makes, byte by byte: 5xx with a space and in sentence case.
const REST_API_BODIES: &[(u16, &str)] = &[
    (500, r#"{"message": "Internal server error"}"#),
    (502, r#"{"message": "Internal server error"}"#),
    (504, r#"{"message": "Endpoint request timed out"}"#),
    (429, r#"{"message":"Too Many Requests"}"#),
    (429, r#"{"message":"Limit Exceeded"}"#),
    (403, r#"{"message":"Missing Authentication Token"}"#),
    (403, r#"{"message":"Forbidden"}"#),
    (401, r#"{"message":"Unauthorized"}"#),
    // Observed with a space too.
    (429, r#"{"message": "Too Many Requests"}"#),
    (413, "HTTP content length exceeded 10485760 bytes."),
    (413, r#"{"message":"Request Too Long"}"#),
];

/// Bodies that Lambda makes for a function URL, byte by byte: the long 403 captured, the
/// bare one of older accounts and the 502 from issue threads. A throttle names one of
/// several reasons and is recognised by its form.
const FUNCTION_URL_BODIES: &[(u16, &str)] = &[
    (
        403,
        r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#,
    ),
    (403, r#"{"Message":"Forbidden"}"#),
    (502, "Internal Server Error"),
];

/// What stands before and after the reason in a function URL's throttle (captured).
const THROTTLE: (&str, &str) = (
    r#"{"Reason":""#,
    r#"","Type":"User","message":"Rate Exceeded."}"#,
);

/// What stands before, between and after the two times that a load balancer's page names
/// its status and reason (captured for 502 and 503).
const LOAD_BALANCER_PAGE: [&str; 3] = [
    "<html>\r\n<head><title>",
    "</title></head>\r\n<body>\r\n<center><h1>",
    "</h1></center>\r\n</body>\r\n</html>\r\n",
];

/// The header by which REST APIs and function URLs say that an error is their own.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Headers that a gateway, HTTP itself or a CDN on the way puts on an answer. A function
/// that answers for itself nearly always brings another one along.
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

/// Prefixes of the same: CORS is answered by the gateway, `x-amz…` are AWS's own.
const GATEWAY_HEADER_PREFIXES: &[&str] = &["access-control-", "x-amzn-", "x-amz-"];

impl FrontDoor {
    /// The door as the fact `front_door`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpApi => "http-api",
            Self::RestApi => "rest-api",
            Self::FunctionUrl => "function-url",
            Self::Alb => "alb",
            Self::CloudFront => "cloudfront",
            Self::Unknown => "unknown",
        }
    }

    /// Recognises a door by its answer and its host.
    #[must_use]
    pub fn recognise(response: &Response, host: &str) -> Self {
        let has = |name: &str| response.header(name).is_some();
        // A page of CloudFront's behind an API is the API's answer: its headers come first.
        if has("apigw-requestid") && !has("x-amzn-requestid") {
            Self::HttpApi
        } else if has("x-amz-apigw-id") && has("x-amzn-requestid") {
            Self::RestApi
        } else if is_cloudfront_page(&response.body) {
            Self::CloudFront
        } else if host.contains(".lambda-url.") && host.ends_with(".on.aws") {
            Self::FunctionUrl
        } else if response
            .header("server")
            .is_some_and(|server| server.starts_with("awselb/"))
        {
            Self::Alb
        } else {
            Self::Unknown
        }
    }
}

impl GatewayMade {
    /// The answer as the fact `gateway_made`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Unclear => "unclear",
            Self::No => "no",
        }
    }

    /// Judges who made an answer that came through a door.
    #[must_use]
    pub fn judge(door: FrontDoor, response: &Response) -> Self {
        let exact = match door {
            FrontDoor::HttpApi => is_one_of(HTTP_API_BODIES, response),
            // The function behind may answer the same bytes, but without the error type.
            FrontDoor::RestApi => {
                response.header(ERROR_TYPE).is_some() && is_one_of(REST_API_BODIES, response)
            }
            FrontDoor::FunctionUrl => {
                is_one_of(FUNCTION_URL_BODIES, response) || is_throttle(response)
            }
            // A listener's fixed response comes with the same `server`: only the page tells.
            FrontDoor::Alb if is_load_balancers_page(response) => return Self::Yes,
            FrontDoor::Alb => return Self::Unclear,
            // Recognised by its page.
            FrontDoor::CloudFront => return Self::Yes,
            FrontDoor::Unknown => return Self::No,
        };
        if !response.headers.iter().all(|(name, _)| is_gateways(name)) {
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

/// Whether the body is, but for the word that is the reason, a function URL's throttle.
fn is_throttle(response: &Response) -> bool {
    let reason = std::str::from_utf8(&response.body)
        .ok()
        .and_then(|text| text.strip_prefix(THROTTLE.0)?.strip_suffix(THROTTLE.1));
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    response.status == 429 && reason.is_some_and(is_word)
}

/// Whether the body is a load balancer's page for the answer's own status. Its reason may
/// be any: only some of them are captured.
fn is_load_balancers_page(response: &Response) -> bool {
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

fn is_gateways(header: &str) -> bool {
    GATEWAY_HEADERS.contains(&header)
        || GATEWAY_HEADER_PREFIXES
            .iter()
            .any(|prefix| header.starts_with(prefix))
}

fn is_cloudfront_page(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("The request could not be satisfied")
        && text.contains("Generated by cloudfront (CloudFront)")
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
        let door = FrontDoor::recognise(&response, host);
        assert_eq!((door, GatewayMade::judge(door, &response)), expected);
    }

    const CAPTURED: &[(&str, &str)] = &[
        ("date", "x"),
        ("content-type", "application/json"),
        ("content-length", "33"),
        ("apigw-requestid", "K2ZEDjwtIAMEcig="),
    ];

    #[test]
    fn a_captured_503_was_made_by_the_http_api() {
        check(
            503,
            CAPTURED,
            r#"{"message":"Service Unavailable"}"#,
            (FrontDoor::HttpApi, GatewayMade::Yes),
        );
    }

    #[test]
    fn the_same_body_with_a_header_of_the_function_is_the_functions_own() {
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
    fn one_byte_more_is_not_the_gateways_body() {
        check(
            503,
            CAPTURED,
            r#"{"message": "Service Unavailable"}"#,
            (FrontDoor::HttpApi, GatewayMade::Unclear),
        );
    }

    #[test]
    fn an_edge_optimised_rest_api_is_not_cloudfront() {
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
    fn a_plain_server_is_no_front_door() {
        check(
            503,
            &[("server", "nginx")],
            "",
            (FrontDoor::Unknown, GatewayMade::No),
        );
    }

    #[test]
    fn a_rest_apis_body_without_its_error_type_is_not_surely_its_own() {
        check(
            502,
            &[("x-amzn-requestid", "u"), ("x-amz-apigw-id", "i=")],
            r#"{"message": "Internal server error"}"#,
            (FrontDoor::RestApi, GatewayMade::Unclear),
        );
    }

    #[test]
    fn bodies_of_23_bytes_differ_by_their_text() {
        for (body, made) in [
            (r#"{"message":"Forbidden"}"#, GatewayMade::Yes),
            (r#"{"message":"Not Found"}"#, GatewayMade::Unclear),
        ] {
            check(403, CAPTURED, body, (FrontDoor::HttpApi, made));
        }
    }

    #[test]
    fn a_load_balancers_page_is_known_by_its_form_and_status() {
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
    fn a_cloudfront_page_behind_an_api_is_the_apis_answer() {
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
    fn a_function_url_is_known_by_its_host_and_its_throttle_by_its_form() {
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
