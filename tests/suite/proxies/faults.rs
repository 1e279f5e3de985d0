//! The faults that every real proxy is asked to answer, each with the causes and hops that
//! describe it truthfully.

/// A fault behind, inside or in front of a proxy. Its id is the path of the request, the name
/// of the place in the proxy's configuration, and part of the name of the capture.
pub(crate) struct Fault {
    pub(crate) id: &'static str,
    /// What is wrong, for the table.
    pub(crate) title: &'static str,
    /// The causes that name it.
    pub(crate) causes: &'static [&'static str],
    /// The hops at which it is; a verdict without a hop is not wrong.
    pub(crate) hops: &'static [&'static str],
}

/// How a request reaches the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1 without TLS.
    Http11,
    /// HTTP/2 over TLS.
    Http2,
}

impl Protocol {
    /// The protocol in the name of a capture.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Http11 => "http-1.1",
            Self::Http2 => "http-2",
        }
    }
}

/// The faults that are sent over one protocol only.
pub(crate) const fn only_over(fault: &str) -> Option<Protocol> {
    match fault.as_bytes() {
        b"plain-http-to-https" => Some(Protocol::Http11),
        b"client-certificate-missing" => Some(Protocol::Http2),
        _ => None,
    }
}

/// Faults whose answer depends on which of two events reaches the proxy or the prober first.
pub(crate) const RACY: [&str; 1] = ["backend-truncated"];

const UPSTREAM: &[&str] = &["upstream"];

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        id: "backend-refused",
        title: "the backend refuses connections",
        causes: &["upstream-refused", "upstream-unhealthy"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-unanswered-connect",
        title: "the backend does not answer SYNs",
        causes: &["upstream-timeout", "upstream-unhealthy", "connection-reset"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-silent",
        title: "the backend accepts and does not respond",
        causes: &["upstream-timeout"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-reset",
        title: "the backend resets the connection",
        // HAProxy resets an HTTP/2 stream likewise.
        causes: &["upstream-reset", "connection-reset"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-empty",
        title: "the backend closes without a response",
        causes: &["upstream-reset", "connection-reset"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-garbage",
        title: "the backend responds with something other than HTTP",
        // Some proxies take it for HTTP/0.9 and pass it on.
        causes: &["upstream-reset", "response-malformed", "unexpected-body"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-huge-header",
        title: "the backend sends a header of 200 KB",
        causes: &["upstream-reset"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-truncated",
        title: "the backend's response ends early",
        causes: &["response-truncated", "connection-reset", "upstream-reset"],
        hops: &["edge", "gateway", "upstream", "application"],
    },
    Fault {
        id: "backend-name-unknown",
        title: "the backend's name does not exist",
        causes: &["upstream-name-not-found", "upstream-unhealthy"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-certificate-expired",
        title: "the backend's certificate has expired",
        causes: &["upstream-tls-failed"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-certificate-untrusted",
        title: "the backend's certificate is not trusted",
        causes: &["upstream-tls-failed"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-certificate-misnamed",
        title: "the backend's certificate is for another name",
        causes: &["upstream-tls-failed"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-plain-http",
        title: "the backend speaks no TLS",
        causes: &["upstream-tls-failed"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-down",
        title: "the only backend is marked down",
        causes: &["upstream-unhealthy"],
        hops: UPSTREAM,
    },
    Fault {
        id: "backend-full",
        title: "the backend's connections are all in use",
        causes: &["upstream-overloaded"],
        hops: &["gateway", "upstream"],
    },
    Fault {
        id: "too-many-connections",
        title: "a limit on connections is reached",
        causes: &["probe-blocked", "api-throttled", "upstream-overloaded"],
        hops: &["edge", "gateway"],
    },
    Fault {
        id: "too-many-requests",
        title: "a limit on the request rate is reached",
        causes: &["probe-blocked", "api-throttled"],
        hops: &["edge", "gateway"],
    },
    Fault {
        id: "route-missing",
        title: "nothing is configured for the path",
        causes: &["route-not-found", "object-not-found"],
        hops: &["gateway", "upstream", "application"],
    },
    Fault {
        id: "forbidden",
        title: "a rule of the proxy denies the request",
        causes: &["forbidden", "probe-blocked"],
        hops: &["edge", "gateway"],
    },
    Fault {
        id: "plain-http-to-https",
        title: "plain HTTP to the HTTPS port",
        // Some proxies close the connection without a response.
        causes: &["tls-plain-http", "connection-reset"],
        hops: &["client", "edge", "gateway"],
    },
    Fault {
        id: "client-certificate-missing",
        title: "a client certificate is required",
        causes: &["tls-client-certificate-required"],
        hops: &["client", "edge", "gateway"],
    },
    Fault {
        id: "application-500",
        title: "the application answers 500",
        causes: &["unexpected-status"],
        hops: &["application"],
    },
    Fault {
        id: "application-503",
        title: "the application answers 503",
        causes: &["unexpected-status"],
        hops: &["application"],
    },
    Fault {
        id: "relayed-502",
        title: "the backend is an nginx whose own backend refuses connections",
        causes: &["upstream-refused"],
        hops: UPSTREAM,
    },
];
