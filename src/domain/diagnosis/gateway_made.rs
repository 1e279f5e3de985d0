//! Decides whether a front door generated a response itself.
//!
//! For an AWS API (an HTTP API, a REST API or a function URL), `yes` requires a known body and only
//! headers that gateways and CDNs add. The body must match byte for byte, except for whitespace if
//! a client reformatted the JSON. A gateway response with a customized body or an unusual header
//! therefore counts as `unclear` or `no`. `headers` decides where the headers are from, and
//! `recognition` determines the front door.

mod headers;

use crate::domain::diagnosis::body_text;
use crate::domain::diagnosis::error_page;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::gateway_made::headers::Origin;
use crate::model::observation::Response;
use crate::model::text_enum::text_enum;

text_enum! {
    /// Whether the front door generated a response itself or relayed it.
    ///
    /// The texts are the values of the fact `gateway_made`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum GatewayMade {
        /// The front door generated the response: the body is a known body of this front door, and,
        /// for an AWS API, all headers are known headers of gateways or CDNs.
        Yes = "yes",
        /// The response does not show who generated it. For example, all headers are known headers
        /// of gateways or CDNs, but the body is unknown or empty; or the body is a known body of an
        /// HTTP API, but a header is unknown.
        Unclear = "unclear",
        /// The front door is unknown. Or it is an AWS API, and either a header shows that the
        /// integration responded, or a header is unknown and the body is not a known body of an
        /// HTTP API.
        No = "no",
    }
}

/// Status and exact body of the responses that an HTTP API generates. The 5xx bodies were captured,
/// `Unauthorized` is from the developer guide, and the other bodies are inferred by analogy.
const HTTP_API_BODIES: &[(u16, &str)] = &[
    (500, r#"{"message":"Internal Server Error"}"#),
    (503, r#"{"message":"Service Unavailable"}"#),
    (401, r#"{"message":"Unauthorized"}"#),
    (403, r#"{"message":"Forbidden"}"#),
    (404, r#"{"message":"Not Found"}"#),
    (429, r#"{"message":"Too Many Requests"}"#),
];

/// Status and exact body of the responses that a REST API generates. In the body of a 5xx response,
/// a space follows the colon and the message is in sentence case, except in `{"message":null}` for
/// a failed authorizer (captured in 2023).
const REST_API_BODIES: &[(u16, &str)] = &[
    (500, r#"{"message": "Internal server error"}"#),
    (502, r#"{"message": "Internal server error"}"#),
    (500, r#"{"message":null}"#),
    (504, r#"{"message": "Endpoint request timed out"}"#),
    // This body was captured in 2020 for a VPC link that could not reach its target.
    (
        504,
        r#"{"message": "Network error communicating with endpoint"}"#,
    ),
    (429, r#"{"message":"Too Many Requests"}"#),
    (429, r#"{"message":"Limit Exceeded"}"#),
    (403, r#"{"message":"Missing Authentication Token"}"#),
    (403, r#"{"message":"Forbidden"}"#),
    (401, r#"{"message":"Unauthorized"}"#),
    // The body for 429 was observed both without and with a space after the colon.
    (429, r#"{"message": "Too Many Requests"}"#),
    (413, "HTTP content length exceeded 10485760 bytes."),
    (413, r#"{"message":"Request Too Long"}"#),
];

/// Status and exact body of the responses that a function URL generates. The long 403 and the 400
/// were captured. The short 403 of older accounts is from issue threads. Tests of
/// localstack/localstack recorded the 502 and, for a URL that does not exist, the 403 with `null`.
/// A 429 contains one of several reasons, so [`THROTTLE`] describes the form of its body.
const FUNCTION_URL_BODIES: &[(u16, &str)] = &[
    (
        403,
        r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#,
    ),
    (403, r#"{"Message":"Forbidden"}"#),
    (403, r#"{"Message":null}"#),
    (400, r#"{"message":"Rate Exceeded."}"#),
    (502, "Internal Server Error"),
];

/// The text before and after the reason in a function URL's throttle response (from captured
/// responses).
const THROTTLE: (&str, &str) = (
    r#"{"Reason":""#,
    r#"","Type":"User","message":"Rate Exceeded."}"#,
);

/// The text before, between, and after the two occurrences of status and reason in a load
/// balancer's error page (from captured responses with the statuses 502 and 503), without the final
/// line break. Line breaks are LF, as in the output of `body_text`.
const LOAD_BALANCER_PAGE: [&str; 3] = [
    "<html>\n<head><title>",
    "</title></head>\n<body>\n<center><h1>",
    "</h1></center>\n</body>\n</html>",
];

/// The header with which REST APIs and function URLs mark their own errors.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Exclusive upper bound of the length of a reformatted body, as a multiple of the original length.
/// A JSON object with one member stays below this bound when it is printed with line breaks.
const MAX_REFORMATTED: usize = 3;

impl GatewayMade {
    /// Decides whether `door` generated the response that came through it.
    #[must_use]
    pub fn judge(door: FrontDoor, response: &Response) -> Self {
        let exact = match door {
            FrontDoor::HttpApi => is_one_of(HTTP_API_BODIES, response),
            // A function may return the same body, but without the error type header.
            FrontDoor::RestApi => has_error_type(response) && is_one_of(REST_API_BODIES, response),
            FrontDoor::FunctionUrl => {
                is_one_of(FUNCTION_URL_BODIES, response) || is_throttle(response)
            }
            // A response of a fixed-response action has the same `server` header as an error of the
            // load balancer, so only the page shows that the load balancer generated an error.
            FrontDoor::Alb if is_load_balancer_page(response) => return Self::Yes,
            FrontDoor::Alb => return Self::Unclear,
            // `door` is `CloudFront` only if the response is CloudFront's own error page.
            FrontDoor::CloudFront => return Self::Yes,
            FrontDoor::Unknown => return Self::No,
            // For the other front doors, only a known error page shows that they generated the
            // response; their headers do not.
            _ if error_page::author(response) == Some(door) => return Self::Yes,
            _ => return Self::Unclear,
        };
        match Origin::judge(door, response, exact) {
            Origin::Gateway if exact && !response.body_truncated => Self::Yes,
            Origin::Gateway => Self::Unclear,
            // A CDN or proxy in front of an HTTP API may have added the unknown header. A REST API
            // may have relayed the body and error type of another API, and nothing is in front of
            // the host name of a function URL, so for these two an unknown header counts as `no`.
            Origin::Unknown if exact && door == FrontDoor::HttpApi => Self::Unclear,
            Origin::Unknown | Origin::Integration => Self::No,
        }
    }

    /// Returns whether `door` is an AWS API and its integration generated the response. If a REST
    /// API's response has the error type header, an unknown header does not show this, because a
    /// customized gateway response may have any header.
    #[must_use]
    pub(super) fn is_relayed(self, door: FrontDoor, response: &Response) -> bool {
        match door {
            FrontDoor::HttpApi | FrontDoor::FunctionUrl => self == Self::No,
            FrontDoor::RestApi => {
                let origin = Origin::judge(door, response, is_one_of(REST_API_BODIES, response));
                self == Self::No && !(has_error_type(response) && origin == Origin::Unknown)
            }
            _ => false,
        }
    }
}

/// Returns whether the response has the header [`ERROR_TYPE`].
fn has_error_type(response: &Response) -> bool {
    response.header(ERROR_TYPE).is_some()
}

fn is_one_of(bodies: &[(u16, &str)], response: &Response) -> bool {
    let mut of_status = bodies
        .iter()
        .filter(|(status, _)| *status == response.status);
    of_status.any(|(_, body)| {
        body.as_bytes() == response.body.as_slice() || is_reformatted(body, response)
    })
}

/// Returns whether the response's body is `body` as reformatted JSON. A transcript may be from a
/// client that prints JSON with line breaks, but `content-length` is still the length of `body`.
fn is_reformatted(body: &str, response: &Response) -> bool {
    let length = u64::try_from(body.len()).ok();
    let without_space = |text: &[u8]| -> Vec<u8> {
        let bytes = text.iter().copied();
        bytes.filter(|byte| !byte.is_ascii_whitespace()).collect()
    };
    response.content_length == length
        && body.starts_with('{')
        && response.body.len() < MAX_REFORMATTED * body.len()
        && without_space(body.as_bytes()) == without_space(&response.body)
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
/// reason phrase is accepted, because the pages of only some statuses were captured.
fn is_load_balancer_page(response: &Response) -> bool {
    let [before, between, after] = LOAD_BALANCER_PAGE;
    let page = body_text::text(&response.body);
    let content = page.strip_prefix(before);
    let names = content
        .and_then(|content| content.strip_suffix(after))
        .and_then(|content| content.split_once(between));
    let reason = names
        .filter(|(title, heading)| title == heading)
        .and_then(|(title, _)| title.strip_prefix(&format!("{} ", response.status)));
    !response.body_truncated
        && reason.is_some_and(|reason| !reason.is_empty() && !reason.contains('<'))
}

#[cfg(test)]
mod tests;
