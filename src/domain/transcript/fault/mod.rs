//! Names the fault of a request from error messages, exit codes and times.

pub(super) mod curl;
pub(super) mod phrase;

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::pattern::pattern;
use super::time::with_unit;
use crate::model::observation::{FaultKind, Phase};

/// How far a request got before it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Whether any step of the connection was reported.
    pub(super) is_known: bool,
    pub(super) is_connected: bool,
    /// Whether the URL needs TLS.
    pub(super) uses_tls: bool,
    /// Whether the TLS handshake was completed.
    pub(super) is_secured: bool,
    pub(super) is_sent: bool,
    pub(super) is_answered: bool,
    /// Whether data was received without a status line, as in HTTP/0.9.
    pub(super) is_bare: bool,
    /// Whether the client runs on Windows.
    pub(super) is_windows: bool,
    /// The time that the request or the connection attempt took, if known.
    pub(super) time: Option<Duration>,
}

/// A fault that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) phase: Phase,
    pub(super) kind: FaultKind,
    /// Whether the text says so. Otherwise it is inferred from an ambiguous message.
    pub(super) is_stated: bool,
    /// Whether the connection failed for a reason that only the time may tell.
    pub(super) is_vague: bool,
    /// How general the message is; of several, the smallest counts.
    pub(super) rank: usize,
}

/// Maximum time of a refused connection. Windows repeats a refused SYN for 2 s.
const REFUSED: Duration = Duration::from_millis(2_900);
/// Linux reports an unreachable neighbor after three ARP requests, 1 s apart.
const NEIGHBOR: Duration = Duration::from_millis(3_500);
/// The time that Windows takes for each of two refused addresses, and the tolerance.
const REFUSED_TWICE: (Duration, Duration) =
    (Duration::from_millis(4_000), Duration::from_millis(4_600));

impl Progress {
    /// The phase in which the request stopped.
    pub(super) const fn phase(&self) -> Phase {
        if self.is_answered {
            Phase::Transfer
        } else if self.is_sent || self.is_secured {
            Phase::Processing
        } else if self.is_connected && self.uses_tls {
            Phase::Tls
        } else if self.is_known && !self.is_connected {
            Phase::Connect
        } else {
            Phase::Processing
        }
    }

    /// The phase of waiting for a response, or of receiving it.
    pub(super) const fn waiting(&self) -> Phase {
        if self.is_answered {
            Phase::Transfer
        } else {
            Phase::Processing
        }
    }

    /// The fault of a connection attempt that failed for a reason that is not stated.
    ///
    /// A refusal comes at once, an unanswered SYN takes 21 s on Windows, 75 s on macOS and
    /// 127 to 135 s on Linux.
    pub(super) fn unconnected(&self, rank: usize) -> Found {
        let (kind, is_stated) = match self.time {
            None => (FaultKind::ConnectionRefused, false),
            Some(time) if time < REFUSED => (FaultKind::ConnectionRefused, true),
            Some(time) if time < NEIGHBOR => (FaultKind::Unreachable, false),
            Some(time) if self.is_windows && (REFUSED_TWICE.0..REFUSED_TWICE.1).contains(&time) => {
                (FaultKind::ConnectionRefused, false)
            }
            Some(_) => (FaultKind::Timeout, true),
        };
        Found {
            phase: Phase::Connect,
            kind,
            is_stated,
            is_vague: true,
            rank,
        }
    }
}

/// The fault that a message of any program describes; `None` if it describes none.
pub(super) fn of_message(message: &str, progress: &Progress) -> Option<Found> {
    let said = phrase::said(message)?;
    if said.is_vague {
        return Some(progress.unconnected(said.rank));
    }
    let phase = match said.phase {
        None => progress.phase(),
        // An established connection stays so, whatever the words are.
        Some(Phase::Processing) if progress.is_known => match said.kind {
            FaultKind::Timeout | FaultKind::ConnectionClosed => progress.phase(),
            _ => progress.waiting(),
        },
        Some(Phase::Connect) if said.kind == FaultKind::Timeout && progress.is_connected => {
            progress.phase()
        }
        Some(phase) => phase,
    };
    Some(Found {
        phase,
        kind: said.kind,
        is_stated: true,
        is_vague: false,
        rank: said.rank,
    })
}

/// The time in a message: `after 21077 ms`, `timeout of 1000ms exceeded`, `(read timeout=1)`,
/// `timed out (2.0s)`.
pub(super) fn time_in(message: &str) -> Option<Duration> {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r"(?i)(?:after|timeout[ :=]+(?:of |value )?|timed out \(?)\s*(\d+(?:\.\d+)?\s?(?:ms|milliseconds?|secs?|seconds?|s)\b|\d+(?:\.\d+)?\))",
        )
    });
    let found = TIME.as_ref()?.captures(message)?;
    with_unit(found[1].trim_end_matches(')'))
}
