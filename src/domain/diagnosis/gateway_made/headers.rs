//! Decides where the headers of a response from an AWS API are from.
//!
//! API Gateway itself sets few headers, and CDNs add known ones. Headers that were renamed by API
//! Gateway, headers of application frameworks, and a media type that API Gateway does not write
//! show that the integration responded. `gateway_made` compares the body.

use crate::domain::diagnosis::application_header;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::gateway_made::ERROR_TYPE;
use crate::model::observation::Response;

/// Headers that a gateway, an HTTP server, or a CDN on the path adds to a response. A response of
/// the integration often has further headers.
const GATEWAY_HEADERS: &[&str] = &[
    "date",
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "apigw-requestid",
    "www-authenticate",
    "vary",
    "via",
    "age",
    "x-cache",
    "alt-svc",
    "nel",
    "report-to",
    "reporting-endpoints",
    "server-timing",
];

/// Prefixes of headers that a gateway or CDN adds: CORS headers, AWS headers, and Cloudflare
/// headers.
const GATEWAY_HEADER_PREFIXES: &[&str] = &["access-control-", "x-amzn-", "x-amz-", "cf-"];

/// Security headers that a response headers policy of CloudFront, a Cloudflare rule, or a
/// customized response of a REST API can add. Applications add these headers too.
const SECURITY_HEADERS: &[&str] = &[
    "content-security-policy",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "expect-ct",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

/// Headers that owners of a REST API often add to its gateway responses.
const CUSTOMARY_HEADERS: &[&str] = &[
    "cache-control",
    "expires",
    "pragma",
    "retry-after",
    "x-correlation-id",
    "x-request-id",
];

/// Headers that show that CloudFront or Cloudflare is on the path.
const CDN_HEADERS: &[&str] = &["cf-ray", "x-amz-cf-id", "x-amz-cf-pop"];

/// Prefixes of cookies that Cloudflare sets.
const CDN_COOKIES: &[&str] = &["__cf", "_cfuvid=", "cf_clearance="];

/// Values of the `server` header that a gateway or CDN sets: `Server` is from API Gateway in the
/// China partition; the others are from CDNs, which replace the value that the API sets.
const PLATFORM_SERVERS: &[&str] = &["Server", "CloudFront", "cloudflare"];

/// Prefix that API Gateway and function URLs add to the names of some headers of the integration.
/// An error that API Gateway or a function URL generates itself has no such header.
const REMAPPED_PREFIX: &str = "x-amzn-remapped-";

/// The value of `content-type` in all errors that API Gateway writes as JSON. It has no parameter,
/// such as `charset`.
const MEDIA_TYPE: &str = "application/json";

/// The source of a response's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// All headers are known headers of gateways or CDNs.
    Gateway,
    /// At least one header is unknown: the integration, a CDN, or a proxy may have added it.
    Unknown,
    /// At least one header shows that the integration responded.
    Integration,
}

impl Origin {
    /// Decides where the headers of a response through `door` are from. `exact` is whether the body
    /// is a known body of `door`.
    pub(super) fn judge(door: FrontDoor, response: &Response, exact: bool) -> Self {
        let mut headers = response.headers.iter();
        if headers.any(|(name, _)| name.starts_with(REMAPPED_PREFIX))
            || application_header::is_present(response)
            || has_other_media_type(door, response, exact)
        {
            return Self::Integration;
        }
        let secured = door == FrontDoor::RestApi || is_behind_cdn(response);
        // Only a response with the error type header can be a customized gateway response.
        let customized = door == FrontDoor::RestApi && response.header(ERROR_TYPE).is_some();
        let mut headers = response.headers.iter();
        if headers.all(|(name, value)| {
            is_gateway_header(name, value)
                || (secured && SECURITY_HEADERS.contains(&name.as_str()))
                || (customized && CUSTOMARY_HEADERS.contains(&name.as_str()))
        }) {
            Self::Gateway
        } else {
            Self::Unknown
        }
    }
}

/// Returns whether `door` is an HTTP or REST API and the response has a media type that this API
/// does not write in an error. An HTTP API writes all its errors as JSON. The errors of a REST API
/// can be customized, so for a REST API the media type is checked only if the body is a known one.
fn has_other_media_type(door: FrontDoor, response: &Response, exact: bool) -> bool {
    let is_json = match door {
        FrontDoor::HttpApi => response.status >= 400,
        FrontDoor::RestApi => exact && response.body.starts_with(b"{"),
        _ => false,
    };
    let media_type = response.header("content-type");
    is_json && media_type.is_some_and(|media_type| media_type.trim() != MEDIA_TYPE)
}

fn is_behind_cdn(response: &Response) -> bool {
    CDN_HEADERS
        .iter()
        .any(|name| response.header(name).is_some())
}

fn is_gateway_header(header: &str, value: &str) -> bool {
    GATEWAY_HEADERS.contains(&header)
        || (header == "server" && PLATFORM_SERVERS.contains(&value))
        || (header == "set-cookie" && CDN_COOKIES.iter().any(|start| value.starts_with(start)))
        || GATEWAY_HEADER_PREFIXES
            .iter()
            .any(|prefix| header.starts_with(prefix))
}
