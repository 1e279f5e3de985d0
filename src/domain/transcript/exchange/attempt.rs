//! Separates the requests of one command: the requests for several URLs, and the attempts of a
//! command that tries a failed request again, as `curl --retry` does.

use super::{Exchange, Request};
use crate::domain::transcript::command::Command;
use crate::domain::transcript::fault::Progress;
use crate::model::observation::FaultKind;

impl Exchange {
    /// Returns the next exchange of the same command, without a response.
    pub(in crate::domain::transcript) fn successor(&self) -> Self {
        let mut command = self.command.clone();
        let next = command.as_mut().and_then(Command::next_url);
        let mut request = Request::default();
        request.url = next.or_else(|| self.request.url.clone());
        Self {
            command,
            request,
            progress: Progress {
                uses_tls: self.progress.uses_tls,
                is_windows: self.progress.is_windows,
                ..Progress::default()
            },
            ..Self::default()
        }
    }

    /// Returns the next attempt of the same request, without a response.
    pub(in crate::domain::transcript) fn retry(&self) -> Self {
        let mut next = self.successor();
        // `successor` moves a command with several URLs to the next URL, but a retry requests the
        // same URL again.
        next.command.clone_from(&self.command);
        next.request = Request {
            url: self.request.url.clone(),
            ..Request::default()
        };
        next
    }

    /// Removes the response and returns it as a separate attempt if it cannot belong to the attempt
    /// that timed out before it in the text; otherwise returns `None`. That is so if the response
    /// is complete, or if it has a body or a known length although curl's error message states
    /// `with 0 bytes received`. `curl --retry` prints the errors of failed attempts before the
    /// response of the last attempt.
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
