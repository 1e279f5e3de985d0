//! Parses one request and its response from the output of curl, line by line.
//!
//! With `-v` curl marks its lines: `*` for information, `>` sent, `<` received, `{` and `}` for
//! byte counts. With `-i` headers and body have no marks. Both may be mixed in one text, so
//! each line is interpreted by its mark and by the lines before it. Parsing cannot fail.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::{Transcript, duration, failure};
use crate::model::observation::{Fault, HttpVersion, Observation, Response};
use crate::model::target::redacted_url;

/// A request and its response, as far as they are parsed.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The total time of the request; `None` if the text does not contain it.
    pub(super) duration: Option<Duration>,
    url: Option<Url>,
    host: Option<String>,
    path: Option<String>,
    tls: bool,
    response: Option<RawResponse>,
    section: Section,
    fault: Option<Fault>,
    /// The reason of a connect error, from an information line.
    reason: String,
    redirects: u32,
    line: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Section {
    #[default]
    Before,
    Headers,
    Body,
    After,
}

#[derive(Debug)]
struct RawResponse {
    status: u16,
    version: HttpVersion,
    interim: bool,
    headers: Vec<(String, String)>,
    body: Vec<String>,
}

/// Maximum number of headers kept, as for a probe.
const MAX_HEADERS: usize = 100;

impl Exchange {
    /// Starts the exchange with a curl command line.
    pub(super) fn command(&mut self, arguments: &str, line: usize) {
        self.url = arguments
            .split_whitespace()
            .map(|word| word.trim_matches(['\'', '"', '`']))
            .find(|word| word.starts_with("http://") || word.starts_with("https://"))
            .and_then(|word| Url::parse(word).ok())
            .map(redacted_url);
        self.line = line;
    }

    /// Whether a line starts another exchange without a command line.
    pub(super) fn is_over(&self, line: &str) -> bool {
        let answered = self
            .response
            .as_ref()
            .is_some_and(|response| !response.is_hop());
        let begins = status_line(received(line)).is_some()
            || line.starts_with("*   Trying")
            || line.starts_with("* Trying");
        begins && self.section != Section::Before && (answered || self.fault.is_some())
    }

    /// The start of the next exchange of the same command.
    pub(super) fn successor(&self) -> Self {
        Self {
            url: self.url.clone(),
            tls: self.tls,
            ..Self::default()
        }
    }

    /// Ends the body; the lines that follow are output of the shell.
    pub(super) fn end_of_body(&mut self) {
        if self.section != Section::Before {
            self.section = Section::After;
        }
    }

    /// Records an error message of curl.
    pub(super) fn failed(&mut self, code: u32, message: &str, line: usize) {
        let answered = self.response.is_some();
        // Newer versions print only "Couldn't connect" here and the reason in a line before.
        let all = format!("{message} {}", self.reason);
        self.fault = failure::classify(code, &all, answered).map(|(phase, kind)| Fault {
            phase,
            kind,
            detail: format!("curl ({code}): {message}"),
        });
        self.begin(line);
        self.section = Section::After;
    }

    /// Parses a line that is neither a command nor an error message of curl.
    pub(super) fn line(&mut self, line: &str, number: usize) {
        if let Some(rest) = line.strip_prefix('*') {
            self.information(rest.trim());
        } else if let Some(sent) = line.strip_prefix('>') {
            self.sent(sent.trim());
        } else if is_count(line) || is_meter(line) {
            // Byte counts and the progress meter are not part of the response.
        } else if let Some(response) = status_line(received(line)) {
            self.begin(number);
            if self.response.as_ref().is_some_and(RawResponse::is_redirect) {
                self.redirects += 1;
            }
            self.response = Some(response);
            self.section = Section::Headers;
        } else if self.section == Section::Headers {
            self.header(received(line).trim());
        } else if self.section == Section::Body {
            self.body(line);
        }
    }

    /// The exchange as a transcript; `None` if it has neither a response nor a fault.
    pub(super) fn finish(self) -> Option<Transcript> {
        if self.response.is_none() && self.fault.is_none() {
            return None;
        }
        let url = self.url.clone().or_else(|| self.requested_url());
        let response = self.response.map(RawResponse::into_response);
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

    /// The URL, from the request line and the `Host` header.
    fn requested_url(&self) -> Option<Url> {
        let host = self.host.as_ref()?;
        let scheme = if self.tls { "https" } else { "http" };
        let path = self.path.as_deref().unwrap_or("/");
        Url::parse(&format!("{scheme}://{host}{path}"))
            .ok()
            .map(redacted_url)
    }

    /// Parses an information line (`*`).
    fn information(&mut self, text: &str) {
        let lower = text.to_lowercase();
        if lower.contains("port 443") || lower.starts_with("ssl connection") {
            self.tls = true;
        }
        for reason in [
            "connection refused",
            "no route to host",
            "network is unreachable",
        ] {
            if lower.contains(reason) {
                reason.clone_into(&mut self.reason);
            }
        }
        let pseudo = |name: &str| {
            let (_, rest) = text.split_once(name)?;
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
            self.section = Section::Body;
        } else if let Some((name, value)) = line.split_once(':')
            && let Some(response) = &mut self.response
            && response.headers.len() < MAX_HEADERS
        {
            let name = name.trim().to_ascii_lowercase();
            response.headers.push((name, value.trim().to_owned()));
        }
    }

    fn body(&mut self, line: &str) {
        let (text, time) = split_time(line);
        if time.is_some() {
            self.duration = time;
        }
        if let Some(response) = &mut self.response
            && !(text.is_empty() && time.is_some())
        {
            response.body.push(text.to_owned());
        }
    }
}

impl RawResponse {
    fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status) && self.headers.iter().any(|(name, _)| name == "location")
    }

    /// Whether another response to the same command follows.
    fn is_hop(&self) -> bool {
        self.interim || self.is_redirect()
    }

    fn into_response(self) -> Response {
        let length = self
            .headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .and_then(|(_, value)| value.parse::<u64>().ok());
        let mut text = self.body.join("\n");
        // The announced length separates the body from the shell prompt after it. Without it,
        // only trailing line ends are removed, which `-w '\n'` and terminals add.
        let announced = length.and_then(|length| usize::try_from(length).ok());
        match announced {
            Some(length) if length <= text.len() && text.is_char_boundary(length) => {
                text.truncate(length);
            }
            _ => text.truncate(text.trim_end().len()),
        }
        Response {
            status: self.status,
            reason: None,
            version: self.version,
            headers: self.headers,
            body_bytes: text.len() as u64,
            body: text.into_bytes(),
            body_truncated: false,
            content_length: length,
        }
    }
}

/// A line without the mark for received data (`<`).
fn received(line: &str) -> &str {
    line.strip_prefix("< ")
        .or_else(|| (line == "<").then_some(""))
        .unwrap_or(line)
}

fn status_line(line: &str) -> Option<RawResponse> {
    let mut words = line.strip_prefix("HTTP/")?.split_whitespace();
    let version = match words.next()? {
        "1.0" => HttpVersion::Http10,
        "1.1" => HttpVersion::Http11,
        "2" | "2.0" => HttpVersion::Http2,
        _ => return None,
    };
    let status: u16 = words.next()?.parse().ok()?;
    let reason = words.collect::<Vec<_>>().join(" ").to_lowercase();
    (100..1000).contains(&status).then(|| RawResponse {
        status,
        version,
        // A proxy's response to CONNECT is not the response to the request.
        interim: status < 200 || reason == "connection established",
        headers: Vec::new(),
        body: Vec::new(),
    })
}

/// Whether a line is a byte count such as `{ [33 bytes data]`.
fn is_count(line: &str) -> bool {
    (line.starts_with("{ [") || line.starts_with("} [")) && line.ends_with("bytes data]")
}

/// Whether a line belongs to the progress meter: its head, or numbers with `--:--:--`.
fn is_meter(line: &str) -> bool {
    line.contains("% Total") || line.contains("Dload  Upload") || line.contains("--:--:--")
}

/// Splits `time_total: 0.123` (or with `=`) off the end of a line.
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
