//! Maps curl's exit codes and error messages to faults.
//!
//! The codes are listed in curl's manual, "EXIT CODES". Where one code stands for several
//! faults the text of the message decides, because a transcript has no error type.

use crate::model::observation::{FaultKind, Phase};

/// The exit code and message of a line such as `curl: (28) Operation timed out …`; `None` for
/// other lines.
pub(super) fn curl_error(line: &str) -> Option<(u32, &str)> {
    let rest = line.trim_start().strip_prefix("curl: (")?;
    let (code, message) = rest.split_once(')')?;
    Some((code.parse().ok()?, message.trim()))
}

/// Maps an exit code and message to the phase and kind of the fault. `answered` is whether
/// response headers were received. Returns `None` if the error does not concern the request
/// (usage, files) or is unknown.
pub(super) fn classify(code: u32, message: &str, answered: bool) -> Option<(Phase, FaultKind)> {
    let lower = message.to_lowercase();
    let says = |part: &str| lower.contains(part);
    let waiting = if answered {
        Phase::Transfer
    } else {
        Phase::Processing
    };
    let fault = match code {
        5 | 97 => (Phase::Connect, FaultKind::Proxy),
        // Curl does not distinguish a missing name from a failed resolver.
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
    Some(fault)
}
