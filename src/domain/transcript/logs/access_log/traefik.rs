//! Reads the lines in which Traefik before version 3 states the status of a response and the error
//! of the upstream. `reverse_proxy` reads those of version 3.

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::fault::phrase;
use crate::domain::transcript::pattern::pattern;
use crate::model::observation::FaultKind;

/// Matches a line of Traefik. Captures the status, and the error message about the upstream.
static LINE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"'([45]\d\d) [A-Z][A-Za-z ]{2,40}' caused by: (.{1,400})"));

/// Reads a line of Traefik; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains("' caused by: ") {
        return None;
    }
    let found = LINE.as_ref()?.captures(line)?;
    let status: u16 = found[1].parse().ok()?;
    if status < 500 {
        return Some(Logged::Passed);
    }
    Some(
        Entry {
            status,
            error: upstream_error(found[2].trim_end_matches(['"', '`'])),
            ..Entry::default()
        }
        .failed(),
    )
}

/// Returns the value of the fact `proxy_log.error` for a proxy's error message about its upstream;
/// `None` if the message states no known failure.
pub(in crate::domain::transcript) fn upstream_error(message: &str) -> Option<&'static str> {
    Some(match phrase::find_statement(message)?.kind {
        FaultKind::ConnectionRefused => "refused",
        FaultKind::Unreachable => "unreachable",
        FaultKind::Timeout => "timeout",
        FaultKind::ConnectionReset | FaultKind::ConnectionClosed | FaultKind::Truncated => "reset",
        FaultKind::NameNotFound | FaultKind::ResolverFailure | FaultKind::NoAddress => {
            "name-not-found"
        }
        FaultKind::CertificateExpired
        | FaultKind::CertificateUntrusted
        | FaultKind::CertificateNameMismatch
        | FaultKind::TlsHandshake
        | FaultKind::PlainHttp => "tls-failed",
        FaultKind::Protocol => "malformed",
        _ => return None,
    })
}
