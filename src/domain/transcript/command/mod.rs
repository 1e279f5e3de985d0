//! Recognizes the command that made a request: curl, wget, `HTTPie`, `PowerShell`, `fetch` or
//! openssl.
//!
//! A `Command` contains the URL, the method, and the options that change the output. A URL whose
//! host contains a variable or placeholder counts as unknown.

mod options;
mod words;

use std::sync::LazyLock;

use regex::Regex;
use url::Url;

use super::pattern::pattern;
use crate::model::target::redacted_url;

/// A command that makes HTTP requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Command {
    /// The URL without credentials and query; `None` if the command has no URL, or if the host of
    /// the URL contains a variable or placeholder.
    pub(super) url: Option<Url>,
    /// The further URLs in the command, in order. The command requests them after `url`.
    pub(super) more: Vec<Url>,
    /// Whether the command prints its exit code.
    pub(super) prints_code: bool,
    /// The method; `None` if the command neither names nor implies one.
    pub(super) method: Option<String>,
    /// The format in curl's option `-w`, with escape sequences such as `\n` as they were written;
    /// `None` if the command does not have this option.
    pub(super) write_out: Option<String>,
    /// Whether curl adds timestamps to the lines that it prints (`--trace-time`).
    pub(super) stamps: bool,
    /// Whether the command probably runs on Windows: a `.exe` program or a `PowerShell` command.
    pub(super) is_windows: bool,
    /// Whether curl writes the body to a file instead of printing it.
    pub(super) hides_body: bool,
    /// Whether the command line uses `cat` to print the file to which curl wrote the body.
    pub(super) prints_file: bool,
    /// Whether curl follows redirects.
    pub(super) follows: bool,
}

impl Command {
    /// Replaces the URL with the URL of the next transfer, and returns the new URL. Returns `None`
    /// if there is no further URL.
    pub(super) fn next_url(&mut self) -> Option<Url> {
        if self.more.is_empty() {
            return None;
        }
        let next = self.more.remove(0);
        self.url = Some(next.clone());
        Some(next)
    }
}

/// The names of the recognized programs in lower case, each with the character that must follow the
/// name.
const PROGRAMS: &[&str] = &[
    "curl ",
    "curl.exe ",
    "wget ",
    "wget.exe ",
    "http ",
    "https ",
    "xh ",
    "invoke-webrequest ",
    "invoke-restmethod ",
    "iwr ",
    "irm ",
    "openssl s_client ",
    "fetch(",
    "wget2 ",
];

/// Matches the names of [`PROGRAMS`], so that most other lines are skipped quickly.
static NAMES: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)curl|wget|https? |xh |invoke-|iwr |irm |openssl|fetch\("));

/// Minimum length of a command in bytes.
const MIN_COMMAND: usize = 7;

/// Characters that show that the text before the name of a program is a prompt or part of a command
/// line.
const PROMPT: &[char] = &[
    '$', '%', '#', '>', '`', '\u{276f}', '\u{279c}', '\u{3bb}', '\u{bb}', '\u{2717}', '\u{2714}',
    '+', '(', '{', '|', ';', '&', '=', '"', '\'',
];

/// Words that may precede the name of a program on a command line: commands that run the program,
/// their options, keywords of shells, and prefixes of build logs.
const RUNNERS: &[&str] = &[
    "time",
    "sudo",
    "exec",
    "--",
    "do",
    "then",
    "watch",
    "/usr/bin/time",
    "-p",
    "-v",
    "gtime",
    "command",
    "nohup",
    "run:",
    "root:",
    "-c",
    "timeout",
    "xargs",
];

/// Maximum length of a prompt in bytes.
const MAX_PROMPT: usize = 200;

/// Maximum length of a command in bytes. The rest of a longer command is ignored.
pub(super) const MAX_COMMAND: usize = 16_384;

/// Returns the part of a line from the name of a program to the end; `None` if the line contains no
/// command. If `strict`, the command must be at the start of the line or follow a prompt.
/// Otherwise a curl command may also be part of a sentence.
pub(super) fn find(line: &str, strict: bool) -> Option<&str> {
    let may_be = line.len() >= MIN_COMMAND && NAMES.as_ref()?.is_match(line);
    if !may_be {
        return None;
    }
    if line.starts_with(['*', '<', '{', '}']) || line.starts_with("> ") && line.contains("HTTP/") {
        return None;
    }
    let lower = line[..line.floor_char_boundary(MAX_PROMPT + 40)].to_ascii_lowercase();
    PROGRAMS
        .iter()
        .filter_map(|program| {
            let mut places = lower.match_indices(program);
            let (at, _) = places.find(|(at, _)| starts_word(&line[..*at]))?;
            let (before, command) = line.split_at(at);
            let is_script = program.starts_with("invoke") || program.starts_with('i');
            if !is_script && !command.starts_with(program) {
                return None;
            }
            let may_be = if strict || !program.starts_with("curl") {
                is_prompt(before)
            } else {
                true
            };
            (may_be && has_arguments(program, &command[program.len()..])).then_some((at, command))
        })
        .min_by_key(|(at, _)| *at)
        .map(|(_, command)| command)
}

/// Returns the byte offset of a command or, if a prompt precedes it, of the prompt. Marks of a
/// quote or list and tags such as `[INFO]` do not count as part of a prompt. Returns `None` if the
/// line contains no command.
pub(super) fn start(line: &str) -> Option<usize> {
    find(line, true)?;
    let mut at = line.len() - line.trim_start().len();
    loop {
        let rest = &line[at..];
        let word = rest.split(' ').next().unwrap_or_default();
        let is_mark = !word.is_empty() && word.chars().all(|c| matches!(c, '>' | '|' | '-'));
        let is_tag = word.starts_with('[') && word.ends_with(']') && !word.contains('@');
        if !(is_mark || is_tag) || rest.len() <= word.len() {
            return Some(at);
        }
        at += word.len() + 1;
    }
}

/// Returns whether the command in a line continues on the next line.
pub(super) fn continues(line: &str) -> bool {
    let line = line.trim_end();
    line.ends_with('\\') || line.ends_with('^') || line.ends_with(" `")
}

/// Parses a command that [`find`] returned.
pub(super) fn parse(text: &str) -> Command {
    let mut words = words::split(text);
    let program = if words.is_empty() {
        String::new()
    } else {
        words.remove(0).to_ascii_lowercase()
    };
    let mut command = if program.starts_with("fetch(") {
        let url = text.split(['"', '\'', '`']).nth(1).and_then(url_of);
        Command {
            url,
            ..Command::default()
        }
    } else if program == "openssl" {
        options::openssl(&words)
    } else {
        options::parse(&program, &words)
    };
    let script = ["invoke-webrequest", "invoke-restmethod", "iwr", "irm"];
    command.prints_code = text.contains("$?") || text.contains("ERRORLEVEL");
    command.prints_file = command.hides_body && text.contains("cat ");
    command.is_windows = program.ends_with(".exe") || script.contains(&program.as_str());
    command
}

/// Returns the URL in an argument, without credentials and query. Returns `None` if the argument is
/// not an HTTP URL, or if its host contains a variable, a placeholder or an octal number.
pub(super) fn url_of(word: &str) -> Option<Url> {
    let word = word.trim_matches(['\'', '"', '`', '<', '>', ',', ';', ')', '(']);
    let rest = word
        .strip_prefix("http://")
        .or_else(|| word.strip_prefix("https://"))?;
    let host = rest.split(['/', '?', '#']).next()?;
    let fits = |c: char| c.is_alphanumeric() || ".-_:[]@%+~!*".contains(c);
    if host.is_empty() || !host.chars().all(fits) || has_octal(host) {
        return None;
    }
    Url::parse(word).ok().map(redacted_url)
}

/// Returns whether a host is an IPv4 address that has a part with a leading zero. A URL parser
/// reads such a part as an octal number, so the parsed URL would contain a different address than
/// the text.
fn has_octal(host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let has_zero = |part: &str| part.len() > 1 && part.starts_with('0');
    host.split('.').all(is_number) && host.split('.').any(has_zero)
}

fn starts_word(before: &str) -> bool {
    before
        .chars()
        .next_back()
        .is_none_or(|last| last.is_whitespace() || "/\\`$>%#(|;&\"'{=".contains(last))
}

fn is_prompt(before: &str) -> bool {
    let path = before.rsplit(' ').next().unwrap_or_default().len();
    let is_path = before.ends_with(['/', '\\']);
    let before = if is_path {
        &before[..before.len() - path]
    } else {
        before
    };
    let trimmed = before.trim();
    let last = trimmed.split_whitespace().next_back().unwrap_or_default();
    before.len() <= MAX_PROMPT
        && (trimmed.is_empty()
            || trimmed.contains(PROMPT)
            || RUNNERS.contains(&last)
            || trimmed.chars().all(|c| !c.is_alphanumeric())
            || last.ends_with("bin")
            || last.ends_with(':')
            || last.contains('='))
}

/// Returns whether the text after the name of a program may be the program's arguments.
fn has_arguments(program: &str, arguments: &str) -> bool {
    let arguments = arguments.trim_start();
    if arguments.starts_with(':') && !program.starts_with('h') {
        return false;
    }
    let first = arguments.split_whitespace().next().unwrap_or_default();
    if is_version(first) && !arguments.contains("://") {
        return false;
    }
    let address = |word: &str| word.contains('.') && !word.ends_with('.') || word.contains(':');
    match *program.trim_end().as_bytes() {
        [.., b'('] => arguments.starts_with(['"', '\'', '`']),
        [b'h', ..] | [b'x', ..] => {
            arguments.contains("://")
                || first.starts_with(':')
                || first.starts_with("localhost")
                || ["GET ", "POST ", "HEAD "]
                    .iter()
                    .any(|m| arguments.contains(m))
                || arguments.contains(" :") && arguments.starts_with('-')
                || arguments.contains(" localhost")
        }
        _ => {
            arguments.starts_with(['-', '$', '"', '\'', '\\', '^', '<'])
                || arguments.contains("://")
                || arguments.contains(" -")
                || address(first)
                || first.starts_with("localhost")
        }
    }
}

/// Returns whether a word is a version number, as in `curl 8.5.0 (x86_64-pc-linux-gnu)`.
fn is_version(word: &str) -> bool {
    let word = word
        .trim_start_matches('v')
        .trim_end_matches([',', ';', ')']);
    let number = word.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| {
        part == "x" || !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    (2..=3).contains(&number.split('.').count()) && number.split('.').all(is_number)
}

#[cfg(test)]
mod tests;
