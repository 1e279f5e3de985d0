//! Maps the errors of libraries to kinds of faults.
//!
//! The kind depends on the types in the source chain of an error and on the bytes that the peer
//! sent, never on the text of an error, because texts change between releases. If several kinds are
//! possible, the current phase decides: for example, an unexpected end of file is a failed
//! handshake in the TLS phase, a closed connection in the processing phase, and a truncated body in
//! the transfer phase.

mod http2;

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, OtherError, PeerIncompatible};

use super::stopwatch::Handshake;
use crate::model::observation::{Fault, FaultKind, Phase};

/// The facts about received data that are used to classify an error of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    /// The first bytes received since the connection was opened or taken from the pool, enough to
    /// recognize a protocol.
    pub(super) first: Vec<u8>,
    /// The TLS error that ended the connection, if any.
    pub(super) tls_error: Option<rustls::Error>,
    /// Whether the server requested a client certificate in the TLS handshake.
    pub(super) client_certificate_requested: bool,
}

/// Classifies a failed name resolution. If `proxied` is true, the name is that of the proxy, so the
/// fault is [`FaultKind::Proxy`] unless this host caused the failure or the target does not allow
/// the address.
pub(super) fn resolve(kind: FaultKind, detail: String, proxied: bool) -> Fault {
    let is_own = matches!(kind, FaultKind::Local | FaultKind::AddressRefused);
    if proxied && !is_own {
        return proxy_fault(Phase::Resolve, detail);
    }
    fault(Phase::Resolve, kind, detail)
}

/// Classifies a failed TCP connection. If `proxied` is true, the connection leads to the proxy, so
/// the fault is [`FaultKind::Proxy`] unless this host caused the failure.
pub(super) fn connect(error: &io::Error, proxied: bool) -> Fault {
    let kind = io_fault(error, Phase::Connect).unwrap_or(FaultKind::Unreachable);
    let detail = error.to_string();
    if proxied && kind != FaultKind::Local {
        return proxy_fault(Phase::Connect, detail);
    }
    fault(Phase::Connect, kind, detail)
}

/// Returns a fault of the kind [`FaultKind::Proxy`].
pub(super) const fn proxy_fault(phase: Phase, detail: String) -> Fault {
    fault(phase, FaultKind::Proxy, detail)
}

/// Returns the fault for a host whose name TLS does not accept as a server name.
pub(super) fn bad_server_name(host: &str, error: &dyn Error) -> Fault {
    let detail = format!("`{host}` cannot be the name of a TLS server: {error}");
    fault(Phase::Tls, FaultKind::TlsHandshake, detail)
}

/// Returns the fault for a target that requires HTTP/2 and a server that does not offer HTTP/2.
pub(super) fn no_http2() -> Fault {
    let detail = "the server does not offer HTTP/2, which `request.http` requires";
    fault(Phase::Tls, FaultKind::Protocol, detail.to_owned())
}

/// Classifies a failed TLS handshake. `seen` contains the facts of the handshake, and `first` the
/// first bytes that the server sent.
pub(super) fn handshake(error: &io::Error, seen: &Handshake, first: &[u8]) -> Fault {
    if let Some(text) = first_text_line(first) {
        let kind = match is_http(first) {
            true => FaultKind::PlainHttp,
            false => FaultKind::TlsHandshake,
        };
        let detail = format!("the server answered the TLS handshake without TLS: {text:?}");
        return fault(Phase::Tls, kind, detail);
    }
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        let requested = seen.client_certificate_requested;
        // If a server sends `handshake_failure` and no certificate, it usually supports none of the
        // TLS versions and cipher suites that the client offers.
        let kind = match error {
            rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)
                if seen.chain.is_empty() && !requested =>
            {
                FaultKind::TlsVersion
            }
            error => tls_fault(error, requested),
        };
        return fault(Phase::Tls, kind, tls_message(error));
    }
    let kind = match io_fault(error, Phase::Tls) {
        Some(FaultKind::ConnectionClosed) | None => FaultKind::TlsHandshake,
        Some(kind) => kind,
    };
    fault(Phase::Tls, kind, error.to_string())
}

/// Classifies an error that occurred while a request was sent or its response was read.
pub(super) fn exchange(error: &hyper::Error, phase: Phase, received: &Received) -> Fault {
    // The TLS error is taken from `received`, because hyper's HTTP/2 error contains only the kind
    // of a transport error. A TLS 1.3 client finishes the handshake before the server has checked
    // the client certificate, so the alert of the server may arrive in the processing phase.
    if let Some(error) = &received.tls_error {
        let kind = tls_fault(error, received.client_certificate_requested);
        return fault(Phase::Tls, kind, tls_message(error));
    }
    let chain = chain(error);
    let found = chain.iter().rev().find_map(|link| fault_kind(*link, phase));
    let kind = found.unwrap_or(FaultKind::Protocol);
    let mut detail = describe(&chain);
    if let Some(code) = http2::sent_code(&chain) {
        detail.push_str(&format!("; {code}"));
    }
    if kind == FaultKind::Protocol && phase == Phase::Processing {
        if received.first.starts_with(&[0x15, 3]) {
            detail.push_str("; the server answered with a TLS alert: use `https` in the URL");
        } else if let Some(text) = first_text_line(&received.first) {
            detail.push_str(&format!("; the response begins with {text:?}"));
        }
    }
    fault(phase, kind, detail)
}

const fn fault(phase: Phase, kind: FaultKind, detail: String) -> Fault {
    Fault {
        phase,
        kind,
        detail,
    }
}

/// Returns the first line that a peer sent, or `None` if the line is empty or not text, as in TLS
/// and HTTP/2.
fn first_text_line(first: &[u8]) -> Option<String> {
    let text: Vec<u8> = first
        .iter()
        .copied()
        .take_while(|byte| *byte != b'\n')
        .collect();
    let is_text = text
        .iter()
        .all(|byte| matches!(byte, b'\t' | b'\r' | 0x20..=0x7e));
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    (is_text && !text.is_empty()).then_some(text)
}

/// Returns whether `first` is the start of an HTTP response, or of an HTML page without a status
/// line and headers (HTTP/0.9).
fn is_http(first: &[u8]) -> bool {
    let text = String::from_utf8_lossy(first)
        .trim_start()
        .to_ascii_lowercase();
    ["http/", "<!doctype html", "<html"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Returns an error and all its sources, including an error that is wrapped in an `io::Error`,
/// which `source` skips.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut links = Vec::new();
    let mut next = Some(error);
    while let Some(link) = next {
        links.push(link);
        let wrapped = link
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => link.source(),
        };
    }
    links
}

/// Joins the messages of a source chain, outermost first. Omits a message that is part of the
/// previous message.
fn describe(chain: &[&(dyn Error + 'static)]) -> String {
    let mut messages: Vec<String> = Vec::new();
    for link in chain {
        let text = link.to_string();
        if !messages.last().is_some_and(|last| last.contains(&text)) {
            messages.push(text);
        }
    }
    messages.join(": ")
}

fn fault_kind(link: &(dyn Error + 'static), phase: Phase) -> Option<FaultKind> {
    if let Some(error) = link.downcast_ref::<io::Error>() {
        return io_fault(error, phase);
    }
    if let Some(error) = link.downcast_ref::<h2::Error>() {
        return Some(http2::fault_kind(error, phase));
    }
    link.downcast_ref::<hyper::Error>()
        .and_then(|error| hyper_fault(error, phase))
}

fn tls_fault(error: &rustls::Error, requested: bool) -> FaultKind {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(problem) => certificate_fault(problem),
        E::AlertReceived(alert) => alert_fault(*alert, requested),
        E::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::NoCipherSuitesInCommon
            | PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon,
        ) => FaultKind::TlsVersion,
        _ => FaultKind::TlsHandshake,
    }
}

/// Returns the message of a TLS error. rustls prints `CertificateError::Other` in its debug format,
/// so this function returns the message of its cause instead.
fn tls_message(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
            format!("invalid peer certificate: {cause}")
        }
        error => error.to_string(),
    }
}

fn certificate_fault(problem: &CertificateError) -> FaultKind {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            FaultKind::CertificateExpired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            FaultKind::CertificateNotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            FaultKind::CertificateNameMismatch
        }
        CertificateError::Revoked => FaultKind::CertificateRevoked,
        _ => FaultKind::CertificateUntrusted,
    }
}

/// Classifies a TLS alert of the server. If `requested` is true, the server requested a client
/// certificate. An alert about a certificate or signature then concerns the client certificate, and
/// `handshake_failure` means that the client certificate is missing.
fn alert_fault(alert: AlertDescription, requested: bool) -> FaultKind {
    use AlertDescription as A;
    match alert {
        A::ProtocolVersion | A::InsufficientSecurity => FaultKind::TlsVersion,
        A::CertificateRequired => FaultKind::ClientCertificateRequired,
        A::HandshakeFailure
        | A::NoCertificate
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied
        | A::DecryptError
            if requested =>
        {
            FaultKind::ClientCertificateRequired
        }
        _ => FaultKind::TlsHandshake,
    }
}

fn io_fault(error: &io::Error, phase: Phase) -> Option<FaultKind> {
    if is_local(error) {
        return Some(FaultKind::Local);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(FaultKind::ConnectionRefused),
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => Some(FaultKind::Unreachable),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Some(FaultKind::ConnectionReset),
        io::ErrorKind::TimedOut => Some(FaultKind::Timeout),
        io::ErrorKind::UnexpectedEof if phase == Phase::Transfer => Some(FaultKind::Truncated),
        io::ErrorKind::UnexpectedEof => Some(FaultKind::ConnectionClosed),
        _ => None,
    }
}

/// Returns whether an error means that this host ran out of file descriptors, ports or memory. The
/// raw error numbers are EMFILE, ENFILE, ENOMEM and ENOBUFS of Linux, most of which have no stable
/// `ErrorKind`.
pub(super) fn is_local(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 12 | 105))
        || matches!(
            error.kind(),
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse | io::ErrorKind::OutOfMemory
        )
}

fn hyper_fault(error: &hyper::Error, phase: Phase) -> Option<FaultKind> {
    if error.is_parse() {
        return Some(FaultKind::Protocol);
    }
    let cut = error.is_incomplete_message() || error.is_body_write_aborted();
    match phase {
        Phase::Transfer if cut || error.is_closed() => Some(FaultKind::Truncated),
        _ if cut || error.is_closed() || error.is_canceled() => Some(FaultKind::ConnectionClosed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_told_apart() {
        for (code, kind) in [
            (24, FaultKind::Local),
            (23, FaultKind::Local),
            (12, FaultKind::Local),
            (105, FaultKind::Local),
            (99, FaultKind::Local),
            (113, FaultKind::Unreachable),
            (101, FaultKind::Unreachable),
            (111, FaultKind::ConnectionRefused),
            (110, FaultKind::Timeout),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(connect(&error, false).kind, kind, "{error}");
            let proxied = connect(&error, true).kind;
            assert_eq!(
                proxied == FaultKind::Local,
                kind == FaultKind::Local,
                "{error}"
            );
            assert!(
                matches!(proxied, FaultKind::Local | FaultKind::Proxy),
                "{error}"
            );
        }
    }

    #[test]
    fn the_fault_of_an_early_end_depends_on_the_phase() {
        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
        for (phase, kind) in [
            (Phase::Processing, FaultKind::ConnectionClosed),
            (Phase::Transfer, FaultKind::Truncated),
        ] {
            assert_eq!(io_fault(&error, phase), Some(kind));
        }
        let seen = Handshake::default();
        assert_eq!(handshake(&error, &seen, b"").kind, FaultKind::TlsHandshake);
    }

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let error = io::Error::new(io::ErrorKind::InvalidData, expired);
        let seen = Handshake::default();
        let fault = handshake(&error, &seen, &[0x16, 3, 3]);
        assert_eq!(fault.kind, FaultKind::CertificateExpired);
    }

    #[test]
    fn an_alert_about_a_certificate_is_about_the_one_that_was_requested() {
        use AlertDescription as A;
        for (alert, requested, kind) in [
            (
                A::HandshakeFailure,
                true,
                FaultKind::ClientCertificateRequired,
            ),
            (
                A::BadCertificate,
                true,
                FaultKind::ClientCertificateRequired,
            ),
            (A::UnknownCA, true, FaultKind::ClientCertificateRequired),
            (
                A::CertificateRequired,
                false,
                FaultKind::ClientCertificateRequired,
            ),
            (A::BadCertificate, false, FaultKind::TlsHandshake),
            (A::InternalError, true, FaultKind::TlsHandshake),
            (A::ProtocolVersion, true, FaultKind::TlsVersion),
        ] {
            assert_eq!(alert_fault(alert, requested), kind, "{alert:?} {requested}");
        }
    }
}
