//! What is probed: one endpoint with everything its user declared about it.
//!
//! Plain data, already validated by `config`: a `Target` that exists is well-formed,
//! and nothing below re-checks it. Equality is what a reload goes by, so every field
//! takes part in it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::model::hash::fnv1a;
use crate::model::secret::Secret;

pub use super::target_aws::{Authorizer, AwsDeclarations, Integration};
pub use super::target_publish::{
    AlarmSettings, CauseAlarm, CloudWatchMetric, MissingData, TargetCloudWatch,
};

/// A target's unique name. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName(Arc<str>);

/// One endpoint to probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Unique among all targets.
    pub name: TargetName,
    /// `http` or `https`, with a host.
    pub url: Url,
    /// Extra Prometheus labels; names are valid and not reserved.
    pub labels: BTreeMap<String, String>,
    /// Time between two slots; at least one second.
    pub interval: Duration,
    /// The one deadline of a probe, over all phases and redirect hops.
    pub timeout: Duration,
    /// How soon to look again after a first failure; zero: do not.
    pub confirm_after: Duration,
    /// What is sent.
    pub request: RequestSettings,
    /// Whom to trust and how to identify ourselves.
    pub tls: TlsSettings,
    /// What a healthy answer looks like.
    pub expect: Expectations,
    /// How many results in a row change the health.
    pub health: HealthSettings,
    /// Credentials sent with the request.
    pub auth: Option<Auth>,
    /// What the user declared about the AWS side.
    pub aws: AwsDeclarations,
    /// The CloudWatch alarm of this target.
    pub alarm: AlarmSettings,
    /// The CloudWatch metrics of this target.
    pub cloudwatch: TargetCloudWatch,
}

/// The request of a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestSettings {
    /// An HTTP method token, upper case by convention.
    pub method: String,
    /// Sent on the first hop and on redirects within the same origin.
    pub headers: Vec<(String, HeaderText)>,
    /// The body; empty for none.
    pub body: Arc<[u8]>,
    /// Redirects followed before `too-many-redirects`; zero: a redirect is the answer.
    pub max_redirects: u32,
    /// Which addresses of the name are tried.
    pub ip: IpVersion,
    /// Keep the connection for the next probe instead of opening a fresh one.
    pub reuse_connection: bool,
    /// An `http` or `https` proxy.
    pub proxy: Option<Url>,
    /// Bytes of the (decompressed) body that are kept; the rest is read and counted
    /// only as far as the deadline allows.
    pub body_limit: usize,
    /// Link-local and metadata addresses that this target may reach all the same.
    pub allow_addresses: Vec<IpAddr>,
}

/// A configured header value: plain, or read from a file or variable and then secret.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderText {
    /// Written in the configuration.
    Plain(String),
    /// Read from a file or an environment variable.
    Secret(Secret),
}

/// Which IP versions a probe may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// Both, raced as browsers do.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// TLS material, as PEM bytes already read. Targets with equal settings share a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// Extra roots to trust beside the platform's.
    pub ca: Option<Arc<[u8]>>,
    /// Client certificate chain and its private key, for mutual TLS.
    pub identity: Option<TlsIdentity>,
}

/// A client certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsIdentity {
    /// Certificate chain, PEM.
    pub chain: Arc<[u8]>,
    /// Private key, PEM.
    pub key: Secret,
}

/// What a healthy answer looks like. Everything named must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations {
    /// Inclusive status ranges; an answer must be in one of them.
    pub status: Vec<(u16, u16)>,
    /// Headers that must be there, by lower-case name.
    pub headers: Vec<(String, TextMatch)>,
    /// Every one must hold of the body.
    pub body: Vec<BodyMatch>,
    /// A longer probe is degraded (`too-slow`), not failed.
    pub slower_than: Option<Duration>,
    /// Fewer days left on the certificate is degraded (`certificate-expiring`).
    pub certificate_days: Option<u32>,
}

/// A test on one text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextMatch {
    /// Equal to the letter.
    Equals(String),
    /// Has this part.
    Contains(String),
    /// Matches somewhere.
    Regex(Pattern),
}

/// A test on the body.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyMatch {
    /// The text has this part.
    Contains(String),
    /// The text matches somewhere.
    Regex(Pattern),
    /// The node that the path selects equals the value.
    Json {
        /// RFC 9535 path, as written (without the leading `$.` if so written).
        path: JsonPath,
        /// The value, as JSON.
        value: serde_json::Value,
    },
}

/// A compiled regular expression, equal when its source is equal.
#[derive(Clone, Debug)]
pub struct Pattern(pub regex::Regex);

/// A compiled JSON path, equal when its source is equal.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    /// The path as the user wrote it.
    pub source: String,
    /// The path compiled.
    pub path: serde_json_path::JsonPath,
}

/// Thresholds of the health state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Failures in a row before `down` (or degraded results before `degraded`); ≥ 1.
    pub consecutive_failures: u32,
    /// Successes in a row before `up` again; ≥ 1.
    pub consecutive_successes: u32,
}

/// Credentials for the endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// `Authorization: Basic`.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// `Authorization: Bearer`.
    Bearer(Secret),
    /// AWS Signature Version 4 with the SDK's default credential chain.
    SigV4 {
        /// Signing name, such as `execute-api` or `lambda`.
        service: String,
        /// Region to sign for.
        region: String,
    },
}

impl TargetName {
    /// Wraps a name that `config` has validated.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for TargetName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl HeaderText {
    /// The value to send.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Target {
    /// A target with every default of the configuration reference: what the command
    /// line probes when it is given no more than a URL, and what tests start from.
    #[must_use]
    pub fn with_defaults(name: &str, url: Url) -> Self {
        Self {
            name: TargetName::new(name),
            url,
            labels: BTreeMap::new(),
            interval: Duration::from_secs(60),
            // The gateway gives up after 30 s: a probe must outlast it to see its answer.
            timeout: Duration::from_secs(35),
            confirm_after: Duration::from_secs(10),
            request: RequestSettings::default(),
            tls: TlsSettings::default(),
            expect: Expectations {
                status: vec![(200, 299)],
                certificate_days: Some(14),
                ..Expectations::default()
            },
            health: HealthSettings {
                consecutive_failures: 2,
                consecutive_successes: 2,
            },
            auth: None,
            aws: AwsDeclarations::default(),
            alarm: AlarmSettings::default(),
            cloudwatch: TargetCloudWatch::default(),
        }
    }
}

impl Target {
    /// A number that is another one once anything changes that an answer's time depends on:
    /// what is learned of a target is of no use to another request. It stays the same over
    /// restarts of one release, whatever compiled it; a later release may have to learn anew.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let request = &self.request;
        let sent = (&request.method, &request.headers, &request.proxy);
        let way = (request.max_redirects, request.ip, request.reuse_connection);
        // Secrets print redacted: a new password makes no other request.
        let asked = (sent, way, &self.auth, &self.aws);
        let Self { url, timeout, .. } = self;
        let body = &request.body;
        fnv1a(&format!("{url} {timeout:?} {body:?} {asked:?}"))
    }
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: Arc::new([]),
            max_redirects: 5,
            ip: IpVersion::Any,
            reuse_connection: false,
            proxy: None,
            body_limit: 64 * 1024,
            allow_addresses: Vec::new(),
        }
    }
}

/// A URL without its user information, query and fragment: each may hold what not everybody
/// may see. That there was a query is told by `?…`.
#[must_use]
pub fn shown_url(url: &Url) -> String {
    let mut url = url.clone();
    let queried = url.query().is_some();
    // Both only fail for URLs without a host, which a target's never is.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    format!("{url}{}", if queried { "?…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_belongs_to_a_request_and_not_to_its_labels() {
        let target = |change: fn(&mut Target)| {
            let mut target = Target::with_defaults("orders", "https://x.example/".parse().unwrap());
            change(&mut target);
            target.fingerprint()
        };
        let known = target(|_| {});
        let same: [fn(&mut Target); 3] = [
            |_| {},
            |t| t.labels = BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
            |t| t.health.consecutive_failures = 5,
        ];
        for change in same {
            assert_eq!(target(change), known);
        }
        let other: [fn(&mut Target); 4] = [
            |t| t.url.set_path("/other"),
            |t| t.timeout = Duration::from_secs(1),
            |t| t.request.body = Arc::new(*b"{}"),
            |t| t.aws.integration = Some(Integration::Lambda),
        ];
        for change in other {
            assert_ne!(target(change), known);
        }
    }
}
