//! Recognizes the error messages of HTTP clients: exceptions, log lines and exit codes.

use std::sync::LazyLock;

use regex::Regex;
use url::Url;

use super::message_forms::{self, Stated};
use super::{assertion, source_code, tool_forms, unrelated};
use crate::domain::transcript::command;
use crate::domain::transcript::fault::{other_protocol, phrase};
use crate::domain::transcript::pattern::{MAX_LINE, pattern};
use crate::domain::transcript::status;

/// Matches an error message, as opposed to a sentence that a person wrote.
static ERROR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?x)
        (?:^|[\s\[("'>|:`[^\x00-\x7F]])[\w.:$/]*(?:Error|Exception|Errno::\w+|Timeout|Failure|Fault|Redirects|Disconnected|gaierror|IncompleteRead|BadStatusLine|ConnectionFailed)[\w.$]*
          \s?["'\])]*(?:\s?\([^)]{0,60}\))?\s?[:=]
        |(?:^\s*|[\])}"':=|>,]\s?|[A-Z]\s+)(?:error|ERROR|ERR|Fatal|fatal|FATAL|panic|PANIC|failed|FAILED|Failed|err|msg|cause|Warning)
          \s?["'\])]*(?:\s?\([^)]{0,60}\))?\s?[:=]
        |^\s*(?:Caused\sby:\s)?(?:\w+[.:/])*\w*(?:Error|Exception|Timeout|Disconnected)$
        |\b(?:[A-Z]\w*::)+[A-Z]\w*\s-\s
        |\b(?:Get|Post|Put|Head|Patch|Delete)\s\\?"https?://|\bdial\s(?:tcp|udp)|net::ERR_|\bE(?:CONN|HOST|NET|AI_|NOTFOUND|TIMEDOUT|PROTO|SOCKET|PIPE)[A-Z]*\b
        |UND_ERR_|CERT_HAS_EXPIRED|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS|NS_ERROR_|SEC_ERROR_|SSL_ERROR_
        |PR_[A-Z_]+_ERROR|DNS_PROBE_|Invoke-(?:WebRequest|RestMethod)\s?:|x509:|\[Errno|Caused\sby
        |status_?code[=:]\s?\d|does\snot\sindicate\ssuccess|remote\sserver\sreturned|errno[:=]|Verif(?:y\sreturn\scode|ication\serror)
        |^verify\serror|unable\sto\saccess|The\srequested\sURL\sreturned|actively\srefused
        |attempt\sfailed\sbecause|remote\sname\scould\snot|underlying\sconnection|request\swas\s(?:aborted|canceled)
        |<urlopen\serror|connection\sbroken\sby|\bNon\sHTTP\sresponse\scode:|<b>(?:Warning|Fatal\serror)</b>:
        |\bFailed\sto\sfetch\s"?https?://|\bapr_(?:socket|pollset)_\w+|Failed\shost\slookup:\s|Exception\scalling\s"
        |operation\shas\stimed\sout|SSL\sroutines|responded\swith|resulted\sin\sa|error\ssending\srequest"#,
    )
});

/// Expressions that capture a status in an error message or in a line of an access log, and the
/// text after the status.
static STATUS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r#"(?i)(?:status\s?code|status|response code|http error|http response code|returned (?:an )?error|http status(?: code)?|responded with(?: a)?(?: status(?: code)?)?(?: of)?|resulted in a|server error|client error|indicate success|http|code)[\s:=(\['"`|]{1,4}([2-5]\d\d)\b([^\d].*)?$"#,
        r"\b([1-5]\d\d) (?:Client|Server) Error:? ?(.*)$",
        r"(?:ClientResponseError|StatusCodeError|HTTPFatalError|HTTPError|HTTPServerException|ServiceUnavailable|Exception\S*): \[?([1-5]\d\d)\b(.*)$",
        r#"\b(?:GET|POST|PUT|HEAD|PATCH|DELETE|OPTIONS) \S+ (?:HTTP/\d(?:\.\d)?" )?([1-5]\d\d) (.*)$"#,
        r"^\W*([45]\d\d)\W{1,3}((?:Bad|Service|Gateway|Internal|Forbidden|Unauthorized|Not|Too|Request|Payload|Proxy|Web)\b.{0,60})$",
        r"HTTP/\d(?:\.\d)? ([1-5]\d\d)\b(.*)$",
        r"(?i)(?:^\W*|[:>|\]] ?)error: ([45]\d\d) ((?-i:Bad|Service|Gateway|Internal|Forbidden|Unauthorized|Not|Too|Request|Payload|Proxy|Web)\b.{0,80})$",
    ]
    .iter()
    .filter_map(|expression| pattern(expression))
    .collect()
});

/// Matches a line in which a shell or tool reports an exit code. Captures the exit code.
static EXIT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)^\W*(?:\$?\?|exit(?:ed)?(?: with)?(?: code| status)?|.{0,60}(?:exit(?:ed)?(?: with)? (?:code|status)|returned a non-zero code|curl returned|errorlevel))\s*[:=]?\s*(\d{1,2})\W*$",
    )
});

/// The parts of an error message. A part that the message does not state is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::domain::transcript) struct Message {
    pub(in crate::domain::transcript) status: Option<u16>,
    pub(in crate::domain::transcript) reason: Option<String>,
    pub(in crate::domain::transcript) url: Option<Url>,
    /// Whether the line may be a heading, a sentence or a line of an access log instead of an error
    /// message.
    pub(in crate::domain::transcript) is_weak: bool,
    /// The body that some clients append to the message.
    pub(in crate::domain::transcript) body: Option<String>,
}

/// Reads an error message; `None` if the line is not an error message about a request, or is longer
/// than `MAX_LINE`.
pub(in crate::domain::transcript) fn read(line: &str) -> Option<Message> {
    if line.len() > MAX_LINE {
        return None;
    }
    let is_error = is_error(line);
    // Most lines contain no number that may be a status. The slow expressions are not tested on
    // them.
    let stated = || {
        let asserted = is_error.then(|| assertion::status(line)).flatten();
        asserted.unwrap_or_else(|| {
            status(line, is_error).or_else(|| message_forms::status(line, is_error))
        })
    };
    let found = has_status(line).then(stated).flatten();
    // The status of the endpoint's response is neither the number after `ContentLengthError: ` in
    // aiohttp's `ClientPayloadError`, nor the status with which a proxy refused to open a tunnel.
    let found = found.filter(|_| !line.contains("PayloadError") && !is_of_tunnel(line));
    let found = found.filter(|_| !other_protocol::is_named(line));
    let found = found.filter(|found| {
        !quotes_error(found.rest) && !tool_forms::is_invented(found.status, found.rest)
    });
    if (!is_error && found.is_none()) || source_code::is_source(line) || is_of_database(line) {
        return None;
    }
    if found.is_none() && unrelated::is_unrelated(line) {
        return None;
    }
    let mut message = Message {
        url: url(line)
            .or_else(|| pool_url(line))
            .or_else(|| message_forms::url(line)),
        is_weak: found.as_ref().is_some_and(|found| found.is_weak),
        ..Message::default()
    };
    if line.contains("FileNotFoundException: http") {
        // Java's HttpURLConnection throws this exception for the statuses 404 and 410. The more
        // common 404 is assumed.
        message.status = Some(404);
    }
    if let Some(found) = found {
        message.status = status::code(found.status);
        message.reason = reason(found.rest);
        message.body = body(found.rest);
    }
    Some(message)
}

/// Returns whether a line states that a proxy did not open a tunnel. A status in such a line is
/// that of the proxy's response to `CONNECT`.
fn is_of_tunnel(line: &str) -> bool {
    const TUNNEL: [&str; 5] = [
        "tunneling socket could not be established",
        "when HTTP Tunneling",
        "Unexpected response code for CONNECT",
        "Tunnel connection failed: ",
        "proxy tunnel request to proxy",
    ];
    TUNNEL.iter().any(|words| line.contains(words))
}

/// Returns whether the text after a status contains a JSON body with an error of a Go program. The
/// status is then from that program, such as the Docker daemon, which made the failed request, and
/// not from the endpoint.
fn quotes_error(rest: &str) -> bool {
    static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r#"\\?"(?:message|error|err|msg|detail)\\?":\s?\\?"(?:[^"]{0,200}:\s)?(?:Get|Post|Put|Head|Patch|Delete)\s[\\"]{0,3}https?://[^\s]+:\s"#,
        )
    });
    QUOTED.as_ref().is_some_and(|quoted| quoted.is_match(rest))
}

/// Returns whether a line is about a database connection, and therefore not about an HTTP request.
fn is_of_database(line: &str) -> bool {
    const DATABASE: [&str; 4] = [
        "HikariPool",
        "SQLTransientConnectionException",
        "JDBCConnectionException",
        "obtaining a connection from the pool",
    ];
    DATABASE.iter().any(|word| line.contains(word))
}

/// Returns the status that a line states; `None` if the line states no status. `is_error` is
/// whether the line is an error message.
fn status(line: &str, is_error: bool) -> Option<Stated<'_>> {
    STATUS.iter().enumerate().find_map(|(index, expression)| {
        // The expressions of `STATUS` with the indexes 2 to 4 are specific enough to count even if
        // `ERROR` does not match.
        if !is_error && !(2..=4).contains(&index) {
            return None;
        }
        let found = expression.captures(line)?;
        // If this is a line of an access log, these statuses do not show a failure of the service.
        if !is_error && index == 3 && is_harmless(&found[1]) {
            return None;
        }
        Some(Stated {
            status: found.get(1)?.as_str(),
            rest: found.get(2).map_or("", |rest| rest.as_str()),
            is_weak: !is_error && index >= 3,
        })
    })
}

/// Returns whether a status in an access log states no failure: an interim response, a redirect, a
/// cached document, or 499 (the client closed the connection).
fn is_harmless(status: &str) -> bool {
    status.starts_with(['1', '3']) || status == "499"
}

/// Returns whether a line contains a number of three digits that may be a status.
fn has_status(line: &str) -> bool {
    let bytes = line.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    bytes.windows(3).enumerate().any(|(at, digits)| {
        matches!(digits[0], b'1'..=b'5')
            && digits.iter().all(u8::is_ascii_digit)
            && !is_digit(at + 3)
            && (at == 0 || !is_digit(at - 1))
    })
}

/// Returns whether a line is an error message. Settings of timeouts in the line, such as
/// `timeout=5s`, do not count.
fn is_error(line: &str) -> bool {
    let is_error = |line: &str| {
        let known = ERROR.as_ref().is_some_and(|error| error.is_match(line));
        known
            || message_forms::is_error(line)
            || tool_forms::is_error(line)
            || phrase::is_named(line)
    };
    is_error(line) && (!line.contains("imeout") || is_error(&source_code::without_settings(line)))
}

/// Hosts of documentation that error messages refer to.
const DOCUMENTATION: [&str; 4] = ["curl.haxx.se", "curl.se", "aka.ms", "developer.mozilla.org"];

/// Returns the first URL in an error message that is not a reference to documentation; `None` if
/// there is none.
pub(in crate::domain::transcript) fn url(line: &str) -> Option<Url> {
    let separators = [' ', '=', '\\', '"', '\'', '<', '>', '(', ')', '[', ']', '`'];
    line.split(separators).find_map(|word| {
        let word = word.strip_prefix("url:").unwrap_or(word);
        let url = command::url_of(word.trim_end_matches([':', ',', '.']))?;
        let is_documentation = |host: &str| DOCUMENTATION.contains(&host);
        (!url.host_str().is_some_and(is_documentation)).then_some(url)
    })
}

/// Matches the connection pool and the path of the request in error messages of Python's urllib3.
/// Captures the scheme in upper case, the host, the port and, if stated, the path.
static POOL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"(HTTPS?)ConnectionPool\(host='([^']+)', port=(\d+)\)(?:.*with url: (/[^\s?]*))?")
});

/// Returns the URL of the request in an error message of Python's urllib3, without the query;
/// `None` if the message names no connection pool. The path is `/` if the message states none.
fn pool_url(line: &str) -> Option<Url> {
    let found = POOL.as_ref()?.captures(line)?;
    let path = found.get(4).map_or("/", |path| path.as_str());
    let scheme = found[1].to_ascii_lowercase();
    command::url_of(&format!("{scheme}://{}:{}{path}", &found[2], &found[3]))
}

/// Returns the exit code that a line reports; `None` if the line reports no exit code, reports the
/// exit code 0 (success), or is longer than `MAX_LINE`.
pub(in crate::domain::transcript) fn exit_code(line: &str) -> Option<u32> {
    if line.len() > MAX_LINE {
        return None;
    }
    let found = EXIT.as_ref()?.captures(line)?;
    found[1].parse().ok().filter(|code| *code > 0)
}

/// Returns the reason phrase at the start of the text after a status; `None` if there is none.
fn reason(rest: &str) -> Option<String> {
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "([{'\"`:,-".contains(c));
    let end = rest
        .find([
            ')', '\'', '"', '`', '{', '[', ':', ',', '.', '<', '>', ';', '|',
        ])
        .unwrap_or(rest.len());
    let words = rest[..end]
        .split(" for url")
        .next()?
        .split(" from ")
        .next()?;
    let is_phrase = words.len() < 60
        && words
            .chars()
            .all(|c| c.is_alphabetic() || " -'".contains(c));
    status::reason(words).filter(|_| is_phrase)
}

/// Returns the JSON object in the text after a status, with each `\"` replaced by `"`; `None` if
/// the text contains no complete JSON object, or if the object contains no quoted text.
fn body(rest: &str) -> Option<String> {
    let at = rest.find('{')?;
    let text = rest[at..].replace("\\\"", "\"");
    let end = crate::domain::transcript::body::json_text::end_of_value(&text)?;
    Some(text[..end].to_owned()).filter(|text| text.contains('"'))
}
