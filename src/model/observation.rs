//! The result of one HTTP request, before diagnosis.
//!
//! An `Observation` comes from a probe or from a transcript of another client's request. Many
//! fields are optional, since a transcript may not contain their values. `domain::diagnosis`
//! decides whether the request failed, and why.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::text_enum::text_enum;

pub use super::connection::{Certificate, DeadAddress, EarlierTls, TlsFacts};

/// The result of one request, including its redirects. A hop is the first request or a request that
/// follows a redirect.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Start of the request, by the wall clock; the Unix epoch if unknown (a transcript). Durations
    /// are measured with a monotonic clock.
    pub started: Timestamp,
    /// Time from `started` to the end of the response, or to the fault; zero if unknown.
    pub duration: Duration,
    /// Duration of each phase, summed over all hops.
    pub phases: Phases,
    /// The longest scheduling delay of this process during the request. The measured durations may
    /// be too long by up to this delay. Zero if the delay is negligible, or unknown (a transcript).
    pub own_lag: Duration,
    /// The error that prevented a complete response, if any.
    pub fault: Option<Fault>,
    /// The response to the last hop, even if the body is incomplete; `None` if this hop received no
    /// response.
    pub response: Option<Response>,
    /// Number of redirects that were followed.
    pub redirects: u32,
    /// The URL of the last hop; empty if unknown (a transcript). A probe omits credentials and the
    /// fragment, and replaces a query with `?…`.
    pub final_url: String,
    /// The address that the last hop connected to; `None` if the hop did not connect.
    pub remote: Option<SocketAddr>,
    /// TLS details of the last hop; `None` for plain HTTP, or if the hop did not reach the TLS
    /// handshake.
    pub tls: Option<TlsFacts>,
    /// TLS details of the earlier hops that used TLS, in order.
    pub earlier_tls: Vec<EarlierTls>,
    /// Addresses that did not accept a connection in time, although another address did.
    pub dead_addresses: Vec<DeadAddress>,
    /// Addresses to which any hop attempted to connect. Empty if the last hop connected.
    pub attempted: Vec<SocketAddr>,
    /// Number of reused connections that ended before the response began, after which the request
    /// was sent again on a new connection.
    pub replaced_connections: u32,
    /// Whether a redirect led to a host and port to which the `connect_to` setting of the target
    /// does not apply. Always `false` without this setting.
    pub left_connect_to: bool,
}

/// Duration of each phase. `None` means that the phase was not reached, was not needed (reused
/// connection, IP address in the URL, plain HTTP), or is not known (a transcript).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Duration of the name resolution.
    pub resolve: Option<Duration>,
    /// Duration of the TCP connect to the server, or to the proxy if one is used.
    pub connect: Option<Duration>,
    /// Duration of the TLS handshake.
    pub tls: Option<Duration>,
    /// Time from sending the request to the first byte of the response.
    pub processing: Option<Duration>,
    /// Time from the first to the last byte of the response.
    pub transfer: Option<Duration>,
}

text_enum! {
    /// The phases of a request in chronological order, named as in `blackbox_exporter`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Phase {
        /// Resolving the host name.
        Resolve = "resolve",
        /// Establishing the TCP connection.
        Connect = "connect",
        /// Performing the TLS handshake.
        Tls = "tls",
        /// Sending the request and waiting for the first byte of the response.
        Processing = "processing",
        /// Receiving the response from its first to its last byte.
        Transfer = "transfer",
    }
}

/// An error that prevented a complete response.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The phase that failed. For [`FaultKind::Timeout`], the phase that timed out.
    pub phase: Phase,
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The message of the underlying error, without secrets.
    pub detail: String,
}

text_enum! {
    /// The kind of a fault. A probe determines the kind from the type of the error, never from the
    /// error's message. For a transcript, the kind is determined from the text of the transcript.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum FaultKind {
        /// NXDOMAIN: the host name, or the target of its CNAME record, does not exist.
        NameNotFound = "name-not-found",
        /// The DNS lookup failed for another reason, such as SERVFAIL, REFUSED or no response.
        ResolverFailure = "resolver-failure",
        /// The peer refused the TCP connection (RST).
        ConnectionRefused = "connection-refused",
        /// No route to the host or network, from ICMP or the local routing table.
        Unreachable = "unreachable",
        /// The peer reset an established connection.
        ConnectionReset = "connection-reset",
        /// The peer closed the connection before the response started.
        ConnectionClosed = "connection-closed",
        /// The deadline or a timeout of the operating system passed, in any phase.
        Timeout = "timeout",
        /// The certificate has expired.
        CertificateExpired = "certificate-expired",
        /// The certificate is not valid yet.
        CertificateNotYetValid = "certificate-not-yet-valid",
        /// The certificate is for another host name.
        CertificateNameMismatch = "certificate-name-mismatch",
        /// The certificate has no chain to a trusted root, or is invalid for another reason.
        CertificateUntrusted = "certificate-untrusted",
        /// Any other failure of the TLS handshake.
        TlsHandshake = "tls-handshake",
        /// The connection or stream ended before the body was complete.
        Truncated = "truncated",
        /// The number of redirects exceeded the limit.
        TooManyRedirects = "too-many-redirects",
        /// A redirect has no usable `Location` header.
        BadRedirect = "bad-redirect",
        /// The response is not valid HTTP, or the server does not offer the required HTTP version.
        Protocol = "protocol",
        /// The body could not be decompressed, or its content coding is not supported.
        Decode = "decode",
        /// The address is link-local or that of a metadata service, and is not in
        /// `allow_addresses`.
        AddressRefused = "address-refused",
        /// The proxy could not be reached, refused the request, or failed.
        Proxy = "proxy",
        /// The credentials for the request are not available.
        Credentials = "credentials",
        /// A local error: a lack of file descriptors, ports or memory, a panic, a long delay of
        /// this process, or an invalid setting.
        Local = "local",
        /// Client and server support no common TLS version or cipher.
        TlsVersion = "tls-version",
        /// The server requires a client certificate, which was missing or not accepted.
        ClientCertificateRequired = "client-certificate-required",
        /// The server responded to the TLS handshake in plain HTTP.
        PlainHttp = "plain-http",
        /// The certificate has been revoked.
        CertificateRevoked = "certificate-revoked",
        /// The host name exists, but has no address record of a usable type.
        NoAddress = "no-address",
        /// None of the DNS servers could be reached.
        ResolverUnreachable = "resolver-unreachable",
    }
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The HTTP status code of the response.
    pub status: u16,
    /// The reason phrase of the status line; `None` if unknown, or if the HTTP version has none.
    pub reason: Option<String>,
    /// The HTTP version of the response.
    pub version: HttpVersion,
    /// Headers in the order received, with lowercase names. A probe keeps a limited number of them.
    pub headers: Vec<(String, String)>,
    /// The decompressed body, cut off at the target's `body_limit`.
    pub body: Vec<u8>,
    /// Whether the received body was longer than the part in `body`.
    pub body_truncated: bool,
    /// Size of the received body after decompression in bytes, including the part that is not in
    /// `body`.
    pub body_bytes: u64,
    /// The value of the `content-length` header: the size of the body before decompression, in
    /// bytes; `None` if the header is missing or invalid.
    pub content_length: Option<u64>,
}

#[cfg(test)]
impl Response {
    /// Creates a complete response over HTTP/2.
    pub(crate) fn of(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            status,
            reason: None,
            version: HttpVersion::Http2,
            headers: headers.iter().map(pair).collect(),
            body: body.as_bytes().to_vec(),
            body_truncated: false,
            body_bytes: body.len() as u64,
            content_length: None,
        }
    }
}

text_enum! {
    /// The version of the HTTP protocol.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum HttpVersion {
        /// HTTP/1.0.
        Http10 = "1.0",
        /// HTTP/1.1.
        Http11 = "1.1",
        /// HTTP/2.
        Http2 = "2",
        /// HTTP/3.
        Http3 = "3",
        /// HTTP/0.9.
        Http09 = "0.9",
    }
}

impl Phases {
    /// Returns the duration of a phase; `None` if the phase did not occur or is unknown.
    #[must_use]
    pub const fn get(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Resolve => self.resolve,
            Phase::Connect => self.connect,
            Phase::Tls => self.tls,
            Phase::Processing => self.processing,
            Phase::Transfer => self.transfer,
        }
    }

    /// Adds `time` to the duration of a phase, because durations are summed over all hops.
    pub fn add(&mut self, phase: Phase, time: Duration) {
        let slot = match phase {
            Phase::Resolve => &mut self.resolve,
            Phase::Connect => &mut self.connect,
            Phase::Tls => &mut self.tls,
            Phase::Processing => &mut self.processing,
            Phase::Transfer => &mut self.transfer,
        };
        *slot = Some(slot.unwrap_or_default() + time);
    }
}

impl HttpVersion {
    /// Returns the version as a number, the value of the metric `probe_http_version`.
    #[must_use]
    pub const fn as_number(self) -> f64 {
        match self {
            Self::Http10 => 1.0,
            Self::Http11 => 1.1,
            Self::Http2 => 2.0,
            Self::Http3 => 3.0,
            Self::Http09 => 0.9,
        }
    }
}

impl Response {
    /// Returns the first value of the header `name`, which must be lowercase; `None` if the header
    /// is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Observation {
    /// Creates the observation of a request that has just started.
    #[must_use]
    pub fn begun(started: Timestamp, url: &str) -> Self {
        Self {
            started,
            duration: Duration::ZERO,
            own_lag: Duration::ZERO,
            phases: Phases::default(),
            fault: None,
            response: None,
            redirects: 0,
            final_url: url.to_owned(),
            remote: None,
            tls: None,
            earlier_tls: Vec::new(),
            dead_addresses: Vec::new(),
            attempted: Vec::new(),
            replaced_connections: 0,
            left_connect_to: false,
        }
    }

    /// Records that this process was delayed by `lag` during the request. If the request timed out
    /// and `lag` is at least a quarter of `deadline`, the time limit of the probe, the timeout
    /// becomes a local fault.
    pub fn record_lag(&mut self, lag: Duration, deadline: Duration) {
        self.own_lag = lag;
        if let Some(fault) = &mut self.fault
            && fault.kind == FaultKind::Timeout
            && lag >= deadline / LOCAL_LAG_DIVISOR
        {
            fault.kind = FaultKind::Local;
            fault.detail = format!(
                "{}; the prober itself was delayed by {:.3} s during the request",
                fault.detail,
                lag.as_secs_f64()
            );
        }
    }

    /// Returns the duration minus the delay of this process. The target and the network took at
    /// least this long.
    #[must_use]
    pub fn duration_without_lag(&self) -> Duration {
        self.duration.saturating_sub(self.own_lag)
    }

    /// Returns the id with which the gateway or CDN logged the request, from a header of the
    /// response; `None` without a response, or if no header contains a valid id.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        let response = self.response.as_ref()?;
        // API Gateway sends its `$context.requestId` as `apigw-requestid` (HTTP API) or
        // `x-amzn-requestid` (REST API). If both are missing, CloudFront's `x-amz-cf-id` is used.
        ["apigw-requestid", "x-amzn-requestid", "x-amz-cf-id"]
            .into_iter()
            .find_map(|name| response.header(name).filter(|id| is_request_id(id)))
    }

    /// Returns the earliest expiry among the certificates of the last hop; `None` if none is known.
    #[must_use]
    pub fn earliest_expiry(&self) -> Option<Timestamp> {
        let chain = &self.tls.as_ref()?.chain;
        chain.iter().map(|certificate| certificate.not_after).min()
    }
}

/// If this process was delayed by at least the time limit of the probe divided by this number, a
/// timeout counts as a local fault, because the delay may have caused the timeout.
const LOCAL_LAG_DIVISOR: u32 = 4;

/// Maximum length of a request id in bytes: about twice the length of CloudFront's request ids, the
/// longest in AWS.
const MAX_REQUEST_ID: usize = 128;

/// Returns whether a string may be an AWS request id: 1 to 128 letters, digits or `-_=+/`.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | '+' | '/');
    (1..=MAX_REQUEST_ID).contains(&text.len()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_while_this_process_was_delayed_is_a_local_fault() {
        let timed_out = || {
            let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "https://a.example/");
            observation.duration = Duration::from_millis(1_300);
            observation.fault = Some(Fault {
                phase: Phase::Processing,
                kind: FaultKind::Timeout,
                detail: "no end".to_owned(),
            });
            observation
        };
        for (lag, kind) in [(240, FaultKind::Timeout), (300, FaultKind::Local)] {
            let mut observation = timed_out();
            observation.record_lag(Duration::from_millis(lag), Duration::from_secs(1));
            assert_eq!(observation.fault.unwrap().kind, kind, "{lag} ms");
            assert_eq!(observation.own_lag, Duration::from_millis(lag));
        }
    }

    #[test]
    fn the_times_of_redirect_hops_add_up_per_phase() {
        let mut phases = Phases::default();
        phases.add(Phase::Connect, Duration::from_millis(3));
        phases.add(Phase::Connect, Duration::from_millis(4));
        assert_eq!(phases.get(Phase::Connect), Some(Duration::from_millis(7)));
        assert_eq!(phases.get(Phase::Tls), None);
    }

    #[test]
    fn fault_names_are_distinct() {
        let mut names: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FaultKind::ALL.len());
    }
}
