//! Finds the kind of a fault in an error message of any program.
//!
//! The messages of curl, its TLS libraries, operating systems and the HTTP clients of many
//! languages are listed in `phrases.txt`.

use std::sync::LazyLock;

use regex::RegexSet;

use crate::domain::transcript::pattern::ascii_words;
use crate::model::observation::{FaultKind, Phase};

/// What an error message states about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::transcript) struct Said {
    /// The phase; `None` if the progress of the request decides.
    pub(in crate::domain::transcript) phase: Option<Phase>,
    pub(in crate::domain::transcript) kind: FaultKind,
    /// Whether the message only states that the connection failed, not why.
    pub(in crate::domain::transcript) is_vague: bool,
    /// Whether the message leaves another kind of fault possible, such as an invalid certificate
    /// without the reason.
    pub(in crate::domain::transcript) is_unclear: bool,
    /// The position of the phrase in the list. A lower rank is more specific.
    pub(in crate::domain::transcript) rank: usize,
}

/// The expressions of the phrase list, and for each expression what a matching message states.
struct Phrases {
    set: RegexSet,
    says: Vec<Said>,
}

/// The list of phrases: regular expressions in lower case, which is cheaper to compile than
/// expressions that ignore case. They are grouped by the phase and the kind of the fault.
const LIST: &str = include_str!("phrases.txt");

/// Maximum length in bytes of the part of a message that is examined.
const MAX_MESSAGE: usize = 4_000;

/// The parsed phrases of [`LIST`].
static PHRASES: LazyLock<Phrases> = LazyLock::new(|| {
    let mut said = None;
    let (mut expressions, mut says) = (Vec::new(), Vec::new());
    for line in LIST.lines() {
        if let Some(head) = line.strip_prefix('[') {
            said = group(head.trim_end_matches(']'));
        } else if let Some(said) = said.filter(|_| !line.is_empty() && !line.starts_with('#')) {
            expressions.push(ascii_words(line));
            says.push(Said {
                rank: says.len(),
                ..said
            });
        }
    }
    let set = RegexSet::new(expressions).unwrap_or_default();
    Phrases { set, says }
});

fn group(head: &str) -> Option<Said> {
    let (phase, kind) = head.split_once(' ')?;
    let is_vague = kind == "vague";
    let sure = kind.strip_suffix('?');
    let kind = if is_vague {
        FaultKind::ConnectionRefused
    } else {
        FaultKind::parse(sure.unwrap_or(kind))?
    };
    Some(Said {
        phase: Phase::parse(phase),
        kind,
        is_vague,
        is_unclear: sure.is_some(),
        rank: 0,
    })
}

/// Returns what a message states about a fault, by the first phrase of the list that it contains.
/// Returns `None` if the message contains no phrase of the list.
pub(in crate::domain::transcript) fn said(message: &str) -> Option<Said> {
    let message = message[..message.floor_char_boundary(MAX_MESSAGE)].to_lowercase();
    let first = PHRASES.set.matches(&message).iter().next()?;
    PHRASES.says.get(first).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete() {
        let expected = LIST
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(['#', '[']))
            .count();
        assert_eq!(PHRASES.set.len(), expected);
        let phrases = LIST.lines().filter(|line| !line.starts_with(['#', '[']));
        for phrase in phrases.map(|line| line.replace(r"\S", "")) {
            assert_eq!(phrase, phrase.to_lowercase());
        }
        for line in LIST.lines().filter_map(|line| line.strip_prefix('[')) {
            let head = line.trim_end_matches(']');
            assert!(group(head).is_some(), "{head}");
            assert!(
                head.starts_with("any ") || group(head).unwrap().phase.is_some(),
                "{head}"
            );
        }
    }
}
