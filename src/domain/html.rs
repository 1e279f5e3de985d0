//! Decodes the entities and character references of HTML and XML, for the reader of response
//! bodies (`diagnosis`) and the reader of pasted text (`transcript`).

/// Maximum length, in bytes, of an entity or character reference, with `;` but without `&`.
const MAX_REFERENCE: usize = 10;

/// Decodes the predefined entities of XML, `&nbsp;` and numeric character references. A reference
/// to a no-break space or a control character becomes a space. Other references are left unchanged.
pub fn decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let end = after
            .bytes()
            .take(MAX_REFERENCE)
            .position(|byte| byte == b';');
        match end.and_then(|end| Some((character(&after[..end])?, end))) {
            Some((character, end)) => {
                decoded.push(character);
                rest = &after[end + 1..];
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// Returns the character for a reference without its `&` and `;`; `None` if the reference is
/// unknown or invalid.
fn character(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = reference.strip_prefix('#')?;
            let hexadecimal = number.strip_prefix(['x', 'X']);
            let code = match hexadecimal {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            let character = char::from_u32(code.ok()?)?;
            let is_space = character.is_control() || character == '\u{a0}';
            Some(if is_space { ' ' } else { character })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_and_references_are_decoded_and_unknown_ones_are_left() {
        for (text, expected) in [
            (
                "&lt;a href=&quot;x&quot;&gt; &amp;amp;",
                "<a href=\"x\"> &amp;",
            ),
            ("&#39;&#x27;&apos;&#x2F;&#x60;", "'''/`"),
            ("a&nbsp;b&#160;c&#xA0;d&#10;e&#27;f", "a b c d e f"),
            ("&unknown; &#xD800; &#; & &", "&unknown; &#xD800; &#; & &"),
            ("&#0000000000065;", "&#0000000000065;"),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }
}
