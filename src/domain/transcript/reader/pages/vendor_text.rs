//! Recognizes sentences that only one proxy or platform writes, without a status line above them.
//!
//! A response from such a sentence is kept only if the text has no other response or failure, or if
//! the line names the request or states a status other than the inferred one. While the status is
//! inferred, the certainty of a verdict is at most `possible`.

use super::api_sentences;
use super::platform_text::{inferred, text_fact};
use super::vendor_sentences::{Body, SENTENCES, Sentence};
use crate::domain::transcript::clients::message;
use crate::domain::transcript::exchange::entry::names_request;
use crate::domain::transcript::exchange::{Exchange, Source};
use crate::domain::transcript::reader::Reader;

/// The error codes of Vercel, each with the status of the response.
const VERCEL: [(&str, u16); 10] = [
    ("FUNCTION_INVOCATION_TIMEOUT", 504),
    ("EDGE_FUNCTION_INVOCATION_TIMEOUT", 504),
    ("MIDDLEWARE_INVOCATION_TIMEOUT", 504),
    ("FUNCTION_INVOCATION_FAILED", 500),
    ("EDGE_FUNCTION_INVOCATION_FAILED", 500),
    ("MIDDLEWARE_INVOCATION_FAILED", 500),
    ("NO_RESPONSE_FROM_FUNCTION", 502),
    ("FUNCTION_RESPONSE_PAYLOAD_TOO_LARGE", 500),
    ("FUNCTION_THROTTLED", 503),
    ("ROUTER_CANNOT_MATCH", 502),
];

/// Parts of the lines in which Lambda logs that a function timed out or that its runtime exited,
/// each with the value of the fact `log.template`.
const LAMBDA: [(&str, &str); 3] = [
    ("Task timed out after ", "function-timed-out"),
    (" Error: Runtime exited ", "function-error"),
    ("\"Runtime.ExitError\"", "function-error"),
];

impl Reader {
    /// Reads a line with a sentence that only one proxy or platform writes. Returns whether the
    /// line was recognized.
    pub(super) fn vendor_text(&mut self, line: &str, number: usize) -> bool {
        let Some(mut exchange) = of_line(line, number) else {
            return false;
        };
        if self.joins(&exchange) {
            return true;
        }
        use_stated_status(&mut exchange, line);
        if self.current.is_answered() && !self.current.is_weak {
            return false;
        }
        if names_request(line) {
            exchange.request.url = message::url(line);
            exchange.is_weak = false;
        }
        let is_known = self.vendor_facts.contains(&exchange.facts);
        if is_known && exchange.request.url.is_none() {
            self.unused.add_line(number);
            return true;
        }
        if !is_known {
            self.vendor_facts.push(exchange.facts.clone());
        }
        self.complete(exchange);
        true
    }

    /// Adds the facts and the body of `page` to the current response if this response was read from
    /// a message, has the same status, and has neither facts nor a body. Returns whether they were
    /// added.
    fn joins(&mut self, page: &Exchange) -> bool {
        let current = &mut self.current;
        let status = |exchange: &Exchange| exchange.response.as_ref().map(|it| it.status);
        let is_open = current.source == Source::Message && current.facts.is_empty();
        let has_no_body = current
            .response
            .as_ref()
            .is_some_and(|it| it.body.is_empty());
        if !is_open || !has_no_body || status(current) != status(page) {
            return false;
        }
        current.facts.clone_from(&page.facts);
        if let (Some(response), Some(shown)) = (&mut current.response, &page.response) {
            response.body.clone_from(&shown.body);
        }
        true
    }
}

/// Replaces the inferred status of the exchange with the status that the line states, if the stated
/// status is at least 400 and differs. Does nothing for an exchange whose status is unknown.
fn use_stated_status(exchange: &mut Exchange, line: &str) {
    let stated = message::read(line).and_then(|message| message.status);
    let Some(stated) = stated.filter(|status| *status >= 400) else {
        return;
    };
    if let Some(response) = &mut exchange.response
        && response.status != stated
        && !exchange.is_status_unknown
    {
        response.status = stated;
        response.is_inferred = false;
        exchange.is_weak = false;
    }
}

/// Returns the exchange that a line describes; `None` if the line is not recognized.
fn of_line(line: &str, number: usize) -> Option<Exchange> {
    of_lambda(line, number)
        .or_else(|| of_vercel(line, number))
        .or_else(|| of_sentence(line, number))
}

fn of_sentence(line: &str, number: usize) -> Option<Exchange> {
    let mut sentences = SENTENCES.iter().chain(api_sentences::SENTENCES);
    let (sentence, at) = sentences.find_map(|one| Some((one, find(line, one)?)))?;
    let mut exchange = inferred(sentence.status, number);
    if let Some(response) = &mut exchange.response {
        match sentence.body {
            // The rules test whether a body starts with the sentence.
            Body::Line if line.trim_start().starts_with(['{', '<']) => {
                response.raw_body(line.trim());
            }
            Body::Line => response.raw_body(line[at..].trim_start_matches('"').trim()),
            Body::Message(text) => response.raw_body(&format!("{{\"message\":\"{text}\"}}")),
            Body::Title(title) => response.raw_body(&format!("<title>{title}</title>")),
            Body::Text(text) => response.raw_body(text),
            Body::None => {}
        }
    }
    let facts = sentence.facts.iter();
    exchange.facts = facts.map(|(name, value)| text_fact(name, value)).collect();
    Some(exchange)
}

/// Returns where a sentence starts in a line; `None` if the line does not contain all its parts, in
/// order, or contains them with another meaning.
fn find(line: &str, sentence: &Sentence) -> Option<usize> {
    let at = line.find(sentence.parts.first()?)?;
    let mut end = at;
    for part in sentence.parts {
        end += line[end..].find(part)? + part.len();
    }
    let (before, after) = (&line[..at], &line[end..]);
    // A single word may be the name of a setting or a counter.
    let is_word = sentence.parts.iter().all(|part| !part.contains(' '));
    let is_name = is_word
        && after
            .trim_start_matches(['"', '\''])
            .starts_with([':', '=']);
    let is_alone = || !shows_letters(before) && !shows_letters(after);
    let is_stated = || before.contains(&sentence.status.to_string());
    (!is_name && (!sentence.is_common || is_alone() || is_stated())).then_some(at)
}

/// Returns whether a part of a line contains letters outside of tags.
fn shows_letters(text: &str) -> bool {
    let mut is_tag = false;
    text.chars().any(|letter| {
        is_tag = letter == '<' || is_tag && letter != '>';
        !is_tag && letter.is_alphabetic()
    })
}

/// Returns the exchange for a line that consists of an error code of Vercel.
fn of_vercel(line: &str, number: usize) -> Option<Exchange> {
    let word = line.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let word = word.strip_prefix("Code: ").unwrap_or(word);
    let word = word.trim_matches(['`', '"', '\'']);
    let (code, status) = VERCEL.iter().find(|(code, _)| *code == word)?;
    let mut exchange = inferred(*status, number);
    exchange.facts = vec![text_fact("platform_error", code)];
    Some(exchange)
}

/// Returns the exchange for a line of the log of a Lambda function that reached its timeout or
/// whose runtime exited. The log does not state the status of the response.
fn of_lambda(line: &str, number: usize) -> Option<Exchange> {
    let (_, template) = LAMBDA.iter().find(|(start, _)| line.contains(start))?;
    let mut exchange = inferred(502, number);
    exchange.is_status_unknown = true;
    exchange.facts = vec![text_fact("log.template", template)];
    Some(exchange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_a_platform_is_recognized_anywhere_in_a_line() {
        for (line, expected) in [
            (
                "> CloudFront wasn't able to connect to the origin. More",
                Some(502),
            ),
            ("we get `FUNCTION_INVOCATION_TIMEOUT` often", None),
            ("`FUNCTION_INVOCATION_TIMEOUT`", Some(504)),
            (
                "it says: An invalid response was received from the upstream server.",
                Some(502),
            ),
            (
                "Post \"https://a.svc:443/x\": service \"a\" not found",
                Some(503),
            ),
            ("service \"a\" not found", None),
            ("<p>The server didn't respond in time.</p>", Some(504)),
            ("504: The server didn't respond in time. Why?", Some(504)),
            ("The server didn't respond in time. Retry.", None),
            ("reason: userRateLimitExceeded", Some(403)),
            ("{\"userRateLimitExceeded\": 0}", None),
            (
                "2025-11-11T03:00:00Z 6f0a Task timed out after 3.00 seconds",
                Some(502),
            ),
        ] {
            let found = of_line(line, 1)
                .and_then(|it| it.response)
                .map(|it| it.status);
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn the_facts_of_a_repeated_sentence_are_kept_once() {
        let mut reader = Reader::new("");
        for number in 1..=5 {
            let line = format!("Post \"https://a{number}.svc:443/x\": service \"a\" not found");
            reader.line(&line, false, number);
        }
        assert_eq!(reader.vendor_facts.len(), 1);
    }
}
