//! Splits lines that contain both a body and other output, and recognizes shell prompts.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::body::json_text::end_of_value;
use crate::domain::transcript::exchange::Section;
use crate::domain::transcript::exchange::response::ends_page;
use crate::domain::transcript::pattern::pattern;

/// Splits a line in which a line end is missing, and returns the two parts. A body is split before
/// a shell prompt or a message of curl. A message of curl is split after the words `left intact`.
///
/// Any other line is returned as the second part, and the first part is `None`. Outside of a body,
/// the text before an error message of curl is discarded.
pub(in crate::domain::transcript) fn split_glued(
    line: &str,
    section: Section,
) -> (Option<&str>, &str) {
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
    if section == Section::Body {
        let certain = certain_length(line);
        let marks = GLUED.iter().filter_map(|mark| {
            let mut places = line.match_indices(mark).map(|(at, _)| at);
            places.find(|at| *at >= certain && !starts_member(&line[..*at]))
        });
        let at = marks.chain(glued_prompt(line, certain)).min();
        return match at.filter(|at| *at > 0) {
            Some(at) => (Some(&line[..at]), &line[at..]),
            None => (None, line),
        };
    }
    let at = line.find("curl: (").unwrap_or_default();
    (None, &line[at..])
}

/// Returns whether a text ends where the string of a JSON member starts, so that what follows is data.
fn starts_member(before: &str) -> bool {
    let name = before.strip_suffix('"');
    name.is_some_and(|name| name.trim_end().ends_with("\":"))
}

/// Returns the length in bytes of the part of a line that is certainly the body: a JSON value, or
/// HTML up to the start of its last tag. Returns zero if the line does not start with either.
fn certain_length(line: &str) -> usize {
    match line.as_bytes().first() {
        Some(b'{' | b'[') => end_of_value(line).unwrap_or_default(),
        Some(b'<') => line.rfind('<').unwrap_or_default(),
        _ => 0,
    }
}

/// Returns the byte offset of a shell prompt that follows the end of a body on the same line;
/// `None` if there is none. `certain` is the value of [`certain_length`].
fn glued_prompt(line: &str, certain: usize) -> Option<usize> {
    static PROMPT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r"[}\]>]((?:\([\w.-]+\) ?)?(?:[\w.-]+@[\w.-]+[: ][^ ]* ?[$#%](?: |$)|\[[\w.-]+@[\w.-]+ [^ \]]+\][$#](?: |$)|PS [A-Z]:\\))",
        )
    });
    let first = *line.as_bytes().first()?;
    let is_end = |at: usize| match first {
        b'{' | b'[' => at == certain,
        b'<' => at > certain && ends_page(&line[..at]),
        // The last line of indented JSON.
        b'}' | b']' => line[..at].bytes().all(|byte| matches!(byte, b'}' | b']')),
        _ => false,
    };
    let is_body = matches!(first, b'{' | b'[' | b'<' | b'}' | b']');
    let prompts = PROMPT.as_ref().filter(|_| is_body)?.captures_iter(line);
    prompts
        .filter_map(|found| Some(found.get(1)?.start()))
        .find(|at| is_end(*at))
}

/// Returns whether a line is a shell prompt, with or without a command after it.
pub(in crate::domain::transcript) fn is_prompt(line: &str) -> bool {
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
    fn a_message_of_curl_inside_of_a_body_is_not_split_off() {
        let split = |line| split_glued(line, Section::Body).0;
        assert_eq!(split("<p>curl: (7) Failed</p>"), None);
        assert_eq!(split("{\"error\":\"curl: (7) Failed\"}"), None);
        assert_eq!(split("<p>curl: (18) transfer closed"), Some("<p>"));
        assert_eq!(split("{\"a\":\"hcurl: (18) closed"), Some("{\"a\":\"h"));
        assert_eq!(split("{\"a\":1}curl: (18) closed"), Some("{\"a\":1}"));
        assert_eq!(split("  \"title\": \"curl: (7) Failed\","), None);
        let line = "{\"error\":\"curl: (7) Failed\"}curl: (18) closed";
        assert_eq!(split_glued(line, Section::Body).1, "curl: (18) closed");
    }

    #[test]
    fn a_prompt_after_a_body_is_split_off() {
        for (line, expected) in [
            ("{\"a\":1}ops@bastion:~$ ", Some("{\"a\":1}")),
            ("{\"a\":1}[ops@bastion ~]$ ls", Some("{\"a\":1}")),
            ("</html>(env) ops@host:/srv/app# ", Some("</html>")),
            ("{\"a\":1}ops@mac ~ % ", Some("{\"a\":1}")),
            ("{\"a\":1}PS C:\\> ", Some("{\"a\":1}")),
            ("{\"mail\":\"a@b.example\"}", None),
            ("<a>ops@b.example</a> $ 5", None),
            ("<p>a</p></html>ops@host:~$ ls", Some("<p>a</p></html>")),
            ("}]ops@host:~$ ls", Some("}]")),
            ("<pre>ops@host:~$ curl -i https://x.example/</pre>", None),
            ("<a>sales@x.example 50% off</a>", None),
            (
                "{\"a\":\"<b>ops@host:~$ curl -i https://x.example/\"}",
                None,
            ),
            ("{\"a\":[1]ops@host:~$ ls", None),
        ] {
            assert_eq!(split_glued(line, Section::Body).0, expected, "{line}");
        }
    }
}
