//! Separates the attempts of one command that tries a failed request again, as `curl --retry` does.

use super::{Exchange, Request};
use crate::model::observation::FaultKind;

impl Exchange {
    /// Returns the next attempt of the same request, without a response.
    pub(in crate::domain::transcript) fn retry(&self) -> Self {
        let mut next = self.successor();
        // The successor of a command with several URLs requests the next URL.
        next.command.clone_from(&self.command);
        next.request = Request {
            url: self.request.url.clone(),
            ..Request::default()
        };
        next
    }

    /// Removes the response and returns it as an attempt of its own if it contradicts the timeout
    /// before it. `curl --retry` prints the errors of failed attempts before the response of the
    /// last one.
    pub(in crate::domain::transcript) fn split(&mut self) -> Option<Self> {
        let fault = self.fault.as_ref().filter(|_| self.is_fault_first)?;
        if fault.found.kind != FaultKind::Timeout {
            return None;
        }
        let response = self.response.as_ref()?;
        let has_no_bytes = fault.message.contains("with 0 bytes received");
        let has_body = !response.body.trim().is_empty();
        let lacks_length = has_no_bytes && response.announced_length().is_some();
        if !(response.is_complete() || lacks_length || has_no_bytes && has_body) {
            return None;
        }
        Some(Self {
            response: self.response.take(),
            section: self.section,
            line: self.response_line,
            ..self.retry()
        })
    }
}
