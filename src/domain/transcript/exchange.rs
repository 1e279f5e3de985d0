//! One request and its answer, put together line by line.
//!
//! With `-v` curl marks its lines (`*` remarks, `>` sent, `<` received, `{`/`}` counts of
//! bytes); with `-i` headers and body stand bare. Both may be mixed in one text, so each
//! line is judged by its mark and by what came before. Nothing here can fail.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::{Transcript, duration, failure};
use crate::model::observation::{Fault, HttpVersion, Observation, Response};

/// What has been read of one exchange.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The time of the whole, where the text has it.
    pub(super) duration: Option<Duration>,
    url: Option<Url>,
    host: Option<String>,
    path: Option<String>,
    tls: bool,
    answer: Option<Answer>,
    place: Place,
    fault: Option<Fault>,
    hint: String,
    redirects: u32,
    line: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    Headers,
    Body,
    After,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    version: HttpVersion,
    interim: bool,
    headers: Vec<(String, String)>,
    body: Vec<String>,
}

/// A transcript's headers are bounded as a probe's are.
const MAX_HEADERS: usize = 100;

impl Exchange {
    /// Begins with a command line.
    pub(super) fn command(&mut self, arguments: &str, line: usize) {
        self.url = arguments
            .split_whitespace()
            .map(|word| word.trim_matches(['\'', '"', '`']))
            .find(|word| word.starts_with("http://") || word.starts_with("https://"))
            .and_then(|word| Url::parse(word).ok())
            .map(without_secrets);
        self.line = line;
    }

    /// Whether a line begins another exchange although no command was seen.
    pub(super) fn is_over(&self, line: &str) -> bool {
        let answered = self.answer.as_ref().is_some_and(|answer| !answer.is_hop());
        let begins = status_line(received(line)).is_some()
            || line.starts_with("*   Trying")
            || line.starts_with("* Trying");
        begins && self.place != Place::Before && (answered || self.fault.is_some())
    }

    /// What the next exchange of the same command starts with.
    pub(super) fn successor(&self) -> Self {
        Self {
            url: self.url.clone(),
            tls: self.tls,
            ..Self::default()
        }
    }

    /// Ends the body: what follows is the shell's.
    pub(super) fn end_of_body(&mut self) {
        if self.place != Place::Before {
            self.place = Place::After;
        }
    }

    /// Curl's last words.
    pub(super) fn failed(&mut self, code: u32, words: &str, line: usize) {
        let answered = self.answer.is_some();
        // Newer curls say "Couldn't connect" and the reason only in a remark before.
        let all = format!("{words} {}", self.hint);
        self.fault = failure::fault(code, &all, answered).map(|fault| Fault {
            detail: format!("curl ({code}): {words}"),
            ..fault
        });
        self.begin(line);
        self.place = Place::After;
    }

    /// Any other line.
    pub(super) fn line(&mut self, line: &str, number: usize) {
        let verbose = line.starts_with(['*', '>']) || is_count(line) || is_meter(line);
        if let Some(rest) = line.strip_prefix('*') {
            self.remark(rest.trim());
        } else if let Some(sent) = line.strip_prefix('>') {
            self.sent(sent.trim());
        } else if verbose {
            // Counts of bytes and the progress meter say nothing of the answer.
        } else if let Some(answer) = status_line(received(line)) {
            self.begin(number);
            if self.answer.as_ref().is_some_and(Answer::is_redirect) {
                self.redirects += 1;
            }
            self.answer = Some(answer);
            self.place = Place::Headers;
        } else if self.place == Place::Headers {
            self.header(received(line).trim());
        } else if self.place == Place::Body {
            self.body(line);
        }
    }

    /// The exchange as a transcript; `None` when there was neither answer nor fault.
    pub(super) fn finish(self) -> Option<Transcript> {
        if self.answer.is_none() && self.fault.is_none() {
            return None;
        }
        let url = self.url.clone().or_else(|| self.asked());
        let response = self.answer.map(Answer::response);
        let date = response
            .as_ref()
            .and_then(|response| response.header("date"))
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map(|date| date.timestamp());
        let shown = url.as_ref().map_or("", Url::as_str);
        let mut observation = Observation::begun(date.unwrap_or(Timestamp::UNIX_EPOCH), shown);
        observation.duration = self.duration.unwrap_or_default();
        observation.fault = self.fault;
        observation.response = response;
        observation.redirects = self.redirects;
        Some(Transcript {
            url,
            observation,
            dated: date.is_some(),
            timed: self.duration.is_some(),
            line: self.line,
        })
    }

    fn begin(&mut self, line: usize) {
        if self.line == 0 {
            self.line = line;
        }
    }

    /// The URL as far as the request tells it.
    fn asked(&self) -> Option<Url> {
        let host = self.host.as_ref()?;
        let scheme = if self.tls { "https" } else { "http" };
        let path = self.path.as_deref().unwrap_or("/");
        Url::parse(&format!("{scheme}://{host}{path}"))
            .ok()
            .map(without_secrets)
    }

    fn remark(&mut self, remark: &str) {
        let lower = remark.to_lowercase();
        if lower.contains("port 443") || lower.starts_with("ssl connection") {
            self.tls = true;
        }
        for reason in [
            "connection refused",
            "no route to host",
            "network is unreachable",
        ] {
            if lower.contains(reason) {
                reason.clone_into(&mut self.hint);
            }
        }
        let pseudo = |name: &str| {
            let (_, rest) = remark.split_once(name)?;
            Some(rest.trim().trim_end_matches(']').to_owned())
        };
        if let Some(host) = pseudo("[:authority:") {
            self.host = Some(host);
        }
        if let Some(path) = pseudo("[:path:") {
            self.path = Some(path);
        }
    }

    fn sent(&mut self, sent: &str) {
        if let [_, path, version] = sent.split(' ').collect::<Vec<_>>().as_slice()
            && version.starts_with("HTTP/")
        {
            self.path = Some((*path).to_owned());
        } else if let Some((name, value)) = sent.split_once(':')
            && name.eq_ignore_ascii_case("host")
        {
            self.host = Some(value.trim().to_owned());
        }
    }

    fn header(&mut self, line: &str) {
        if line.is_empty() {
            self.place = Place::Body;
        } else if let Some((name, value)) = line.split_once(':')
            && let Some(answer) = &mut self.answer
            && answer.headers.len() < MAX_HEADERS
        {
            let name = name.trim().to_ascii_lowercase();
            answer.headers.push((name, value.trim().to_owned()));
        }
    }

    fn body(&mut self, line: &str) {
        let (text, time) = split_time(line);
        if time.is_some() {
            self.duration = time;
        }
        if let Some(answer) = &mut self.answer
            && !(text.is_empty() && time.is_some())
        {
            answer.body.push(text.to_owned());
        }
    }
}

impl Answer {
    fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status) && self.headers.iter().any(|(name, _)| name == "location")
    }

    /// Whether another answer to the same command is to be expected.
    fn is_hop(&self) -> bool {
        self.interim || self.is_redirect()
    }

    fn response(self) -> Response {
        let length = self
            .headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .and_then(|(_, value)| value.parse::<u64>().ok());
        let mut text = self.body.join("\n");
        // The announced length tells the body from the shell's prompt behind it; without
        // it only the line ends that `-w '\n'` and terminals add are taken off.
        let announced = length.and_then(|length| usize::try_from(length).ok());
        match announced {
            Some(length) if length <= text.len() && text.is_char_boundary(length) => {
                text.truncate(length);
            }
            _ => text.truncate(text.trim_end().len()),
        }
        Response {
            status: self.status,
            version: self.version,
            headers: self.headers,
            body_bytes: text.len() as u64,
            body: text.into_bytes(),
            body_truncated: false,
            content_length: length,
        }
    }
}

fn without_secrets(mut url: Url) -> Url {
    // Both can only fail for URLs without a host, which carry no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// A line without the mark of what was received.
fn received(line: &str) -> &str {
    line.strip_prefix("< ")
        .or_else(|| (line == "<").then_some(""))
        .unwrap_or(line)
}

fn status_line(line: &str) -> Option<Answer> {
    let mut words = line.strip_prefix("HTTP/")?.split_whitespace();
    let version = match words.next()? {
        "1.0" => HttpVersion::Http10,
        "1.1" => HttpVersion::Http11,
        "2" | "2.0" => HttpVersion::Http2,
        _ => return None,
    };
    let status: u16 = words.next()?.parse().ok()?;
    let reason = words.collect::<Vec<_>>().join(" ").to_lowercase();
    (100..1000).contains(&status).then(|| Answer {
        status,
        version,
        // A proxy's consent to a tunnel is not the answer either.
        interim: status < 200 || reason == "connection established",
        headers: Vec::new(),
        body: Vec::new(),
    })
}

/// `{ [33 bytes data]` and its like.
fn is_count(line: &str) -> bool {
    (line.starts_with("{ [") || line.starts_with("} [")) && line.ends_with("bytes data]")
}

/// A line of the progress meter: its head, or columns of numbers with `--:--:--`.
fn is_meter(line: &str) -> bool {
    line.contains("% Total") || line.contains("Dload  Upload") || line.contains("--:--:--")
}

/// Splits a written-out `time_total: 0.123` (or `=`) off the end of a line.
fn split_time(line: &str) -> (&str, Option<Duration>) {
    let Some(at) = line.rfind("time_total") else {
        return (line, None);
    };
    let value = line[at + "time_total".len()..]
        .trim_start_matches(['"', '\'', ' ', ':', '='])
        .trim_end_matches(['s', '"', '\'', '}', ' ']);
    let time = value.replace(',', ".").parse().ok().and_then(duration);
    if time.is_some() {
        (line[..at].trim_end(), time)
    } else {
        (line, None)
    }
}
