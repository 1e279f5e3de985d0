//! Collects the lines of JSON documents in a text, and adds the content of the documents to the
//! transcripts. `json_doc` parses the documents.

mod objects;

use super::Reader;
use super::collection::Origin;
use crate::domain::transcript::Transcript;
use crate::domain::transcript::documents::json_doc::{self, Block};
use crate::domain::transcript::exchange::{Exchange, Section, Source};
use crate::domain::transcript::time::clocks::Clock;
use crate::domain::transcript::time::trailer;

impl Reader {
    /// Adds a line to the JSON document that is being collected, or starts a document. Returns
    /// whether the line belongs to a document.
    pub(super) fn block(&mut self, line: &str, number: usize) -> bool {
        if let Some(block) = &mut self.block {
            // A mail program or Markdown may quote each line.
            let line = line.strip_prefix("> ").unwrap_or(line);
            match block.add(line, number) {
                json_doc::Step::More => {}
                json_doc::Step::Done => self.end_block(),
            }
            return true;
        }
        let is_outside = matches!(self.current.section, Section::Before | Section::After);
        let is_free = !self.object.is_open() && self.page.is_none();
        if is_outside && is_free && Block::starts(line) {
            let mut block = Block::default();
            let step = block.add(line, number);
            self.block = Some(block);
            if step == json_doc::Step::Done {
                self.end_block();
            }
            return true;
        }
        false
    }

    /// Ends the JSON document that is being collected, and reads it. If it is neither a recognized
    /// document nor a part of a response, its lines are read one by one, unless it is the output of
    /// a command and reports no error: its texts are then data.
    pub(super) fn end_block(&mut self) {
        let Some(block) = self.block.take() else {
            return;
        };
        if self.console_block(&block.text) {
            return;
        }
        let Some(documents) = json_doc::read(&block.text) else {
            if self.client_body(&block.text, block.number) {
                return;
            }
            let is_output = self.expects_body() && json_doc::is_without_error(&block.text);
            for (line, number) in block.lines() {
                if is_output {
                    self.current.unrecognized(line);
                    self.unused.add_line(number);
                } else {
                    self.dispatch(line, None, number);
                }
            }
            return;
        };
        self.found.passed += usize::from(documents.is_empty());
        for document in documents {
            self.document(document, block.number);
        }
    }

    /// Returns whether an exchange from a proxy's access log is about the same request as the error
    /// that the proxy logged on the line above. Caddy logs a failed request twice.
    fn repeats_log_line(&mut self, exchange: &Exchange) -> bool {
        let Some(status) = exchange.response.as_ref().map(|response| response.status) else {
            return false;
        };
        let line = exchange.line;
        let is_access = exchange.source == Source::Message && exchange.facts.is_empty();
        let url = exchange.request.url.as_ref();
        let Some(last) = self.found.last_mut().filter(|_| is_access && url.is_some()) else {
            return false;
        };
        let known = last
            .observation
            .response
            .as_ref()
            .map(|response| response.status);
        let is_error = last.facts.iter().any(|(name, _)| name == "proxy_log.error");
        is_error && last.line + 1 == line && known == Some(status) && last.url.as_ref() == url
    }

    /// Adds the content of a document to the transcripts or to the current exchange.
    pub(super) fn document(&mut self, document: json_doc::Document, number: usize) {
        match document {
            json_doc::Document::Exchange(mut exchange) => {
                exchange.line = number;
                // A line of a gateway's log is complete, and is not about the current command.
                if exchange.log.is_some() {
                    self.insert(*exchange);
                    return;
                }
                if self.repeats_log_line(&exchange) {
                    self.unused.add_line(number);
                    return;
                }
                if exchange.command.is_none() {
                    exchange.command = self.current.command.take();
                }
                self.complete(*exchange);
            }
            json_doc::Document::Text(text) => {
                let reading = crate::domain::transcript::read(&text);
                for transcript in reading.transcripts {
                    let line = number;
                    self.add(Transcript { line, ..transcript }, Origin::default());
                }
            }
            json_doc::Document::Output(text) => {
                let trailer = trailer::labeled(&text);
                if let Some(time) = trailer.time {
                    self.record(Clock::Client, time);
                }
                self.current.unrecognized(&text);
                self.current.begin_if_unknown(number);
            }
        }
    }
}
