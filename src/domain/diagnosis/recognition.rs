//! Recognizes the front door of a response: the outermost gateway, proxy or platform that the
//! request went through.
//!
//! A header or page identifies a front door only if the documentation, the source code or a
//! captured response of this front door contains the header or page. Without such a header or page,
//! the front door is `unknown`. `x-cache: Error from cloudfront` identifies nothing, because the
//! CloudFront of an edge-optimized REST API sets it on every backend fault. `gateway_made` decides
//! whether the front door generated the response itself, and `error_page` recognizes the program
//! that wrote the body.

use crate::domain::diagnosis::application_header;
use crate::domain::diagnosis::error_page;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::model::observation::Response;

/// Headers that only one front door sets, with that front door. The outermost front doors come
/// first.
const OWN_HEADERS: &[(&str, FrontDoor)] = &[
    ("cf-ray", FrontDoor::Cloudflare),
    ("cf-error-type", FrontDoor::Cloudflare),
    ("x-azure-ref", FrontDoor::AzureFrontDoor),
    ("x-azure-externalerror", FrontDoor::AzureFrontDoor),
    ("x-vercel-id", FrontDoor::Vercel),
    ("x-vercel-error", FrontDoor::Vercel),
    ("x-nf-request-id", FrontDoor::Netlify),
    ("x-render-origin-server", FrontDoor::Render),
    ("x-render-routing", FrontDoor::Render),
    ("x-railway-request-id", FrontDoor::Railway),
    ("ngrok-error-code", FrontDoor::Ngrok),
    ("ngrok-trace-id", FrontDoor::Ngrok),
    ("x-kong-response-latency", FrontDoor::Kong),
    ("x-kong-upstream-latency", FrontDoor::Kong),
    ("x-kong-request-id", FrontDoor::Kong),
    ("l5d-proxy-error", FrontDoor::Linkerd),
    ("x-envoy-upstream-service-time", FrontDoor::Envoy),
    ("x-envoy-overloaded", FrontDoor::Envoy),
    ("x-varnish", FrontDoor::Varnish),
    ("x-squid-error", FrontDoor::Squid),
];

/// Prefixes of the `server` header in lowercase, with the front door that sets them.
const SERVERS: &[(&str, FrontDoor)] = &[
    ("cloudflare", FrontDoor::Cloudflare),
    ("vercel", FrontDoor::Vercel),
    ("netlify", FrontDoor::Netlify),
    ("railway", FrontDoor::Railway),
    ("render", FrontDoor::Render),
    ("heroku", FrontDoor::Heroku),
    ("google frontend", FrontDoor::GoogleCloud),
    (
        "microsoft-azure-application-gateway",
        FrontDoor::AzureApplicationGateway,
    ),
    ("istio-envoy", FrontDoor::Envoy),
    ("envoy", FrontDoor::Envoy),
    ("kong", FrontDoor::Kong),
    ("amazons3", FrontDoor::S3),
    ("nginx", FrontDoor::Nginx),
    ("openresty", FrontDoor::Nginx),
    ("tengine", FrontDoor::Nginx),
    ("angie", FrontDoor::Nginx),
    ("apache", FrontDoor::Apache),
    ("haproxy", FrontDoor::Haproxy),
    ("varnish", FrontDoor::Varnish),
    ("caddy", FrontDoor::Caddy),
    ("squid", FrontDoor::Squid),
    ("akamaighost", FrontDoor::Akamai),
];

/// Substrings of the `via` header in lowercase, with the front door that adds them.
const VIAS: &[(&str, FrontDoor)] = &[
    ("vegur", FrontDoor::Heroku),
    ("heroku-router", FrontDoor::Heroku),
    ("kong/", FrontDoor::Kong),
    ("1.1 google", FrontDoor::GoogleCloud),
    ("1.1 caddy", FrontDoor::Caddy),
];

impl FrontDoor {
    /// Recognizes the front door of a response from `host`; returns `Unknown` if nothing identifies
    /// it.
    #[must_use]
    pub fn recognize(response: &Response, host: &str) -> Self {
        let aws = Self::of_aws(response, host);
        if aws != Self::Unknown {
            return aws;
        }
        let mut own = OWN_HEADERS.iter();
        let own = own.find(|(name, _)| response.header(name).is_some());
        let by_cache = || is_fastly(response).then_some(Self::Fastly);
        let server = || find_in_list(SERVERS, response.header("server")?, str::starts_with);
        let via = || find_in_list(VIAS, response.header("via")?, str::contains);
        own.map(|(_, door)| *door)
            .or_else(by_cache)
            .or_else(server)
            .or_else(via)
            .or_else(|| error_page::author(response).filter(|door| *door != Self::CloudFront))
            .unwrap_or(Self::Unknown)
    }

    /// Recognizes only the front doors of AWS (API Gateway, CloudFront, function URLs and load
    /// balancers), which take precedence over other front doors; returns `Unknown` for any other.
    /// This is sufficient for the baseline, which measures the response time without the function
    /// (the floor) for AWS gateways only.
    #[must_use]
    pub fn of_aws(response: &Response, host: &str) -> Self {
        let has = |name: &str| response.header(name).is_some();
        // The API headers are checked first: if they are present, a CloudFront page in the body was
        // relayed by the API.
        if has("apigw-requestid") && !has("x-amzn-requestid") {
            Self::HttpApi
        } else if has("x-amz-apigw-id") && has("x-amzn-requestid") {
            Self::RestApi
        } else if is_from_cloudfront(response) {
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

/// Returns the front door of the first entry in `list` whose text matches a header value, ignoring
/// case; `None` if no entry matches. `has` returns whether the value matches the text.
fn find_in_list(
    list: &[(&'static str, FrontDoor)],
    value: &str,
    has: fn(&str, &'static str) -> bool,
) -> Option<FrontDoor> {
    let value = value.to_ascii_lowercase();
    list.iter()
        .find(|(text, _)| has(&value, text))
        .map(|(_, door)| *door)
}

/// Returns whether the `x-served-by` header names a cache of Fastly, such as `cache-fra-…`. If so,
/// Fastly is on the path.
fn is_fastly(response: &Response) -> bool {
    response
        .header("x-served-by")
        .is_some_and(|caches| caches.starts_with("cache-"))
}

/// Returns whether the CloudFront distribution in front of the application generated the response.
/// An application may relay the page of another distribution that it depends on, so the response
/// must have a header of CloudFront, and no header of another server or of an application. If a
/// transcript has no headers, the page is enough.
fn is_from_cloudfront(response: &Response) -> bool {
    let is_own = |(name, value): &(String, String)| {
        let value = value.to_ascii_lowercase();
        name.starts_with("x-amz-cf-")
            || (["server", "via", "x-cache"].contains(&name.as_str())
                && value.contains("cloudfront"))
    };
    // Cloudflare and API Gateway replace CloudFront's `server` header but relay its other headers.
    let server = response.header("server").map(str::to_ascii_lowercase);
    let is_foreign =
        |server: String| !["cloudfront", "cloudflare", "server"].contains(&server.as_str());
    error_page::is_cloudfront(&String::from_utf8_lossy(&response.body))
        && !server.is_some_and(is_foreign)
        && !application_header::is_present(response)
        && (response.headers.is_empty() || response.headers.iter().any(is_own))
}
