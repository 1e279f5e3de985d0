//! Splits lines that contain both a body and other output, and recognizes shell prompts.

use std::sync::LazyLock;

use regex::Regex;

use super::exchange::Section;
use super::pattern::pattern;

/// Splits a line in which a body is followed by a message of curl or a prompt, or a message of curl
/// by a body, without a line end. Returns the two parts; for other lines, `None` and the line.
/// Outside of a body, text before an error message of curl is discarded.
pub(super) fn split_glued(line: &str, section: Section) -> (Option<&str>, &str) {
    const GLUED: [&str; 6] = [
        "* Connection #",
        "* Closing connection",
        "* transfer closed",
        "* Excess found",
        "* we are done reading",
        "curl: (",
    ];
    if let Some(at) = line.find("left intact").map(|at| at + "left intact".len())
        && line.starts_with('*')
        && line[at..].starts_with(['{', '[', '<', '*'])
    {
        return (Some(&line[..at]), &line[at..]);
    }
    let marks = GLUED.iter().filter_map(|mark| line.find(mark));
    let at = marks.chain(glued_prompt(line)).min();
    match at {
        Some(at) if at > 0 && section == Section::Body => (Some(&line[..at]), &line[at..]),
        Some(at) if at > 0 && line[at..].starts_with("curl: (") => (None, &line[at..]),
        _ => (None, line),
    }
}

/// Returns the byte offset of a shell prompt that follows the end of a body on the same line;
/// `None` if there is no such prompt.
fn glued_prompt(line: &str) -> Option<usize> {
    static PROMPT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r"[}\]>](?:\([\w.-]+\) ?)?([\w.-]+@[\w.-]+[: ][^ ]* ?[$#%](?: |$)|\[[\w.-]+@[\w.-]+ [^ \]]+\][$#](?: |$)|PS [A-Z]:\\)",
        )
    });
    let is_body = line.starts_with(['{', '[', '<', '}', ']']);
    let found = PROMPT.as_ref().filter(|_| is_body)?.captures(line)?;
    Some(found.get(1)?.start())
}

/// Returns whether a line is a shell prompt, with or without a command after it.
pub(super) fn is_prompt(line: &str) -> bool {
    let line = line.trim_end();
    let starts = ["$ ", "PS C:\\", "\u{276f} ", "\u{279c} "];
    matches!(line, "$" | "#" | "%" | ">" | "~ $")
        || starts.iter().any(|start| line.starts_with(start))
        || (line.len() < 200
            && line.contains('@')
            && line.ends_with(['$', '#', '%'])
            && !line.starts_with(['{', '<', '}', ']']))
        || (line.contains('@')
            && line
                .find("$ ")
                .is_some_and(|at| !line[..at].contains([' ', '{', '<'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_after_a_body_is_split_off() {
        for (line, expected) in [
            ("{\"a\":1}ops@bastion:~$ ", Some("{\"a\":1}")),
            ("{\"a\":1}[ops@bastion ~]$ ls", Some("{\"a\":1}")),
            ("</html>(env) ops@host:/srv/app# ", Some("</html>(env) ")),
            ("{\"a\":1}ops@mac ~ % ", Some("{\"a\":1}")),
            ("{\"a\":1}PS C:\\> ", Some("{\"a\":1}")),
            ("{\"mail\":\"a@b.example\"}", None),
            ("<a>ops@b.example</a> $ 5", None),
        ] {
            assert_eq!(split_glued(line, Section::Body).0, expected, "{line}");
        }
    }
}
