//! Reads observations from text that people paste: output of HTTP clients, logs and dumps of
//! objects.
//!
//! `text` converts bytes to text and removes everything that does not belong to a transcript.
//! `reader` passes each line to the parser of its format: `command`, `clients`, `logs`, `documents`
//! (JSON and dumps of objects) or `pages` (bodies without headers). `fault`, `time`, `status` and
//! `body` parse the parts that several formats contain. `quotation` finds lines that only quote
//! messages, and `outcome` finds later lines that end a failure. `exchange` collects the lines about one
//! request and turns them into a transcript, and `judge` diagnoses the transcripts. Reading cannot
//! fail: unrecognized lines are skipped. Time and memory are linear in the size of the text.

mod body;
mod clients;
mod command;
mod documents;
mod exchange;
mod fault;
pub mod judge;
mod logs;
mod outcome;
mod pages;
mod pattern;
mod quotation;
mod reader;
mod status;
pub mod text;
mod time;

use url::Url;

use self::outcome::Outcomes;
use self::reader::Reader;
use crate::domain::diagnosis::aws::LogFinding;
use crate::domain::diagnosis::fact::FactValue;
use crate::model::observation::Observation;

/// One response or one failed request found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// The requested URL, without credentials and query; `None` if the text does not show it.
    pub url: Option<Url>,
    /// The method of the request; `GET` if the text does not show it.
    pub method: String,
    /// The observation. The durations of its phases are known only from HAR files and this
    /// program's own output.
    pub observation: Observation,
    /// Whether `observation.started` is known, from the `date` header or an error message. It is
    /// the Unix epoch otherwise.
    pub dated: bool,
    /// Whether `observation.duration` is known; it is zero otherwise.
    pub timed: bool,
    /// The number of the line on which the command, the response or the failure starts, counted
    /// from 1.
    pub line: usize,
    /// Whether the body consists of exactly the bytes that were sent, as far as the text shows;
    /// `true` if there is no response. `false` if the body is missing or cut off, or if its
    /// original form is unknown.
    pub body_exact: bool,
    /// Whether the text shows all headers of the response; `true` if there is no response.
    pub headers_known: bool,
    /// Whether the text states the fault; `true` if there is no fault. `false` if the fault was
    /// inferred from an ambiguous message.
    pub fault_stated: bool,
    /// Whether the text states the status; `true` if there is no response. `false` if the status
    /// was inferred, for example from the body.
    pub status_stated: bool,
    /// Whether it is doubtful that a request failed, because the text is an incomplete line of a
    /// log, a message that does not show that an HTTP request was made, a message about TLS with an
    /// `http` URL, or a server's message about the TLS handshake of a client.
    pub is_doubtful: bool,
    /// Facts that the text states: the evidence in this program's own output, the failure in the
    /// log of a proxy, or the code on an error page. Empty for other texts.
    pub facts: Vec<(String, FactValue)>,
    /// What a log of API Gateway states about the request; `None` for other texts.
    pub log: Option<LogFinding>,
    /// Whether the status of the response is known. It is unknown if a log does not contain it, or
    /// if a proxy logged several failed attempts for one request, because another attempt may have
    /// succeeded.
    pub status_known: bool,
}

/// The result of reading a text: the transcripts, and counts of the lines and transcripts that were
/// left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The responses and failed requests, in the order of the text.
    pub transcripts: Vec<Transcript>,
    /// Number of transcripts that were discarded because the text contains more than
    /// `MAX_TRANSCRIPTS`.
    pub left_out: usize,
    /// Number of log lines about requests that succeeded or whose failure the client caused.
    pub passed: usize,
    /// The lines that contributed to no transcript.
    pub unused: Unused,
}

/// The lines of a text that contributed to no transcript, without empty and indented lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unused {
    /// Number of unused lines.
    pub lines: usize,
    /// The number of the first unused line, counted from 1; zero if there is none.
    pub first: usize,
}

impl Unused {
    /// Adds a line, unless it is empty or indented. An indented line, such as a line of a stack
    /// trace, belongs to the line before it.
    fn add(&mut self, line: &str, number: usize) {
        if !line.starts_with([' ', '\t']) && !line.trim().is_empty() {
            self.add_line(number);
        }
    }

    fn add_line(&mut self, number: usize) {
        self.first = match self.first {
            0 => number,
            first => first.min(number),
        };
        self.lines += 1;
    }
}

/// Maximum number of transcripts kept from one text.
const MAX_TRANSCRIPTS: usize = 500;

/// Reads all responses and failed requests in a text.
#[must_use]
pub fn read(text: &str) -> Reading {
    let mut reader = Reader::new(text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    let quoted = quotation::quoted_lines(text);
    for (index, line) in text.split('\n').enumerate() {
        let is_quoted = quoted.get(index).is_some_and(|it| *it);
        reader.line(line, is_quoted, index + 1);
    }
    reader.finish(&Outcomes::of(text))
}

#[cfg(test)]
mod tests;
