//! Reads the title of an HTML page and the elements of an XML document.
//!
//! Error pages and error documents are small and flat, so one pass over the text is enough and no
//! full parser is needed. Only predefined entities, `&nbsp;` and character references are decoded.
//! An XML document that declares its own entities is not read.

use crate::domain::html::decoded;

/// Maximum nesting depth of XML elements; reading stops at a deeper element.
const MAX_OPEN: usize = 16;

/// Returns the title of an HTML page, with references decoded and whitespace collapsed; `None` if
/// the title is missing, empty, or not closed.
pub(super) fn title(page: &str) -> Option<String> {
    let start = find_tag(page, "<title")?;
    let content = page[start..].split_once('>')?.1;
    let end = find_tag(content, "</title")?;
    let title = to_plain_text(&content[..end]);
    (!title.is_empty()).then_some(title)
}

/// Returns the byte offset of the first tag that begins with `tag`, such as `<title`, ignoring
/// case; `None` if the page does not contain such a tag.
fn find_tag(page: &str, tag: &str) -> Option<usize> {
    let starts = page.match_indices('<').map(|(at, _)| at);
    starts.into_iter().find(|at| {
        let here = page.as_bytes().get(*at..*at + tag.len());
        let next = page.as_bytes().get(*at + tag.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(tag.as_bytes()))
            && next.is_some_and(|next| *next == b'>' || next.is_ascii_whitespace())
    })
}

/// Returns the path and text of at most `limit` innermost elements of an XML document. A path, such
/// as `Error.Code`, has no namespace prefixes. The list is empty for an HTML page and for a
/// document with an internal DTD. Reading stops at the first error.
pub(in crate::domain) fn elements(document: &str, limit: usize) -> Vec<(String, String)> {
    let mut scan = Scan::default();
    let mut rest = document;
    while scan.found.len() < limit
        && let Some(after) = scan.step(rest)
    {
        rest = after;
    }
    scan.found
}

/// The state of one pass over an XML document.
#[derive(Default)]
struct Scan<'a> {
    open: Vec<&'a str>,
    /// The text of the innermost open element; `None` before the first element, and after an
    /// element inside the innermost open element has ended.
    text: Option<String>,
    found: Vec<(String, String)>,
}

impl<'a> Scan<'a> {
    /// Reads the text up to the next tag, and the tag. Returns the rest of the document, or `None`
    /// at its end or at an error.
    fn step(&mut self, rest: &'a str) -> Option<&'a str> {
        let (text, tag) = rest.split_once('<')?;
        self.append(&decoded(text));
        if let Some(comment) = tag.strip_prefix("!--") {
            return Some(comment.split_once("-->")?.1);
        }
        if let Some(data) = tag.strip_prefix("![CDATA[") {
            let (data, after) = data.split_once("]]>")?;
            self.append(data);
            return Some(after);
        }
        if let Some(instruction) = tag.strip_prefix('?') {
            return Some(instruction.split_once("?>")?.1);
        }
        let end = end_of_tag(tag)?;
        let (tag, after) = (&tag[..end], &tag[end + 1..]);
        if tag.starts_with('!') {
            return (!tag.contains('[')).then_some(after);
        }
        if let Some(name) = tag.strip_prefix('/') {
            self.close(local_name(name))?;
            return Some(after);
        }
        self.begin(local_name(tag))?;
        if tag.ends_with('/') {
            self.close(local_name(tag))?;
        }
        Some(after)
    }

    fn append(&mut self, text: &str) {
        if let Some(current) = &mut self.text {
            current.push_str(text);
        }
    }

    fn begin(&mut self, name: &'a str) -> Option<()> {
        let is_page = self.open.is_empty() && name.eq_ignore_ascii_case("html");
        if is_page || name.is_empty() || self.open.len() == MAX_OPEN {
            return None;
        }
        self.open.push(name);
        self.text = Some(String::new());
        Some(())
    }

    fn close(&mut self, name: &str) -> Option<()> {
        if self.open.last() != Some(&name) {
            return None;
        }
        if let Some(text) = self.text.take() {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            self.found.push((self.open.join("."), text));
        }
        self.open.pop();
        Some(())
    }
}

/// Returns the byte offset of the `>` that ends a tag; `None` if the tag does not end. A `>` in a
/// quoted attribute does not end the tag.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Returns the name of a tag, without attributes and namespace prefix.
fn local_name(tag: &str) -> &str {
    let end = tag.find(|c: char| c.is_whitespace() || c == '/');
    let name = &tag[..end.unwrap_or(tag.len())];
    name.rsplit(':').next().unwrap_or(name)
}

/// Returns text with references decoded and whitespace collapsed.
fn to_plain_text(text: &str) -> String {
    let text = decoded(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_decoded_and_its_whitespace_collapsed() {
        for (page, expected) in [
            (
                "<html><head><title>502 Bad Gateway</title>",
                Some("502 Bad Gateway"),
            ),
            (
                "<HTML><TITLE lang='en'>\n a &amp;\n b&#32;&#x63; </TITLE>",
                Some("a & b c"),
            ),
            (
                "<title>&lt;b&gt; &unknown; &#xD800; &</title>",
                Some("<b> &unknown; &#xD800; &"),
            ),
            ("<title> </title>", None),
            ("<title>cut off", None),
            ("<titles>x</titles>", None),
            ("<", None),
            ("title", None),
        ] {
            assert_eq!(title(page).as_deref(), expected, "{page}");
        }
    }

    fn check(document: &str, expected: &[(&str, &str)]) {
        let found = elements(document, 4);
        let found: Vec<_> = found
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        assert_eq!(found, expected, "{document}");
    }

    #[test]
    fn the_innermost_elements_of_a_document_have_paths() {
        check(
            "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>a &lt; b</Message></Error>",
            &[("Error.Code", "NoSuchKey"), ("Error.Message", "a < b")],
        );
        check(
            "<s:Envelope xmlns:s='x>y'><!-- <a>1</a> --><s:Body><f><![CDATA[<x>]]></f><g/></s:Body>",
            &[("Envelope.Body.f", "<x>"), ("Envelope.Body.g", "")],
        );
        check(
            "<a><b>1</b><c>2</c><d>3</d><e>4</e><f>5</f></a>",
            &[("a.b", "1"), ("a.c", "2"), ("a.d", "3"), ("a.e", "4")],
        );
    }

    #[test]
    fn reading_stops_at_errors_pages_and_declarations() {
        check("<a><b>1</b><c>2</a>", &[("a.b", "1")]);
        check("<a><b>1</b><c", &[("a.b", "1")]);
        check("<!doctype html><html><head><title>x</title>", &[]);
        check("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", &[]);
        check("<!DOCTYPE a SYSTEM \"x.dtd\"><a>&b;</a>", &[("a", "&b;")]);
        check(&"<a>".repeat(1000), &[]);
        check("plain", &[]);
        check("<>", &[]);
    }
}
