//! Adds the facts about a response body: its text, HTML title, JSON members and XML elements.
//!
//! These facts are computed only for probes that did not pass. Sizes and counts are bounded,
//! because a body may contain anything. The text itself is never published: `Condition::evidence`
//! returns the value or pattern of the rule that the text matches, or the word `present`.

use std::collections::VecDeque;

use serde_json::Value;

use super::markup::{elements, title};
use super::{MAX_TEXT, truncate};
use crate::domain::diagnosis::application_header;
use crate::domain::diagnosis::body_text::text;
use crate::domain::diagnosis::error_page;
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::model::observation::Response;

/// Maximum number of JSON members or XML elements that become facts. Of one JSON array, at most
/// this many items are read.
const MAX_MEMBERS: usize = 128;

/// Maximum number of JSON values that are visited to find members.
const MAX_VISITED: usize = 2048;

/// Maximum depth of a JSON member that becomes a fact. Errors of gateways are at most five levels
/// deep.
const MAX_DEPTH: usize = 8;

/// Maximum length in bytes of the name of a fact about a member or element, such as
/// `body.json.error.code`. A member or element with a longer name is ignored.
const MAX_PATH: usize = 128;

impl Facts {
    /// Adds the facts about the body: whether it was seen, its text, its JSON members or XML
    /// elements, its GraphQL errors, and its HTML title. The facts about texts of gateways are not
    /// set if an application sent the text.
    pub(super) fn add_body(&mut self, response: &Response) {
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        let word = match &body {
            Some(Value::Object(_)) => "object",
            Some(_) => "other",
            None => "no",
        };
        self.set_text("body.json", word);
        self.set_text("body.seen", body_presence(response));
        let text = text(&response.body);
        let is_own = is_own_text(response, &text);
        for key in ["message", "Message", "Reason", "errorMessage"] {
            if key == "message" && (is_own || has_own_members(response, body.as_ref())) {
                continue;
            }
            let text = body.as_ref().and_then(|body| body.get(key)?.as_str());
            if let Some(text) = text {
                self.set_text(&format!("body.{key}"), &truncate(text));
            }
        }
        self.add_graphql_errors(body.as_ref());
        if text.is_empty() {
            return;
        }
        if let Some(body) = &body {
            self.add_members(body);
        } else if text.starts_with('<') {
            self.add_markup(&text);
        }
        if !is_own {
            self.set_text("body.text", &text);
        }
    }

    /// Adds the number of errors in a GraphQL response, and the first error type. The GraphQL
    /// specification requires that each error is an object with a `message`. Other entries of
    /// `errors` are ignored, because other APIs also use a list of this name.
    fn add_graphql_errors(&mut self, body: Option<&Value>) {
        let list = body.and_then(|body| body.get("errors")?.as_array());
        let is_error = |error: &&Value| error.get("message").is_some_and(Value::is_string);
        let errors = || list.into_iter().flatten().filter(is_error);
        let count = errors().count();
        if count > 0 {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a body contains far fewer than 2^52 errors"
            )]
            self.set_number("body.errors", count as f64);
        }
        if let Some(kind) = errors().find_map(|error| error.get("errorType")?.as_str()) {
            self.set_text("body.errors.type", &truncate(kind));
        }
    }

    /// Adds the members of a JSON body that are not objects or arrays. The outermost members are
    /// added first, so that [`MAX_VISITED`] and [`MAX_MEMBERS`] exclude the innermost ones first.
    fn add_members(&mut self, body: &Value) {
        let mut waiting = VecDeque::from([(String::from("body.json"), body, 0)]);
        let (mut visited, mut added) = (0, 0);
        while let Some((path, value, depth)) = waiting.pop_front() {
            visited += 1;
            if visited > MAX_VISITED || added == MAX_MEMBERS {
                return;
            }
            let mut inside = |key: &str, value| {
                let longer = path.len() + 1 + key.len();
                if depth < MAX_DEPTH && longer <= MAX_PATH && waiting.len() < MAX_VISITED {
                    waiting.push_back((format!("{path}.{key}"), value, depth + 1));
                }
            };
            match value {
                Value::Object(members) => {
                    members.iter().for_each(|(key, value)| inside(key, value));
                }
                Value::Array(items) => {
                    let items = items.iter().take(MAX_MEMBERS).enumerate();
                    items.for_each(|(index, value)| inside(&index.to_string(), value));
                }
                // A body that is a single value has no members.
                _ if depth == 0 => {}
                scalar => {
                    added += 1;
                    self.set(&path, fact(scalar));
                }
            }
        }
    }

    /// Adds the title of an HTML page, or the innermost elements of an XML document.
    fn add_markup(&mut self, text: &str) {
        if let Some(title) = title(text) {
            self.set_text("body.title", &truncate(&title));
        }
        for (path, content) in elements(text, MAX_MEMBERS) {
            let name = format!("body.xml.{path}");
            if name.len() <= MAX_PATH && self.get(&name).is_none() {
                self.set_text(&name, &truncate(&content));
            }
        }
    }
}

/// Returns whether a header shows that an application sent this text. The text then states nothing
/// about a gateway, even if it consists of a gateway's sentence.
fn is_own_text(response: &Response, text: &str) -> bool {
    !text.starts_with('<')
        && application_header::is_present(response)
        && error_page::author(response).is_none()
}

/// Members of the JSON bodies of gateways beside `message`.
const GATEWAY_MEMBERS: [&str; 13] = [
    "message",
    "Message",
    "code",
    "detail",
    "error",
    "path",
    "reason",
    "requestId",
    "request_id",
    "status",
    "statusCode",
    "timestamp",
    "type",
];

/// Returns whether a JSON body has members that no gateway writes beside `message`. The message may
/// then quote a gateway. AWS services name the error in a header, so their bodies are not examined.
fn has_own_members(response: &Response, body: Option<&Value>) -> bool {
    let members = body.and_then(Value::as_object);
    let is_own = |name: &String| !GATEWAY_MEMBERS.contains(&name.as_str());
    members.is_some_and(|members| members.keys().any(is_own))
        && !response
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("x-amz"))
}

/// Returns the fact value for a JSON scalar; `true`, `false` and `null` become text.
fn fact(scalar: &Value) -> FactValue {
    match scalar {
        Value::String(text) => FactValue::Text(truncate(text)),
        Value::Number(number) => number.as_f64().map_or_else(
            || FactValue::Text(truncate(&number.to_string())),
            FactValue::Number,
        ),
        other => FactValue::Text(other.to_string().chars().take(MAX_TEXT).collect()),
    }
}

/// Returns the value of the fact `body.seen`: `yes` if the body was seen; `empty` if the response
/// has no body; `missing` if the response announces a body that is not there, as in a response to
/// HEAD or in a transcript without bodies.
fn body_presence(response: &Response) -> &'static str {
    let announced = response.content_length.unwrap_or(response.body_bytes);
    match (response.body.is_empty(), announced) {
        (true, 0) => "empty",
        (true, _) => "missing",
        (false, _) => "yes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::HttpVersion;

    fn response(body: &[u8]) -> Response {
        Response {
            status: 500,
            reason: None,
            version: HttpVersion::Http11,
            headers: Vec::new(),
            body: body.to_vec(),
            body_truncated: false,
            body_bytes: body.len() as u64,
            content_length: None,
        }
    }

    fn facts(response: &Response) -> Facts {
        let mut facts = Facts::default();
        facts.add_body(response);
        facts
    }

    #[track_caller]
    fn check(body: &str, expected: &[(&str, Option<&str>)]) {
        let facts = facts(&response(body.as_bytes()));
        for (name, value) in expected {
            let found = facts.get(name).map(ToString::to_string);
            assert_eq!(found.as_deref(), *value, "{name} of {body}");
        }
    }

    #[test]
    fn a_graphql_response_has_its_error_count_and_first_error_type() {
        for (body, count, kind) in [
            (
                r#"{"data":null,"errors":[{"message":"no","errorType":"Unauthorized"},{"message":"x"}]}"#,
                Some("2"),
                Some("Unauthorized"),
            ),
            (r#"{"errors":[{"message":"x"}]}"#, Some("1"), None),
            (r#"{"errors":[]}"#, None, None),
            (r#"{"errors":[{"title":"x"}, "y"]}"#, None, None),
            (r#"{"errors":"none"}"#, None, None),
            (r#"{"a":{"errors":[{"message":"x"}]}}"#, None, None),
            (r#"[{"errors":[{"message":"x"}]}]"#, None, None),
        ] {
            check(body, &[("body.errors", count), ("body.errors.type", kind)]);
        }
    }

    #[test]
    fn a_body_has_its_json_form_and_lambda_error_message() {
        for (body, form, message) in [
            (r#"{"errorMessage":"boom"}"#, "object", Some("boom")),
            (r#"{"errorMessage":7}"#, "object", None),
            ("[1]", "other", None),
            ("{", "no", None),
        ] {
            check(
                body,
                &[("body.json", Some(form)), ("body.errorMessage", message)],
            );
        }
    }

    #[test]
    fn members_of_a_json_body_have_paths_and_keep_their_type() {
        let body =
            r#"{"fault":{"detail":{"errorcode":"a.B"}},"n":[{"c":1016}],"t":true,"z":null,"e":{}}"#;
        check(
            body,
            &[
                ("body.json", Some("object")),
                ("body.json.fault.detail.errorcode", Some("a.B")),
                ("body.json.n.0.c", Some("1016")),
                ("body.json.t", Some("true")),
                ("body.json.z", Some("null")),
                ("body.json.e", None),
                ("body.json.fault", None),
            ],
        );
        let facts = facts(&response(body.as_bytes()));
        assert_eq!(facts.number("body.json.n.0.c"), Some(1016.0));
        check("7", &[("body.json", Some("other"))]);
    }

    #[test]
    fn the_outermost_members_of_an_excessive_body_become_facts() {
        let many: Vec<String> = (0..500).map(|n| format!(r#""k{n}":{{"in":1}}"#)).collect();
        let body = format!(r#"{{{},"code":5}}"#, many.join(","));
        check(
            &body,
            &[("body.json.code", Some("5")), ("body.json.k499.in", None)],
        );
        let deep = format!("{}1{}", r#"{"a":"#.repeat(60), "}".repeat(60));
        assert_eq!(facts(&response(deep.as_bytes())).iter().count(), 3);
        let long_key = format!(r#"{{"{}":1,"b":2}}"#, "k".repeat(200));
        check(&long_key, &[("body.json.b", Some("2"))]);
        let count = facts(&response(body.as_bytes())).iter().count();
        assert!(count <= MAX_MEMBERS + 3, "{count}");
        let array = format!("[{}1]", "1,".repeat(20_000));
        let count = facts(&response(array.as_bytes())).iter().count();
        assert!(count <= MAX_MEMBERS + 3, "{count}");
    }

    #[test]
    fn a_page_has_a_title_and_a_document_has_elements() {
        check(
            "<html>\r\n<head><title>502 Bad\r\nGateway</title></head></html>\r\n",
            &[
                ("body.title", Some("502 Bad Gateway")),
                (
                    "body.text",
                    Some("<html>\n<head><title>502 Bad\nGateway</title></head></html>"),
                ),
                ("body.json", Some("no")),
            ],
        );
        check(
            "\u{feff}<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>",
            &[
                ("body.xml.Error.Code", Some("SlowDown")),
                ("body.title", None),
            ],
        );
    }

    #[test]
    fn the_text_of_a_body_is_bounded_and_trimmed() {
        check(
            "no healthy upstream\r\n",
            &[("body.text", Some("no healthy upstream"))],
        );
        check(" \r\n", &[("body.text", None)]);
        let long = facts(&response(&b"a".repeat(100_000)));
        assert_eq!(long.text("body.text").unwrap().len(), 8 * 1024);
        let binary = facts(&response(&[0xff; 10]));
        assert_eq!(binary.text("body.text").unwrap().chars().count(), 10);
    }

    #[test]
    fn a_body_that_is_announced_but_absent_is_missing() {
        for (body, announced, expected) in [
            ("", None, "empty"),
            ("", Some(0), "empty"),
            ("", Some(33), "missing"),
            ("x", Some(33), "yes"),
            ("x", None, "yes"),
        ] {
            let mut response = response(body.as_bytes());
            response.content_length = announced;
            assert_eq!(facts(&response).text("body.seen"), Some(expected));
        }
    }
}
