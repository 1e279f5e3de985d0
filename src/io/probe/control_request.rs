//! A control request: asks the front door for something that it refuses by itself.
//!
//! It goes where the probe goes (origin, addresses, proxy, TLS) over a fresh connection,
//! and carries nothing of what the target configured to be let in: no credentials, no
//! headers, no body, no redirects. It names itself, so that whoever reads an access log
//! can tell it from a probe. It is sent only where the user named a path for it, and it
//! is no probe: no metric and no health counts it.

use std::time::Duration;

use url::Url;

use super::Prober;
use crate::model::observation::Observation;
use crate::model::target::{HeaderText, RequestSettings, Target};

/// How control requests name themselves.
const USER_AGENT: &str = concat!("probecause-control/", env!("CARGO_PKG_VERSION"));

/// A front door that refuses by itself does so within milliseconds; one that takes
/// longer than this makes no floor, whatever it says.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Kept bytes of the answer: the longest that counts has 42, and one that is longer
/// must be seen to be so.
const BODY_LIMIT: usize = 1024;

impl Prober {
    /// Makes one control request; `None`, and nothing sent, where the target names no
    /// control path.
    pub async fn control(&self, target: &Target) -> Option<Observation> {
        let control = control_of(target)?;
        Some(self.probe(&control).await)
    }
}

/// The control request of a target, as a target of its own.
fn control_of(target: &Target) -> Option<Target> {
    let url = control_url(target)?;
    let mut control = Target::with_defaults(target.name.as_str(), url);
    control.timeout = target.timeout.min(TIMEOUT);
    control.tls = target.tls.clone();
    control.request = RequestSettings {
        headers: headers(target),
        max_redirects: 0,
        ip: target.request.ip,
        proxy: target.request.proxy.clone(),
        body_limit: BODY_LIMIT,
        allow_addresses: target.request.allow_addresses.clone(),
        ..RequestSettings::default()
    };
    Some(control)
}

/// The control path on the target's own origin, without user, password and fragment.
fn control_url(target: &Target) -> Option<Url> {
    let path = target.aws.control_path.as_deref()?;
    let mut url = target.url.join(path).ok()?;
    url.set_fragment(None);
    super::redirect::without_credentials(&mut url);
    // A path such as `/\other.example` would be read as another host.
    (url.origin() == target.url.origin()).then_some(url)
}

/// Our own name and, where the target has one, its `Host`: behind one address it decides
/// which API answers.
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
        let control = control_of(&target).map(|control| control.url.to_string());
        assert_eq!(control.as_deref(), expected);
    }

    #[test]
    fn the_path_is_taken_on_the_targets_own_origin() {
        check(
            "https://me:pw@x.example:8443/prod/orders?a=1",
            Some("/prod/none?b=2"),
            Some("https://x.example:8443/prod/none?b=2"),
        );
        check("https://x.example/a", None, None);
    }

    #[test]
    fn a_path_that_is_read_as_another_host_makes_no_request() {
        check("https://x.example/a", Some("/\\y.example/b"), None);
        check("https://x.example/a", Some("//y.example/b"), None);
    }

    #[test]
    fn nothing_that_lets_a_probe_in_goes_along() {
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
        let control = control_of(&target).unwrap();
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
