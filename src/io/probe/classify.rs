//! From a chain of library errors to one kind of fault.
//!
//! Goes by the types in the chain and never by their text: text changes with every
//! release. Where two readings fit, the phase that was running decides, since the same
//! end of file is a broken handshake in one phase and a cut body in another.

use std::error::Error;
use std::io;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use rustls::CertificateError;

use super::address::AddressRefused;
use super::resolve::NoAddress;
use crate::model::observation::{Fault, FaultKind, Phase};

/// Names what broke. `proxied`: until processing begins, the proxy is the peer.
pub(super) fn classify(error: &reqwest::Error, phase: Phase, proxied: bool) -> Fault {
    let chain = chain(error);
    let found = chain.iter().rev().find_map(|link| kind_of(*link, phase));
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
        phase: phase_of(kind, phase),
        kind,
        detail: detail(&chain),
    }
}

/// Every link, those inside `io::Error` included: `source` steps over them.
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

/// The libraries' own words, outermost first; reqwest's are left out, for they carry
/// the URL and say no more than "error sending request".
fn detail(chain: &[&(dyn Error + 'static)]) -> String {
    let mut words: Vec<String> = Vec::new();
    for link in chain.iter().skip(1) {
        if link.is::<reqwest::Error>() {
            continue;
        }
        let text = link.to_string();
        if words.last().is_some_and(|last| last.contains(&text)) {
            continue;
        }
        words.push(text);
    }
    if words.is_empty() {
        "the request failed".to_owned()
    } else {
        words.join(": ")
    }
}

/// TLS 1.3 lets a client finish before the server has judged its certificate, so an
/// alert may arrive while the answer is awaited: it is still the handshake that broke.
fn phase_of(kind: FaultKind, phase: Phase) -> Phase {
    match kind {
        FaultKind::CertificateExpired
        | FaultKind::CertificateNotYetValid
        | FaultKind::CertificateNameMismatch
        | FaultKind::CertificateUntrusted
        | FaultKind::TlsHandshake => Phase::Tls,
        FaultKind::AddressRefused | FaultKind::NameNotFound => Phase::Resolve,
        _ => phase,
    }
}

fn kind_of(link: &(dyn Error + 'static), phase: Phase) -> Option<FaultKind> {
    if link.is::<AddressRefused>() {
        return Some(FaultKind::AddressRefused);
    }
    if link.is::<NoAddress>() {
        return Some(FaultKind::NameNotFound);
    }
    if let Some(error) = link.downcast_ref::<NetError>() {
        return Some(of_resolver(error));
    }
    if let Some(error) = link.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    if let Some(error) = link.downcast_ref::<io::Error>() {
        return of_io(error, phase);
    }
    if let Some(error) = link.downcast_ref::<h2::Error>() {
        return Some(of_h2(error, phase));
    }
    link.downcast_ref::<hyper::Error>()
        .and_then(|error| of_hyper(error, phase))
}

fn of_resolver(error: &NetError) -> FaultKind {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain | ResponseCode::NoError => FaultKind::NameNotFound,
            _ => FaultKind::ResolverFailure,
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => FaultKind::NameNotFound,
        NetError::Io(error) if local(error) => FaultKind::Local,
        _ => FaultKind::ResolverFailure,
    }
}

fn of_tls(error: &rustls::Error) -> FaultKind {
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

fn of_io(error: &io::Error, phase: Phase) -> Option<FaultKind> {
    if local(error) {
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
        // HTTP/2 keeps the kind of its transport's error but not its type; while an
        // answer is awaited, only TLS says this: an alert for our certificate.
        io::ErrorKind::InvalidData if phase == Phase::Processing => Some(FaultKind::TlsHandshake),
        io::ErrorKind::UnexpectedEof => match phase {
            Phase::Tls => Some(FaultKind::TlsHandshake),
            // A decoder that runs dry reports the same kind: only the transport's
            // own errors, found elsewhere in the chain, mean a cut body.
            Phase::Transfer => None,
            _ => Some(FaultKind::ConnectionClosed),
        },
        _ => None,
    }
}

/// Whether this host is what fails: out of descriptors, ports or memory. The raw
/// numbers are Linux's EMFILE, ENFILE, ENOMEM, ENOBUFS, which have no stable kind.
fn local(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 12 | 105))
        || matches!(
            error.kind(),
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse | io::ErrorKind::OutOfMemory
        )
}

fn of_h2(error: &h2::Error, phase: Phase) -> FaultKind {
    match (phase, error.is_remote()) {
        (Phase::Transfer, true) => FaultKind::Truncated,
        (_, true) if error.is_go_away() => FaultKind::ConnectionClosed,
        (_, true) if error.is_reset() => FaultKind::ConnectionReset,
        _ => FaultKind::Protocol,
    }
}

fn of_hyper(error: &hyper::Error, phase: Phase) -> Option<FaultKind> {
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
        assert_eq!(of_io(error, phase), want, "{error} in {phase:?}");
    }

    #[test]
    fn what_this_host_lacks_is_its_own_fault() {
        for code in [24, 23, 12, 105, 99] {
            let error = io::Error::from_raw_os_error(code);
            check(&error, Phase::Connect, Some(FaultKind::Local));
        }
    }

    #[test]
    fn an_unreachable_host_is_told_from_a_refusing_one() {
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
    fn an_end_of_file_means_what_its_phase_makes_of_it() {
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
                .find_map(|link| kind_of(*link, Phase::Tls)),
            Some(FaultKind::CertificateExpired)
        );
    }
}
