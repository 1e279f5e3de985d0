//! Finds the anchor of a line: the position at which a part starts that certainly belongs to a
//! transcript, such as `< HTTP/1.1 503`. `prefix` removes the text before the anchor.

use crate::domain::transcript::command;
use crate::domain::transcript::status;

/// Number of bytes at the start of a line that are searched for an anchor.
const REACH: usize = 400;

/// Minimum length in bytes of a line that is searched for an anchor.
const SHORTEST: usize = 6;

/// Maximum number of occurrences of one mark that are examined in a line.
const MAX_PLACES: usize = 4;

/// The methods at the start of a request line.
const METHODS: &[&str] = &[
    "GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "PATCH ", "OPTIONS ", "CONNECT ",
];

/// The words with which curl's information lines start, after the mark `* `.
const INFORMATION: &[&str] = &[
    "Trying",
    "Connected to",
    "Host ",
    "Hostname ",
    "Could not resolve",
    "Couldn't",
    "connect to ",
    "Failed to connect",
    "Added ",
    "ALPN",
    "TLS",
    "SSL",
    "schannel",
    "Closing connection",
    "Connection ",
    "Rebuilt URL",
    "About to connect",
    "Re-using",
    "Uses proxy",
    "Empty reply",
    "Recv failure",
    "Send failure",
    "Operation timed out",
    "Resolving timed out",
    "Server certificate",
    "using HTTP",
    "Using HTTP",
    "[HTTP/",
    "h2 [",
    "IPv4:",
    "IPv6:",
    "Immediate connect fail",
    "TCP_NODELAY",
    "Request completely",
    "upload completely",
    "Mark bundle",
    "Establish HTTP",
    "CAfile",
    "GnuTLS",
    "OpenSSL",
    "Initializing NSS",
    "(304) ",
    "Server auth",
    "rustls",
    "found ",
    "successfully set",
    "error setting",
    "getaddrinfo",
];

/// Returns the byte offset at which the transcript starts in a line; `None` if the line contains no
/// anchor.
pub(super) fn find(line: &str) -> Option<usize> {
    if line.len() < SHORTEST {
        return None;
    }
    let head = &line[..line.floor_char_boundary(REACH)];
    status_line(head)
        .or_else(|| request_line(head))
        .or_else(|| fixed(head))
        .or_else(|| information(head))
        .or_else(|| command::start(head))
}

fn status_line(head: &str) -> Option<usize> {
    let mut places = head.match_indices("HTTP/").take(MAX_PLACES);
    let (at, _) = places.find(|(at, _)| {
        let alone = head[..*at].ends_with(|c: char| !c.is_alphanumeric() && c != '"') || *at == 0;
        alone && status::parse(&head[*at..]).is_some()
    })?;
    Some(if head[..at].ends_with("< ") {
        at - 2
    } else {
        at
    })
}

fn request_line(head: &str) -> Option<usize> {
    let mut places = head.match_indices("> ").take(MAX_PLACES);
    let (at, _) = places.find(|(at, _)| {
        let sent = &head[at + 2..];
        METHODS.iter().any(|method| sent.starts_with(method)) && sent.contains(" HTTP/")
    })?;
    Some(at)
}

/// Returns the byte offset of a mark that occurs only in transcripts; `None` if there is none.
fn fixed(head: &str) -> Option<usize> {
    ["== Info: ", "=> Send ", "<= Recv ", "curl: ("]
        .iter()
        .find_map(|mark| head.find(mark))
        .filter(|at| !is_data(&head[..*at]))
}

/// Returns whether a text ends with the name of a JSON member that is not the message of a log line.
/// The value of the member is then data, such as the title of an issue.
fn is_data(before: &str) -> bool {
    const MESSAGES: [&str; 6] = ["log", "msg", "message", "line", "stderr", "output"];
    let name = before.strip_suffix('"').map(str::trim_end);
    let name = name.and_then(|name| name.strip_suffix(':')?.trim_end().strip_suffix('"'));
    let name = name.and_then(|name| name.rsplit_once('"'));
    name.is_some_and(|(_, name)| !MESSAGES.contains(&name))
}

fn information(head: &str) -> Option<usize> {
    let mut places = head.match_indices("* ").take(MAX_PLACES);
    let (at, _) = places.find(|(at, _)| is_information(&head[at + 2..]))?;
    Some(at)
}

/// Returns whether the text after a mark `*` is one of curl's information lines.
pub(in crate::domain::transcript) fn is_information(text: &str) -> bool {
    let text = text.trim_start();
    INFORMATION.iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_log_line_has_an_anchor() {
        assert_eq!(find("{\"log\":\"curl: (7) Failed\"}"), Some(8));
        assert_eq!(find("{\"title\": \"curl: (7) Failed\"}"), None);
        assert_eq!(find("it says \"curl: (7) Failed\""), Some(9));
    }
}
