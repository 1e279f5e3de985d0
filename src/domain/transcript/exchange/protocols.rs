//! Decides whether a failure is that of another protocol than HTTP.

use super::{Exchange, Source};
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::fault::other_protocol;
use crate::model::observation::{FaultKind, Phase};

/// The protocols that the lines of an exchange name.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::domain::transcript) struct Protocols {
    /// Whether a line names HTTP or a client for it.
    has_http: bool,
    /// Whether a line names another protocol.
    has_other: bool,
    /// Whether the command uses another protocol.
    is_other_command: bool,
}

impl Protocols {
    /// Records the protocols that a line names.
    pub(super) fn note(&mut self, line: &str) {
        self.has_http |= other_protocol::names_http(line);
        self.has_other |= other_protocol::is_named(line);
    }

    /// Returns whether the lines name another protocol than HTTP, but not HTTP.
    pub(in crate::domain::transcript) const fn is_other(self) -> bool {
        self.has_other && !self.has_http
    }

    /// Records whether the command uses another protocol than HTTP.
    pub(super) fn note_command(&mut self, command: &str) {
        self.is_other_command = other_protocol::is_of_command(command);
    }
}

impl Exchange {
    /// Marks a gRPC call that failed with the HTTP status 200 as an unmet expectation.
    pub(super) fn note_grpc_status(&mut self) {
        let Some(response) = self.response.as_ref().filter(|it| it.status < 400) else {
            return;
        };
        let status = response.value("grpc-status").map(str::trim);
        if status.is_some_and(|status| status != "0") && self.facts.is_empty() {
            let text = |text: &str| FactValue::Text(text.to_owned());
            self.facts = vec![
                ("phase".to_owned(), text("expect")),
                ("unmet".to_owned(), text("body")),
            ];
            self.is_doubtful = true;
        }
    }

    /// Marks the exchange as doubtful if its fault is that of another protocol. Removes the fault if
    /// it is not about the network, so that it would not concern an HTTP request to the same host
    /// either.
    pub(super) fn doubt_protocol(&mut self) {
        let Some(fault) = &self.fault else {
            return;
        };
        let is_message = self.source == Source::Message && self.command.is_none();
        let is_other =
            is_message && (other_protocol::is_named(&fault.message) || self.protocols.is_other());
        if !is_other && !self.protocols.is_other_command {
            return;
        }
        self.is_doubtful = true;
        // The address is not that of an HTTP server.
        self.request.url = None;
        self.request.reached = None;
        if let Some(command) = &mut self.command {
            command.url = None;
        }
        if !is_of_network(fault.found.phase, fault.found.kind) {
            self.fault = None;
        }
    }
}

/// Returns whether a fault of any protocol shows a problem of the network, of the name or of TLS.
fn is_of_network(phase: Phase, kind: FaultKind) -> bool {
    matches!(phase, Phase::Resolve | Phase::Connect | Phase::Tls)
        && !matches!(
            kind,
            FaultKind::ConnectionReset | FaultKind::ConnectionClosed
        )
}
