//! Decides whether an error message reports another failure than the messages before it. Used if
//! the requests and times in the messages do not decide this. One request cannot fail in two ways,
//! so messages with faults of different kinds may report two failures.

use std::sync::LazyLock;

use regex::Regex;

use super::Reader;
use crate::domain::transcript::clients::message::Message;
use crate::domain::transcript::exchange::Source;
use crate::domain::transcript::fault::{self, Progress};
use crate::domain::transcript::pattern::pattern;
use crate::model::observation::{FaultKind, Phase};

/// Matches an exception at the start of a line. Captures its class.
static EXCEPTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"^[#>*`\s]{0,6}(?:Uncaught |Exception in thread "[^"]{0,80}" )?([\w.$]*(?:Error|Exception)): \S"#,
    )
});

/// The start of an error message in a browser's console. Each such message may be about a different
/// request.
const BROWSER: &str = "Failed to load resource: ";
/// Matches an error of Go that starts a line. Captures the method and the URL.
static GO: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r#"^\W{0,8}((?:Get|Post|Put|Head|Patch|Delete) \\?"?https?://[^\s"]+)\\?"?: "#)
});

/// Captures the system call in an error of Node.js, such as `read ECONNRESET`.
static CALL: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\b(connect|read|write|getaddrinfo) E[A-Z_]{4,}\b"));

/// Returns whether two messages, which state faults of different kinds, are about two requests.
/// This is the case for two errors of Go with the same method and URL, as after a retry, and for
/// two errors of Node.js in different system calls.
fn is_other_request(message: &str, line: &str) -> bool {
    let captured = |expression: &LazyLock<Option<Regex>>, text: &str| {
        let found = expression.as_ref()?.captures(text)?;
        Some(found[1].to_owned())
    };
    let is_same =
        captured(&GO, message).is_some_and(|request| captured(&GO, line) == Some(request));
    is_same
        || captured(&CALL, message)
            .zip(captured(&CALL, line))
            .is_some_and(|(known, call)| known != call)
}

impl Reader {
    /// Returns whether an error message is about a failure other than that of the current exchange.
    pub(super) fn is_other_failure(&self, message: &Message, line: &str, number: usize) -> bool {
        let current = &self.current;
        let is_message = current.source == Source::Message;
        let is_of_browser = is_message && line.contains(BROWSER);
        let Some(fault) = &current.fault else {
            return is_of_browser && current.response.is_some() && message.status.is_none();
        };
        let is_cause = line.starts_with([' ', '\t'])
            || line.contains("Caused by")
            || line.contains("nested exception");
        let known = fault.found;
        if current.source != Source::Message || is_cause || !known.is_stated || known.is_vague {
            return false;
        }
        let found = || fault::of_message(line, &Progress::default());
        if is_of_browser && fault.message.contains(BROWSER) {
            return message.status.is_some() || found().is_some_and(|it| it.kind != known.kind);
        }
        if message.status.is_some() {
            return is_before_response(known.phase, known.kind);
        }
        let found = found();
        let is_different = found
            .is_some_and(|found| found.is_stated && !found.is_vague && found.kind != known.kind);
        if is_different && is_other_request(&fault.message, line) {
            return true;
        }
        let (Some(class), Some(last)) = (exception(line), exception(&fault.message)) else {
            return false;
        };
        // If other lines follow the earlier exception, an exception of another class may be its
        // consequence. An exception of the same class is not a consequence.
        let is_next = number == self.fault_line + 1;
        if !is_next && class != last {
            return false;
        }
        is_different
    }
}

/// Returns the class of the exception at the start of a line; `None` if there is none.
fn exception(line: &str) -> Option<&str> {
    let found = EXCEPTION.as_ref()?.captures(line)?;
    Some(found.get(1)?.as_str())
}

/// Returns whether a fault ends a request before a response is possible. Returns false for
/// timeouts, for faults of a proxy and for faults of the client itself, because a status may be
/// reported for the same request.
fn is_before_response(phase: Phase, kind: FaultKind) -> bool {
    let is_early = matches!(phase, Phase::Resolve | Phase::Connect | Phase::Tls);
    is_early
        && !matches!(
            kind,
            FaultKind::Proxy | FaultKind::Timeout | FaultKind::Local
        )
}
