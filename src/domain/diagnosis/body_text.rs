//! The first part of a body as text, in one form whatever the server or a transcript made of it.

/// Maximum length of `body.text` in bytes. The pages of proxies are shorter, apart from pages
/// with large style sheets, whose title says what happened.
const MAX_BODY_TEXT: usize = 8 * 1024;

/// The first part of a body as text without the whitespace around it. Invalid UTF-8 is
/// replaced, and each line ends with LF only.
pub(super) fn text(body: &[u8]) -> String {
    let part = &body[..body.len().min(MAX_BODY_TEXT)];
    let text = String::from_utf8_lossy(part);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0');
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text.to_owned()
    }
}
