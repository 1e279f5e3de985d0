//! Compiles the regular expressions of the dialects.

use regex::Regex;

/// Compiles an expression. Word boundaries are those of ASCII, because the automaton cannot
/// test others in text that is not ASCII, and the fallback is slow. The expressions are
/// constants that the tests cover; an invalid one matches nothing.
pub(super) fn pattern(expression: &str) -> Option<Regex> {
    Regex::new(&ascii_boundaries(expression)).ok()
}

/// An expression with the word boundaries of ASCII.
pub(super) fn ascii_boundaries(expression: &str) -> String {
    expression.replace(r"\b", r"(?-u:\b)")
}
