//! Reads the observations in texts that people paste: output of clients, logs and dumps.
//!
//! `decode` turns bytes into text, `text` removes what does not belong to a transcript, and
//! `reader` distributes the lines to the dialects: curl (`command`, `trace`, `fault`), wget,
//! error messages (`message`), dumps of objects (`object`) and JSON (`json_doc`). `exchange`
//! collects what belongs to one request, and `settle` makes a transcript of it. `judge`
//! diagnoses the result. Reading cannot fail: lines that are not understood are skipped. Time
//! and memory are linear in the size of the text.

mod body;
mod clients;
mod command;
mod curl_lines;
pub mod decode;
mod documents;
mod exchange;
mod fault;
mod json_doc;
pub mod judge;
mod message;
mod object;
mod objects;
mod pattern;
mod reader;
mod response;
mod settle;
mod status;
mod text;
mod time;
mod trace;
mod wget;

use url::Url;

use self::reader::Reader;
use crate::domain::diagnosis::fact::FactValue;
use crate::model::observation::Observation;

/// One response or one failed request found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// The requested URL, without credentials and query; `None` if the text has none.
    pub url: Option<Url>,
    /// The method of the request; `GET` if the text does not tell.
    pub method: String,
    /// The observation; most of its phases are unknown.
    pub observation: Observation,
    /// Whether `observation.started` is known (from the `date` header).
    pub dated: bool,
    /// Whether `observation.duration` is known; it is zero otherwise.
    pub timed: bool,
    /// The line on which the command, the response or the failure starts, counted from 1.
    pub line: usize,
    /// Whether the body has the bytes that were sent, as far as the text tells. `false` if it
    /// is missing, cut off, or reformatted in a way that does not fit the announced length.
    pub body_exact: bool,
    /// Whether the text shows the headers of the response, without leaving some out.
    pub headers_known: bool,
    /// Whether the text states the fault. Otherwise it was inferred from an ambiguous message.
    pub fault_stated: bool,
    /// Facts that the text states: the evidence in this program's own output.
    pub facts: Vec<(String, FactValue)>,
}

/// What was found in a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The responses and failed requests, in order.
    pub transcripts: Vec<Transcript>,
    /// The number of further ones, beyond the maximum.
    pub left_out: usize,
}

/// Maximum number of transcripts kept of one text.
const MAX_TRANSCRIPTS: usize = 500;

/// Reads all responses and failed requests in a text.
#[must_use]
pub fn read(text: &str) -> Reading {
    let mut reader = Reader::new(text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    for (index, line) in text.split('\n').enumerate() {
        reader.line(line, index + 1);
    }
    reader.finish()
}

#[cfg(test)]
mod tests;
