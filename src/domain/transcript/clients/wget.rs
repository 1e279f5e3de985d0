//! Recognizes the lines of wget's output, with and without `-S`.

use url::Url;

use super::wget_words::{self, LineReport};
use crate::domain::transcript::command;
use crate::domain::transcript::status;
use crate::domain::transcript::time;

/// What a line of wget's output reports.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::domain::transcript) enum Event {
    /// A request started: its URL, and the time of day in seconds since midnight.
    Started(Url, f64),
    /// The wait for a response ended: the status, if there is a response, and the text after
    /// `awaiting response...`.
    Waited(Option<u16>, String),
    /// The request ended: the time of day in seconds since midnight, and the status if wget reports
    /// an error.
    Ended(f64, Option<u16>),
    /// The request failed, for example in the TLS handshake. Contains the whole line.
    Failed(String),
    /// A connection was established. Contains the URL of the host with the path `/`; `None` if the
    /// line does not name the host.
    Connected(Option<Url>),
    /// A line that states nothing about the result, such as the address of a resolved host.
    Other,
}

/// Returns what a line reports; `None` if the line is not output of wget.
pub(in crate::domain::transcript) fn event(line: &str) -> Option<Event> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("--") {
        let (stamp, url) = rest.split_once("--  ")?;
        let url = url.split_whitespace().find_map(command::url_of)?;
        return Some(Event::Started(url, time_of_day(stamp)?));
    }
    if let Some(rest) = line.strip_prefix("HTTP request sent, awaiting response...") {
        let rest = rest.trim();
        return Some(Event::Waited(status::code(rest), rest.to_owned()));
    }
    let is_connecting = line.starts_with("Connecting to ") || line.starts_with("Resolving ");
    if is_connecting && let Some((_, outcome)) = line.split_once("... ") {
        return Some(match outcome {
            outcome if outcome.starts_with("failed") => Event::Failed(line.to_owned()),
            "connected." => Event::Connected(host(line)),
            _ => Event::Other,
        });
    }
    let failures = [
        "wget: ",
        "ERROR: ",
        "OpenSSL: ",
        "The certificate",
        "GnuTLS: ",
        "Unable to establish",
    ];
    if failures.iter().any(|start| line.starts_with(start)) {
        return Some(Event::Failed(line.to_owned()));
    }
    match wget_words::read_line(line) {
        Some(LineReport::Waited(rest)) => {
            return Some(Event::Waited(status::code(rest), rest.to_owned()));
        }
        Some(LineReport::Connected(name, port)) => {
            return Some(Event::Connected(url_at(name, port)));
        }
        Some(LineReport::Failed) => return Some(Event::Failed(line.to_owned())),
        None => {}
    }
    let (date, rest) = line.split_at_checked("2025-05-20 04:44:43 ".len())?;
    let is_date = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 | 19 => byte == b' ',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let at = time_of_day(date).filter(|_| is_date)?;
    if let Some(error) = rest
        .strip_prefix("ERROR ")
        .or_else(|| wget_words::error(rest))
    {
        return Some(Event::Ended(at, status::code(error)));
    }
    let has_speed = rest.starts_with('(') && rest.contains("/s) ");
    let is_saved = has_speed || rest.contains(" saved [") || rest.contains("URL:");
    is_saved.then_some(Event::Ended(at, None))
}

/// Returns the URL of the host in a line such as `Connecting to x.example|192.0.2.1|:443...`;
/// `None` for a line without a host name and an address.
fn host(line: &str) -> Option<Url> {
    let (name, rest) = line.strip_prefix("Connecting to ")?.split_once('|')?;
    let name = name.split(' ').next()?;
    let port = rest.split_once("|:")?.1.split('.').next()?;
    url_at(name, port)
}

/// Returns the URL with this host and port; `None` if the host or the port is invalid. Port 443
/// implies the scheme `https`, and any other port `http`.
fn url_at(name: &str, port: &str) -> Option<Url> {
    let scheme = if port == "443" { "https" } else { "http" };
    command::url_of(&format!("{scheme}://{name}:{port}/"))
}

/// Returns the time of day in a timestamp such as `2025-05-20 04:44:13`, in seconds since midnight;
/// `None` if the timestamp is invalid.
fn time_of_day(stamp: &str) -> Option<f64> {
    time::time_of_day(stamp.trim().rsplit(' ').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_wget_are_recognized() {
        let url = || Url::parse("https://x.example/a").unwrap();
        for (line, expected) in [
            (
                "--2025-05-20 04:44:13--  https://x.example/a?token=s",
                Some(Event::Started(url(), 17_053.0)),
            ),
            (
                "--2025-05-20 04:44:13--  (try: 2)  https://x.example/a",
                Some(Event::Started(url(), 17_053.0)),
            ),
            (
                "HTTP request sent, awaiting response... 503 Oops",
                Some(Event::Waited(Some(503), "503 Oops".to_owned())),
            ),
            (
                "HTTP request sent, awaiting response... ",
                Some(Event::Waited(None, String::new())),
            ),
            (
                "2025-05-20 04:44:43 ERROR 503: Oops.",
                Some(Event::Ended(17_083.0, Some(503))),
            ),
            (
                "2025-05-20 04:44:43 (1.2 MB/s) - 'a' saved [33/33]",
                Some(Event::Ended(17_083.0, None)),
            ),
            (
                "Connecting to x.example|1.2.3.4|:443... connected.",
                Some(Event::Connected(Url::parse("https://x.example/").ok())),
            ),
            ("Resolving x.example... 1.2.3.4", Some(Event::Other)),
            ("2025-05-20 04:44:43 INFO x", None),
            ("2025-05-20 04:44:43 (5d9c7d1e) Error: x", None),
            ("-- $ curl", None),
            ("--2025", None),
        ] {
            assert_eq!(event(line), expected, "{line}");
        }
        assert!(matches!(
            event("Connecting to x:80... failed: Connection refused."),
            Some(Event::Failed(_))
        ));
    }
}
