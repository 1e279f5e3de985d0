//! Decides whether it is doubtful that an error message is about a failed HTTP request.

use super::{Exchange, Source};
use crate::domain::transcript::fault::{self, signs};
use crate::model::observation::FaultKind;

impl Exchange {
    /// Records whether a line shows that a request was made, and whether a server reports the TLS
    /// handshake of a client in the line.
    pub(in crate::domain::transcript) fn note_sign(&mut self, line: &str) {
        self.shows_request = self.shows_request || signs::shows_request(line);
        self.protocols.note(line);
        self.is_of_server = self.is_of_server || signs::is_of_server(line);
    }

    /// Returns whether a message describes a fault of TLS, but neither the message nor an earlier
    /// line of the exchange shows that TLS was used. Words such as `untrusted` then have another
    /// meaning.
    pub(in crate::domain::transcript) fn lacks_tls(&self, message: &str) -> bool {
        let found = fault::of_message(message, &self.progress());
        found.is_some_and(|found| is_of_tls(found.kind))
            && !self.progress.uses_tls
            && !self
                .fault
                .as_ref()
                .is_some_and(|it| is_of_tls(it.found.kind))
            && !signs::shows_tls(message)
            && self.url().is_none_or(|url| url.scheme() != "https")
    }

    /// Marks the exchange as doubtful if its fault is from an error message without a command, and
    /// one of these conditions is met:
    /// - A server reports the TLS handshake of a client.
    /// - No line shows a request, and the URL is unknown.
    /// - The fault is one of TLS, although the URL has the scheme `http` and the message contains
    ///   no `https` URL.
    ///
    /// In the log of a server, also replaces the fault for an alert about a certificate: the client
    /// rejected the server's certificate, and the log does not state why.
    pub(super) fn doubt_request(&mut self) {
        let Some(fault) = self.fault.as_mut() else {
            return;
        };
        if self.source != Source::Message || self.command.is_some() {
            return;
        }
        if self.is_of_server && fault.found.kind == FaultKind::ClientCertificateRequired {
            // The alert is from the client, which rejected the server's certificate.
            fault.found.kind = FaultKind::CertificateUntrusted;
            fault.found.is_stated = false;
        }
        self.is_doubtful |= self.is_of_server;
        let fault = fault.clone();
        let url = self.url();
        let is_unseen = !self.shows_request && url.is_none();
        let is_plain = url.is_some_and(|url| url.scheme() == "http");
        let is_secure = fault.message.contains("https://");
        self.is_doubtful |= is_unseen || is_plain && !is_secure && is_of_tls(fault.found.kind);
    }
}

/// Returns whether a fault occurs only in requests that use TLS.
const fn is_of_tls(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::CertificateExpired
            | FaultKind::CertificateNotYetValid
            | FaultKind::CertificateNameMismatch
            | FaultKind::CertificateUntrusted
            | FaultKind::CertificateRevoked
            | FaultKind::ClientCertificateRequired
            | FaultKind::PlainHttp
            | FaultKind::TlsHandshake
            | FaultKind::TlsVersion
    )
}
