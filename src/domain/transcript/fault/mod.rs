//! Determines the fault of a request from error messages, exit codes and durations. `curl`
//! interprets curl's errors, and `phrase` finds known phrases in the messages of any program.
//! `named` finds faults that are named by an error number, an Erlang atom or a localized message of
//! Windows, `signs` finds out whether a line is about a request, and `other_protocol` whether it is
//! about another protocol than HTTP.

pub(super) mod curl;
mod host_only;
mod named;
mod openssl;
pub(super) mod other_protocol;
pub(super) mod phrase;
mod sentences;
pub(super) mod signs;

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::pattern::pattern;
use super::time::with_unit;
use crate::model::observation::{FaultKind, Phase};

/// How far a request got before it failed, and what else the text shows about the connection and
/// the client.
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
    /// How general the message is: the lower the rank, the more specific the message. Of several
    /// messages, the one with the lowest rank counts.
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
    /// The duration shows the reason. Up to [`REFUSED`], the connection was refused; up to
    /// [`NEIGHBOR`], the host is unreachable; on Windows, [`REFUSED_TWICE`] is the time of two
    /// refusals. After any other duration, the attempt timed out: after 21 s on Windows, 75 s on
    /// macOS, and 127 to 135 s on Linux. Without a duration, a refusal is assumed.
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
    let Some(statement) = phrase::find_statement(message) else {
        return host_only::find_fault(message);
    };
    if statement.is_vague {
        return Some(progress.unconnected(statement.rank));
    }
    let phase = match statement.phase {
        None => progress.phase(),
        // The reported progress of the connection takes precedence over the words of the message.
        Some(Phase::Processing) if progress.is_known => match statement.kind {
            FaultKind::Timeout | FaultKind::ConnectionClosed => progress.phase(),
            _ => progress.waiting(),
        },
        Some(Phase::Connect) if statement.kind == FaultKind::Timeout && progress.is_connected => {
            progress.phase()
        }
        Some(phase) => phase,
    };
    Some(Found {
        phase,
        kind: statement.kind,
        is_stated: !statement.is_unclear && !is_cut_off(message),
        is_vague: false,
        rank: statement.rank,
    })
}

/// Returns whether a message of urllib3 ends before the reason of the failure, which follows the
/// words `Caused by`. The name of the exception alone does not state the reason.
fn is_cut_off(message: &str) -> bool {
    message
        .split_once("Max retries exceeded with url: ")
        .and_then(|(_, rest)| Some(&rest[rest.rfind("(C")?..]))
        .is_some_and(|rest| "(Caused by ".starts_with(rest.trim_end()))
}

/// Returns the duration in a message, such as `after 21077 ms`, `timeout of 1000ms exceeded`,
/// `(read timeout=1)`, `timed out (2.0s)`, or `128.379ms` at the end; `None` if the message
/// contains no duration.
pub(super) fn time_in(message: &str) -> Option<Duration> {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r"(?i)(?:after|timeout[ :=]+(?:of |value )?|timed out \(?)\s*(\d+(?:\.\d+)?\s?(?:ms|milliseconds?|secs?|seconds?|s)\b|\d+(?:\.\d+)?\))",
        )
    });
    let mut stated = TIME.as_ref()?.captures_iter(message).take(MAX_TIMES);
    let stated = stated.find(|found| {
        let start = found.get(0).map_or(0, |found| found.start());
        !is_in_url(&message[..start]) && !is_pause(&message[start..], &message[..start])
    });
    stated.map_or_else(
        || time_at_end(message),
        |found| with_unit(found[1].trim_end_matches(')')),
    )
}

/// Maximum number of durations that are examined in a message.
const MAX_TIMES: usize = 8;

/// Returns whether a text ends inside a URL. For example, the text before `timeout=10s` in
/// `https://x/?timeout=10s` does.
fn is_in_url(before: &str) -> bool {
    let separators = |letter: char| letter.is_whitespace() || "\"'`<>()".contains(letter);
    let word = before.rsplit(separators).next().unwrap_or_default();
    word.contains("://") || word.contains('?') || word.starts_with('/')
}

/// Returns whether a duration is the pause before the next attempt, as in `retrying after 30s`.
/// `duration` is the text from the duration on, which may start with `after`; `before` is the text
/// before the duration.
fn is_pause(duration: &str, before: &str) -> bool {
    static PAUSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r"(?i)\b(?:retry|retries|retrying|retried|again|reconnect|reconnecting|back(?:ing)?[ -]?off|sleep|sleeping|wait|waiting|next attempt|resume|resuming|restart|restarting)(?: (?:again|automatically|it|only))?\s*$",
        )
    });
    let starts = duration
        .get(..5)
        .is_some_and(|word| word.eq_ignore_ascii_case("after"));
    starts && PAUSE.as_ref().is_some_and(|pause| pause.is_match(before))
}

/// Parts of words that precede the length of a client's pause between two attempts. This pause is
/// not the duration of the request.
const PAUSES: [&str; 7] = ["retr", "back", "sleep", "wait", "again", "interval", "next"];

/// Number of bytes before a duration that are searched for a word of [`PAUSES`].
const NEAR: usize = 40;

/// Returns the duration at the end of a message, as Go and OkHttp print it. Seconds and
/// microseconds count only with a fraction, unlike milliseconds. Returns `None` if the message does
/// not end with a duration, or if the duration is that of a pause (see [`PAUSES`]).
fn time_at_end(message: &str) -> Option<Duration> {
    static END: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(r"(?:^|[\s(])(\d+(?:\.\d+)?ms|\d+\.\d+(?:s|\x{b5}s|\x{3bc}s))\)?[^\w]*$")
    });
    let found = END.as_ref()?.captures(message)?;
    let before = &message[..found.get(0)?.start()];
    let near = before.floor_char_boundary(before.len().saturating_sub(NEAR));
    let near = before[near..].to_lowercase();
    let is_pause = PAUSES.iter().any(|word| near.contains(word));
    with_unit(&found[1]).filter(|_| !is_pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_duration_in_a_message_is_found() {
        for (message, expected) in [
            ("Connection timed out after 3001 milliseconds", Some(3.001)),
            ("Read timed out. (read timeout=5)", Some(5.0)),
            ("timeout of 1000ms exceeded", Some(1.0)),
            (
                "Get \"https://x.example/a?timeout=10s\": dial tcp: refused",
                None,
            ),
            ("with url: /a?read_timeout=10s (Caused by x)", None),
            (
                "Get \"https://x.example/?timeout=10s\": timed out after 2.5 s",
                Some(2.5),
            ),
            (
                "Get \"https://x.example/\": connection_refused 128.5ms",
                Some(0.1285),
            ),
            ("HTTP FAILED: timeout (6039ms)", Some(6.039)),
            ("connection refused, retrying in 1.5s", None),
            ("connection refused: exit 1", None),
            ("connection refused; retrying after 30s", None),
            ("refused, will retry again after 30 seconds", None),
            ("Retry failed: timed out after 2.5 s", Some(2.5)),
        ] {
            let found = time_in(message).map(|time| time.as_secs_f64());
            let is_close = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(is_close, "{message}: {found:?}");
        }
    }
}
