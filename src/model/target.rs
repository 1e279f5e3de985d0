//! A target: one endpoint with its settings.
//!
//! A target is plain data that `io::config` has validated; no other module validates it again. A
//! reload compares targets to find changed targets, so equality includes every field.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::model::hash::fnv1a;
use crate::model::host_port::{HostPort, Layer};
use crate::model::secret::Secret;

pub use super::target_aws::{Authorizer, AwsDeclarations, Integration};
pub use super::target_expect::{
    BodyMatch, Comparison, Expectations, JsonPath, JsonTest, Pattern, TextMatch,
};
pub use super::target_publish::{
    AlarmSettings, CauseAlarm, CloudWatchMetric, MissingData, TargetCloudWatch,
};

/// The unique name of a target. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName(Arc<str>);

/// One endpoint to probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The target's name, unique among all targets.
    pub name: TargetName,
    /// The URL to probe: `http` or `https`, with a host.
    pub url: Url,
    /// Additional Prometheus labels; their names are valid and not reserved.
    pub labels: BTreeMap<String, String>,
    /// Time between two probes; at least 100 ms.
    pub interval: Duration,
    /// Time limit of a probe, including all phases and redirect hops.
    pub timeout: Duration,
    /// Delay of the confirming probe after the first failed or degraded result in a row; zero
    /// disables confirming probes.
    pub confirm_after: Duration,
    /// The request to send.
    pub request: RequestSettings,
    /// Additional trusted roots, the client certificate, and whether certificates are verified.
    pub tls: TlsSettings,
    /// The conditions that a healthy response must satisfy.
    pub expect: Expectations,
    /// The numbers of consecutive results that change the target's health.
    pub health: HealthSettings,
    /// Credentials for the endpoint; `None` if the table `auth` is not configured.
    pub auth: Option<Auth>,
    /// The AWS resources behind the endpoint, as declared by the user.
    pub aws: AwsDeclarations,
    /// Settings of this target's CloudWatch alarms.
    pub alarm: AlarmSettings,
    /// Settings of this target's CloudWatch metrics.
    pub cloudwatch: TargetCloudWatch,
    /// The layers, to which requests can connect directly, the outermost first.
    pub layers: Vec<Layer>,
    /// Whether one more request may be sent after a confirmed failure, with headers that make a
    /// CDN such as Cloudflare state the cause.
    pub ask_for_cause: bool,
}

/// The request of a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestSettings {
    /// The HTTP method of the request.
    pub method: String,
    /// Request headers. After a redirect to another origin, headers that contain a secret, or whose
    /// names suggest one, are not sent.
    pub headers: Vec<(String, HeaderText)>,
    /// The request body; may be empty.
    pub body: Arc<[u8]>,
    /// Maximum number of redirects to follow. With zero, a redirect is the final response.
    pub max_redirects: u32,
    /// IP versions of the addresses to try.
    pub ip: IpVersion,
    /// Whether to reuse the connection for the next probe instead of opening a new connection.
    pub reuse_connection: bool,
    /// Whether cookies set by a redirect are sent with the later requests of the same probe.
    pub cookies: bool,
    /// HTTP versions that the probe may use.
    pub http: HttpChoice,
    /// TLS server name (SNI, and the name to verify) for the host of the URL, but not for redirects
    /// to other hosts; `None` means the host name.
    pub server_name: Option<String>,
    /// DNS servers to query. If empty, the DNS servers of the daemon are used.
    pub resolver: Vec<SocketAddr>,
    /// URL of a proxy: `http`, `https`, `socks5` or `socks5h`, without credentials. `None` means a
    /// direct connection.
    pub proxy: Option<Url>,
    /// Credentials for the proxy, if it requires any.
    pub proxy_auth: Option<ProxyAuth>,
    /// Maximum size of the decompressed body that is kept, in bytes. The rest of the body is read
    /// and counted, up to the prober's read limit.
    pub body_limit: usize,
    /// Link-local addresses and addresses of metadata services that probes of this target may
    /// connect to.
    pub allow_addresses: Vec<IpAddr>,
    /// Host and port to connect to instead of the host and port of the URL. Redirects to another
    /// host or port are not affected. `None` means the host and port of the URL.
    pub connect_to: Option<HostPort>,
}

/// The value of a configured header.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderText {
    /// A value from the configuration that is not a secret.
    Plain(String),
    /// A secret value, read from a file, an environment variable or a systemd credential.
    Secret(Secret),
}

/// HTTP versions that a probe may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpChoice {
    /// HTTP/2 if the server offers it in the TLS handshake, otherwise HTTP/1.1.
    #[default]
    Any,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only. Without TLS, HTTP/2 is used with prior knowledge.
    Http2,
}

/// Credentials for a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProxyAuth {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: Secret,
}

/// IP versions that a probe may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4 and IPv6, tried concurrently as in browsers (Happy Eyeballs).
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// TLS settings with the contents of the configured files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// Additional trusted root certificates, in PEM.
    pub ca: Option<Arc<[u8]>>,
    /// Client certificate for mutual TLS.
    pub identity: Option<TlsIdentity>,
    /// Whether any server certificate is accepted. If so, the identity of the endpoint is not
    /// verified.
    pub accept_any_certificate: bool,
}

/// A client certificate with its private key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsIdentity {
    /// The client certificate with its chain, in PEM.
    pub chain: Arc<[u8]>,
    /// The client's private key, in PEM.
    pub key: Secret,
}

/// The numbers of consecutive results that change the health of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Number of consecutive failed results after which the target is `down`, and of consecutive
    /// failed or degraded results after which it is `degraded`; at least 1.
    pub consecutive_failures: u32,
    /// Number of consecutive passed results after which the target is `up` again, and of
    /// consecutive degraded results after which a `down` target is `degraded`; at least 1.
    pub consecutive_successes: u32,
}

/// Credentials for the endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// The header `Authorization: Basic`.
    Basic {
        /// The user name to send.
        username: String,
        /// The password to send.
        password: Secret,
    },
    /// The header `Authorization: Bearer` with this token.
    Bearer(Secret),
    /// AWS Signature Version 4, with credentials of the SDK's default chain.
    SigV4 {
        /// Signing name of the service, such as `execute-api` or `lambda`.
        service: String,
        /// AWS region of the service.
        region: String,
    },
}

impl TargetName {
    /// Creates a target name from a validated string.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Returns the name as text.
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
    /// Returns the header value in plain text, for the code that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl Target {
    /// Creates a target with the defaults of the configuration reference. The command line uses
    /// such a target to probe a URL that is not in a configuration.
    #[must_use]
    pub fn with_defaults(name: &str, url: Url) -> Self {
        Self {
            name: TargetName::new(name),
            url,
            labels: BTreeMap::new(),
            interval: Duration::from_secs(60),
            // API Gateway times out after 29 s or 30 s. The probe's timeout is longer, so that the
            // probe receives the gateway's error response.
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
            layers: Vec::new(),
            ask_for_cause: true,
        }
    }

    /// Returns the fingerprint: a hash of all settings that the response time depends on. A
    /// baseline is valid only for the fingerprint with which it was learned. The hash is stable
    /// across restarts of one release, but another release may change it.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let request = &self.request;
        let sent = (&request.method, &request.headers, &request.proxy);
        let connect_to = request.connect_to.as_ref().map(ToString::to_string);
        let connection = (
            request.max_redirects,
            request.ip,
            request.reuse_connection,
            connect_to,
            (request.http, &request.server_name, &request.resolver),
        );
        // `Debug` redacts secrets, so a new token in a header or in `auth` does not change the
        // fingerprint.
        let all = (sent, connection, &self.auth, &self.aws);
        let Self { url, timeout, .. } = self;
        let body = &request.body;
        fnv1a(&format!("{url} {timeout:?} {body:?} {all:?}"))
    }
}

impl RequestSettings {
    /// Returns whether the settings contain a `connect_to` that cannot apply to a URL with this
    /// scheme. `connect_to` cannot apply to a plain HTTP request through an HTTP proxy, because the
    /// proxy connects to the host and port in the URL.
    #[must_use]
    pub fn ignores_connect_to(&self, scheme: &str) -> bool {
        let is_socks = |proxy: &Url| proxy.scheme().starts_with("socks");
        let through_http_proxy = self.proxy.as_ref().is_some_and(|proxy| !is_socks(proxy));
        self.connect_to.is_some() && through_http_proxy && scheme == "http"
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
            cookies: true,
            http: HttpChoice::Any,
            server_name: None,
            resolver: Vec::new(),
            proxy: None,
            proxy_auth: None,
            body_limit: 64 * 1024,
            allow_addresses: Vec::new(),
            connect_to: None,
        }
    }
}

/// Returns a URL without user information, query and fragment, which may contain secrets.
#[must_use]
pub fn redacted_url(mut url: Url) -> Url {
    // Both calls fail only for URLs without a host, which have no user information.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Returns the URL for display, redacted as in [`redacted_url`]. A removed query is shown as `?…`.
#[must_use]
pub fn shown_url(url: &Url) -> String {
    let query = url.query().map_or("", |_| "?…");
    format!("{}{query}", redacted_url(url.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_depends_on_the_request_and_not_on_labels() {
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
