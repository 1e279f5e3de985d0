//! One capture: a file that says what was received, from where, and what was wrong.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use probecause::model::observation::{Fault, FaultKind, HttpVersion, Observation, Phase, Response};
use serde::Deserialize;

/// Time of a response without a delay, in seconds.
const AT_ONCE: f64 = 0.02;

/// The content of a file in `tests/corpus/captures`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Capture {
    /// The folder: the front door.
    #[serde(skip)]
    pub(crate) door: String,
    /// The file's name without its extension.
    #[serde(skip)]
    pub(crate) id: String,
    /// What was wrong, in words.
    pub(crate) fault: String,
    /// The software or service that sent the response, with its version if known.
    pub(crate) software: String,
    /// Where the response comes from: a URL, or the test that captured it.
    pub(crate) source: String,
    /// The day of the capture, or of the source if it tells.
    pub(crate) date: String,
    pub(crate) truth: Truth,
    /// The probed URL. Host and port of a capture on loopback are replaced.
    pub(crate) url: String,
    /// The proxy's own time limit, in seconds, if it waited that long; 0: it answered at once.
    pub(crate) waited: f64,
    /// The response; absent if there was none.
    pub(crate) response: Option<Received>,
    /// The error that prevented a complete response.
    pub(crate) error: Option<Failed>,
}

/// What a verdict must not contradict.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Truth {
    /// The causes that are right. Empty: not known well enough for any.
    pub(crate) causes: Vec<String>,
    /// The hops that are right. Empty: any.
    pub(crate) hops: Vec<String>,
}

/// A response as received.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Received {
    pub(crate) version: String,
    pub(crate) status: u16,
    /// The reason phrase; absent in HTTP/2, and where the source does not tell.
    pub(crate) reason: Option<String>,
    /// Lines such as `server: nginx`, with lowercase names.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

/// An error of the transfer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failed {
    pub(crate) phase: String,
    pub(crate) kind: String,
}

impl Capture {
    /// Reads a file. Panics with its path if it is not valid.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let capture = toml::from_str(&text);
        let mut capture: Self =
            capture.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = |part: &std::ffi::OsStr| part.to_str().unwrap().to_owned();
        path.file_stem()
            .map(name)
            .unwrap()
            .clone_into(&mut capture.id);
        let folder = path.parent().and_then(Path::file_name);
        folder.map(name).unwrap().clone_into(&mut capture.door);
        capture
    }

    /// The path of the file below `captures`, without its extension.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.door, self.id)
    }

    /// The order of the table.
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.door, &self.id)
    }

    /// The protocol version, for the table.
    pub(crate) fn version(&self) -> &str {
        match &self.response {
            Some(response) => &response.version,
            None if self.id.ends_with("http-2") => "2",
            None => "1.1",
        }
    }

    /// The observation of a probe that received this.
    pub(crate) fn observation(&self) -> Observation {
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, &self.url);
        let wait = if self.waited > 0.0 {
            self.waited
        } else {
            AT_ONCE
        };
        let wait = Duration::from_secs_f64(wait);
        seen.phases.connect = Some(Duration::from_millis(1));
        if self.url.starts_with("https:") {
            seen.phases.tls = Some(Duration::from_millis(3));
        }
        seen.phases.processing = Some(wait);
        seen.duration = wait + Duration::from_millis(5);
        seen.response = self.response.as_ref().map(Received::response);
        seen.fault = self.error.as_ref().map(|error| Fault {
            phase: Phase::parse(&error.phase).expect("a phase"),
            kind: FaultKind::parse(&error.kind).expect("a kind of fault"),
            detail: error.kind.clone(),
        });
        seen
    }

    /// The content of the file.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: &str| writeln!(text, "{key} = {value}").unwrap();
        line("fault", &quoted(&self.fault));
        line("software", &quoted(&self.software));
        line("source", &quoted(&self.source));
        line("date", &quoted(&self.date));
        line("url", &quoted(&self.url));
        line("waited", &format!("{:?}", self.waited));
        let list = |items: &[String]| {
            let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
            items.join(", ")
        };
        line(
            "\n[truth]\ncauses",
            &format!("[{}]", list(&self.truth.causes)),
        );
        line("hops", &format!("[{}]", list(&self.truth.hops)));
        if let Some(response) = &self.response {
            line("\n[response]\nversion", &quoted(&response.version));
            line("status", &response.status.to_string());
            if let Some(reason) = &response.reason {
                line("reason", &quoted(reason));
            }
            let headers = response.headers.iter();
            let headers: String = headers.map(|one| format!("  {},\n", quoted(one))).collect();
            line("headers", &format!("[\n{headers}]"));
            line("body", &block(&response.body));
        }
        if let Some(error) = &self.error {
            line("\n[error]\nphase", &quoted(&error.phase));
            line("kind", &quoted(&error.kind));
        }
        text
    }
}

impl Received {
    fn response(&self) -> Response {
        let headers = self.headers.iter().map(|line| {
            let (name, value) = line.split_once(':').expect("a colon in a header");
            (name.to_owned(), value.trim_start().to_owned())
        });
        let headers: Vec<(String, String)> = headers.collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        Response {
            status: self.status,
            reason: self.reason.clone(),
            version: HttpVersion::ALL
                .into_iter()
                .find(|version| version.as_str() == self.version)
                .expect("a version of HTTP"),
            body: self.body.clone().into_bytes(),
            body_truncated: false,
            body_bytes: self.body.len() as u64,
            content_length: length.and_then(|(_, value)| value.parse().ok()),
            headers,
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('\n', "\\n"))
}

/// A multi-line basic string of TOML, or one line if there is only one.
fn block(text: &str) -> String {
    if !text.contains('\n') {
        return quoted(text);
    }
    format!("\"\"\"\n{}\"\"\"", escaped(text))
}

/// Escapes all characters that a basic string of TOML cannot hold, except line feeds.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push('\n'),
            c if c.is_control() => write!(out, "\\u{:04X}", u32::from(c)).unwrap(),
            c => out.push(c),
        }
    }
    out
}
