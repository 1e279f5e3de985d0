//! Recognizes responses that a proxy created itself instead of forwarding the endpoint's response.
//!
//! Over plain HTTP, an error page of the proxy looks like a response of the endpoint. The status
//! and the headers of a response are therefore used to decide whether the proxy created it.

use super::classify::proxy_fault;
use crate::domain::expectation;
use crate::model::observation::{Fault, Phase, Response};
use crate::model::target::Target;

/// Names of headers that proxies add to responses that they created themselves.
const OWN_HEADERS: [&str; 2] = ["x-squid-error", "proxy-authenticate"];

/// Lowercase names of proxies in the `Server` header.
const PROXY_SERVERS: [&str; 8] = [
    "squid",
    "tinyproxy",
    "privoxy",
    "mitmproxy",
    "mcafee",
    "zscaler",
    "polipo",
    "3proxy",
];

/// Checks that a response was created by the endpoint and not by the proxy. A response with an
/// expected status is always attributed to the endpoint.
///
/// # Errors
/// If the proxy created the response, returns a fault that contains the status of the response.
pub(super) fn check(target: &Target, response: Option<&Response>) -> Result<(), Fault> {
    let Some(response) = response else {
        return Ok(());
    };
    let status = response.status;
    if expectation::is_expected_status(&target.expect, status) || !is_own(response) {
        return Ok(());
    }
    let mut detail = format!("the proxy answered with status {status}");
    match status {
        407 => detail.push_str(" (authentication required); set or correct `request.proxy_auth`"),
        _ => detail.push_str(" instead of forwarding a response of the endpoint"),
    }
    let marks = OWN_HEADERS.iter().chain(&["proxy-status", "server"]);
    let marks = marks.filter_map(|name| Some(format!("{name}: {}", response.header(name)?)));
    let marks: Vec<_> = marks.collect();
    if !marks.is_empty() {
        detail.push_str(&format!(" ({})", marks.join(", ")));
    }
    Err(proxy_fault(Phase::Processing, detail))
}

/// Returns whether the proxy created the response. This is true for the status 407, and for 500,
/// 502, 503 and 504 if a header indicates the proxy. It is also true for 502, 503 and 504 if no
/// header indicates a server behind the proxy.
fn is_own(response: &Response) -> bool {
    if response.status == 407 {
        return true;
    }
    if !matches!(response.status, 500 | 502 | 503 | 504) {
        return false;
    }
    let server = response.header("server").map(str::to_ascii_lowercase);
    let is_proxy = server
        .as_deref()
        .is_some_and(|server| PROXY_SERVERS.iter().any(|name| server.contains(name)));
    let reports_error = response
        .header("proxy-status")
        .is_some_and(|text| text.contains("error="));
    let is_marked = OWN_HEADERS
        .iter()
        .any(|name| response.header(name).is_some());
    if is_proxy || is_marked || reports_error {
        return true;
    }
    // A proxy adds `Via` to a response that it forwards, and most servers add `Server`. A gateway
    // error with neither header is therefore attributed to the proxy.
    let is_forwarded = server.is_some() || response.header("via").is_some();
    response.status != 500 && !is_forwarded
}
