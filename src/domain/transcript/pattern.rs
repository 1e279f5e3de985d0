//! Compiles the regular expressions for the formats of transcripts.

use regex::{Regex, RegexSet, RegexSetBuilder};

/// Maximum length in bytes of a line that is searched with regular expressions.
pub(super) const MAX_LINE: usize = 8_192;

/// Matches the name of a host, which may contain letters that are not ASCII. Excludes the Unicode
/// block General Punctuation, which contains typographic quotes. Do not use it inside `(?i)`: with
/// this flag, such a large class compiles slowly.
pub(super) const HOST_NAME: &str = r"[\w.\-[^\x00-\x{A0}\x{2000}-\x{206F}]]+";

/// Compiles an expression, in which words, digits and word boundaries are ASCII (see
/// [`ascii_words`]). Returns `None` for an invalid expression; the expressions are constants that
/// tests cover.
pub(super) fn pattern(expression: &str) -> Option<Regex> {
    Regex::new(&ascii_words(expression)).ok()
}

/// Compiles expressions as [`pattern`] does. `ignores_case` is whether they match upper and lower
/// case alike. Returns an empty set if an expression is invalid.
pub(super) fn pattern_set(
    expressions: impl IntoIterator<Item: AsRef<str>>,
    ignores_case: bool,
) -> RegexSet {
    let expressions = expressions.into_iter();
    RegexSetBuilder::new(expressions.map(|one| ascii_words(one.as_ref())))
        .case_insensitive(ignores_case)
        .build()
        .unwrap_or_default()
}

/// Returns the expression with ASCII instead of Unicode words, digits and word boundaries.
///
/// The lazy DFA of the crate `regex` cannot test Unicode word boundaries in text that is not ASCII,
/// and the fallback is slow. The Unicode classes have hundreds of ranges, so an expression with
/// several of them takes long to compile.
fn ascii_words(expression: &str) -> String {
    expression
        .replace(r"\b", r"(?-u:\b)")
        .replace(r"\w", "[0-9A-Za-z_]")
        .replace(r"\W", "[^0-9A-Za-z_]")
        .replace(r"\d", "[0-9]")
}
