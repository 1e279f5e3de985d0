//! Finds texts and sections that are documentation: reference pages, changelogs, messages of
//! commits, questions of a quiz, and the output of tests that passed.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::{AUTHOR, Lines, PROMPT, TIME, indent, matches};
use crate::domain::transcript::pattern::{pattern, pattern_set};

/// Maximum number of lines with text above the heading of a document.
const MAX_ABOVE: usize = 2;

/// Matches the heading of a document about errors or changes.
static HEADING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?ix)^\W*(?:troubleshooting(?:\sguide)?|(?:common|frequent|known|typical)\s(?:[\w/]+\s){0,2}(?:errors?|problems|issues|messages)(?:\sand\s\w+)?
        |faqs?|frequently\sasked\squestions|error\s(?:codes|messages|reference|catalog(?:ue)?)(?:\sreference)?|list\sof\serrors?
        |change\s?log|release\snotes|what'?s\s(?:new|changed)|history|news|runbook|glossary)\W*$",
    )
});

/// Matches a heading of Markdown that names an error.
static ERROR_HEADING: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^#{1,6}\s.*(?:[Ee]rror|Exception|\b[45]\d\d\b|\bE[A-Z]{5,})"));

/// Matches a sentence that explains an error in general.
static EXPLAINS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:indicates?|means?) that\b|\b(?:occurs|happens|appears|is returned|is shown) (?:when|if)\b",
    )
});

/// Matches the heading of a section with changes.
static FIXES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)^[\s#*=]*(?:bug ?fix(?:es)?|fix(?:es|ed)(?: (?:issues|bugs))?|(?:issues|bugs) fixed|resolved issues|fixed in [\w.]+)[\s:*=]*$",
    )
});

/// Matches the subject of a commit in the conventional form.
static SUBJECT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\s*(?:fix|feat|chore|docs|refactor|perf|revert|test|build|ci)(?:\([^)]{0,40}\))?!?:\s\w",
    )
});

/// Matches a question about messages in general.
static QUIZ: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:interview|quiz|exam|exercise) question\b|\bthe difference between\b|\b(?:what does|what do|explain) the following (?:\w+ )?(?:lines?|messages?|errors?)\b.*\btells?\b",
    )
});

/// Expressions that match the result of tests without a failure.
static PASSED: LazyLock<RegexSet> = LazyLock::new(|| {
    pattern_set(
        [
            r"^\s*\d+ (?:examples?|tests?|specs?|scenarios?|runs?)\b.*\b0 (?:failures?|failed)\b",
            r"^\s*=* ?\d+ passed\b",
            r"^ok\s+\S+\s+(?:\(cached\)|[\d.]+s)",
            r"^(?:PASS|--- PASS: .*)\s*$",
            r"^\s*Tests:\s+\d+ passed, \d+ total",
            r"^test result: ok\.",
            r"Tests run: \d+, Failures: 0, Errors: 0",
            r"^OK(?: \(\d+ tests?.*\))?\s*$",
            r"^\s*\d+ passing\b",
        ],
        false,
    )
});

/// Matches the result of a test or a step that failed.
static FAILED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\b[1-9]\d* (?:failed|failing|failures?|errors?)\b|^--- FAIL|^FAIL|\bFAILED\b|(?:Failures|Errors): [1-9]",
    )
});

/// Matches the head of an entry in a list of messages, which contains the name of an error.
static ENTRY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?:[Ee]rror|ERR_|Exception|\bE[A-Z]{5,}|\b[45]\d\d\b|refused|timed out|reset|certificate|curl: \()",
    )
});

/// Matches the line that separates the head of a table in Markdown from its rows.
static RULER: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\s*\|(?:\s?:?-{2,}:?\s?\|)+\s*$"));

/// Matches the head of a table that explains messages.
static TABLE_HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)^\s*\|.*\b(?:meaning|causes?|explanation|solution|fix|resolution|what to do|remedy|description)\b.*\|",
    )
});

/// Marks the texts and sections that are documentation.
pub(super) fn mark(lines: &mut Lines<'_>) {
    if is_document(lines) {
        lines.mark_while(0, |_| true);
        return;
    }
    for index in 0..lines.lines.len() {
        let line = lines.lines[index];
        if matches(&FIXES, line) {
            lines.mark(index);
            lines.mark_while(index + 1, |line| {
                line.trim_start()
                    .starts_with(['-', '*', '+', '\u{2022}', '='])
                    || indent(line) > 0
            });
        } else if matches(&RULER, line) && index > 0 && matches(&TABLE_HEAD, lines.lines[index - 1])
        {
            lines.mark_while(index - 1, |line| line.trim_start().starts_with('|'));
        }
    }
    mark_entries(lines);
}

/// Returns whether a text as a whole is documentation. A text with a command, a time or an author
/// reports what happened.
fn is_document(lines: &Lines<'_>) -> bool {
    let all = &lines.lines;
    let any =
        |expression: &LazyLock<Option<Regex>>| all.iter().any(|line| matches(expression, line));
    let has_passed = all.iter().any(|line| PASSED.is_match(line));
    if has_passed && !any(&FAILED) && !any(&PROMPT) {
        return true;
    }
    if any(&PROMPT) || any(&TIME) {
        return false;
    }
    if any(&QUIZ) {
        return true;
    }
    if any(&AUTHOR) {
        return false;
    }
    let texts = || all.iter().filter(|line| !line.trim().is_empty());
    let is_headed = texts().take(MAX_ABOVE).any(|line| matches(&HEADING, line));
    let headings = texts().filter(|line| matches(&ERROR_HEADING, line)).count();
    let is_reference = headings > 0 && any(&EXPLAINS);
    let is_commit =
        texts().next().is_some_and(|line| matches(&SUBJECT, line)) && texts().count() > 1;
    is_headed || is_reference || is_commit
}

/// Marks the entries of a list in which each message is followed by an indented explanation. A text
/// with a command, a time or an author has no such list: some programs indent the second line of
/// their message.
fn mark_entries(lines: &mut Lines<'_>) {
    let reports =
        |line: &&str| matches(&PROMPT, line) || matches(&TIME, line) || matches(&AUTHOR, line);
    if lines.lines.iter().any(reports) {
        return;
    }
    let is_head = |line: &str| {
        !line.starts_with([' ', '\t']) && !line.ends_with('.') && matches(&ENTRY, line)
    };
    let is_explanation = |line: &str| {
        let text = line.trim();
        let starts = text.starts_with(|first: char| first.is_ascii_uppercase());
        line.starts_with([' ', '\t']) && starts && text.ends_with('.') && text.contains(' ')
    };
    let heads: Vec<usize> = (1..lines.lines.len())
        .filter(|&at| is_head(lines.lines[at - 1]) && is_explanation(lines.lines[at]))
        .collect();
    if heads.len() > 1 {
        for at in heads {
            lines.mark(at - 1);
            lines.mark(at);
        }
    }
}
