//! Lists the sentences that API gateways, registries, APIs and some servers write. Each sentence is
//! listed with the status and the facts that follow from it. `vendor_sentences` lists those of
//! proxies and platforms.

use super::vendor_sentences::{APACHE, NO_ENDPOINTS, Sentence, UNREACHABLE, of_log, of_page};

const TIMEOUT: &[(&str, &str)] = &[("proxy_log.error", "timeout")];
const RESET: &[(&str, &str)] = &[("proxy_log.error", "reset")];
const REFUSED: &[(&str, &str)] = &[("proxy_log.error", "refused")];
const NO_NAME: &[(&str, &str)] = &[("proxy_log.error", "name-not-found")];
const NO_ROUTE: &[(&str, &str)] = &[("proxy_log.error", "no-route")];
const LIMITED: &[(&str, &str)] = &[("proxy_log.error", "rate-limited")];

/// Returns a sentence about an exceeded limit, such as a rate limit or a quota.
const fn of_limit(parts: &'static [&'static str], status: u16) -> Sentence {
    of_page(parts, status, &[])
}

/// The sentences that this module lists.
pub(super) const SENTENCES: &[Sentence] = &[
    // Tyk, `gateway/reverse_proxy.go`, `gateway/mw_auth_key.go` and others.
    of_log(
        &["There was a problem proxying the request"],
        500,
        UNREACHABLE,
    ),
    of_log(&["Upstream host lookup failed"], 500, NO_NAME),
    of_log(&["Upstream service reached hard timeout"], 504, TIMEOUT),
    of_page(
        &["Attempted access with ", "no auth header found"],
        401,
        &[],
    ),
    of_page(&["\"Authorization field missing\""], 401, &[]),
    of_page(&["Access to this API has been disallowed"], 403, &[]),
    // Apache APISIX, `apisix/init.lua` and its plugins.
    of_page(&["\"404 Route Not Found\""], 404, &[]),
    of_page(&["Missing API key found in request"], 401, &[]),
    of_page(&["Missing JWT token in request"], 401, &[]),
    of_page(&["Missing API key in request"], 401, &[]),
    // Gravitee.
    of_page(&["No context-path matches the request URI"], 404, &[]),
    // WSO2 API Manager: its error codes, in XML and in JSON.
    of_log(&["<am:code>101503</am:code>"], 500, UNREACHABLE),
    of_log(&["\"code\":101503,", "Runtime Error"], 500, UNREACHABLE),
    of_log(&["<am:code>101504</am:code>"], 504, TIMEOUT),
    of_log(&["\"code\":101504,", "Runtime Error"], 504, TIMEOUT),
    of_log(&["<amt:code>900800</amt:code>"], 429, LIMITED),
    of_log(&["\"code\":900800,", "hrottled"], 429, LIMITED),
    // Azure API Management.
    of_page(&["Access denied due to missing subscription key"], 401, &[]),
    of_page(&["Access denied due to invalid subscription key"], 401, &[]),
    of_limit(&["Rate limit is exceeded. Try again in "], 429),
    // Spring Cloud Gateway and Netflix Zuul.
    of_log(
        &["503 SERVICE_UNAVAILABLE", "Unable to find instance for "],
        503,
        NO_ENDPOINTS,
    ),
    of_log(
        &["NotFoundException", "Unable to find instance for "],
        503,
        NO_ENDPOINTS,
    ),
    of_log(
        &["\"message\":\"", "Unable to find instance for "],
        503,
        NO_ENDPOINTS,
    ),
    of_log(
        &["Load balancer does not have available server for client"],
        503,
        NO_ENDPOINTS,
    ),
    // Azure Functions, while `app_offline.htm` exists.
    of_page(
        &["This Azure Functions app is down for maintenance"],
        503,
        &[],
    ),
    // Go's server, `net/http/server.go`, and Apache httpd.
    of_page(
        &["Client sent an HTTP request to an HTTPS server."],
        400,
        &[],
    ),
    of_page(
        &["speaking plain HTTP to an SSL-enabled server port"],
        400,
        APACHE,
    ),
    // Akamai. Its page ends with this URL.
    of_page(&["//errors.edgesuite.net/"], 403, &[]),
    // An OAuth 2.0 resource server (RFC 6750, section 3).
    of_page(
        &["WWW-Authenticate: Bearer", "error=\"invalid_token\""],
        401,
        &[],
    ),
    // Registries of container images.
    of_limit(&["You have reached your ", "pull rate limit"], 429),
    of_limit(&["toomanyrequests: "], 429),
    // GitHub, GitLab and other APIs.
    of_limit(&["API rate limit exceeded"], 403),
    of_limit(&["You have exceeded a secondary rate limit"], 403),
    of_limit(&["You are being rate limited"], 429),
    of_limit(&["userRateLimitExceeded"], 403),
    of_limit(&["Quota exceeded for quota metric"], 429),
    of_limit(&["Rate limit reached for ", " in organization "], 429),
    of_limit(&["Rate limit reached for ", " on tokens per min"], 429),
    of_limit(&["\"rate_limit_error\""], 429),
    of_limit(
        &["You exceeded your current quota, please check your plan"],
        429,
    ),
    of_limit(&["We had to rate limit your IP"], 429),
    of_limit(&["urn:ietf:params:acme:error:rateLimited"], 429),
    of_limit(&["too many certificates", " already issued for"], 429),
    of_limit(&["Exceeded ", " calls per second for api client"], 429),
    // Fly.io's proxy. The codes are listed in its documentation, "Error codes and troubleshooting".
    of_log(&["instance refused connection"], 502, REFUSED),
    of_log(&["[PC01]", "instance"], 502, REFUSED),
    of_log(&["[PC02]", "instance"], 502, REFUSED),
    of_log(
        &["timed out while connecting to your instance"],
        502,
        TIMEOUT,
    ),
    of_log(
        &[
            "could not find a good candidate within ",
            " attempts at load balancing",
        ],
        503,
        NO_ENDPOINTS,
    ),
    of_log(
        &["no known healthy instances found for route"],
        503,
        NO_ENDPOINTS,
    ),
    of_log(
        &["could not complete HTTP request to instance: connection closed"],
        502,
        RESET,
    ),
    of_log(
        &["could not make HTTP request to instance: connection closed"],
        502,
        RESET,
    ),
    // Kong's message without the JSON object around it.
    of_log(&["no Route matched with those values"], 404, NO_ROUTE),
];
