//! Determines the fault of a request from error messages, exit codes and durations. `curl`
//! interprets curl's errors, and `phrase` finds known phrases in the messages of any program.

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
    /// Whether the request uses TLS.
    pub(super) uses_tls: bool,
    /// Whether the TLS handshake was completed.
    pub(super) is_secured: bool,
    pub(super) is_sent: bool,
    pub(super) is_answered: bool,
    /// Whether data was received without a status line, as in HTTP/0.9.
    pub(super) is_bare: bool,
    /// Whether the client runs on Windows.
    pub(super) is_windows: bool,
    /// The duration of the request or the connection attempt, if known.
    pub(super) time: Option<Duration>,
}

/// A fault that was found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) phase: Phase,
    pub(super) kind: FaultKind,
    /// Whether the text states the fault. Otherwise the fault is inferred from an ambiguous
    /// message.
    pub(super) is_stated: bool,
    /// Whether the message only states that the connection failed. The duration then determines the
    /// kind of fault.
    pub(super) is_vague: bool,
    /// How general the message is. Of several messages, the one with the lowest rank counts.
    pub(super) rank: usize,
}

/// Maximum duration of a connection attempt that counts as refused. Windows reports a refused
/// connection only after about 2 s, because it repeats the SYN.
const REFUSED: Duration = Duration::from_millis(2_900);
/// Maximum duration of a connection attempt whose host counts as unreachable. Linux reports an
/// unreachable neighbor after three ARP requests, 1 s apart.
const NEIGHBOR: Duration = Duration::from_millis(3_500);
/// The range of the time that Windows needs to try two addresses that both refuse the connection.
const REFUSED_TWICE: (Duration, Duration) =
    (Duration::from_millis(4_000), Duration::from_millis(4_600));

impl Progress {
    /// Returns the phase in which the request stopped.
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

    /// Returns the phase of waiting for a response or, after its start, of receiving it.
    pub(super) const fn waiting(&self) -> Phase {
        if self.is_answered {
            Phase::Transfer
        } else {
            Phase::Processing
        }
    }

    /// Returns the fault of a failed connection attempt whose reason is not stated.
    ///
    /// The duration shows the reason. A refusal arrives at once. An unanswered SYN times out after
    /// 21 s on Windows, 75 s on macOS and 127 to 135 s on Linux. Without a duration, a refusal is
    /// assumed.
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

/// Returns the fault that an error message of any program describes; `None` if the message
/// describes no fault.
pub(super) fn of_message(message: &str, progress: &Progress) -> Option<Found> {
    let said = phrase::said(message)?;
    if said.is_vague {
        return Some(progress.unconnected(said.rank));
    }
    let phase = match said.phase {
        None => progress.phase(),
        // The reported progress of the connection takes precedence over the words of the message.
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
        is_stated: !said.is_unclear,
        is_vague: false,
        rank: said.rank,
    })
}

/// Returns the duration in a message, such as `after 21077 ms`, `timeout of 1000ms exceeded`,
/// `(read timeout=1)` or `timed out (2.0s)`; `None` if the message contains no duration.
pub(super) fn time_in(message: &str) -> Option<Duration> {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r"(?i)(?:after|timeout[ :=]+(?:of |value )?|timed out \(?)\s*(\d+(?:\.\d+)?\s?(?:ms|milliseconds?|secs?|seconds?|s)\b|\d+(?:\.\d+)?\))",
        )
    });
    let found = TIME.as_ref()?.captures(message)?;
    with_unit(found[1].trim_end_matches(')'))
}
