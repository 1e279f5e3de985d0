//! Finds the lines that quote error messages instead of reporting a failure, where the lines around
//! them show it: source code, diffs, documentation, changelogs, passed tests and negations.
//!
//! `code` finds source code and configuration, `documents` finds whole texts that are documentation,
//! and `sentences` finds the lines of sentences about a message. `clients::prose` recognizes the
//! lines that show by themselves that they quote.

mod code;
mod documents;
mod sentences;

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::pattern::{MAX_LINE, pattern};

/// Maximum length in bytes of a text that is searched for quotations. A longer text is a log.
const MAX_TEXT: usize = 256 * 1024;

/// Matches a shell prompt and its command.
static PROMPT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^\s{0,4}(?:[$%\x{276f}\x{279c}]|[\w.-]+@[\w.-]+[: ][^ ]* ?[$#%]) +\w")
});

/// Matches a time of day or a date, as in the line of a log.
static TIME: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\b\d\d:\d\d:\d\d\b|\b\d{4}[-/]\d\d[-/]\d\d[T ]\d"));

/// Matches words of an author who reports what happened to them.
static AUTHOR: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\b(?:I|I'm|I've|[Mm]y|[Ww]e|[Oo]ur|me)\b"));

/// The lines of a text, each with whether it quotes a message.
struct Lines<'a> {
    lines: Vec<&'a str>,
    quoted: Vec<bool>,
}

impl Lines<'_> {
    /// Marks a line as a quotation.
    fn mark(&mut self, index: usize) {
        if let Some(quoted) = self.quoted.get_mut(index) {
            *quoted = true;
        }
    }

    /// Marks the lines from `start` as long as `belongs` returns true for them.
    fn mark_while(&mut self, start: usize, belongs: impl Fn(&str) -> bool) {
        for index in start..self.lines.len() {
            if !belongs(self.lines[index]) {
                return;
            }
            self.mark(index);
        }
    }
}

/// Returns for each line of a text whether it quotes a message instead of reporting a failure. The
/// result is empty if the text is too long to be searched.
pub(super) fn quoted_lines(text: &str) -> Vec<bool> {
    if text.len() > MAX_TEXT {
        return Vec::new();
    }
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| if line.len() > MAX_LINE { "" } else { line })
        .collect();
    let quoted = vec![false; lines.len()];
    let mut lines = Lines { lines, quoted };
    documents::mark(&mut lines);
    code::mark(&mut lines);
    sentences::mark(&mut lines);
    lines.quoted
}

fn matches(expression: &LazyLock<Option<Regex>>, line: &str) -> bool {
    expression.as_ref().is_some_and(|it| it.is_match(line))
}

/// Returns the number of characters by which a line is indented.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that each line whose first character is `!` is a quotation and that no other line
    /// with text is. The character is removed first.
    fn check(text: &str) {
        let bare: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix('!').unwrap_or(line))
            .collect();
        let found = quoted_lines(&bare.join("\n"));
        for ((line, bare), found) in text.lines().zip(&bare).zip(found) {
            let is_empty = bare.trim().is_empty();
            assert!(
                is_empty || found == line.starts_with('!'),
                "{line}\nin {text}"
            );
        }
    }

    #[test]
    fn source_code_and_configuration_are_quotations() {
        for text in [
            "!const gone = \"no healthy upstream\"\n\n!var known = map[string]string{\n!\t\"socket hang up\": \"node\",\n!}\ncurl: (7) Failed",
            "!def fails(self):\n!    error = ClientError({}, 'GetObject')\n\n!    raise error\nError: socket hang up",
            "!rescue Faraday::Error => e\n!  # getaddrinfo: Name or service not known\n!end\n",
            "!#define GONE \"Connection reset by peer\"\n!    case 104: return \"Connection reset by peer\";",
            "!diff --git a/x b/x\n!@@ -1,2 +1,2 @@\n!-socket hang up\n!+read ECONNRESET\nError: socket hang up",
            "!$ grep -rn refused src\n!src/a.go:4:\tdial tcp 10.0.0.1:80: connect: connection refused\n$ curl x",
            "!$ cat docs/faq.md\n!no healthy upstream\n$ curl x\nno healthy upstream",
            "!responses:\n!  '503':\n!    example: no healthy upstream\nno healthy upstream",
        ] {
            check(text);
        }
    }

    #[test]
    fn documentation_is_a_quotation() {
        for text in [
            "!# Troubleshooting\n\n!no healthy upstream: there is no endpoint",
            "!Changelog\n!=====\n!- socket hang up",
            "# Bug\n!## Bug fixes\n!- socket hang up\n\nI see curl: (7) Failed",
            "!  raises Net::ReadTimeout\n!2 examples, 0 failures",
            "!commit 4f2a9be\n!Author: A <a@x.example>\n\n!    curl: (56) Recv failure\ncurl: (7) Failed",
            "!net::ERR_CONNECTION_REFUSED\n!    The service does not listen.\n!net::ERR_CERT_DATE_INVALID\n!    The certificate has expired.",
        ] {
            check(text);
        }
    }

    #[test]
    fn sentences_about_messages_are_quotations() {
        for text in [
            "!There is no `dial tcp 10.0.0.7:80: connect: connection refused` in the log.",
            "!   curl: (56) Recv failure: Connection reset by peer\n!      is printed if the peer closes early.",
            "!Since 1.9 `curl: (7) Failed to connect` is now shown as a hint.",
            "!Please look for one of these:\n!- x509: certificate has expired\n!- socket hang up\nThe page is blank.",
            "!Resolved - Some users saw \"Application error\".",
        ] {
            check(text);
        }
    }

    #[test]
    fn reports_are_not_quotations() {
        for text in [
            "I have this code:\nThen I get Error: connect ECONNREFUSED 127.0.0.1:80",
            "let me show the error:\n    Error: connect ECONNREFUSED 10.0.0.1:80",
            "It does not work: \"curl: (7) Failed to connect to x port 80: Connection refused\"",
            "No 'Access-Control-Allow-Origin' header: net::ERR_CONNECTION_REFUSED",
            "no endpoints available for service \"hook\"",
            "Randomly one of these errors:\n- socket hang up\n- read ECONNRESET",
            "FAILED tests/test_a.py - ConnectionError\n1 failed, 3 passed in 0.2s",
            "Error: connect ECONNREFUSED 127.0.0.1:80\n    at TCPConnectWrap.afterConnect [as oncomplete]",
        ] {
            check(text);
        }
    }
}
