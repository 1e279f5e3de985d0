//! Compiles the regular expressions for the formats of transcripts.

use regex::Regex;

/// Maximum length in bytes of a line that is searched with regular expressions.
pub(super) const MAX_LINE: usize = 8_192;

/// Compiles an expression. Replaces Unicode word boundaries by ASCII word boundaries, because the
/// lazy DFA of the crate `regex` cannot test Unicode ones in text that is not ASCII, and the
/// fallback is slow. Returns `None` for an invalid expression; the expressions are constants that
/// tests cover.
pub(super) fn pattern(expression: &str) -> Option<Regex> {
    Regex::new(&ascii_boundaries(expression)).ok()
}

/// Returns the expression with ASCII instead of Unicode word boundaries.
pub(super) fn ascii_boundaries(expression: &str) -> String {
    expression.replace(r"\b", r"(?-u:\b)")
}
