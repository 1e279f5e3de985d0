//! Compiles the regular expressions for the formats of transcripts.

use regex::Regex;

/// Compiles an expression with ASCII word boundaries. The automaton of the crate `regex` cannot
/// test Unicode word boundaries in text that is not ASCII, and its fallback is slow. Returns `None`
/// for an invalid expression; the expressions are constants that tests cover.
pub(super) fn pattern(expression: &str) -> Option<Regex> {
    Regex::new(&ascii_boundaries(expression)).ok()
}

/// Returns the expression with ASCII word boundaries.
pub(super) fn ascii_boundaries(expression: &str) -> String {
    expression.replace(r"\b", r"(?-u:\b)")
}
