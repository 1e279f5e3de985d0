//! Cause ids, owners, hops and certainties.
//!
//! A cause is an id with a stable meaning, such as `lambda-throttled`. The rulebook in
//! `domain::diagnosis` defines the causes and when they apply, so that custom rules can add causes.
//! This module defines only `unexplained`, the cause of a failure that no rule matches.

use std::fmt;
use std::sync::Arc;

use crate::model::text_enum::text_enum;

/// A cause id: kebab-case ASCII, 2 to 64 characters. An id is never reused for another
/// meaning. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CauseId(Arc<str>);

text_enum! {
    /// The team that has to act on a cause.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Owner {
        /// The team of the service behind the endpoint.
        Service = "service",
        /// The team of the platform: the gateway, permissions and quotas.
        Platform = "platform",
        /// The team of the network: name resolution, routing and firewalls.
        Network = "network",
        /// The team of the client: the request is wrong, or its credentials are missing or invalid.
        Client = "client",
        /// The operators of this prober.
        Prober = "prober",
        /// Unknown: no observed fact shows who has to act.
        Unknown = "unknown",
    }
}

text_enum! {
    /// The hop at which a request failed. The variants are in the order in which a request passes
    /// through the hops.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Hop {
        /// The client: its request, its credentials, or its own network.
        Client = "client",
        /// The entry point of the endpoint: its host name, address, TLS, CDN or edge function.
        Edge = "edge",
        /// An API gateway, reverse proxy or load balancer that forwards requests.
        Gateway = "gateway",
        /// The server that a gateway forwards to, or the connection to that server.
        Upstream = "upstream",
        /// A serverless function.
        Function = "function",
        /// The application itself, which returned the response.
        Application = "application",
    }
}

text_enum! {
    /// The certainty of a diagnosis. The variants are in ascending order.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Certainty {
        /// The evidence is also consistent with other causes.
        Possible = "possible",
        /// Inferred from outside, without metrics or logs of the platform. The cause has at least
        /// 90 % of the total weight of all candidates.
        Likely = "likely",
        /// Confirmed by the platform's metrics for a complete time window, or by a second round of
        /// requests through the target's layers.
        Corroborated = "corroborated",
        /// Stated by the platform or the protocol for exactly this request or connection, or shown
        /// by metrics of a time window in which only the prober sent requests.
        Proven = "proven",
    }
}

/// The error for a string that is not a cause id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a cause id: use 2 to 64 lowercase letters, digits and single hyphens, \
     starting with a letter and not ending with a hyphen"
)]
pub struct InvalidCauseId(String);

/// Maximum length of a cause id in characters, so that an id is short enough for a label value and
/// an alarm tag.
const MAX_CAUSE_ID: usize = 64;

impl CauseId {
    /// Parses a cause id.
    ///
    /// # Errors
    /// Returns [`InvalidCauseId`] unless `text` is kebab-case ASCII of 2 to 64 characters that
    /// starts with a letter.
    pub fn new(text: &str) -> Result<Self, InvalidCauseId> {
        let well_formed = (2..=MAX_CAUSE_ID).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && !text.contains("--")
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidCauseId(text.to_owned()))
        }
    }

    /// Returns `unexplained`, the cause of a failure that no rule matches.
    #[must_use]
    pub fn unexplained() -> Self {
        Self("unexplained".into())
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_id_is_kebab_case() {
        for good in ["dns-failure", "too-slow", "http2-x"] {
            assert_eq!(CauseId::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "x",
            "Dns",
            "dns_failure",
            "-a",
            "a-",
            "a--b",
            "4xx",
            "ä-b",
        ] {
            assert!(CauseId::new(bad).is_err(), "{bad} was accepted");
        }
        assert!(CauseId::new(&"a".repeat(65)).is_err());
    }

    #[test]
    fn certainties_ascend_and_every_text_is_parsed_back() {
        assert!(Certainty::ALL.is_sorted());
        for step in Certainty::ALL {
            assert_eq!(Certainty::parse(step.as_str()), Some(step));
        }
        for owner in Owner::ALL {
            assert_eq!(Owner::parse(owner.as_str()), Some(owner));
        }
        for hop in Hop::ALL {
            assert_eq!(Hop::parse(hop.as_str()), Some(hop));
        }
        assert_eq!(Certainty::parse("sure"), None);
    }
}
