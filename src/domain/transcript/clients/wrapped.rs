//! Joins the lines of an error message that a mail program wrapped, or that a program printed over
//! several lines. `reader::clients::unwrap` passes the joined line to the parsers.

use super::message;
use crate::domain::transcript::fault::phrase;
use crate::domain::transcript::logs::access_log::heroku;
use crate::domain::transcript::pages::page::leaves_page;

/// Maximum number of lines of one message.
const MAX_LINES: usize = 14;

/// Maximum length of a message in bytes.
const MAX_MESSAGE: usize = 3_000;

/// The range of the length in bytes of a line that a mail program wrapped.
const WRAPPED_LENGTHS: std::ops::RangeInclusive<usize> = 36..=110;

/// A message whose lines are being joined. [`Wrapped::start`] describes which messages these are.
#[derive(Clone, Debug)]
pub(in crate::domain::transcript) struct Wrapped {
    /// The lines, each with its line number and its time of day in seconds since midnight; `None`
    /// without a time.
    pub(in crate::domain::transcript) lines: Vec<(String, usize, Option<f64>)>,
    /// The total length of the lines in bytes.
    length: usize,
    /// The number of opening brackets minus the number of closing brackets in all lines. For a line
    /// of Heroku's router, 1 until one of the router's last fields is read, then 0.
    open: i32,
    /// The text with which the second line must start, if the first line ends in the middle of a
    /// known message; `None` for other messages, and once the second line was added.
    awaited: Option<&'static str>,
    /// How the lines are joined.
    join: Join,
}

/// How the lines of a message are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    /// Joins the lines with a space, as for lines that were wrapped between words. If joining
    /// without a space yields a more specific fault, joins without a space, because a terminal
    /// probably cut a word.
    Words,
    /// Joins the lines without a space, because a console may have cut a line in the middle of a
    /// word. The Windows console does so with aria2's messages.
    Letters,
    /// Joins lines of Heroku's router, with a space only before the name of a field (see
    /// `heroku::joined`).
    RouterFields,
}

/// Words of clients' messages, each with the text with which the next line must start. A line may
/// be wrapped after the host and the port that follow the words.
const CUT: [(&str, &str); 1] = [
    // aiohttp.
    ("Cannot connect to host ", "ssl:"),
];

/// The range of the length in bytes of a line that fills a console with 80 columns.
const FULL_LINE: std::ops::RangeInclusive<usize> = 79..=80;

impl Wrapped {
    /// Starts a message at a line that must continue on the next line; `None` for other lines.
    /// `stamp` is the time of day of the line in seconds since midnight. A message starts at one of
    /// these lines:
    /// - a line of Heroku's router without its last fields
    /// - an error of aria2 or a line of HAProxy that fills a console line
    /// - an error message that ends as described at [`CUT`]
    /// - an error message that contains an unclosed bracket, or that contains a URL and ends with
    ///   `":`. Its length must be in [`WRAPPED_LENGTHS`]. A message that ends with an opening
    ///   bracket may be shorter, and a message of urllib3 may have any length up to
    ///   [`MAX_TERMINAL`].
    ///
    /// An error message must be unindented and must not state a status.
    pub(in crate::domain::transcript) fn start(
        line: &str,
        number: usize,
        stamp: Option<f64>,
    ) -> Option<Self> {
        if heroku::is_start(line) {
            return Some(Self {
                open: 1,
                ..Self::of_line(line, number, stamp, Join::RouterFields)
            });
        }
        if is_cut(line) {
            return Some(Self::of_line(line, number, stamp, Join::Letters));
        }
        let ends_open = line.ends_with(['(', '{', '[']);
        let may_be = WRAPPED_LENGTHS.contains(&line.len())
            || is_of_pool(line)
            || ends_open && line.len() < *WRAPPED_LENGTHS.end();
        let open = balance(line);
        let awaited = cut_at(line).filter(|_| open <= 0);
        let awaits_reason = line.ends_with("\":") && line.contains("://");
        let is_open = may_be && (open > 0 || awaits_reason);
        if (!is_open && awaited.is_none()) || line.starts_with([' ', '\t', '{', '[']) {
            return None;
        }
        let message = message::read(line)?;
        message.status.is_none().then(|| Self {
            open,
            awaited,
            ..Self::of_line(line, number, stamp, Join::Words)
        })
    }

    /// Returns a message of one line whose brackets are closed.
    fn of_line(line: &str, number: usize, stamp: Option<f64>, join: Join) -> Self {
        Self {
            lines: vec![(line.to_owned(), number, stamp)],
            length: line.len(),
            open: 0,
            awaited: None,
            join,
        }
    }

    /// Adds a line if it may belong to the message and the message is not too long. Returns whether
    /// the line was added.
    pub(in crate::domain::transcript) fn add(
        &mut self,
        line: &str,
        number: usize,
        stamp: Option<f64>,
    ) -> bool {
        let trimmed = line.trim_start();
        let is_frame = ["at ", "File ", "in ", "from "]
            .iter()
            .any(|start| trimmed.starts_with(start));
        let is_full = self.lines.len() >= MAX_LINES || self.length + line.len() > MAX_MESSAGE;
        if trimmed.is_empty() || is_frame || is_full || leaves_page(line) {
            return false;
        }
        if self
            .awaited
            .is_some_and(|start| !trimmed.starts_with(start))
        {
            return false;
        }
        if self.join == Join::RouterFields {
            // This line is the next entry of the log.
            if line.contains("heroku[") || line.contains("app[") {
                return false;
            }
            self.open = i32::from(!heroku::ends(line));
        } else {
            self.open += balance(line);
        }
        self.awaited = None;
        self.length += line.len();
        self.lines.push((line.to_owned(), number, stamp));
        true
    }

    /// Returns whether all brackets are closed or, for Heroku's router, a last field was read.
    pub(in crate::domain::transcript) const fn is_closed(&self) -> bool {
        self.open <= 0
    }

    /// Returns whether the lines are one message: all brackets are closed, or there are at least
    /// three lines and all but the last have a length in [`WRAPPED_LENGTHS`].
    pub(in crate::domain::transcript) fn is_one(&self) -> bool {
        let all_but_last = self.lines.len().saturating_sub(1);
        let mut wrapped = self.lines.iter().take(all_but_last);
        self.is_closed()
            || (all_but_last > 1
                && wrapped.all(|(line, _, _)| WRAPPED_LENGTHS.contains(&line.len())))
    }

    /// Returns whether no further line belongs to the message.
    pub(in crate::domain::transcript) fn is_complete(&self) -> bool {
        let last = self.lines.last().map_or("", |(line, _, _)| line.trim_end());
        if self.join == Join::Letters {
            return !FULL_LINE.contains(&last.len());
        }
        self.is_closed() && !last.ends_with([':', ','])
    }

    /// Returns the whole message in one line.
    pub(in crate::domain::transcript) fn joined(&self) -> String {
        match self.join {
            Join::Words => {
                let lines: Vec<&str> = self.lines.iter().map(|(line, _, _)| line.trim()).collect();
                most_specific([lines.join(" "), lines.concat()])
            }
            Join::Letters => self
                .lines
                .iter()
                .map(|(line, _, _)| line.as_str())
                .collect(),
            Join::RouterFields => heroku::joined(self.lines.iter().map(|(line, _, _)| line.trim())),
        }
    }
}

/// Returns the text with which the next line must start if a line ends as described at [`CUT`];
/// `None` otherwise.
fn cut_at(line: &str) -> Option<&'static str> {
    let (_, next) = CUT.iter().find(|(words, _)| {
        let rest = line.split_once(words).map(|(_, rest)| rest.trim_end());
        let port = rest.and_then(|rest| rest.rsplit_once(':'));
        port.is_some_and(|(host, port)| {
            let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            is_number && !host.is_empty() && !host.contains(' ')
        })
    })?;
    Some(next)
}

/// Returns whether a line fills a line of a console with 80 columns, and is an error of aria2 or a
/// line of HAProxy in the format of syslog.
fn is_cut(line: &str) -> bool {
    let is_of_aria2 = line.starts_with("  -> [") && line.contains("] errorCode=");
    FULL_LINE.contains(&line.len()) && (is_of_aria2 || line.contains(" haproxy["))
}

/// Returns whether a line is the start of urllib3's message about a failed request. A terminal
/// wraps such a long message at the terminal's width, which may be large.
fn is_of_pool(line: &str) -> bool {
    line.len() <= MAX_TERMINAL
        && line.contains("ConnectionPool(host=")
        && line.contains("Max retries exceeded with url: ")
}

/// Maximum length in bytes of a line that a wide terminal may have wrapped.
const MAX_TERMINAL: usize = 400;

/// Returns the text that states the more specific fault; the first text if neither is more
/// specific.
fn most_specific(texts: [String; 2]) -> String {
    let rank = |text: &str| phrase::find_statement(text).map_or(usize::MAX, |found| found.rank);
    let [first, second] = texts;
    if rank(&second) < rank(&first) {
        second
    } else {
        first
    }
}

/// Returns the number of opening brackets minus the number of closing brackets in a line.
fn balance(line: &str) -> i32 {
    line.bytes().fold(0, |sum, byte| match byte {
        b'(' | b'{' | b'[' => sum + 1,
        b')' | b'}' | b']' => sum - 1,
        _ => sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_until_the_brackets_are_closed() {
        let mut lines = [
            "SSLError: HTTPSConnectionPool(host='x.example',",
            "port=443): Max retries exceeded with url:",
            "/a (Caused by",
            "SSLError(1, 'certificate has expired'))",
        ]
        .iter();
        let mut message = Wrapped::start(lines.next().unwrap(), 1, None).unwrap();
        for (index, line) in lines.enumerate() {
            assert!(!message.is_complete());
            assert!(message.add(line, index + 2, None));
        }
        assert!(message.is_complete());
        assert!(
            message
                .joined()
                .ends_with("url: /a (Caused by SSLError(1, 'certificate has expired'))")
        );
    }

    #[test]
    fn a_line_that_fills_the_console_goes_on_without_a_space() {
        let line =
            "  -> [HttpSkipResponseCommand.cc:240] errorCode=22 The response status is not su";
        let mut message = Wrapped::start(line, 1, None).unwrap();
        assert!(!message.is_complete());
        assert!(message.add("ccessful. status=421", 2, None));
        assert!(message.is_complete());
        assert!(message.joined().ends_with("is not successful. status=421"));
    }

    #[test]
    fn a_word_that_a_wide_terminal_cut_is_joined() {
        let start = "SSLError: HTTPSConnectionPool(host='a.example', port=443): Max retries exceeded with url: /a/long/path/of/a/file.json (Caused by SSLError(SSLCertVerificationError(1, 'certificate has exp";
        let mut message = Wrapped::start(start, 1, None).unwrap();
        assert!(message.add("ired (_ssl.c:1006)')))", 2, None));
        assert!(message.joined().contains("has expired (_ssl"));
    }

    #[test]
    fn complete_lines_and_frames_are_not_joined() {
        let line = "Error: connect ECONNREFUSED 127.0.0.1:80 (and more)";
        assert!(Wrapped::start(line, 1, None).is_none());
        let open = "java.net.ConnectException: Connection refused (at the";
        let mut message = Wrapped::start(open, 1, None).unwrap();
        assert!(!message.add("    at java.base/x.y(Z.java:3)", 2, None));
        assert!(!message.add("", 2, None));
    }
}
