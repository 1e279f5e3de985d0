//! What one probe saw, unjudged.
//!
//! An `Observation` is made by a probe on the wire or read from a transcript of
//! somebody else's request; in a transcript most of it is unknown, hence the options.
//! Whether it is good or bad is decided elsewhere (`diagnosis`), never here.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::text_enum::text_enum;

/// The facts of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When the probe began (wall clock, for people; durations are monotonic).
    pub started: Timestamp,
    /// From start to the last byte, or to the fault.
    pub duration: Duration,
    /// Where the time went, summed over redirect hops.
    pub phases: Phases,
    /// By how much whoever observed was late meanwhile: times may be too long by as much.
    /// Nought: by nothing that matters, or not known (a transcript).
    pub own_lag: Duration,
    /// What went wrong, if anything did before a whole answer was in.
    pub fault: Option<Fault>,
    /// The final answer; also there when its body then broke off.
    pub response: Option<Response>,
    /// Redirects followed.
    pub redirects: u32,
    /// The URL of the last hop, as it may be shown: without credentials and query.
    pub final_url: String,
    /// Whom the last hop talked to.
    pub remote: Option<SocketAddr>,
    /// TLS facts of the last hop that got as far.
    pub tls: Option<TlsFacts>,
}

/// Time per phase; `None`: the phase was not reached, not needed (a reused
/// connection, an address literal, plain HTTP) or not known (a transcript).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Name resolution.
    pub resolve: Option<Duration>,
    /// TCP (to the proxy, where there is one).
    pub connect: Option<Duration>,
    /// TLS handshake.
    pub tls: Option<Duration>,
    /// Request sent to first byte of the answer.
    pub processing: Option<Duration>,
    /// First byte to last byte.
    pub transfer: Option<Duration>,
}

text_enum! {
    /// The phases, in the order in which they run. Names are `blackbox_exporter`'s.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Phase {
        /// Name resolution.
        Resolve = "resolve",
        /// TCP.
        Connect = "connect",
        /// TLS handshake.
        Tls = "tls",
        /// Request sent to first byte.
        Processing = "processing",
        /// First byte to last byte.
        Transfer = "transfer",
    }
}

/// What went wrong, and in which phase. When `kind` is [`FaultKind::Timeout`] the
/// phase is the one that was running when the deadline came.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The phase that broke.
    pub phase: Phase,
    /// What broke.
    pub kind: FaultKind,
    /// For a person: the library's own words, without secrets.
    pub detail: String,
}

text_enum! {
    /// Kinds of fault, each told apart by the error itself and never by its text.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum FaultKind {
        /// NXDOMAIN, or the name exists without an address record of a usable kind.
        NameNotFound = "name-not-found",
        /// The resolver failed: SERVFAIL, REFUSED, no answer.
        ResolverFailure = "resolver-failure",
        /// TCP RST to our SYN.
        ConnectionRefused = "connection-refused",
        /// No route to host or network, by ICMP or the local table.
        Unreachable = "unreachable",
        /// The peer reset an established connection.
        ConnectionReset = "connection-reset",
        /// The peer closed before an answer began.
        ConnectionClosed = "connection-closed",
        /// The deadline passed (connect included).
        Timeout = "timeout",
        /// The certificate's time is over.
        CertificateExpired = "certificate-expired",
        /// The certificate's time has not come.
        CertificateNotYetValid = "certificate-not-yet-valid",
        /// The certificate does not name this host.
        CertificateNameMismatch = "certificate-name-mismatch",
        /// No chain to a trusted root.
        CertificateUntrusted = "certificate-untrusted",
        /// Any other failure of the handshake: alert, no common version.
        TlsHandshake = "tls-handshake",
        /// The body ended before its announced length.
        Truncated = "truncated",
        /// More redirects than allowed.
        TooManyRedirects = "too-many-redirects",
        /// A redirect that cannot be followed (no or bad `Location`).
        BadRedirect = "bad-redirect",
        /// The answer is not HTTP, or breaks its framing.
        Protocol = "protocol",
        /// The body could not be decompressed.
        Decode = "decode",
        /// The address is link-local or a metadata service, and not allowed.
        AddressRefused = "address-refused",
        /// The proxy refused or failed.
        Proxy = "proxy",
        /// No credentials could be had to sign or send the request.
        Credentials = "credentials",
        /// This host could not: no descriptor, no port, no memory, a panic of ours.
        Local = "local",
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Protocol version.
    pub version: HttpVersion,
    /// Names in lower case, in the order of the wire; bounded.
    pub headers: Vec<(String, String)>,
    /// The decompressed body up to the target's limit.
    pub body: Vec<u8>,
    /// Whether the body was longer than what is kept.
    pub body_truncated: bool,
    /// Bytes of decompressed body seen.
    pub body_bytes: u64,
    /// `content-length` as announced, before decompression.
    pub content_length: Option<u64>,
}

text_enum! {
    /// HTTP versions.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum HttpVersion {
        /// HTTP/1.0.
        Http10 = "1.0",
        /// HTTP/1.1.
        Http11 = "1.1",
        /// HTTP/2.
        Http2 = "2",
    }
}

/// What the handshake showed, also when verification failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsFacts {
    /// Such as `TLSv1.3`; absent when the handshake did not complete.
    pub version: Option<String>,
    /// Leaf first.
    pub chain: Vec<Certificate>,
}

/// One certificate of the presented chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// Subject, RFC 4514 style.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// DNS names and IP addresses in subjectAltName.
    pub names: Vec<String>,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

impl Phases {
    /// The time of one phase.
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

    /// Adds time to a phase: redirect hops sum up.
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
    /// The version as a number, as `probe_http_version` gives it.
    #[must_use]
    pub const fn as_number(self) -> f64 {
        match self {
            Self::Http10 => 1.0,
            Self::Http11 => 1.1,
            Self::Http2 => 2.0,
        }
    }
}

impl Response {
    /// The first value of a header, by lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Observation {
    /// An observation in which nothing has happened yet.
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
        }
    }

    /// Marks that whoever observed was late by so much meanwhile. Where that is a good part
    /// of a deadline which passed, the failure is the observer's and no word on the target.
    pub fn observed_late(&mut self, lag: Duration, deadline: Duration) {
        self.own_lag = lag;
        if let Some(fault) = &mut self.fault
            && fault.kind == FaultKind::Timeout
            && lag >= deadline / OWN_PART
        {
            fault.kind = FaultKind::Local;
            fault.detail = format!(
                "{}; but this daemon itself was late by {:.3} s meanwhile",
                fault.detail,
                lag.as_secs_f64()
            );
        }
    }

    /// How long it surely took the target and the network.
    #[must_use]
    pub fn duration_of_target(&self) -> Duration {
        self.duration.saturating_sub(self.own_lag)
    }

    /// The id by which the gateway's logs know this request, where the answer has one. What
    /// does not look like one is somebody's text and none.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        let response = self.response.as_ref()?;
        // The HTTP API's own id first; a REST API's `x-amzn-requestid` is its
        // `$context.requestId`, and CloudFront's id serves where nothing else does.
        ["apigw-requestid", "x-amzn-requestid", "x-amz-cf-id"]
            .into_iter()
            .find_map(|name| response.header(name).filter(|id| is_request_id(id)))
    }

    /// The first moment at which a certificate of the chain expires.
    #[must_use]
    pub fn earliest_expiry(&self) -> Option<Timestamp> {
        let chain = &self.tls.as_ref()?.chain;
        chain.iter().map(|certificate| certificate.not_after).min()
    }
}

/// From a quarter of the deadline on, a lag of our own may be why it passed.
const OWN_PART: u32 = 4;

/// Longer than any id that AWS gives (CloudFront's have 56 characters).
const LONGEST_ID: usize = 128;

/// Whether a text may be a request's id: a UUID, or base64 in any of its alphabets, which is
/// what AWS's ids are made of.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | '+' | '/');
    (1..=LONGEST_ID).contains(&text.len()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_passed_while_we_stalled_is_our_own_failure() {
        let timed_out = || {
            let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://a.example/");
            seen.duration = Duration::from_millis(1_300);
            seen.fault = Some(Fault {
                phase: Phase::Processing,
                kind: FaultKind::Timeout,
                detail: "no end".to_owned(),
            });
            seen
        };
        for (lag, kind) in [(240, FaultKind::Timeout), (300, FaultKind::Local)] {
            let mut seen = timed_out();
            seen.observed_late(Duration::from_millis(lag), Duration::from_secs(1));
            assert_eq!(seen.fault.unwrap().kind, kind, "{lag} ms");
            assert_eq!(seen.own_lag, Duration::from_millis(lag));
        }
    }

    #[test]
    fn hops_of_a_redirect_sum_up_phase_by_phase() {
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
