//! Decodes the entities and removes the markup of a code block that was copied from HTML source.
//!
//! Only text that is visibly escaped is decoded, because the body of a response is often an HTML
//! page that must not be changed.

use std::borrow::Cow;

use crate::domain::html::decoded;

/// Names of the tags that pages put around or into a code block.
const MARKUP: &[&str] = &[
    "pre", "code", "samp", "kbd", "span", "b", "i", "em", "strong", "font", "a", "br", "mark",
];

/// Returns whether a text contains escaped marks of a transcript or an escaped code block. If so,
/// all lines of the text are treated as escaped.
pub(super) fn is_escaped(text: &str) -> bool {
    let has_block = text.contains("<pre") || text.contains("<code");
    let is_page = text.contains("<html") || text.contains("<body");
    if has_block && !is_page && (text.contains("&quot;") || text.contains("&lt;")) {
        return true;
    }
    text.match_indices("&gt; ")
        .chain(text.match_indices("&lt; "))
        .take(MAX_MARKS)
        .any(|(at, mark)| {
            let line = text[..at].rsplit('\n').next().unwrap_or_default();
            let rest = &text[at + mark.len()..];
            let marked = [
                "HTTP/", "GET ", "POST ", "HEAD ", "PUT ", "Host:", "DELETE ",
            ];
            line.len() < MAX_INDENT && marked.iter().any(|start| rest.starts_with(start))
        })
}

/// Maximum number of possible marks (`&gt; ` and `&lt; `) that are examined in a text.
const MAX_MARKS: usize = 1_000;

/// Maximum length in bytes of the text before an escaped mark on its line.
const MAX_INDENT: usize = 200;

/// Returns a line of an escaped text with decoded entities and without markup.
pub(super) fn unescaped(line: &str) -> Cow<'_, str> {
    if !line.contains(['&', '<']) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(decoded(&without_markup(line)))
}

/// Returns a line without the opening tags of a code block, such as `<pre><code>`, and without the
/// markup before these tags.
pub(super) fn without_opening(line: &str) -> &str {
    let mut rest = line;
    if line.trim_start().starts_with('<') {
        let block = line.rfind("<code").or_else(|| line.rfind("<pre"));
        rest = block.map_or(line, |at| &line[at..]);
    }
    while let Some((tag, after)) = tag(rest.trim_start())
        && (tag.starts_with("<pre") || tag.starts_with("<code"))
    {
        rest = after;
    }
    rest
}

/// Returns whether a line starts with a closing tag of a code block.
pub(super) fn is_closing(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("</pre>") || line.starts_with("</code>")
}

/// Returns whether a line contains a closing tag of a code block.
pub(super) fn has_closing(line: &str) -> bool {
    line.contains("</pre>") || line.contains("</code>")
}

fn without_markup(line: &str) -> Cow<'_, str> {
    if !line.contains('<') {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((_, after)) = tag(rest) {
            rest = after;
        } else {
            out.push('<');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns the tag at the start of a text and the text after the tag; `None` if the text does not
/// start with a tag of [`MARKUP`] or if the tag is longer than [`MAX_TAG`].
fn tag(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('<')?;
    let name = inner.trim_start_matches('/');
    let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let known = MARKUP
        .iter()
        .any(|known| name[..length].eq_ignore_ascii_case(known));
    let end = text.bytes().take(MAX_TAG).position(|byte| byte == b'>')?;
    known.then(|| text.split_at(end + 1))
}

/// Maximum length of a tag in bytes.
const MAX_TAG: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_text_is_recognized_by_its_marks() {
        assert!(is_escaped("<pre>\n  &lt; HTTP/1.1 503 Oops\n"));
        assert!(is_escaped("&gt; GET / HTTP/1.1\n"));
        assert!(!is_escaped("< HTTP/1.1 503\n\n<p>1 &lt; 2 &gt; 0</p>\n"));
    }

    #[test]
    fn entities_and_markup_are_decoded() {
        for (line, expected) in [
            ("&lt; HTTP/1.1 503", "< HTTP/1.1 503"),
            ("<span class=\"k\">&gt; Host</span>: x", "> Host: x"),
            (
                "{&quot;a&quot;:1} &amp;lt; &unknown;",
                "{\"a\":1} &lt; &unknown;",
            ),
            ("< HTTP/1.1 503", "< HTTP/1.1 503"),
            ("<html><b>x</b>", "<html>x"),
        ] {
            assert_eq!(unescaped(line), expected, "{line}");
        }
        assert_eq!(
            without_opening("  <pre><code class=\"x\">HTTP/1.1 503"),
            "HTTP/1.1 503"
        );
        assert_eq!(without_opening("<html>"), "<html>");
        assert!(is_closing(" </code></pre>") && !is_closing("</html>"));
    }
}
