//! Reads responses that Node, Python, .NET, `PowerShell`, browsers and other programs print as
//! objects.
//!
//! Such an object has members for the status, the headers and the body, in many spellings. The
//! members about the request (`config`, `request`) are skipped, because their headers are not those
//! of the response.

mod member;
mod pairs;

use std::sync::LazyLock;

pub(in crate::domain::transcript) use self::member::Member;
use self::member::{Kind, is_of_response, kind_of, value};
pub(in crate::domain::transcript) use self::pairs::to_json;
use crate::domain::transcript::command;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::status;
use regex::Regex;

/// Reads dumps of objects line by line.
#[derive(Clone, Debug, Default)]
pub(in crate::domain::transcript) struct Dump {
    depth: usize,
    scope: Option<Scope>,
    /// The kind of the member whose value is on the next line or starts there; `None` if there is
    /// no such member.
    expected: Option<Kind>,
}

/// A member whose value spans several lines, which are being collected.
#[derive(Clone, Debug)]
struct Scope {
    kind: Kind,
    /// The number of open brackets outside the member. The member ends when this number is reached
    /// again.
    until: usize,
    headers: Vec<(String, String)>,
    text: String,
    lines: usize,
}

/// Names of members in text that was copied from a browser, where each name is alone on a line and
/// the value is on the next line.
const ALONE: &[(&str, Kind)] = &[
    ("Request URL", Kind::Url),
    ("Request Method", Kind::Method),
    ("Status Code", Kind::Status),
    ("Status", Kind::Status),
];

/// Maximum number of lines of one member. Once a member has this many headers, the headers of
/// further lines are ignored.
const MAX_LINES: usize = 2_000;
/// Maximum length in bytes of a body that spans several lines. A line that would exceed this length
/// is dropped.
const MAX_TEXT: usize = 65_536;

/// Maximum length of a line in bytes. Longer lines are ignored.
const MAX_LINE: usize = 65_536;

/// Matches a member. Captures its name and its value.
static MEMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"^\s*[-•]?\s*["'`\[:]?(?:Symbol\()?([A-Za-z][A-Za-z _.-]{0,38}[A-Za-z])["'\])]*\s*(?::|=>|=)\s*(.*)$"#,
    )
});

/// Matches a status before headers that are printed without a member name, such as `503 {` or
/// `502 Object [AxiosHeaders] {`.
static LEADING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\W{0,3}([1-5]\d\d)[ ,]+((?:[A-Z][A-Za-z-]+ ){0,5}?)(?:Object |\[\w[^\]]*\] |\w*Headers ?|Map\(\d+\) )*([{\[(].*)$",
    )
});

/// Matches a response object that is printed in short, such as `<Response [503 Oops]>`. Captures
/// the status and, in some formats, the reason phrase.
static SHORT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"<(?:Response|ClientResponse\([^)]*\)) \[([1-5]\d\d)([^\]]*)\]>|#<Net::HTTP\w+ ([1-5]\d\d) ([^>]*?)(?: readbody=\w+)?>|^\([A-Z]+ https?://\S+\) ([1-5]\d\d)$",
    )
});

impl Dump {
    /// Returns whether a member is incomplete: its value starts or continues on the next line.
    pub(in crate::domain::transcript) const fn is_open(&self) -> bool {
        self.scope.is_some() || self.expected.is_some()
    }

    /// Ends the dump. Returns the member that is being read, such as headers whose last lines are
    /// missing; `None` if there is none.
    pub(in crate::domain::transcript) fn end(&mut self) -> Option<Member> {
        std::mem::take(self).scope?.finish()
    }

    /// Reads a line. Returns the members that the line completes; an empty list if it completes
    /// none.
    pub(in crate::domain::transcript) fn line(&mut self, line: &str) -> Vec<Member> {
        if line.len() > MAX_LINE {
            return Vec::new();
        }
        if let Some(scope) = &self.scope {
            let is_indented = line.starts_with([' ', '\t', '}', ']', ')']) || line.is_empty();
            if is_indented || (scope.kind != Kind::Request && !pairs::read(line).is_empty()) {
                return self.within(line);
            }
            // The dump ended before the member was closed.
            self.depth = scope.until;
            self.scope = None;
        }
        if let Some(kind) = self.expected.take() {
            if kind == Kind::Headers && line.trim() == "{" {
                self.open(kind, line);
                return Vec::new();
            }
            if kind != Kind::Headers {
                return value(kind, line.trim()).into_iter().collect();
            }
        }
        let short = short(line);
        if !short.is_empty() {
            return short;
        }
        if let Some(members) = self.leading(line) {
            return members;
        }
        let before = self.depth;
        let found = MEMBER.as_ref().and_then(|member| member.captures(line));
        let Some(found) = found else {
            if let Some((_, kind)) = ALONE.iter().find(|(name, _)| *name == line.trim()) {
                self.expected = Some(*kind);
                return Vec::new();
            }
            self.depth = depth_after(before, line);
            return unnamed_headers(line).into_iter().collect();
        };
        let (name, text) = (&found[1], found.get(2).map_or("", |found| found.as_str()));
        let Some(kind) = kind_of(name) else {
            self.depth = depth_after(before, line);
            return Vec::new();
        };
        self.member(kind, text.trim())
    }

    /// Reads the text after a member's name: the value, the start of the value, or nothing if the
    /// value is on the next line. Returns the member, or an empty list if the value is incomplete
    /// or invalid.
    fn member(&mut self, kind: Kind, text: &str) -> Vec<Member> {
        let inside = depth_after(0, text);
        // A call such as `data = stream.read(` is source code.
        let is_value = kind != Kind::Body || text.starts_with(['{', '[', '\'', '"', '`']);
        let opens = is_value && (text.ends_with(['{', '[', '(']) || kind != Kind::Request);
        if inside > 0 && opens && matches!(kind, Kind::Headers | Kind::Body | Kind::Request) {
            self.open(kind, text);
            return Vec::new();
        }
        if text.is_empty() || text == "\\" {
            let waits = matches!(
                kind,
                Kind::Status | Kind::Headers | Kind::Url | Kind::Method
            );
            self.expected = waits.then_some(kind);
            return Vec::new();
        }
        value(kind, text).into_iter().collect()
    }

    /// Reads a line with a status and the start of the headers (see [`LEADING`]); `None` for other
    /// lines.
    fn leading(&mut self, line: &str) -> Option<Vec<Member>> {
        let found = LEADING.as_ref()?.captures(line)?;
        let text = found[3].to_owned();
        if depth_after(0, &text) == 0 && !is_of_response(&pairs::read(&text)) {
            return None;
        }
        let status = status::code(&found[1])?;
        let mut members = vec![Member::Status(status, status::reason(&found[2]))];
        members.extend(self.member(Kind::Headers, &text));
        Some(members)
    }

    fn open(&mut self, kind: Kind, text: &str) {
        let mut scope = Scope {
            kind,
            until: self.depth,
            headers: Vec::new(),
            text: String::new(),
            lines: 0,
        };
        scope.add(text);
        self.depth = depth_after(self.depth, text);
        self.scope = Some(scope);
    }

    fn within(&mut self, line: &str) -> Vec<Member> {
        let Some(mut scope) = self.scope.take() else {
            return Vec::new();
        };
        let closes = closing(self.depth, scope.until, line);
        let (inside, behind) = line.split_at(closes.unwrap_or(line.len()));
        self.depth = depth_after(self.depth, inside);
        scope.add(inside);
        scope.lines += 1;
        if closes.is_none() && scope.lines < MAX_LINES {
            self.scope = Some(scope);
            return Vec::new();
        }
        let is_headers = scope.kind == Kind::Headers;
        let mut members: Vec<Member> = scope.finish().into_iter().collect();
        // A body may be printed after the headers, on the same line.
        let behind = behind.trim();
        if is_headers && behind.starts_with(['{', '[', '\'', '"', '<']) {
            members.extend(match behind.starts_with('<') {
                true => Some(Member::Body(behind.to_owned(), true)),
                false => value(Kind::Body, behind),
            });
        }
        members
    }
}

impl Scope {
    fn add(&mut self, line: &str) {
        match self.kind {
            Kind::Headers if self.headers.len() < MAX_LINES => {
                // The name and the value of a header may be on separate lines.
                let pairs = pairs::read(line);
                if pairs.is_empty() && line.contains("ame\"") {
                    self.text = line.trim().to_owned();
                } else if pairs.is_empty() && line.contains("alue\"") {
                    self.headers
                        .extend(pairs::read(&format!("{} {line}", self.text)));
                } else {
                    self.headers.extend(pairs);
                }
            }
            Kind::Body if self.text.len() + line.len() < MAX_TEXT => {
                self.text.push_str(line);
                self.text.push('\n');
            }
            _ => {}
        }
    }

    fn finish(self) -> Option<Member> {
        match self.kind {
            Kind::Headers if is_of_response(&self.headers) => Some(Member::Headers(self.headers)),
            Kind::Body => value(Kind::Body, self.text.trim()),
            _ => None,
        }
    }
}

/// Returns the headers in a line that contains only headers, such as a Python dictionary; `None`
/// for other lines.
fn unnamed_headers(line: &str) -> Option<Member> {
    let line = line.trim();
    let starts = [
        "{'",
        "{\"",
        "Headers(",
        "<CIMultiDictProxy(",
        "[('",
        "map[",
        "java.net.http.HttpHeaders@",
    ];
    let known = ["content-type", "date", "server", "content-length"];
    let headers = starts
        .iter()
        .any(|start| line.starts_with(start))
        .then(|| pairs::read(line))?;
    let is_known = headers
        .iter()
        .any(|(name, _)| known.contains(&name.as_str()));
    (is_known && headers.len() > 1 && is_of_response(&headers)).then_some(Member::Headers(headers))
}

/// Reads a line with a response object that [`SHORT`] matches, or that Go prints with the format
/// `%+v`. Returns an empty list for other lines.
fn short(line: &str) -> Vec<Member> {
    if let Some((before, headers)) = line.split_once("Header:map[") {
        // This is the output of the format `%+v` of Go.
        let code = before.split("StatusCode:").nth(1).and_then(status::code);
        let headers = Member::Headers(pairs::go_map(headers));
        return code.map_or_else(Vec::new, |code| vec![Member::Status(code, None), headers]);
    }
    let found = SHORT.as_ref().and_then(|short| short.captures(line));
    let Some(found) = found else {
        return Vec::new();
    };
    let group = |numbers: &[usize]| numbers.iter().find_map(|number| found.get(*number));
    let reason = group(&[2, 4]).and_then(|reason| status::reason(reason.as_str()));
    let Some(status) = group(&[1, 3, 5]).and_then(|code| status::code(code.as_str())) else {
        return Vec::new();
    };
    let url = line.split(['(', ')', ' ']).find_map(command::url_of);
    let mut members = vec![Member::Status(status, reason)];
    members.extend(url.map(Member::Url));
    members
}

/// Returns the byte offset after the bracket that closes a scope; `None` if the line does not close
/// the scope. `depth` is the number of open brackets before the line, and `until` is
/// [`Scope::until`].
fn closing(depth: usize, until: usize, line: &str) -> Option<usize> {
    let places = line.match_indices(['}', ']', ')']);
    places
        .map(|(at, bracket)| at + bracket.len())
        .find(|end| depth_after(depth, &line[..*end]) <= until)
}

/// Returns the number of open brackets after a text, without those in quotes. `before` is the
/// number of open brackets before the text.
fn depth_after(before: usize, text: &str) -> usize {
    let mut quote = None;
    let mut depth = before;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (_, '\\') => {
                letters.next();
            }
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, '{' | '[' | '(') => depth += 1,
            (None, '}' | ']' | ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth
}
