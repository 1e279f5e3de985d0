//! Converts the first part of a body to text with uniform line endings, so that `error_page`,
//! `gateway_made` and the rules compare bodies in the same form.

/// Maximum number of bytes of a body that are converted. The error pages of proxies are shorter,
/// except for pages with large style sheets. Such a page describes the error in its title, which is
/// at the beginning, so the rest is not needed.
const MAX_BODY_TEXT: usize = 8 * 1024;

/// Returns the first [`MAX_BODY_TEXT`] bytes of a body as text, without the whitespace, byte order
/// marks and NUL characters around it. Invalid UTF-8 is replaced, and line breaks are LF.
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
