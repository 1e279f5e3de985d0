//! Finds faults that a message names by a number, by an atom of Erlang, or by a sentence of Windows
//! in another language than English. Such a name is sufficient to recognize the line as an
//! error message.

use std::sync::LazyLock;

use regex::Regex;

use super::{openssl, sentences};
use crate::domain::transcript::pattern::pattern;
use crate::model::observation::{FaultKind, Phase};

/// The fault that a message identifies by an error number, an Erlang atom or a localized error
/// message of Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) phase: Phase,
    pub(super) kind: FaultKind,
    /// Whether the message may also mean another kind of fault.
    pub(super) is_unclear: bool,
}

const fn named(phase: Phase, kind: FaultKind) -> Named {
    Named {
        phase,
        kind,
        is_unclear: false,
    }
}

const fn unclear(phase: Phase, kind: FaultKind) -> Named {
    Named {
        phase,
        kind,
        is_unclear: true,
    }
}

/// Captures the number of an error of Apple's URL loading system, in a message in lower case. The
/// text next to the number is in the language of the device, so only the number is read.
static APPLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?:nsurlerrordomain|kcferrordomaincfnetwork)\W{0,4}(?: ?(?:error|code|fehler|erreur)[ =:]{1,3})?(-\d{3,4})\b|\(nsurlerrordomain[^()]{0,30}?(-\d{3,4})",
    )
});

/// Captures the number of the error of Apple's Secure Transport, in a message in lower case.
static SECURE_TRANSPORT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?:kcfstreamerrordomainssl, |_kcfstreamerrorcodekey=)(-98\d\d)\b"));

/// Captures the atom of an error of an Erlang or Elixir client, in a message in lower case. The
/// atom is in a struct or an exception of the client, in a tuple of `httpc`, or in an error tuple.
static ERLANG: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"(?:httpoison|mint|finch|tesla|req)\.[a-z]*error\b.{0,80}?reason: \{?:(\w+)",
        r"\((?:httpoison|mint|finch|tesla|req)\.[a-z]*error\) \{?:?([a-z_ -]+)",
        r"failed_connect.{0,160}?\{inet, ?\[inet6?\], ?:?(\w+)",
        r"\b(?:hackney|gun|httpc|ibrowse)\b.{0,80}\{:?error, ?\{?:?(?:shutdown, ?:?)?(\w+)",
        r"\{:?error, ?\{?:?(?:shutdown, ?:?)?(nxdomain|econnrefused|econnreset|ehostunreach|enetunreach|etimedout|connect_timeout|checkout_timeout|tls_alert)\b",
    ]
    .iter()
    .filter_map(|expression| pattern(expression))
    .collect()
});

/// Captures the numbers of failed connects, reads and writes, and of timeouts, in a summary of wrk
/// in lower case. Markdown may put asterisks around the numbers.
static SOCKET_ERRORS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"socket errors: connect \**(\d+)\**, read \**(\d+)\**, write \**(\d+)\**, timeout \**(\d+)",
    )
});

/// Returns the fault for the largest of the four counts in the summary of wrk; `None` if all are
/// zero.
fn of_load_test(found: &regex::Captures<'_>) -> Option<Named> {
    let count = |index: usize| found[index].parse::<u64>().unwrap_or(u64::MAX);
    let counts = [
        (count(1), Phase::Connect, FaultKind::ConnectionRefused),
        (
            count(2).max(count(3)),
            Phase::Processing,
            FaultKind::ConnectionReset,
        ),
        (count(4), Phase::Processing, FaultKind::Timeout),
    ];
    let (count, phase, kind) = counts.into_iter().max_by_key(|(count, _, _)| *count)?;
    (count > 0).then_some(unclear(phase, kind))
}

/// Returns the fault that a message in lower case names; `None` if the message names none.
pub(super) fn of(lower: &str) -> Option<Named> {
    let apple = || {
        let number = number_of(&APPLE, lower)?;
        of_apple(number, lower)
    };
    let erlang = || {
        let found = ERLANG.iter().find_map(|it| it.captures(lower))?;
        of_atom(found[1].trim(), lower)
    };
    let load_test = || {
        let found = SOCKET_ERRORS.as_ref()?.captures(lower)?;
        of_load_test(&found)
    };
    if lower.contains("socket errors: ") {
        return load_test();
    }
    let may_be_apple = lower.contains("errordomain");
    let may_be_erlang = lower.contains("error") || lower.contains("failed_connect");
    may_be_apple
        .then(apple)
        .flatten()
        .or_else(|| may_be_erlang.then(erlang).flatten())
        .or_else(|| of_alert_log(lower))
        .or_else(|| openssl::of(lower).map(|(phase, kind)| named(phase, kind)))
        .or_else(|| sentences::of(lower).map(|(phase, kind)| named(phase, kind)))
}

fn number_of(expression: &LazyLock<Option<Regex>>, lower: &str) -> Option<i32> {
    let found = expression.as_ref()?.captures(lower)?;
    let number = found.get(1).or_else(|| found.get(2))?;
    number.as_str().parse().ok()
}

/// Returns the fault for a number of `NSURLErrorDomain`; `None` for other numbers, such as that of
/// a request that the program canceled. The numbers are those of `NSURLError.h`.
fn of_apple(number: i32, lower: &str) -> Option<Named> {
    Some(match number {
        -1001 => unclear(Phase::Processing, FaultKind::Timeout),
        -1003 => named(Phase::Resolve, FaultKind::NameNotFound),
        -1004 => unclear(Phase::Connect, FaultKind::ConnectionRefused),
        -1005 => unclear(Phase::Processing, FaultKind::ConnectionReset),
        -1006 => named(Phase::Resolve, FaultKind::ResolverFailure),
        -1007 => named(Phase::Processing, FaultKind::TooManyRedirects),
        // There is no network, roaming or mobile data is disabled, a phone call is active, the
        // request body ended early, or App Transport Security blocked the request.
        -1009 | -1022..=-1018 => named(Phase::Connect, FaultKind::Local),
        -1017 => named(Phase::Processing, FaultKind::Protocol),
        -1200 => {
            of_certificate(lower).unwrap_or_else(|| unclear(Phase::Tls, FaultKind::TlsHandshake))
        }
        -1201 => of_certificate(lower)
            .unwrap_or_else(|| unclear(Phase::Tls, FaultKind::CertificateExpired)),
        -1202 => of_certificate(lower)
            .unwrap_or_else(|| unclear(Phase::Tls, FaultKind::CertificateUntrusted)),
        -1203 => named(Phase::Tls, FaultKind::CertificateUntrusted),
        -1204 => named(Phase::Tls, FaultKind::CertificateNotYetValid),
        -1206 | -1205 => named(Phase::Tls, FaultKind::ClientCertificateRequired),
        _ => return None,
    })
}

/// Returns the fault for the number of Secure Transport in a message; `None` if the message
/// contains no listed number. The numbers are those of `SecureTransport.h`.
fn of_certificate(lower: &str) -> Option<Named> {
    let kind = match number_of(&SECURE_TRANSPORT, lower)? {
        -9813 | -9812 | -9807 => FaultKind::CertificateUntrusted,
        -9814 => FaultKind::CertificateExpired,
        -9815 => FaultKind::CertificateNotYetValid,
        -9843 => FaultKind::CertificateNameMismatch,
        -9836 => FaultKind::TlsVersion,
        _ => return None,
    };
    Some(named(Phase::Tls, kind))
}

/// Returns the fault for an atom of Erlang, or for the text that Mint prints instead of the atom;
/// `None` for other atoms.
fn of_atom(atom: &str, lower: &str) -> Option<Named> {
    Some(match atom {
        "nxdomain" | "non-existing domain" => named(Phase::Resolve, FaultKind::NameNotFound),
        "econnrefused" | "connection refused" => {
            named(Phase::Connect, FaultKind::ConnectionRefused)
        }
        "ehostunreach" | "enetunreach" | "host is unreachable" | "network is unreachable" => {
            named(Phase::Connect, FaultKind::Unreachable)
        }
        "etimedout" | "connect_timeout" => named(Phase::Connect, FaultKind::Timeout),
        // These atoms do not state whether the connection attempt or the response took too long.
        "timeout" | "req_timedout" => unclear(Phase::Processing, FaultKind::Timeout),
        "checkout_timeout" | "pool_timeout" => named(Phase::Connect, FaultKind::Local),
        "closed" | "socket closed" | "connection_closed" | "socket_closed_remotely" => {
            named(Phase::Processing, FaultKind::ConnectionClosed)
        }
        "econnreset" | "connection reset by peer" => {
            named(Phase::Processing, FaultKind::ConnectionReset)
        }
        "tls_alert" | "tls client" => of_alert(lower),
        _ => return None,
    })
}

/// Words in a TLS alert of Erlang, each with the kind of fault. More specific words come first.
const ALERTS: [(&str, FaultKind); 17] = [
    ("hostname_check_failed", FaultKind::CertificateNameMismatch),
    ("cert_expired", FaultKind::CertificateExpired),
    ("certificate_expired", FaultKind::CertificateExpired),
    ("certificate expired", FaultKind::CertificateExpired),
    ("selfsigned_peer", FaultKind::CertificateUntrusted),
    ("unknown_ca", FaultKind::CertificateUntrusted),
    ("unknown ca", FaultKind::CertificateUntrusted),
    ("certificate_required", FaultKind::ClientCertificateRequired),
    ("certificate required", FaultKind::ClientCertificateRequired),
    (
        "server alert: fatal - bad certificate",
        FaultKind::ClientCertificateRequired,
    ),
    ("protocol_version", FaultKind::TlsVersion),
    ("protocol version", FaultKind::TlsVersion),
    ("insufficient_security", FaultKind::TlsVersion),
    ("insufficient security", FaultKind::TlsVersion),
    ("revoked", FaultKind::CertificateRevoked),
    ("unsupported_certificate", FaultKind::CertificateUntrusted),
    ("unsupported certificate", FaultKind::CertificateUntrusted),
];

/// Returns the fault for an alert that Erlang's application `ssl` logs for a client, such as
/// `TLS client: In state certify … generated CLIENT ALERT: Fatal - Unknown CA`.
fn of_alert_log(lower: &str) -> Option<Named> {
    let is_of_client = lower.contains("tls client: ") || lower.contains("tls :client: ");
    (is_of_client && lower.contains(" alert: fatal - ")).then(|| of_alert(lower))
}

fn of_alert(lower: &str) -> Named {
    let known = ALERTS.iter().find(|(word, _)| lower.contains(word));
    known.map_or(unclear(Phase::Tls, FaultKind::TlsHandshake), |(_, kind)| {
        named(Phase::Tls, *kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_atoms_name_a_fault() {
        for (line, expected) in [
            (
                "Error Domain=NSURLErrorDomain Code=-1003 \"x\" UserInfo={}",
                Some(FaultKind::NameNotFound),
            ),
            (
                "Vorgang fehlgeschlagen. (NSURLErrorDomain-Fehler -1004.)",
                Some(FaultKind::ConnectionRefused),
            ),
            ("(NSURLErrorDomain error -1009.)", Some(FaultKind::Local)),
            ("NSURLErrorDomain Code=-999 \"cancelled\"", None),
            (
                "NSURLErrorDomain Code=-1202 UserInfo={_kCFStreamErrorCodeKey=-9814}",
                Some(FaultKind::CertificateExpired),
            ),
            (
                "{:error, %HTTPoison.Error{id: nil, reason: :econnrefused}}",
                Some(FaultKind::ConnectionRefused),
            ),
            (
                "** (Mint.TransportError) non-existing domain",
                Some(FaultKind::NameNotFound),
            ),
            (
                "{error,{failed_connect,[{to_address,{\"a.example\",443}},{inet,[inet],ehostunreach}]}}",
                Some(FaultKind::Unreachable),
            ),
            (
                "%Mint.TransportError{reason: {:tls_alert, {:unknown_ca, 'x'}}}",
                Some(FaultKind::CertificateUntrusted),
            ),
            (
                "** (HTTPoison.Error) {:tls_alert, {:illegal_parameter, 'TLS client: x'}}",
                Some(FaultKind::TlsHandshake),
            ),
            (
                "[notice] TLS :client: In state :certify generated CLIENT ALERT: Fatal - Unknown CA",
                Some(FaultKind::CertificateUntrusted),
            ),
            ("{:error, :enoent}", None),
            ("error: reason: :shutdown", None),
            (
                "Invoke-RestMethod: Impossibile stabilire la connessione. Rifiuto persistente del computer di destinazione.",
                Some(FaultKind::ConnectionRefused),
            ),
        ] {
            let found = of(&line.to_lowercase()).map(|named| named.kind);
            assert_eq!(found, expected, "{line}");
        }
    }
}
