//! Finds bodies of responses in the inline code of a sentence, such as
//! "I get `{"message": "Internal server error"}` since Monday".

use crate::domain::transcript::body::json_text::end_of_value;
use crate::domain::transcript::pages::known_body::{self, Host};
use crate::domain::transcript::pattern::MAX_LINE;
use crate::domain::transcript::reader::Reader;
use crate::domain::transcript::reader::pages::quoted;

/// Maximum number of examined parts of a line. Backticks separate the parts, and every second part
/// is inline code.
const MAX_SPANS: usize = 16;

impl Reader {
    /// Keeps the bodies of gateways that a line contains in inline code, as JSON with escaped
    /// quotes, or as JSON after other text. If there is none, keeps the body that `quoted` finds.
    /// Returns whether a body was found.
    pub(in crate::domain::transcript::reader) fn inline_bodies(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        let is_known =
            |body: &str| known_body::status_of_gateway(body).is_some() || is_api_body(body);
        let spans = spans(line).map(str::to_owned);
        let shown = spans.chain(escaped(line)).chain(object(line));
        let mut bodies: Vec<String> = shown.filter(|body| is_known(body)).collect();
        if bodies.is_empty() {
            bodies.extend(quoted::body(line).filter(|body| is_known(body)));
        }
        let is_any = !bodies.is_empty();
        for body in bodies {
            self.keep_body(body, number);
        }
        is_any
    }
}

/// Returns the first piece of inline code that is a body with this status; `None` if there is none.
pub(in crate::domain::transcript::reader) fn body(line: &str, status: u16) -> Option<String> {
    let is_body = |span: &&str| known_body::status_of(span, Host::Other) == Some(status);
    spans(line).find(is_body).map(str::to_owned)
}

/// Returns whether a text starts like an error body of API Gateway and its status can be inferred.
fn is_api_body(span: &str) -> bool {
    span.starts_with("{\"message\"") && known_body::status_of(span, Host::ApiGateway).is_some()
}

/// Returns the first JSON object with escaped quotes in a line, with its quotes unescaped. Returns
/// `None` if there is no such object, if it is incomplete, or if the line is longer than
/// [`MAX_LINE`].
fn escaped(line: &str) -> Option<String> {
    let at = line.find("{\\\"").filter(|_| line.len() <= MAX_LINE)?;
    let text = line[at..].replace("\\\"", "\"");
    let end = end_of_value(&text)?;
    Some(text[..end].to_owned())
}

/// Returns the first JSON object in a line, if other text precedes the object. Returns `None` if
/// there is no such object, if it is incomplete, or if the line is longer than [`MAX_LINE`].
fn object(line: &str) -> Option<String> {
    let at = line
        .find("{\"")
        .filter(|at| *at > 0 && line.len() <= MAX_LINE)?;
    let end = end_of_value(&line[at..])?;
    Some(line[at..at + end].to_owned())
}

/// Returns the pieces of inline code in a line; none for a line longer than [`MAX_LINE`].
fn spans(line: &str) -> impl Iterator<Item = &str> {
    let line = if line.len() <= MAX_LINE { line } else { "" };
    let has_end = line.bytes().filter(|byte| *byte == b'`').count() > 1;
    let parts = line.split('`').filter(move |_| has_end).take(MAX_SPANS);
    // Every second part is inside backticks. The parts between them are sentences.
    parts.skip(1).step_by(2).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_in_a_sentence_is_found() {
        let line = "it is `HTTP/1.1 503 Oops` with the body `no healthy upstream`";
        assert_eq!(body(line, 503).as_deref(), Some("no healthy upstream"));
        assert_eq!(body(line, 504), None);
        assert_eq!(body("no healthy upstream", 503), None);
        let line = r#"failed: {\"errors\":[{\"a\":1}]} now"#;
        assert_eq!(escaped(line).as_deref(), Some(r#"{"errors":[{"a":1}]}"#));
        assert_eq!(spans("a ` b").count(), 0);
        assert_eq!(spans("a `b` c `d` e").collect::<Vec<_>>(), ["b", "d"]);
    }
}
