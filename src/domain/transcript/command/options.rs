//! Reads the options and arguments of the recognized commands.

use url::Url;

use super::{Command, url_of};

/// The letters of curl's short options that have a value. The value must not be taken for the URL.
const CURL_SHORT: &str = "AbcCdDeEFHKmoPQrtTuUwxXyYz";
/// The names of curl's long options that have a value.
const CURL_LONG: &[&str] = &[
    "header",
    "data",
    "data-raw",
    "data-binary",
    "data-urlencode",
    "data-ascii",
    "json",
    "request",
    "output",
    "write-out",
    "user-agent",
    "user",
    "referer",
    "cookie",
    "cookie-jar",
    "form",
    "proxy",
    "resolve",
    "connect-to",
    "max-time",
    "connect-timeout",
    "cacert",
    "capath",
    "cert",
    "key",
    "retry",
    "retry-delay",
    "retry-max-time",
    "interface",
    "trace",
    "trace-ascii",
    "dump-header",
    "proxy-user",
    "ciphers",
    "tls-max",
    "limit-rate",
    "range",
    "stderr",
    "aws-sigv4",
    "config",
    "oauth2-bearer",
    "unix-socket",
    "dns-servers",
    "max-redirs",
    "noproxy",
    "pinnedpubkey",
    "socks5",
    "socks5-hostname",
    "doh-url",
    "keepalive-time",
    "local-port",
    "speed-limit",
    "speed-time",
];

/// The letters of wget's short options that have a value.
const WGET_SHORT: &str = "OoaTtUPewQ";

/// The letters of `HTTPie`'s short options that have a value.
const HTTPIE_SHORT: &str = "paAso";
/// The names of `HTTPie`'s long options that have a value.
const HTTPIE_LONG: &[&str] = &[
    "timeout",
    "auth",
    "auth-type",
    "session",
    "print",
    "pretty",
    "style",
    "verify",
    "proxy",
    "cert",
    "cert-key",
    "max-redirects",
    "output",
    "raw",
    "boundary",
    "ssl",
];

/// Lowercase names of `PowerShell` parameters that have a value.
const SCRIPT_LONG: &[&str] = &[
    "headers",
    "body",
    "contenttype",
    "outfile",
    "timeoutsec",
    "credential",
    "useragent",
    "method",
    "proxy",
    "infile",
    "websession",
    "erroraction",
    "maximumredirection",
];

/// An option with its name and its value (`None` without a value), or another argument of a
/// command.
enum Argument<'a> {
    Option(&'a str, Option<&'a str>),
    Plain(&'a str),
}

/// Parses the words of a command that follow the name of the program.
pub(super) fn parse(program: &str, words: &[String]) -> Command {
    let mut command = Command::default();
    let mut plain = Vec::new();
    let mut index = 0;
    while index < words.len() {
        let next = words.get(index + 1).map(String::as_str);
        let (argument, used) = read(program, &words[index], next);
        if program.starts_with("curl") {
            command.apply_short_options(&words[index]);
        }
        index += used;
        match argument {
            Argument::Plain(word) => plain.push(word),
            Argument::Option(name, value) => command.apply_option(name, value),
        }
    }
    if is_httpie(program)
        && let Some(method) = plain.first().filter(|word| is_method(word))
    {
        command.method = Some(method.to_ascii_uppercase());
        plain.remove(0);
    }
    let scheme = if program == "https" { "https" } else { "http" };
    let mut urls = plain.iter().filter_map(|word| url_of(word));
    command.url = command
        .url
        .or_else(|| urls.next())
        .or_else(|| host_only(scheme, plain.first().copied()?));
    command.more = urls.collect();
    command
}

/// Parses the options of `openssl s_client`.
pub(super) fn openssl(words: &[String]) -> Command {
    let address = words
        .iter()
        .position(|word| word == "-connect")
        .and_then(|at| words.get(at + 1));
    Command {
        url: address.and_then(|address| url_of(&format!("https://{address}/"))),
        ..Command::default()
    }
}

impl Command {
    /// Applies the short options of curl that have no value, such as `-L`, in one word of the
    /// command. A word may contain several short options, as in `-sSL`.
    fn apply_short_options(&mut self, word: &str) {
        let short = word.strip_prefix('-').unwrap_or_default();
        if short.starts_with('-') {
            return;
        }
        for letter in short.chars() {
            self.follows |= letter == 'L';
            self.hides_body |= letter == 'O';
            if letter == 'I' {
                self.method = Some("HEAD".to_owned());
            }
            if CURL_SHORT.contains(letter) {
                break;
            }
        }
    }

    fn apply_option(&mut self, name: &str, value: Option<&str>) {
        let value = || value.map(str::to_owned);
        match name {
            "head" | "spider" => self.method = Some("HEAD".to_owned()),
            "location" | "location-trusted" => self.follows = true,
            "X" | "request" | "method" => {
                self.method = value().map(|method| method.to_ascii_uppercase());
            }
            "d" | "F" | "data" | "data-raw" | "data-binary" | "data-urlencode" | "json"
            | "form" | "post-data" => {
                self.method.get_or_insert_with(|| "POST".to_owned());
            }
            "w" | "write-out" => self.write_out = value(),
            "o" | "output" | "remote-name" => {
                self.hides_body = value().is_none_or(|file| file != "-");
            }
            "trace-time" => self.stamps = true,
            "url" | "uri" => self.url = value().and_then(|word| url_of(&word)),
            _ => {}
        }
    }
}

/// Reads one word, and also the next word if it is the value of an option. Returns the argument and
/// the number of words read.
fn read<'a>(program: &str, word: &'a str, next: Option<&'a str>) -> (Argument<'a>, usize) {
    let is_curl = program.starts_with("curl");
    if let Some(long) = word.strip_prefix("--") {
        if let Some((name, value)) = long.split_once('=') {
            return (Argument::Option(name, Some(value)), 1);
        }
        let has_value = (is_curl && CURL_LONG.contains(&long))
            || (is_httpie(program) && HTTPIE_LONG.contains(&long))
            || long == "url";
        let used = if has_value { 2 } else { 1 };
        return (Argument::Option(long, next.filter(|_| has_value)), used);
    }
    let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) else {
        return (Argument::Plain(word), 1);
    };
    if program.starts_with('i') {
        return script_option(short, next);
    }
    let with_value = match program.as_bytes() {
        [b'w', ..] => WGET_SHORT,
        _ if is_httpie(program) => HTTPIE_SHORT,
        _ if is_curl => CURL_SHORT,
        _ => "",
    };
    // In `-sSo FILE`, the next word is the value of the last letter. In `-XPUT`, the rest of the
    // word is the value.
    match short.find(|letter| with_value.contains(letter)) {
        Some(at) if at + 1 == short.len() => (Argument::Option(&short[at..], next), 2),
        Some(at) => (Argument::Option(&short[at..=at], Some(&short[at + 1..])), 1),
        None => (Argument::Option(short, None), 1),
    }
}

/// Reads a parameter of a `PowerShell` command. Parameter names are not case-sensitive. Returns the
/// parameter and the number of words read. The returned name is empty unless the parameter is
/// `-Uri` or `-Method`.
fn script_option<'a>(name: &'a str, next: Option<&'a str>) -> (Argument<'a>, usize) {
    let lower = name.to_ascii_lowercase();
    if lower == "uri" {
        return (Argument::Option("uri", next), 2);
    }
    if lower == "method" {
        return (Argument::Option("method", next), 2);
    }
    let used = if SCRIPT_LONG.contains(&lower.as_str()) {
        2
    } else {
        1
    };
    (Argument::Option("", None), used)
}

fn is_httpie(program: &str) -> bool {
    matches!(program, "http" | "https" | "xh")
}

fn is_method(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"].contains(&upper.as_str())
}

/// Returns the URL for an argument without a scheme, such as `x.example/a` or, for localhost,
/// `:8080/a`. Returns `None` for other arguments.
fn host_only(scheme: &str, word: &str) -> Option<Url> {
    if word.contains("://") {
        return None;
    }
    let local = if word.starts_with(':') || word.starts_with('/') {
        "localhost"
    } else {
        ""
    };
    let host = word.split(['/', '?']).next().unwrap_or_default();
    let is_host = host.contains('.') || host.contains(':') || host == "localhost";
    (is_host || !local.is_empty())
        .then(|| url_of(&format!("{scheme}://{local}{word}")))
        .flatten()
}
