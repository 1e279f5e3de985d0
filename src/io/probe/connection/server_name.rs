//! Decides the TLS server name (SNI): the host of the URL, or the target's `server_name` setting.
//!
//! The setting applies only to URLs with the host of the target's URL, so it does not apply after a
//! redirect to another host.

use url::Url;

use crate::model::target::Target;

/// An override: the TLS server name that replaces the host in the URL of a target.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ServerName {
    /// The host in the URL of the target.
    own: String,
    /// The value of the `server_name` setting.
    instead: String,
}

impl ServerName {
    /// Creates the override from the `server_name` setting of a target. Returns `None` if the
    /// target does not set `server_name`.
    pub(super) fn of(target: &Target) -> Option<Self> {
        Some(Self {
            own: bare_host(&target.url).to_owned(),
            instead: target.request.server_name.clone()?,
        })
    }
}

/// Returns the server name that a TLS handshake for a URL sends and verifies. `server_name` applies
/// only to URLs with the host of the target's URL.
pub(super) fn of<'a>(url: &'a Url, server_name: Option<&'a ServerName>) -> &'a str {
    let host = bare_host(url);
    match server_name {
        Some(name) if name.own == host => &name.instead,
        _ => host,
    }
}

/// Returns the host of a URL, without the brackets of an IPv6 address.
pub(super) fn bare_host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_targets_own_host_gets_the_other_name() {
        let url = |text: &str| Url::parse(text).unwrap();
        let mut target = Target::with_defaults("t", url("https://10.0.0.1:8443/"));
        assert_eq!(
            of(&target.url, ServerName::of(&target).as_ref()),
            "10.0.0.1"
        );
        target.request.server_name = Some("a.example".to_owned());
        let name = ServerName::of(&target);
        assert_eq!(of(&url("https://10.0.0.1/"), name.as_ref()), "a.example");
        assert_eq!(of(&url("https://[::1]/"), name.as_ref()), "::1");
    }
}
