//! Recognizes lines that quote error messages without reporting a failure: changelogs, tables and
//! explanations of errors, passed tests, and sentences about errors that no longer occur.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use crate::domain::transcript::pattern::{MAX_LINE, pattern, pattern_set};

/// Expressions that match lines that quote error messages without reporting a failure.
const EXPRESSIONS: [&str; 10] = [
    // A passed test.
    r"^\s*(?:[\x{2713}\x{2714}\x{221a}\x{2705}]|ok \d+\b|--- PASS: |PASS(?:ED)?\b)",
    // An entry of a changelog, or the subject of a commit.
    r"^\W*(?:[0-9a-f]{7,40}\s+)?(?:fix|feat|chore|docs|refactor|perf|revert)(?:\([^)]{0,40}\))?!?:\s",
    r"(?i)^\s*[-*+\x{2022}]\s+(?:fix(?:e[sd])?|add(?:s|ed)?|handled?s?|supports?|improve[sd]?|remove[sd]?|bump(?:s|ed)?|prevent(?:s|ed)?|avoid(?:s|ed)?)\s",
    // A question about the meaning of an error, or an explanation of an error.
    r"(?i)\bwhat (?:does|do)\b.{1,300}\bmean\b|\bmeaning of\b",
    r#"["'`)\x{201d}]\s+means?\s"#,
    r"(?i)^\W*(?:if|when|whenever|in case)\s+you\s+(?:see|get|receive|encounter|hit|run into)\b.{1,300},",
    r"(?i)^\W*Q(?:uestion)?\s?\d*\s?[:.)]\s.*\?\s*$",
    r"curl: \(\d+\)\s*(?:=>?|->|\x{2192}|\x{2013}|\x{2014})\s",
    // A row of a table of errors.
    r"^\s*\|[^|]*(?:curl: \(\d|\bE(?:CONN|TIMEDOUT|NOTFOUND|PIPE|AI_)|\w(?:Error|Exception)\b)[^|]*\|[^|]+\|",
    // A statement that a failure was resolved.
    r"(?i)\b(?:error|issue|problem|failure|incident|bug)s?\b.{0,200}\b(?:is|are|was|were|has been|have been)\s(?:now |finally |all )?(?:gone|fixed|resolved|solved)\b",
];

/// The compiled expressions of [`EXPRESSIONS`].
static PROSE: LazyLock<RegexSet> = LazyLock::new(|| pattern_set(EXPRESSIONS, false));

/// Matches words that suggest that a line reports a failure: the failure persists ("still",
/// "again"), the author observed it ("I", "we get"), or a statement is restricted ("but", "until",
/// "unless").
static REPORTS: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)\b(?:still|again|but|until|unless|I|we get|we see)\b"));

/// Returns whether a line quotes an error message without reporting a failure. A line with a URL or
/// with a word that `REPORTS` matches counts as a report, as does a line longer than `MAX_LINE`.
pub(in crate::domain::transcript) fn is_prose(line: &str) -> bool {
    line.len() <= MAX_LINE
        && PROSE.is_match(line)
        && !line.contains("://")
        && !REPORTS.as_ref().is_some_and(|words| words.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_are_valid() {
        assert_eq!(PROSE.len(), EXPRESSIONS.len());
    }

    #[test]
    fn quoted_errors_are_prose() {
        for line in [
            "  \u{2713} rejects with Error: timeout of 50ms exceeded (52ms)",
            "ok 3 - throws Error: socket hang up",
            "fix(client): retry after ECONNRESET",
            "1a2b3c4d fix: Error: socket hang up",
            "* Fixed curl: (52) Empty reply from server",
            "Q: Why is there \"Error: read ECONNRESET\"?",
            "`curl: (35)` means a failed handshake",
            "If you see `curl: (60)`, install the CA.",
            "| ECONNREFUSED | nothing listens |",
            "curl: (6) = name, curl: (7) = connection",
            "The problem (curl: (52) Empty reply) was resolved by a restart.",
        ] {
            assert!(is_prose(line), "{line}");
        }
        for line in [
            "Error: connect ECONNREFUSED 10.0.0.1:80",
            "* Host x.example:443 was resolved.",
            "Why do I get curl: (7) Failed to connect?",
            "The error was fixed in 2.0 but we see curl: (52) Empty reply from server",
            "web_1 | Error: read ECONNRESET | pool 3 |",
            "If you run it, you get curl: (7)",
        ] {
            assert!(!is_prose(line), "{line}");
        }
    }
}
