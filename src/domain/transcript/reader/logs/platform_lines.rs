//! Passes the lines of the logs of proxies and platforms, of error pages, and of further clients to
//! their parsers.

use crate::domain::transcript::clients::{message, source_code};
use crate::domain::transcript::exchange::response::header_of;
use crate::domain::transcript::exchange::{Exchange, Source};
use crate::domain::transcript::logs::access_log::{self, Logged, reverse_proxy};
use crate::domain::transcript::reader::Reader;
use crate::domain::transcript::reader::collection::Origin;
use crate::domain::transcript::text::string_literal;

/// Maximum length in bytes of a line that contains `response headers:`.
const MAX_LABEL: usize = 400;

impl Reader {
    /// Reads a line of a log of a proxy or platform, of an error page, or of a client with a format
    /// of its own. Returns whether the line was recognized.
    pub(in crate::domain::transcript::reader) fn platform_line(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        self.logged_header(line)
            || self.access_line(line, number)
            || self.console_line(line)
            || self.okhttp_line(line, number)
            || self.load_test(line, number)
            || self.escaped_response(line, number)
            || self.cloudfront_text(line, number)
            || self.aws_error(line, number)
            || self.page_text(line, number)
    }

    fn access_line(&mut self, line: &str, number: usize) -> bool {
        let is_below = std::mem::replace(&mut self.is_below_proxy, reverse_proxy::is_heading(line));
        let below = || reverse_proxy::below_heading(line).filter(|_| is_below);
        let entry = match access_log::read(line).or_else(below) {
            None if self.is_below_proxy => {
                self.unused.add_line(number);
                return true;
            }
            None => return self.cut_access_line(line, number),
            Some(Logged::Passed) => {
                self.found.passed += 1;
                return true;
            }
            Some(Logged::Failed(entry)) => *entry,
        };
        let last = self.last_entry.take();
        let continues = last.is_some_and(|(last, at)| at + 1 == number && entry.continues(&last));
        self.last_entry = Some((entry.clone(), number));
        if continues {
            self.unused.add_line(number);
        } else {
            self.complete(entry.exchange(number));
        }
        true
    }

    /// Reads the second part of a wrapped line of ingress-nginx's access log, which contains the
    /// duration and the names of the upstream. Returns whether the line was recognized.
    fn cut_access_line(&mut self, line: &str, number: usize) -> bool {
        let is_next = number == self.message_line + 1;
        let current = &mut self.current;
        if !is_next || !current.is_weak || current.source != Source::Message {
            return false;
        }
        let status = current.response.as_ref().map(|response| response.status);
        let joined =
            status.map(|status| format!("\"{} / HTTP/1.1\" {status} 0 \"-\" \"{line}", "GET"));
        let Some(Logged::Failed(entry)) = joined.and_then(|line| access_log::read(&line)) else {
            return false;
        };
        let line = current.line;
        let mut exchange = entry.exchange(line);
        exchange.request = std::mem::take(&mut current.request);
        self.current = Exchange::default();
        self.complete(exchange);
        true
    }

    /// Reads a response that a log shows as a string literal. Returns whether the line was
    /// recognized.
    fn escaped_response(&mut self, line: &str, number: usize) -> bool {
        let Some((before, text)) = string_literal::response(line) else {
            return false;
        };
        if source_code::is_source(line) || source_code::writes_literal(before, line) {
            return false;
        }
        let mut found = crate::domain::transcript::read(&text).transcripts;
        let Some(mut transcript) = found.pop().filter(|_| found.is_empty()) else {
            return false;
        };
        let status = transcript.observation.response.as_ref().map(|it| it.status);
        let current = &self.current;
        let stated = current.response.as_ref().map(|response| response.status);
        let mut url = message::url(before);
        transcript.line = number;
        let is_message = current.source == Source::Message;
        if !current.is_answered() || is_message && stated.is_some() && stated == status {
            // The command or the message above belongs to this response.
            url = url.or_else(|| current.url());
            transcript.line = current.line.max(1);
            self.current = Exchange::default();
        }
        transcript.url = transcript.url.or(url);
        if let Some(url) = &transcript.url {
            url.as_str()
                .clone_into(&mut transcript.observation.final_url);
        }
        self.next(Exchange::default());
        self.add(transcript, Origin::default());
        true
    }

    /// Reads a header of a response that a log shows below its status, or the line before such
    /// headers. Returns whether the line was recognized.
    fn logged_header(&mut self, line: &str) -> bool {
        if self.in_headers {
            if let Some((name, value)) = header_of(line.trim())
                && let Some(response) = &mut self.current.response
            {
                response.push(name, value);
                return true;
            }
            self.in_headers = false;
        }
        if line.len() > MAX_LABEL || self.current.response.is_none() {
            return false;
        }
        let lower = line.trim_end().to_ascii_lowercase();
        let Some((before, rest)) = lower.split_once("response headers:") else {
            return false;
        };
        if rest.is_empty() {
            self.in_headers = self.current.source == Source::Message;
            return self.in_headers;
        }
        // A line that starts with `response headers:` is not read here, because `object` reads it.
        let is_dictionary = !before.trim().is_empty() && rest.trim_start().starts_with('{');
        if is_dictionary {
            let pairs = &line[line.len() - rest.len()..];
            for member in self.object.line(&format!("headers: {}", pairs.trim())) {
                self.member(member, 0);
            }
        }
        is_dictionary
    }
}
