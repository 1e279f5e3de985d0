//! How curl ends when it gets no whole answer: exit code and words → fault.
//!
//! Codes are those of curl's manual, "EXIT CODES". A transcript has no error value to go
//! by, so here alone the words decide where one code stands for several faults.

use crate::model::observation::{Fault, FaultKind, Phase};

/// Splits `curl: (28) Operation timed out …`; `None` for any other line.
pub(super) fn curl_error(line: &str) -> Option<(u32, &str)> {
    let rest = line.trim_start().strip_prefix("curl: (")?;
    let (code, words) = rest.split_once(')')?;
    Some((code.parse().ok()?, words.trim()))
}

/// The fault that a code and its words mean. `answered`: headers had come. `None`: not a
/// fault of the request (bad usage, a file) or none that the words tell.
pub(super) fn fault(code: u32, words: &str, answered: bool) -> Option<Fault> {
    let lower = words.to_lowercase();
    let says = |part: &str| lower.contains(part);
    let waiting = if answered {
        Phase::Transfer
    } else {
        Phase::Processing
    };
    let (phase, kind) = match code {
        5 | 97 => (Phase::Connect, FaultKind::Proxy),
        // Curl does not say whether the name is missing or the resolver failed.
        6 => (Phase::Resolve, FaultKind::ResolverFailure),
        7 if says("no route") || says("unreachable") => (Phase::Connect, FaultKind::Unreachable),
        7 if says("timed out") => (Phase::Connect, FaultKind::Timeout),
        7 => (Phase::Connect, FaultKind::ConnectionRefused),
        18 => (Phase::Transfer, FaultKind::Truncated),
        28 if says("resolving") => (Phase::Resolve, FaultKind::Timeout),
        28 if says("ssl") => (Phase::Tls, FaultKind::Timeout),
        28 if says("connect") => (Phase::Connect, FaultKind::Timeout),
        28 => (waiting, FaultKind::Timeout),
        35 if says("reset") => (Phase::Tls, FaultKind::ConnectionReset),
        35 => (Phase::Tls, FaultKind::TlsHandshake),
        47 => (Phase::Processing, FaultKind::TooManyRedirects),
        51 => (Phase::Tls, FaultKind::CertificateNameMismatch),
        52 => (Phase::Processing, FaultKind::ConnectionClosed),
        55 | 56 => (waiting, FaultKind::ConnectionReset),
        58 => (Phase::Tls, FaultKind::Credentials),
        60 if says("expired") => (Phase::Tls, FaultKind::CertificateExpired),
        60 if says("not yet valid") => (Phase::Tls, FaultKind::CertificateNotYetValid),
        60 if says("subject name") || says("does not match") => {
            (Phase::Tls, FaultKind::CertificateNameMismatch)
        }
        60 => (Phase::Tls, FaultKind::CertificateUntrusted),
        61 => (Phase::Transfer, FaultKind::Decode),
        8 | 16 | 92 => (waiting, FaultKind::Protocol),
        _ => return None,
    };
    Some(Fault {
        phase,
        kind,
        detail: format!("curl ({code}): {words}"),
    })
}
