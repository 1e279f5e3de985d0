//! Sends control requests, which measure the minimum response time of a front door. The front door
//! responds to a control request without calling its backend.
//!
//! A control request uses the origin, addresses, proxy and TLS settings of the target over a new
//! connection. It does not send the target's credentials, headers (except `Host`) or body, and does
//! not follow redirects. Its user agent distinguishes it from a probe in access logs. It is sent
//! only if the target sets `aws.control_path`, and does not affect metrics or health.

use std::time::Duration;

use url::Url;

use super::Prober;
use crate::model::observation::Observation;
use crate::model::target::{HeaderText, RequestSettings, Target};

/// The value of the `User-Agent` header of a control request.
const USER_AGENT: &str = concat!("probecause-control/", env!("CARGO_PKG_VERSION"));

/// Maximum duration of a control request. A front door responds without its backend within
/// milliseconds, so a response time above this limit is useless as a minimum.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of body bytes that are kept from a response to a control request. The body is
/// compared with the bodies that a front door itself sends, which are at most 42 bytes long.
const BODY_LIMIT: usize = 1024;

impl Prober {
    /// Sends one control request. If the target has no control path on its own origin, sends
    /// nothing and returns `None`.
    pub async fn control_request(&self, target: &Target) -> Option<Observation> {
        let control = as_target(target)?;
        Some(self.probe(&control).await)
    }
}

/// Returns a target whose probe is the control request for `target`. Returns `None` if `target` has
/// no control path, or if the path leads to another origin.
fn as_target(target: &Target) -> Option<Target> {
    let url = control_url(target)?;
    let mut control = Target::with_defaults(target.name.as_str(), url);
    control.timeout = target.timeout.min(TIMEOUT);
    control.tls = target.tls.clone();
    control.request = RequestSettings {
        headers: headers(target),
        max_redirects: 0,
        ip: target.request.ip,
        connect_to: target.request.connect_to.clone(),
        http: target.request.http,
        server_name: target.request.server_name.clone(),
        resolver: target.request.resolver.clone(),
        proxy: target.request.proxy.clone(),
        proxy_auth: target.request.proxy_auth.clone(),
        body_limit: BODY_LIMIT,
        allow_addresses: target.request.allow_addresses.clone(),
        ..RequestSettings::default()
    };
    Some(control)
}

/// Returns the URL of the control path on the target's origin, without user, password and fragment.
/// Returns `None` if the target has no control path, or if the path leads to another origin.
fn control_url(target: &Target) -> Option<Url> {
    let path = target.aws.control_path.as_deref()?;
    let mut url = target.url.join(path).ok()?;
    url.set_fragment(None);
    super::redirect::without_credentials(&mut url);
    // A path such as `/\other.example` resolves to another host.
    (url.origin() == target.url.origin()).then_some(url)
}

/// Returns the headers of a control request: its user agent, and the `Host` header of the target,
/// which selects the API if several APIs share one address.
fn headers(target: &Target) -> Vec<(String, HeaderText)> {
    let plain = |(name, text): &(String, HeaderText)| match text {
        HeaderText::Plain(_) if name.eq_ignore_ascii_case("host") => {
            Some((name.clone(), text.clone()))
        }
        _ => None,
    };
    let mut headers: Vec<_> = target.request.headers.iter().filter_map(plain).collect();
    let own = HeaderText::Plain(USER_AGENT.to_owned());
    headers.push(("user-agent".to_owned(), own));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, path: Option<&str>, expected: Option<&str>) {
        let mut target = Target::with_defaults("t", Url::parse(url).unwrap());
        target.aws.control_path = path.map(str::to_owned);
        let control = as_target(&target).map(|control| control.url.to_string());
        assert_eq!(control.as_deref(), expected);
    }

    #[test]
    fn the_control_path_is_resolved_on_the_targets_origin() {
        check(
            "https://me:pw@x.example:8443/prod/orders?a=1",
            Some("/prod/none?b=2"),
            Some("https://x.example:8443/prod/none?b=2"),
        );
        check("https://x.example/a", None, None);
    }

    #[test]
    fn a_path_that_resolves_to_another_host_makes_no_request() {
        check("https://x.example/a", Some("/\\y.example/b"), None);
        check("https://x.example/a", Some("//y.example/b"), None);
    }

    #[test]
    fn a_control_request_carries_no_credentials_headers_or_body() {
        let mut target = Target::with_defaults("t", Url::parse("https://x.example/a").unwrap());
        target.aws.control_path = Some("/none".to_owned());
        let header = |name: &str| (name.to_owned(), HeaderText::Plain("x".to_owned()));
        target.request.headers = ["X-Api-Key", "User-Agent", "Host"].map(header).to_vec();
        target.request.method = "POST".to_owned();
        target.request.body = b"order".as_slice().into();
        target.request.reuse_connection = true;
        target.auth = Some(crate::model::target::Auth::SigV4 {
            service: "execute-api".to_owned(),
            region: "eu-west-1".to_owned(),
        });
        let control = as_target(&target).unwrap();
        let request = &control.request;
        let names: Vec<_> = request
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["Host", "user-agent"]);
        assert_eq!((request.method.as_str(), request.body.len()), ("GET", 0));
        assert!(control.auth.is_none() && !request.reuse_connection);
        assert_eq!((request.max_redirects, control.timeout), (0, TIMEOUT));
    }
}
