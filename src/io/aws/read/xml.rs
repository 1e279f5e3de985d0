//! Reads single elements from XML error responses of AWS and from the response of
//! `GetCallerIdentity`.
//!
//! The elements that are read from these responses contain only plain text, so no XML parser is
//! needed.

/// Returns the text of the first element `name` without attributes, with entities replaced; `None`
/// if there is no such element or if it contains other elements.
pub(super) fn text(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.contains('<')).then(|| unescape(text.trim()))
}

/// Replaces the five predefined entities of XML.
fn unescape(text: &str) -> String {
    const ENTITIES: [(&str, &str); 5] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        // Last, because `&amp;lt;` means `&lt;`.
        ("&amp;", "&"),
    ];
    ENTITIES
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| {
            text.replace(entity, character)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_element_is_returned() {
        for (xml, expected) in [
            ("<Error><Code>A</Code></Error>", Some("A")),
            ("<Error>\n <Code>\n A\n </Code>\n</Error>", Some("A")),
            (
                "<Code>a &lt; b &amp;lt; &quot;c&quot;</Code>",
                Some("a < b &lt; \"c\""),
            ),
            ("<Code></Code>", Some("")),
            ("<Code>A", None),
            ("<Code><b>A</b></Code>", None),
            ("<Codec>A</Codec>", None),
            ("", None),
        ] {
            assert_eq!(text(xml, "Code").as_deref(), expected, "{xml}");
        }
    }
}
