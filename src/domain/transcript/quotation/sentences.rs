//! Finds the messages that a sentence is about: the sentence denies them, lists what to look for, or
//! explains when a program prints them.

use std::sync::LazyLock;

use regex::Regex;

use super::{AUTHOR, Lines, matches};
use crate::domain::transcript::pattern::pattern;

/// Captures a quoted part of a line that a negation precedes.
static DENIED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?x)(?i:\b(?:no|without|neither|nor|never|isn't|wasn't|aren't|weren't|no\slonger|not\sa|not\san|not\sany|not\sthe
        |(?:not|n't|cannot)\s(?:see|find|get|have|show|log|print|contain|mention|receive|be|match)(?:\s(?:a|an|any|the))?)
        (?:\s(?:more|longer|single|such|see|saw|get|got|of|line|message|error|errors|a|an|any)){0,3})
        \s(?:`[^`]+`|"[^"]+"|'[^']+'|\x{201c}[^\x{201d}]+\x{201d})"#,
    )
});

/// Matches the words of an error.
static ERROR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)refused|timed? ?out|reset|x509|certificate|\be(?:notfound|conn\w+|timedout|ai_again)|dial tcp|curl: \(|error|exception|upstream|handshake|\beof\b|hang up|resolve|closed|\b[45]\d\d\b|rate limit",
    )
});

/// Matches a sentence whose subject is a quoted message: it states what a program does with it.
static SUBJECT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?x)["'`\x{201d}.]\s(?:bodies\s|messages\s|lines\s|errors\s)?(?:
        (?:is|are|was|were)\s(?:now|no\slonger|only|always|never)\s(?:shown|logged|printed|returned|raised|thrown|handled|kept|mapped|treated|reported|replaced|retried|ignored|converted|displayed|caught|emitted)\b
        |(?:is|are)\s(?:shown|logged|printed|returned|raised|thrown|handled|mapped|treated|reported|replaced|displayed|emitted)\s(?:with|by|if|as)\b)"#,
    )
});

/// Matches the rest of a sentence whose subject is the message on the line above.
static PREDICATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\s*(?:is|are|was|were)\s(?:now |also |only |usually )?(?:printed|shown|logged|returned|raised|thrown|displayed|emitted|handled|reported|caught|written)\b",
    )
});

/// Matches the introduction of a list of messages to look for, and a sentence that denies such a
/// list.
static LIST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:look|search|check|grep|watch|scan)(?:ing)? for\b.{0,60}\b(?:these|following|messages?|errors?|lines?)\b.{0,30}:\s*$|\b(?:could|might|may|would) be (?:one|any) of (?:these|the following)\b.*:\s*$",
    )
});

/// Matches an introduction that shows a message to readers in general.
static READER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:if|when|whenever|once|as soon as)\s(?:you|the|a)\b.{1,200}\byou(?:'ll| will| may| might| can)? (?:see|get|receive|find)\b[^:]{0,60}:\s*$",
    )
});

/// Matches advice to readers in general.
static ADVICE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)^\W*(?:to (?:avoid|fix|solve|resolve|prevent|work around) (?:this|it|that)\b|(?:in this case|then),? (?:run|set|use|increase|check|make sure)\b)",
    )
});

/// Matches the announcement of a status page that an incident is over, or a description of an API.
static NOTICE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\W*(?:Resolved|Completed|Postmortem|RESOLVED)\s[-\x{2013}\x{2014}]\s|^\W*[\w. -]{1,40} docs?: ",
    )
});

/// Matches the failure of an assertion about a quoted text, which a test expects.
static ASSERTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?i)AssertionError.*\bexpected\s["'`].{12,}["'`]\sto\s(?:\w+\s)?(?:equal|eql|be|match|include|contain)\b|\b(?:must|should)(?: not)? (?:be|have been) (?:detected|rejected|thrown|raised|returned|reported|caught)\b"#,
    )
});

/// Marks the lines of sentences about messages.
pub(super) fn mark(lines: &mut Lines<'_>) {
    let has_author = lines.lines.iter().any(|line| matches(&AUTHOR, line));
    for index in 0..lines.lines.len() {
        let line = lines.lines[index];
        let is_subject = matches(&SUBJECT, line) && !matches(&AUTHOR, line);
        if is_denied(line) || is_subject || matches(&NOTICE, line) || matches(&ASSERTION, line) {
            lines.mark(index);
        } else if matches(&PREDICATE, line) && index > 0 {
            lines.mark(index - 1);
            lines.mark(index);
        } else if matches(&LIST, line) {
            lines.mark(index);
            lines.mark_while(index + 1, is_item);
        } else if !has_author && matches(&READER, line) && gives_advice(&lines.lines[index..]) {
            lines.mark(index);
            lines.mark_while(index + 1, |line| {
                line.trim().is_empty() || line.starts_with([' ', '\t', '`', '>'])
            });
        }
    }
}

/// Returns whether a line denies each error that it quotes.
fn is_denied(line: &str) -> bool {
    let Some(denied) = DENIED.as_ref().filter(|denied| denied.is_match(line)) else {
        return false;
    };
    let is_error = |text: &str| matches(&ERROR, text);
    let quotes_error = denied.find_iter(line).any(|found| is_error(found.as_str()));
    let rest = denied.replace_all(line, "");
    quotes_error && !is_error(&rest)
}

/// Returns whether a line is an item of a list, or empty.
fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(['-', '*', '+', '\u{2022}'])
        || line.starts_with(|first: char| first.is_ascii_digit())
}

/// Returns whether advice follows within a few lines.
fn gives_advice(lines: &[&str]) -> bool {
    lines.iter().take(8).any(|line| matches(&ADVICE, line))
}
