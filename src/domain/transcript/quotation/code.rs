//! Finds source code, diffs, configuration and the output of commands that print files.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::{Lines, PROMPT, indent, matches};
use crate::domain::transcript::pattern::{pattern, pattern_set};

/// Maximum number of lines of one block of code.
const MAX_BLOCK: usize = 200;

/// Expressions that match lines that start a block of code or are a statement.
static CODE: LazyLock<RegexSet> = LazyLock::new(|| {
    let start = r"^\s*(?:(?:export|pub|public|private|protected|internal|static|final|async|default|abstract)\s+)*";
    let expressions = [
        r#"(?:const|let|var|val|type)\s+[\w.:<>\[\]&', *]+=\s*(?:[\w.&*\[\]<>]*[{(\[]|["'`]|new\s|$)"#,
        r"(?:func|fn|def|function)\b[^:]{0,200}\(.*[{:=>]\s*$|def\s+\w+[?!]?\s*$",
        r"(?:class|interface|enum|struct|impl|trait|module)\s+\w[\w\s(),.<>:]*[{:]\s*$",
        r"#define\s+\w+\s",
        r#"case\s+[^:]{1,60}:\s*return\b"#,
        r"rescue\s+[A-Z][\w:, ]*(?:=>\s*\w+)?\s*$",
        r#"return\s+(?:\w+\()*[f]?["'`].*["'`]\)*;?\s*$"#,
        r#"(?:describe|it|test|context|specify)\s*\(?\s*["'`].*(?:\{|\bdo)\s*$"#,
        r"with\s+(?:pytest|self|assert)[\w.]*\(.*:\s*$",
        r"(?:try|finally)\s*\{\s*$|(?:match|switch)\s.*\{\s*$",
        r"(?:\}\s*)?(?:else\s+)?(?:if|for|while|catch)\s*\(.*\{\s*$",
        r#"\w+\s*:?=\s*(?:\[|\{|\(|new\s)\s*$"#,
        r#"#\s*\w+(?:\.\w+)+\s*==\s*["']"#,
    ];
    let all = expressions.map(|expression| format!("{start}(?:{expression})"));
    pattern_set(all, false)
});

/// Matches a line after which a block follows.
static OPENS: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?:[{(\[:=,>]|\bdo|^\s*rescue\b.*|^\s*def\b.*)\s*$"));

/// Matches a line that ends a block, or starts its next part.
static CLOSES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^\s*(?:[})\]]+[\w(){}\]., ;:]*|end|else|finally|ensure)\b?[;,:{]?\s*$")
});

/// Matches a command that prints a document or source code. The output of a command that prints a
/// log is not quoted.
static PRINTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?x)^\s{0,4}(?:[$%\x{276f}\x{279c}]|[\w.-]+@[\w.-]+[:\ ][^\ ]*\ ?[$\#%])\ +(?:
        (?:cat|bat|less|more|head|tail|sed|nl)\b[^|>]*(?:\.(?:md|rst|adoc|go|rs|py|rb|js|ts|tsx|java|kt|php|cs|c|h|cc|cpp|scala|vcl|conf|tf)|README\w*|CHANGELOG\w*|\bdocs?/\S+)\b[^|>]*$
        |man\s|tldr\s|git\s(?:log|show|diff|blame|grep)\b
        |(?:grep|egrep|rg|ag|ack)\s.*(?:\bsrc\b|\blib\b|\bdocs?\b|\btests?\b|\.(?:go|rs|py|rb|js|ts|java|md)\b|\s\.\s*$|--include))",
    )
});

/// Matches the start of a diff or of one of its parts.
static DIFF: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^(?:diff --git |@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@|--- a/|\+\+\+ b/)")
});

/// Matches the start of a commit in a log of Git.
static COMMIT: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"^commit [0-9a-f]{7,40}\b"));

/// Expressions that match a line of configuration that sets the text of a response, or the page or
/// file that is sent as a response.
static SETTING: LazyLock<RegexSet> = LazyLock::new(|| {
    pattern_set(
        [
            r"^\s*(?:inline_string|errorfile|error_page|ErrorDocument|errordoc|MessageBody|fallback_body)\b",
            r"^\s*return\s[1-5]\d\d\b.*;\s*$",
            r#"\bsynth\([1-5]\d\d,|^\s*error\s[1-5]\d\d\s""#,
            r"^\s*(?:http-request|http-response)\s(?:return|deny)\b",
        ],
        false,
    )
});

/// Matches the key of the responses in a description of an API.
static RESPONSES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^\s*(?:responses|examples?|local_reply_config|direct_response):\s*$")
});

/// Matches a comment with the name of a file of which the text is below.
static NAMED_FILE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\s*(?:#|//)\s*\S+\.(?:http|html|md|vcl|tpl)\s*:?\s*$"));

/// Matches a translated text: its key has a namespace.
static TRANSLATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?i)^\s*["']?(?:\w+\.)*(?:errors?|messages?|i18n|labels?|strings?|texts?)\.[\w.]+["']?\s*[:=]\s*["']?\S"#,
    )
});

/// Minimum number of translated texts in a file of translations.
const MIN_TRANSLATIONS: usize = 2;

/// Marks the lines that are source code, a diff or configuration.
pub(super) fn mark(lines: &mut Lines<'_>) {
    mark_translations(lines);
    let mut index = 0;
    while index < lines.lines.len() {
        index = mark_at(lines, index).max(index + 1);
    }
}

/// Marks the block that starts at a line. Returns the number of the line after the start of the
/// block at which the search continues.
fn mark_at(lines: &mut Lines<'_>, index: usize) -> usize {
    let line = lines.lines[index];
    let is_prompt = |line: &str| matches(&PROMPT, line);
    if matches(&PRINTS, line) {
        lines.mark(index);
        lines.mark_while(index + 1, |line| !is_prompt(line));
    } else if matches(&DIFF, line) {
        lines.mark_while(index, |line| {
            line.starts_with(['+', '-', ' ', '@', '\\']) || starts_diff(line)
        });
    } else if matches(&COMMIT, line) {
        lines.mark(index);
        lines.mark_while(index + 1, |line| {
            line.trim().is_empty()
                || line.starts_with([' ', '\t'])
                || ["Author", "Date", "Commit", "Merge"]
                    .iter()
                    .any(|word| line.starts_with(word))
        });
    } else if matches(&NAMED_FILE, line) {
        lines.mark(index);
        lines.mark_while(index + 1, |line| !is_prompt(line) && !line.starts_with('#'));
    } else if matches(&RESPONSES, line) {
        lines.mark(index);
        let depth = indent(line);
        lines.mark_while(index + 1, |line| {
            line.trim().is_empty() || indent(line) > depth
        });
    } else if SETTING.is_match(line) {
        lines.mark(index);
    } else if CODE.is_match(line) {
        return mark_block(lines, index);
    }
    index + 1
}

fn starts_diff(line: &str) -> bool {
    line.starts_with("diff --git ") || line.starts_with("index ")
}

/// Marks a statement and, if it opens a block, the lines of the block: these are indented further
/// than the statement, or close the block.
fn mark_block(lines: &mut Lines<'_>, index: usize) -> usize {
    let line = lines.lines[index];
    lines.mark(index);
    if !matches(&OPENS, line) {
        return index + 1;
    }
    let depth = indent(line);
    let end = lines.lines.len().min(index + MAX_BLOCK);
    let mut last = index;
    for (at, inner) in lines.lines.iter().enumerate().take(end).skip(index + 1) {
        let closes = indent(inner) == depth && matches(&CLOSES, inner);
        if !inner.trim().is_empty() {
            if indent(inner) <= depth && !closes || matches(&PROMPT, inner) {
                break;
            }
            last = at;
        }
        if closes && !matches(&OPENS, inner) {
            break;
        }
    }
    for at in index..=last {
        lines.mark(at);
    }
    last + 1
}

/// Marks a file of translations.
fn mark_translations(lines: &mut Lines<'_>) {
    let is_translation = |line: &&&str| matches(&TRANSLATION, line);
    if lines.lines.iter().filter(is_translation).count() < MIN_TRANSLATIONS {
        return;
    }
    for index in 0..lines.lines.len() {
        let line = lines.lines[index].trim();
        if matches(&TRANSLATION, line) || matches!(line, "{" | "}" | "},") {
            lines.mark(index);
        }
    }
}
