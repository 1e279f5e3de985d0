//! Maps curl's exit codes and error messages to faults.
//!
//! The codes are listed in curl's manual, "EXIT CODES". If one code stands for several faults, the
//! text of the message decides.

use super::{Found, Progress, of_message, phrase};
use crate::domain::transcript::status;
use crate::model::observation::{FaultKind, Phase};

/// An error of curl: the exit code, and the message, which may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain::transcript) struct CurlError {
    pub(in crate::domain::transcript) code: u32,
    pub(in crate::domain::transcript) message: String,
}

/// The rank of a fault that only the exit code names. It is higher than every rank of a phrase, so
/// that a fault that a message names takes precedence.
const BY_CODE: usize = 10_000;

/// Returns the error in a line of curl (`curl: (28) Operation timed out …`), of libcurl
/// (`cURL error 28: …` or `[curl] 28: …`), or of acme.sh, which prints only the code; `None` for
/// other lines.
pub(in crate::domain::transcript) fn error(line: &str) -> Option<CurlError> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("curl: (") {
        return split(rest, ')');
    }
    let lower = line[..line.floor_char_boundary(REACH)].to_ascii_lowercase();
    if let Some((_, code)) = lower.split_once("libcurl-errors.html for error code: ") {
        // acme.sh shows only the code.
        let code = code.trim().parse().ok()?;
        let message = String::new();
        return Some(CurlError { code, message });
    }
    let start = ["curl error ", "[curl] "]
        .iter()
        .find_map(|start| Some(lower.find(start)? + start.len()));
    let at = start?;
    let rest = line[at..].trim_start_matches(['(', '#']);
    split(rest, ':').or_else(|| split(rest, ')'))
}

/// Number of bytes at the start of a line that are searched for libcurl's error.
const REACH: usize = 400;

fn split(text: &str, end: char) -> Option<CurlError> {
    let (code, message) = text.split_once(end)?;
    Some(CurlError {
        code: code.trim().parse().ok()?,
        message: unquoted(message.trim_start_matches(':')).trim().to_owned(),
    })
}

/// Returns the part of a message before an unpaired quote or backtick. A sentence that quotes the
/// message continues after this mark.
fn unquoted(message: &str) -> &str {
    let mut rest = message;
    for quote in ['"', '`'] {
        let is_open = rest.matches(quote).count() % 2 == 1;
        if let Some(at) = rest.rfind(quote).filter(|_| is_open) {
            rest = rest[..at].trim_end_matches(quote);
        }
    }
    rest
}

impl CurlError {
    /// Returns the status that curl's option `-f` reports instead of a body; `None` for other
    /// errors.
    pub(in crate::domain::transcript) fn status(&self) -> Option<u16> {
        let rest = self.message.split("returned error: ").nth(1)?;
        (self.code == 22).then(|| status::code(rest)).flatten()
    }

    /// Returns the fault of the request. `reasons` are the information lines before the error. They
    /// are needed because newer versions of curl print only "Couldn't connect" in the error.
    /// Returns `None` if the exit code is unknown, if it does not mean that the request failed, as
    /// with 23 (write error), or if it means that the command is wrong but there is a response.
    pub(in crate::domain::transcript) fn fault(
        &self,
        reasons: &str,
        progress: &Progress,
    ) -> Option<Found> {
        let stated = of_message(&self.message, progress)
            .into_iter()
            .chain(of_message(reasons, progress))
            .min_by_key(|found| found.rank);
        let kind = stated.map(|found| found.kind);
        let by_code = |phase, kind| Found {
            phase,
            kind,
            is_stated: true,
            is_vague: false,
            rank: BY_CODE,
        };
        let within = |phase, default| Found {
            phase,
            ..stated.unwrap_or_else(|| by_code(phase, default))
        };
        let waiting = progress.waiting();
        Some(match self.code {
            1 if kind == Some(FaultKind::Protocol) => within(waiting, FaultKind::Protocol),
            // The URL, an option or a file of the command is wrong, so curl sent nothing.
            1..=4 | 26 | 37 | 43 | 48 if !progress.is_answered => {
                by_code(Phase::Connect, FaultKind::Local)
            }
            5 | 97 => by_code(Phase::Connect, FaultKind::Proxy),
            6 => resolve(kind, by_code),
            7 => connect(stated, progress, by_code),
            18 => by_code(Phase::Transfer, FaultKind::Truncated),
            28 => by_code(self.timeout_phase(reasons, progress), FaultKind::Timeout),
            35 | 53 | 54 | 80 => within(Phase::Tls, FaultKind::TlsHandshake),
            45 | 27 => by_code(Phase::Connect, FaultKind::Local),
            47 => by_code(waiting, FaultKind::TooManyRedirects),
            51 => certificate(
                stated,
                by_code(Phase::Tls, FaultKind::CertificateNameMismatch),
            ),
            52 => by_code(Phase::Processing, FaultKind::ConnectionClosed),
            55 | 56 => transfer(stated, progress),
            58 => by_code(Phase::Tls, FaultKind::Credentials),
            59 => by_code(Phase::Tls, FaultKind::TlsVersion),
            // The code alone does not state why the certificate is invalid.
            60 | 82 | 83 | 90 => certificate(
                stated,
                Found {
                    is_stated: false,
                    ..by_code(Phase::Tls, FaultKind::CertificateUntrusted)
                },
            ),
            61 => by_code(Phase::Transfer, FaultKind::Decode),
            66 => by_code(Phase::Tls, FaultKind::Local),
            // Schannel also uses 77 for certificates that it rejects.
            77 | 91 => certificate(stated, by_code(Phase::Tls, FaultKind::Local)),
            96 => stated.unwrap_or_else(|| by_code(Phase::Connect, FaultKind::Protocol)),
            98 => by_code(Phase::Tls, FaultKind::ClientCertificateRequired),
            8 | 16 | 92 | 95 | 100 => by_code(waiting, FaultKind::Protocol),
            _ => return None,
        })
    }

    /// Returns whether the error may concern a URL from the server instead of the command's URL.
    /// `scheme` is the scheme of the command's URL; `follows` is whether curl follows redirects.
    pub(in crate::domain::transcript) fn may_concern_redirect(
        &self,
        scheme: &str,
        follows: bool,
    ) -> bool {
        let mut words = self.message.split(|c: char| !c.is_ascii_alphanumeric());
        match self.code {
            1 => self.message.contains("in redirect") || !words.any(|word| word == scheme),
            3 => follows,
            _ => false,
        }
    }

    /// Returns the phase in which curl's timeout expired.
    fn timeout_phase(&self, reasons: &str, progress: &Progress) -> Phase {
        let lower = self.message.to_lowercase();
        let says = |part: &str| lower.contains(part);
        if says("resolving") {
            Phase::Resolve
        } else if says("ssl") || says("tls") || says("quic") {
            Phase::Tls
        } else if says("bytes received") || says("out of") || says("too slow") {
            progress.waiting()
        } else if says("connect") {
            // Curl counts the TLS handshake as part of connecting, so the TCP connection may
            // already be established.
            if progress.is_connected {
                progress.phase()
            } else {
                Phase::Connect
            }
        } else if progress.is_known {
            progress.phase()
        } else if reasons.is_empty() {
            progress.waiting()
        } else {
            Phase::Connect
        }
    }
}

/// Returns the fault of a failed name resolution. Curl does not distinguish a name that does not
/// exist from a failed resolver, unless its resolver library c-ares provides the message.
fn resolve(kind: Option<FaultKind>, by_code: impl Fn(Phase, FaultKind) -> Found) -> Found {
    let kind = kind.filter(|kind| matches!(kind, FaultKind::NameNotFound | FaultKind::Timeout));
    by_code(Phase::Resolve, kind.unwrap_or(FaultKind::ResolverFailure))
}

fn connect(
    stated: Option<Found>,
    progress: &Progress,
    by_code: impl Fn(Phase, FaultKind) -> Found,
) -> Found {
    match stated.map(|found| found.kind) {
        Some(
            kind @ (FaultKind::ConnectionRefused
            | FaultKind::Unreachable
            | FaultKind::Timeout
            | FaultKind::Proxy
            | FaultKind::Local),
        ) => Found {
            phase: Phase::Connect,
            kind,
            ..stated.unwrap_or_else(|| by_code(Phase::Connect, kind))
        },
        _ => progress.unconnected(BY_CODE),
    }
}

/// Returns the certificate fault that the message names, or else the fault of the exit code.
fn certificate(stated: Option<Found>, by_code: Found) -> Found {
    stated
        .filter(|found| {
            matches!(
                found.kind,
                FaultKind::CertificateExpired
                    | FaultKind::CertificateNotYetValid
                    | FaultKind::CertificateNameMismatch
                    | FaultKind::CertificateRevoked
                    | FaultKind::CertificateUntrusted
                    | FaultKind::Local
            )
        })
        .map_or(by_code, |found| Found {
            phase: Phase::Tls,
            ..found
        })
}

/// Returns the fault of a request that failed while curl sent or received data (exit codes 55 and
/// 56).
fn transfer(stated: Option<Found>, progress: &Progress) -> Found {
    let Some(found) = stated else {
        return Found {
            phase: progress.waiting(),
            kind: FaultKind::ConnectionReset,
            is_stated: false,
            is_vague: false,
            rank: BY_CODE,
        };
    };
    let phase = match found.kind {
        FaultKind::ClientCertificateRequired | FaultKind::TlsVersion | FaultKind::TlsHandshake => {
            Phase::Tls
        }
        FaultKind::Proxy => Phase::Connect,
        _ if progress.is_connected && !progress.is_sent => progress.phase(),
        _ => progress.waiting(),
    };
    let kind = match found.kind {
        // The connection was already established, so it cannot have been refused.
        FaultKind::ConnectionRefused | FaultKind::Unreachable => FaultKind::ConnectionReset,
        kind => kind,
    };
    Found {
        phase,
        kind,
        ..found
    }
}

/// Returns whether an information line of `-v` reports a failure.
pub(in crate::domain::transcript) fn is_failure(text: &str) -> bool {
    let harmless = [
        "continuing anyway",
        "move on",
        "verify ok",
        "close notify",
        "retrying a fresh",
        "left intact",
    ];
    !harmless.iter().any(|words| text.contains(words))
        && (text.contains("failed")
            || text.contains("refused")
            || text.contains("TLS alert")
            || FAILURES.iter().any(|start| text.starts_with(start)))
        && phrase::find_statement(text).is_some()
}

/// Prefixes of the information lines that may report a failure. Such a line reports a failure only
/// if `phrase::find_statement` finds a fault in it.
const FAILURES: &[&str] = &[
    "Trying",
    "connect to",
    "Connection timed out",
    "Connection reset",
    "couldn't connect",
    "Couldn't",
    "Failed",
    "Empty reply",
    "Recv failure",
    "Send failure",
    "SSL certificate problem",
    "SSL:",
    "SSL certificate",
    "schannel:",
    "Operation timed out",
    "Could not resolve",
    "Resolving",
    "transfer closed",
    "HTTP/2 stream",
    "HTTP/3",
    "OpenSSL",
    "LibreSSL",
    "GnuTLS",
    "gnutls",
    "NSS",
    "error:",
    "Unknown SSL",
    "TLS connect error",
    "Received HTTP",
    "CONNECT tunnel",
    "server cert",
    "Maximum (",
    "Immediate connect",
    "rustls",
    "BoringSSL",
    "Server aborted",
    "Closing with",
    "SSL_ERROR",
    "SSL connection timeout",
    "QUIC",
    "Connection died",
    "end of response with",
    "mbedtls",
    "Cert verify",
    "wolfSSL",
    "getaddrinfo",
    "name lookup",
    "timed out before",
    "Connection closed",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_sentence_ends_with_its_quote() {
        for (line, expected) in [
            (
                "curl: (52) Empty reply from server\" now",
                "Empty reply from server",
            ),
            ("curl: (7) refused`, twice", "refused"),
            (
                "curl: (1) Protocol \"htps\" not supported",
                "Protocol \"htps\" not supported",
            ),
        ] {
            assert_eq!(error(line).unwrap().message, expected, "{line}");
        }
    }
}
