//! Maps a chain of library errors to one kind of fault.
//!
//! The types of the errors decide, never their texts, because texts change between releases.
//! Where two kinds are possible, the current phase decides: an unexpected end of file means a
//! failed handshake in one phase and a truncated body in another.

use std::error::Error;
use std::io;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use rustls::CertificateError;

use super::address::AddressRefused;
use super::resolve::NoAddress;
use crate::model::observation::{Fault, FaultKind, Phase};

/// Classifies a failed request. If `proxied`, a fault of name resolution or connecting is a fault
/// of the proxy.
pub(super) fn classify(error: &reqwest::Error, phase: Phase, proxied: bool) -> Fault {
    let chain = chain(error);
    let found = chain.iter().rev().find_map(|link| fault_kind(*link, phase));
    let mut kind = found.unwrap_or(match phase {
        _ if error.is_decode() => FaultKind::Decode,
        Phase::Tls => FaultKind::TlsHandshake,
        Phase::Resolve => FaultKind::ResolverFailure,
        Phase::Connect if proxied => FaultKind::Proxy,
        Phase::Connect => FaultKind::Unreachable,
        Phase::Processing | Phase::Transfer => FaultKind::Protocol,
    });
    let before_peer = matches!(phase, Phase::Resolve | Phase::Connect);
    let at_proxy = !matches!(kind, FaultKind::Local | FaultKind::AddressRefused);
    if proxied && before_peer && at_proxy {
        kind = FaultKind::Proxy;
    }
    Fault {
        phase: fault_phase(kind, phase),
        kind,
        detail: describe(&chain),
    }
}

/// Returns an error and all its sources, outermost first. Includes errors wrapped in an
/// `io::Error`, which `source` skips.
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

/// Joins the messages of the errors, outermost first. Leaves out the messages of `reqwest`, which
/// contain the URL and add only "error sending request".
fn describe(chain: &[&(dyn Error + 'static)]) -> String {
    let mut messages: Vec<String> = Vec::new();
    for link in chain.iter().skip(1) {
        if link.is::<reqwest::Error>() {
            continue;
        }
        let text = link.to_string();
        if messages.last().is_some_and(|last| last.contains(&text)) {
            continue;
        }
        messages.push(text);
    }
    if messages.is_empty() {
        "the request failed".to_owned()
    } else {
        messages.join(": ")
    }
}

/// Returns the phase to report for a fault kind. A TLS 1.3 client finishes the handshake before the
/// server has checked the client certificate, so the alert can arrive in the processing phase.
fn fault_phase(kind: FaultKind, phase: Phase) -> Phase {
    match kind {
        FaultKind::CertificateExpired
        | FaultKind::CertificateNotYetValid
        | FaultKind::CertificateNameMismatch
        | FaultKind::CertificateUntrusted
        | FaultKind::CertificateRevoked
        | FaultKind::ClientCertificateRequired
        | FaultKind::PlainHttp
        | FaultKind::TlsVersion
        | FaultKind::TlsHandshake => Phase::Tls,
        FaultKind::AddressRefused | FaultKind::NameNotFound => Phase::Resolve,
        _ => phase,
    }
}

fn fault_kind(link: &(dyn Error + 'static), phase: Phase) -> Option<FaultKind> {
    if link.is::<AddressRefused>() {
        return Some(FaultKind::AddressRefused);
    }
    if link.is::<NoAddress>() {
        return Some(FaultKind::NameNotFound);
    }
    if let Some(error) = link.downcast_ref::<NetError>() {
        return Some(resolver_fault(error));
    }
    if let Some(error) = link.downcast_ref::<rustls::Error>() {
        return Some(tls_fault(error));
    }
    if let Some(error) = link.downcast_ref::<io::Error>() {
        return io_fault(error, phase);
    }
    if let Some(error) = link.downcast_ref::<h2::Error>() {
        return Some(h2_fault(error, phase));
    }
    link.downcast_ref::<hyper::Error>()
        .and_then(|error| hyper_fault(error, phase))
}

fn resolver_fault(error: &NetError) -> FaultKind {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain | ResponseCode::NoError => FaultKind::NameNotFound,
            _ => FaultKind::ResolverFailure,
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => FaultKind::NameNotFound,
        NetError::Io(error) if is_local(error) => FaultKind::Local,
        _ => FaultKind::ResolverFailure,
    }
}

fn tls_fault(error: &rustls::Error) -> FaultKind {
    let rustls::Error::InvalidCertificate(problem) = error else {
        return FaultKind::TlsHandshake;
    };
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
        _ => FaultKind::CertificateUntrusted,
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
        // The HTTP/2 library keeps the kind of a transport error but not its type. In the
        // processing phase, only a TLS alert about the client certificate has this kind.
        io::ErrorKind::InvalidData if phase == Phase::Processing => Some(FaultKind::TlsHandshake),
        io::ErrorKind::UnexpectedEof => match phase {
            Phase::Tls => Some(FaultKind::TlsHandshake),
            // A decoder that runs out of input reports the same kind. Only a transport error,
            // which is another error of the chain, means a truncated body.
            Phase::Transfer => None,
            _ => Some(FaultKind::ConnectionClosed),
        },
        _ => None,
    }
}

/// Returns whether this host ran out of file descriptors, ports or memory. The numbers are EMFILE,
/// ENFILE, ENOMEM and ENOBUFS of Linux, which have no stable `ErrorKind`.
fn is_local(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 12 | 105))
        || matches!(
            error.kind(),
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse | io::ErrorKind::OutOfMemory
        )
}

fn h2_fault(error: &h2::Error, phase: Phase) -> FaultKind {
    match (phase, error.is_remote()) {
        (Phase::Transfer, true) => FaultKind::Truncated,
        (_, true) if error.is_go_away() => FaultKind::ConnectionClosed,
        (_, true) if error.is_reset() => FaultKind::ConnectionReset,
        _ => FaultKind::Protocol,
    }
}

fn hyper_fault(error: &hyper::Error, phase: Phase) -> Option<FaultKind> {
    if error.is_parse() {
        return Some(FaultKind::Protocol);
    }
    let cut = error.is_incomplete_message() || error.is_body_write_aborted();
    let ended = source_is_eof(error);
    match phase {
        Phase::Transfer if cut || ended || error.is_closed() => Some(FaultKind::Truncated),
        _ if cut || ended || error.is_closed() || error.is_canceled() => {
            Some(FaultKind::ConnectionClosed)
        }
        _ => None,
    }
}

fn source_is_eof(error: &hyper::Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| source.kind() == io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &io::Error, phase: Phase, want: Option<FaultKind>) {
        assert_eq!(io_fault(error, phase), want, "{error} in {phase:?}");
    }

    #[test]
    fn exhausted_local_resources_are_a_local_fault() {
        for code in [24, 23, 12, 105, 99] {
            let error = io::Error::from_raw_os_error(code);
            check(&error, Phase::Connect, Some(FaultKind::Local));
        }
    }

    #[test]
    fn an_unreachable_host_differs_from_one_that_refuses() {
        for (code, kind) in [
            (113, FaultKind::Unreachable),
            (101, FaultKind::Unreachable),
            (111, FaultKind::ConnectionRefused),
            (110, FaultKind::Timeout),
        ] {
            check(
                &io::Error::from_raw_os_error(code),
                Phase::Connect,
                Some(kind),
            );
        }
    }

    #[test]
    fn the_fault_of_an_early_end_depends_on_the_phase() {
        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
        check(&error, Phase::Tls, Some(FaultKind::TlsHandshake));
        check(&error, Phase::Processing, Some(FaultKind::ConnectionClosed));
        check(&error, Phase::Transfer, None);
    }

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let error = io::Error::new(io::ErrorKind::InvalidData, expired);
        let links = chain(&error);
        assert_eq!(
            links
                .iter()
                .rev()
                .find_map(|link| fault_kind(*link, Phase::Tls)),
            Some(FaultKind::CertificateExpired)
        );
    }
}
