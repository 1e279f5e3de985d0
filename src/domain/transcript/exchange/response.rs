//! Collects the status line, the headers and the body of one response.

use crate::domain::transcript::body::is_elision;
use crate::domain::transcript::body::json_text::end_of_value;
use crate::domain::transcript::status::StatusLine;
use crate::model::observation::HttpVersion;

/// A response, as far as it has been read.
#[derive(Clone, Debug)]
pub(in crate::domain::transcript) struct RawResponse {
    pub(in crate::domain::transcript) status: u16,
    pub(in crate::domain::transcript) version: HttpVersion,
    pub(in crate::domain::transcript) reason: Option<String>,
    /// Whether another response to the same request follows, as after a 1xx status, an established
    /// tunnel, or a round of authentication.
    pub(in crate::domain::transcript) is_interim: bool,
    /// Whether this is the response of a proxy to `CONNECT`.
    pub(in crate::domain::transcript) is_connect: bool,
    pub(in crate::domain::transcript) headers: Vec<(String, String)>,
    /// The text after the headers: the body, and any output that follows the body.
    pub(in crate::domain::transcript) body: String,
    /// Whether the body was printed as an object and has therefore lost its original whitespace.
    pub(in crate::domain::transcript) is_reformatted: bool,
    /// Whether a part of the response is missing: the source does not show it, or the body exceeds
    /// [`MAX_BODY`].
    pub(in crate::domain::transcript) is_cut: bool,
    /// Whether the status was inferred from the body or from the text of an error page.
    pub(in crate::domain::transcript) is_inferred: bool,
    /// Number of lines of the body.
    lines: usize,
    /// Number of empty lines among the headers.
    spaces: usize,
    /// Length of the last header line in bytes. If the line is long, the next line may be its
    /// wrapped rest.
    last_line: usize,
    /// Number of headers that were discarded because of [`MAX_HEADERS`] or [`MAX_VALUE`].
    pub(in crate::domain::transcript) dropped: usize,
}

/// Maximum number of headers kept of one response.
const MAX_HEADERS: usize = 100;

/// Maximum length of a header's value in bytes.
const MAX_VALUE: usize = 8_192;

/// Maximum length of a body in bytes.
const MAX_BODY: usize = 1 << 20;

/// Maximum length in bytes of a body whose end [`RawResponse::is_closed`] checks.
const MAX_CLOSED: usize = 8_192;

/// Minimum length in bytes of a line that a terminal or mail program may have wrapped.
const MIN_WRAPPED: usize = 70;

impl RawResponse {
    pub(in crate::domain::transcript) fn new(line: StatusLine) -> Self {
        let reason = line.reason.as_deref().unwrap_or_default();
        // After a 1xx status, and after a proxy's response to `CONNECT`, the response to the
        // request follows.
        let is_interim = line.status < 200 || reason.eq_ignore_ascii_case("connection established");
        Self {
            is_interim,
            version: line.version,
            ..Self::of_status(line.status, line.reason)
        }
    }

    /// Returns a response of which only the status and, if it is not `None`, the reason phrase are
    /// known.
    pub(in crate::domain::transcript) fn of_status(status: u16, reason: Option<String>) -> Self {
        Self {
            status,
            version: HttpVersion::Http11,
            reason,
            is_interim: false,
            is_connect: false,
            headers: Vec::new(),
            body: String::new(),
            is_reformatted: false,
            is_cut: false,
            is_inferred: false,
            lines: 0,
            spaces: 0,
            last_line: 0,
            dropped: 0,
        }
    }

    pub(in crate::domain::transcript) fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status) && self.value("location").is_some()
    }

    /// Returns whether the same command may receive another response, for example after a redirect.
    pub(in crate::domain::transcript) fn may_precede_another(&self) -> bool {
        self.is_interim || self.is_redirect() || (self.is_connect && self.status < 300)
    }

    /// Returns the first value of the header with this lowercase name; `None` if it is missing.
    pub(in crate::domain::transcript) fn value(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns whether the response already contains the header of this line with the same value.
    pub(in crate::domain::transcript) fn has_header(&self, line: &str) -> bool {
        header_of(line).is_some_and(|(name, value)| {
            let known = |(key, old): &(String, String)| *key == name && old == value;
            self.headers.iter().any(known)
        })
    }

    /// Records an empty line among the headers. Returns whether the text is double-spaced: an empty
    /// line follows every line so far. An empty line in such a text does not end the headers.
    pub(in crate::domain::transcript) fn is_spaced_out(&mut self) -> bool {
        self.spaces += 1;
        self.spaces == self.headers.len() + 1
    }

    /// Reads a header line. `unmarked` is whether curl marked the previous lines but not this line.
    /// Returns whether the line is the first line of the body instead.
    pub(in crate::domain::transcript) fn header(&mut self, line: &str, unmarked: bool) -> bool {
        let last = std::mem::replace(&mut self.last_line, line.len());
        // After an empty line, only a line with a common header name is a header.
        let may_be = |name: &str| self.spaces == 0 || is_usual(name);
        if let Some((name, value)) = header_of(line)
            && !unmarked
            && may_be(&name)
        {
            self.push(name, value);
            return false;
        }
        if is_elision(line) {
            self.is_cut = true;
            return false;
        }
        let is_folded = line.starts_with([' ', '\t']) && !self.headers.is_empty();
        let is_wrapped = last >= MIN_WRAPPED && !line.starts_with(['{', '<', '[']);
        if let Some((_, value)) = self.headers.last_mut()
            && (is_folded || is_wrapped)
            && value.len() + line.len() < MAX_VALUE
        {
            value.push(' ');
            value.push_str(line.trim());
            return false;
        }
        true
    }

    /// Adds a header, or counts it as dropped because of [`MAX_HEADERS`] or [`MAX_VALUE`].
    pub(in crate::domain::transcript) fn push(&mut self, name: String, value: &str) {
        if self.headers.len() < MAX_HEADERS && value.len() < MAX_VALUE {
            self.headers.push((name, value.to_owned()));
        } else {
            self.dropped += 1;
        }
    }

    /// Returns the value of the `content-length` header; `None` if the header is missing or
    /// invalid.
    pub(in crate::domain::transcript) fn content_length(&self) -> Option<u64> {
        self.value("content-length")?.trim().parse().ok()
    }

    /// Returns the announced length in bytes of the body that the text shows; `None` if the length
    /// is unknown or the body was compressed.
    pub(in crate::domain::transcript) fn announced_length(&self) -> Option<usize> {
        let is_plain = self
            .value("content-encoding")
            .is_none_or(|coding| coding.is_empty() || coding == "identity");
        let length = self.content_length().filter(|_| is_plain)?;
        usize::try_from(length).ok()
    }

    /// Returns whether the response to a request with this method has no body.
    pub(in crate::domain::transcript) fn is_without_body(&self, method: &str) -> bool {
        method == "HEAD" || matches!(self.status, 204 | 304)
    }

    /// Returns whether the body has exactly the announced length, with the line ends of Unix or of
    /// Windows. The lines that follow are then other output.
    pub(in crate::domain::transcript) fn is_complete(&self) -> bool {
        let Some(length) = self.announced_length() else {
            return false;
        };
        let (bytes, lines) = (self.body.len(), self.lines);
        // The last line end is not always part of the body.
        let all = bytes + lines;
        length == 0
            || [bytes, bytes.saturating_sub(1), all, all.saturating_sub(2)].contains(&length)
    }

    /// Returns whether a body of unknown length ends like a complete JSON value or HTML page.
    pub(in crate::domain::transcript) fn is_closed(&self) -> bool {
        let body = self.body.trim();
        self.announced_length().is_none()
            && body.len() <= MAX_CLOSED
            && (end_of_value(body) == Some(body.len()) || ends_page(body))
    }

    /// Adds a line to the body.
    pub(in crate::domain::transcript) fn body(&mut self, line: &str) {
        self.lines += 1;
        self.raw_body(line);
        self.raw_body("\n");
    }

    /// Adds a part of the body as it is, without adding a line end. A part that would exceed
    /// [`MAX_BODY`] is dropped.
    pub(in crate::domain::transcript) fn raw_body(&mut self, text: &str) {
        if self.body.len() + text.len() <= MAX_BODY {
            self.body.push_str(text);
        } else {
            self.is_cut = true;
        }
    }
}

/// Returns whether a text ends with the end tag of an HTML page, in upper or lower case.
pub(in crate::domain::transcript) fn ends_page(text: &str) -> bool {
    const END: &str = "</html>";
    let start = text.len().saturating_sub(END.len());
    let end = text.get(start..);
    end.is_some_and(|end| end.eq_ignore_ascii_case(END))
}

/// Returns the lowercase name and the value of a header line; `None` if the line is not a header.
pub(in crate::domain::transcript) fn header_of(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.split_once(':')?;
    let (name, value) = without_emphasis(name.trim_end(), value.trim());
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(fits);
    is_name.then(|| (name.to_ascii_lowercase(), value))
}

/// Returns the name and the value of a header without the asterisks of Markdown around the name,
/// the value or both.
fn without_emphasis<'a>(name: &'a str, value: &'a str) -> (&'a str, &'a str) {
    if !name.starts_with("**") && !value.starts_with("**") {
        return (name, value);
    }
    let bare = name.trim_start_matches("**").trim_end_matches("**");
    let value = value.trim_start_matches("**").trim_start();
    (bare, value.trim_end_matches("**"))
}

/// Returns whether a header name is common in responses.
fn is_usual(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "date",
        "server",
        "connection",
        "via",
        "age",
        "vary",
        "etag",
        "location",
        "expires",
        "allow",
        "transfer-encoding",
        "set-cookie",
        "keep-alive",
        "apigw-requestid",
    ];
    let starts = [
        "content-",
        "x-",
        "cf-",
        "access-control-",
        "cache-",
        "last-",
        "www-",
        "strict-",
    ];
    NAMES.contains(&name) || starts.iter().any(|start| name.starts_with(start))
}

/// Maximum length of a header's name in bytes.
const MAX_NAME: usize = 100;
