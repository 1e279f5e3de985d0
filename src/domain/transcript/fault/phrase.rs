//! Finds the kind of a fault in an error message of any program.
//!
//! The messages of curl, its TLS libraries, operating systems and the HTTP clients of many
//! languages are listed in `phrases.txt`.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::RegexSet;

use super::named::{self, Named};
use crate::domain::transcript::pattern::pattern_set;
use crate::model::observation::{FaultKind, Phase};

/// What an error message states about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::transcript) struct Statement {
    /// The phase; `None` if the progress of the request decides.
    pub(in crate::domain::transcript) phase: Option<Phase>,
    pub(in crate::domain::transcript) kind: FaultKind,
    /// Whether the message only states that the connection failed, not why. `kind` is then
    /// `ConnectionRefused`.
    pub(in crate::domain::transcript) is_vague: bool,
    /// Whether the message may also mean another kind of fault, for example because it does not
    /// state why a certificate is invalid.
    pub(in crate::domain::transcript) is_unclear: bool,
    /// The position of the phrase in the list. A lower rank is more specific.
    pub(in crate::domain::transcript) rank: usize,
}

/// The expressions of the phrase list, and for each expression what a matching message states.
struct Phrases {
    set: RegexSet,
    statements: Vec<Statement>,
}

/// The list of phrases: regular expressions, grouped by the phase and the kind of the fault. They
/// are in lower case, because expressions that ignore case are more expensive to compile.
const LIST: &str = include_str!("phrases.txt");

/// Maximum length in bytes of the part of a message that is examined.
const MAX_MESSAGE: usize = 4_000;

/// The parsed phrases of [`LIST`].
static PHRASES: LazyLock<Phrases> = LazyLock::new(|| {
    let mut statement = None;
    let (mut expressions, mut statements) = (Vec::new(), Vec::new());
    for line in LIST.lines() {
        if let Some(head) = line.strip_prefix('[') {
            statement = group(head.trim_end_matches(']'));
        } else if let Some(statement) =
            statement.filter(|_| !line.is_empty() && !line.starts_with('#'))
        {
            expressions.push(line);
            statements.push(Statement {
                rank: statements.len(),
                ..statement
            });
        }
    }
    let set = pattern_set(expressions, false);
    Phrases { set, statements }
});

fn group(head: &str) -> Option<Statement> {
    let (phase, kind) = head.split_once(' ')?;
    let is_vague = kind == "vague";
    let sure = kind.strip_suffix('?');
    let kind = if is_vague {
        FaultKind::ConnectionRefused
    } else {
        FaultKind::parse(sure.unwrap_or(kind))?
    };
    Some(Statement {
        phase: Phase::parse(phase),
        kind,
        is_vague,
        is_unclear: sure.is_some(),
        rank: 0,
    })
}

/// Returns what a message states about a fault: by a number, an atom or a sentence of `named`, or
/// else by the first phrase of the list that the message contains. Returns `None` if the message
/// contains none of these.
pub(in crate::domain::transcript) fn find_statement(message: &str) -> Option<Statement> {
    let message = message[..message.floor_char_boundary(MAX_MESSAGE)].to_lowercase();
    let message = without_urls(&message);
    if let Some(named) = named::of(&message) {
        return Some(statement_of_name(named));
    }
    let first = PHRASES.set.matches(&message).iter().next()?;
    PHRASES.statements.get(first).copied()
}

/// Returns whether a line names a fault by a number, an atom or a sentence that only error messages
/// contain.
pub(in crate::domain::transcript) fn is_named(line: &str) -> bool {
    let line = line[..line.floor_char_boundary(MAX_MESSAGE)].to_lowercase();
    named::of(&line).is_some()
}

/// Converts a fault that `named` found to a statement. The rank is that of the first phrase of the
/// list about the same kind of fault.
fn statement_of_name(named: Named) -> Statement {
    let mut statements = PHRASES.statements.iter();
    let same = statements.find(|statement| statement.kind == named.kind && !statement.is_vague);
    Statement {
        phase: Some(named.phase),
        kind: named.kind,
        is_vague: false,
        is_unclear: named.is_unclear,
        rank: same.map_or(PHRASES.statements.len(), |statement| statement.rank),
    }
}

/// Returns a message without the URLs in it, whose hosts, paths and queries may contain words of
/// the list, such as `?timeout=10s`.
fn without_urls(message: &str) -> Cow<'_, str> {
    const ENDS: [char; 12] = ['"', '\'', '<', '>', '`', ')', '(', ',', ';', '{', '}', '\\'];
    if !message.contains("://") && !message.contains("with url: /") {
        return Cow::Borrowed(message);
    }
    let mut kept = String::with_capacity(message.len());
    let mut rest = message;
    loop {
        let start = ["://", "with url: "]
            .iter()
            .filter_map(|mark| Some(rest.find(mark)? + mark.len()))
            .min();
        let Some(start) = start else { break };
        kept.push_str(&rest[..start]);
        let url = &rest[start..];
        let end = url.find(|letter: char| letter.is_whitespace() || ENDS.contains(&letter));
        // The punctuation after a URL belongs to the message.
        let url = url[..end.unwrap_or(url.len())].trim_end_matches([':', '.']);
        rest = &rest[start + url.len()..];
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_a_url_are_not_the_error() {
        for (message, expected) in [
            ("post \"https://a.example/x?timeout=10s\": eof", ": eof"),
            (
                "get https://timeout.example/refused: no such host",
                ": no such host",
            ),
            (
                "url: /a?timeout=1 (caused by x)",
                "url: /a?timeout=1 (caused by x)",
            ),
            (
                "with url: /a?timeout=1 (caused by x)",
                "with url:  (caused by x)",
            ),
        ] {
            let kept = without_urls(message);
            assert!(kept.ends_with(expected), "{kept}");
            assert!(!kept.contains("timeout.example"), "{kept}");
        }
    }

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
