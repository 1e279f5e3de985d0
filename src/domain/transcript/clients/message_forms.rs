//! Recognizes forms of error messages that the expressions of `message` do not match, such as
//! .NET's messages in languages other than English, curl's without a prefix, Go's before 1.14,
//! Rust's `Debug` output, and statuses in inline code.

use std::sync::LazyLock;

use regex::Regex;
use url::Url;

use super::form::Form;
use super::tool_forms;
use crate::domain::transcript::command;
use crate::domain::transcript::fault::signs::is_file;
use crate::domain::transcript::pattern::{HOST_NAME, pattern};

/// Matches an error message in one of the forms of this module. The last alternatives match the
/// words for "remote server" in several languages: .NET's messages about a status and about a
/// failed connection are in the display language of Windows.
static ERROR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?x)
        \b(?:Get|Post|Put|Head|Patch|Delete)\s<?https?://\S+:\s(?:dial|EOF\b|unexpected\sEOF|net/http:|http2?:|x509:
          |tls:|context|net:|read|write|remote\serror|local\serror|stopped\safter|unsupported\sprotocol|lookup|proxyconnect
          |malformed|invalid|stream\serror|connection|http2|server\sclosed|socks|parse|no\s|\d|failed)
        |^\W*(?:iwr|irm|curl|wget)\s:\s
        |^\W*apr_\w+(?:\(\))?(?:\sfor\s\S+)?:\s|^\W*unable\sto\sconnect\sto\s\S+:\w+\s[A-Z]
        |\bnet/http:\srequest\scancell?ed|\bdial\s(?:tcp|udp)\s
        |\breqwest::Error\s\{|\bhyper[a-z_]*::[a-zA-Z:_]{0,60}Error\(|\bOs\s\{\scode:
        |\bHTTP\s[45]\d\d\sreturned(?:\W*$|\s\D)
        |(?i:http\sresponse\scode)\s[45]\d\d(?:\W*$|[^\w\s]|\s(?:for|from|on|when|while|after|at|and|but|instead)\b)
        |^\W*(?:Failed\sto\sconnect\sto\s\S+\sport\s\d+|Could\snot\sresolve\s(?:host|proxy):
          |(?:Connection|Operation|Resolving)\stimed\sout\safter\s\d+|SSL\scertificate\sproblem:
          |Empty\sreply\sfrom\sserver|Recv\sfailure:|OpenSSL\sSSL_\w+:|Received\sHTTP/0\.9)
        |serveur\sdistant|Remoteserver|servidor\sremoto|server\sremoto|externe\sserver
        |zdaln(?:ym|ego|y)\sserwer|Serwer\szdalny
        |[\x{423}\x{443}]\x{434}\x{430}\x{43b}\x{435}\x{43d}\x{43d}\w+\s\x{441}\x{435}\x{440}\x{432}\x{435}\x{440}
        |\x{30ea}\x{30e2}\x{30fc}\x{30c8}\s?\x{30b5}\x{30fc}\x{30d0}|\x{8fdc}\x{7a0b}\x{670d}\x{52a1}\x{5668}|\x{9060}\x{7aef}\x{4f3a}\x{670d}\x{5668}",
    )
});

/// The first words of the reason phrases of error statuses, as alternatives of an expression.
const REASON: &str = "Bad|Service|Gateway|Internal|Forbidden|Unauthorized|Not|Too|Request|Proxy";

/// The forms of messages that state a status. In an expression, `REASON` is replaced with the words
/// of [`REASON`].
const FORMS: &[Form] = &[
    // .NET: `… : (503) …`.
    Form {
        sign: "(",
        expression: r"(?i)(?:err?[eo]u?re?\b|erro\b|error|fehler|fout\b|b\x{142}\x{105}d|\x{43e}\x{448}\x{438}\x{431}\x{43a}|\x{30a8}\x{30e9}\x{30fc}|\x{9519}\x{8bef}|\x{932f}\x{8aa4}|exception|invoke-|iwr|irm).{0,80}[:\x{ff1a}]\s?\(([45]\d\d)\)(.*)$",
        needs_error: true,
        is_weak: false,
    },
    Form {
        sign: "(",
        expression: r"(?i)(?:^\W*|[\]:|-]\s|\b(?:API|HTTP|server|client|gateway|proxy|request|response|network|upstream|fetch|service)\s)error\s\(([45]\d\d)\b(.*)$",
        needs_error: false,
        is_weak: false,
    },
    Form {
        sign: "`",
        expression: r"`HTTP/\d(?:\.\d)? ([45]\d\d)\b([^`]{0,80})`",
        needs_error: false,
        is_weak: true,
    },
    Form {
        sign: "`",
        expression: r"`([45]\d\d) ((?:REASON)\b[^`]{0,60})`",
        needs_error: false,
        is_weak: true,
    },
    Form {
        sign: "http",
        expression: "(?i)\\bhttps?://[^\\s\"'<>`]+[\"'`]?:?\\s(?:->|=>|returned|returns|responded\\swith|answered\\swith)\\s(?:an?\\s)?(?:HTTP(?:/[\\d.]+)?\\s|status\\s(?:code\\s)?)?([45]\\d\\d)\\b(.*)$",
        needs_error: false,
        is_weak: true,
    },
    Form {
        sign: "http",
        expression: "\\bhttps?://[^\\s\"'<>`]+\\s([45]\\d\\d)\\s((?:REASON)\\b.{0,60})$",
        needs_error: false,
        is_weak: false,
    },
    Form {
        sign: "returned",
        expression: r"\bHTTP ([45]\d\d) returned((?:\s\D.*|\W*)$)",
        needs_error: false,
        is_weak: false,
    },
    // A log with the status before the request.
    Form {
        sign: " HTTP/",
        expression: r"^\W*\d{4}-\d\d-\d\d[T ]\S+ (?:\S+ ){0,4}?([45]\d\d)() (?:GET|POST|PUT|HEAD|PATCH|DELETE|OPTIONS) /\S* HTTP/\d",
        needs_error: false,
        is_weak: true,
    },
    // Ansible Galaxy.
    Form {
        sign: "HTTP Code: ",
        expression: r"\bHTTP Code: ([45]\d\d)(?:, Message: (.*))?",
        needs_error: false,
        is_weak: false,
    },
    // urllib3, after its last attempt.
    Form {
        sign: "too many ",
        expression: r"\btoo many ([45]\d\d) error responses()",
        needs_error: false,
        is_weak: false,
    },
    // apt.
    Form {
        sign: "Failed to fetch ",
        expression: r"\bFailed to fetch https?://\S+\s+([45]\d\d)\s+(.*)$",
        needs_error: false,
        is_weak: false,
    },
    // Cloudflare's reason phrases, which no other server sends.
    Form {
        sign: "5",
        expression: r"\b(52[0-7]|530) ((?:Origin|Web Server|Connection|A Timeout|SSL Handshake|Invalid SSL|Railgun)\b.{0,60})$",
        needs_error: false,
        is_weak: false,
    },
    Form {
        sign: ":",
        expression: r"(?i)\berror:\s([45]\d\d)\W*()$",
        needs_error: true,
        is_weak: false,
    },
];

/// The forms of [`FORMS`] and of `tool_forms`, each with its compiled expression.
static STATUS: LazyLock<Vec<(Option<Regex>, &Form)>> = LazyLock::new(|| {
    let compiled = |form: &'static Form| {
        let expression = form.expression.replace("REASON", REASON);
        (pattern(&expression), form)
    };
    FORMS
        .iter()
        .chain(tool_forms::FORMS)
        .map(compiled)
        .collect()
});

/// Matches the time at the start of a line of a log.
static LOGGED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\W*\d[\d/.-]*[T ]?\d\d:\d\d|^\W*\d\d:\d\d"));

/// The status in a message, and the text after the status. `is_weak` is whether the line may be a
/// heading, a sentence or a line of an access log instead of an error message.
pub(super) struct Stated<'a> {
    pub(super) status: &'a str,
    pub(super) rest: &'a str,
    pub(super) is_weak: bool,
}

/// Returns whether a line is an error message in one of the forms that [`ERROR`] matches.
pub(super) fn is_error(line: &str) -> bool {
    ERROR.as_ref().is_some_and(|error| error.is_match(line))
}

/// Returns the status that a line states in one of the forms of [`STATUS`]; `None` for other lines.
/// `is_error` is whether the line is an error message.
pub(super) fn status(line: &str, is_error: bool) -> Option<Stated<'_>> {
    let forms = STATUS
        .iter()
        .filter(|(_, form)| is_error || !form.needs_error)
        .filter(|(_, form)| line.contains(form.sign));
    forms.into_iter().find_map(|(expression, form)| {
        let found = expression.as_ref()?.captures(line)?;
        if !follows_status(&line[found.get(1)?.end()..]) {
            return None;
        }
        let is_logged = || LOGGED.as_ref().is_some_and(|it| it.is_match(line));
        Some(Stated {
            status: found.get(1)?.as_str(),
            rest: found.get(2).map_or("", |rest| rest.as_str()),
            is_weak: form.is_weak && !is_error && !is_logged(),
        })
    })
}

/// Matches the text after a status: no further text, punctuation, a reason phrase, or a word that
/// continues a sentence.
static AFTER_STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?xi)^(?:\W*$|[^\w\s%.]|\.(?:\D|$)|\s+[^\w\s]|\s+(?:
        bad\s(?:request|gateway)|(?:first\sbyte|between\sbytes|fetch)\stimeout|connection\s(?:timed\sout|refused)|backend\s(?:is\sunhealthy|read\serror|write\serror|fetch\sfailed)|all\sbackends|no\shealthy\sbackends|quorum|domain\snot\sfound|unknown\sdomain|loop\sdetected|service\s(?:temporarily\s)?unavailable|gateway\stime-?out|internal\sserver
        |forbidden|unauthorized|not\s(?:found|acceptable|implemented|allowed|extended|modified)|too\s(?:many|early|large)
        |request\s(?:time-?out|entity|uri|url|header)|proxy\s(?:auth\w*|error)|web\sserver|payload|method|conflict|gone
        |unprocessable|precondition|unsupported|length|locked|upgrade|misdirected|origin|network|insufficient|moved|found
        |ok|created|accepted|no\scontent|permanent|temporary|server|client|errors?|responses?|status|http|html|json
        |returned|for|from|on|in|after|at|and|but|with|without|when|whenever|while|to|of|as|or|then|if|via|by|until|is|was
        |now|within|during|here|where|which|that|this|the|a|an|again|instead|because|since|every|each|only|sometimes
        |get|post|put|head|patch|delete|options|intermittently|today|yesterday|once|twice|about|around)\b)",
    )
});

/// Returns whether a number may be a status, judged by the text after the number. A number before a
/// unit or another noun, as in `returned 503 rows`, is not a status.
pub(super) fn follows_status(rest: &str) -> bool {
    AFTER_STATUS.as_ref().is_some_and(|it| it.is_match(rest))
}

/// Expressions that capture the host, the port and, for aiohttp, the TLS setting in a message
/// without a URL.
static ADDRESS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // aiohttp.
        r"Cannot connect to host (HOST):(\d{1,5}) ssl:(\S+)",
        // Apache HttpClient.
        r"\b[Cc]onnect to (?:https?://)?(HOST):(\d{1,5}) \[",
        // .NET.
        r"\s\(([\w-]+(?:\.[\w-]+)+):(\d{1,5})\)\s*$",
    ]
    .iter()
    .filter_map(|expression| pattern(&expression.replace("HOST", HOST_NAME)))
    .collect()
});

/// Captures the scheme, the host, the port and the path of a URL in the `Debug` output of Rust's
/// crate `url`.
static DEBUG_URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"scheme: "(https?)".{0,200}?host: Some\((?:Domain\("([^"]+)"\)|Ipv4\(([\d.]+)\))\), port: (?:None|Some\((\d+)\)), path: "([^"]*)""#,
    )
});

/// Returns the URL of the request in a message that shows the parts of the URL or only its host and
/// port; `None` for other messages.
pub(super) fn url(line: &str) -> Option<Url> {
    debug_url(line).or_else(|| {
        let found = ADDRESS.iter().find_map(|it| it.captures(line))?;
        if is_file(&found[1]) {
            return None;
        }
        let tls = found.get(3).map_or("", |tls| tls.as_str());
        let port = &found[2];
        let is_tls = port == "443" || tls.contains("SSLContext") || tls.starts_with("True");
        let scheme = if is_tls { "https" } else { "http" };
        command::url_of(&format!("{scheme}://{}:{port}/", &found[1]))
    })
}

fn debug_url(line: &str) -> Option<Url> {
    let found = DEBUG_URL.as_ref()?.captures(line)?;
    let host = found.get(2).or_else(|| found.get(3))?.as_str();
    let port = found
        .get(4)
        .map_or_else(String::new, |port| format!(":{}", port.as_str()));
    command::url_of(&format!("{}://{host}{port}{}", &found[1], &found[5]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_in_a_further_form_is_found() {
        for (line, expected) in [
            (
                "Le serveur distant a retourn\u{e9} une erreur : (503) Serveur non disponible.",
                Some(("503", false)),
            ),
            (
                "Der Remoteserver hat einen Fehler zur\u{fc}ckgegeben: (404) Nicht gefunden.",
                Some(("404", false)),
            ),
            (
                "\u{8fdc}\u{7a0b}\u{670d}\u{52a1}\u{5668}\u{8fd4}\u{56de}\u{9519}\u{8bef}: (403) \u{5df2}\u{7981}\u{6b62}\u{3002}",
                Some(("403", false)),
            ),
            ("API Error (504 {\"a\":1})", Some(("504", false))),
            (
                "the answer is `HTTP/1.1 503 Service Unavailable`",
                Some(("503", true)),
            ),
            ("we see `502 Bad Gateway` since Monday", Some(("502", true))),
            (
                "10:01 https://b.example/y returned HTTP 503",
                Some(("503", false)),
            ),
            ("https://b.example/y returned 503", Some(("503", true))),
            (
                "3: https://x.example/a?b=c 503 Service Unavailable:",
                Some(("503", false)),
            ),
            (
                "HTTP 403 returned for \"https://x.example/a\".",
                Some(("403", false)),
            ),
            ("see the list (404) below", None),
            ("https://x.example/ returned 503 rows", None),
            ("https://x.example/ => 502 ms", None),
            ("https://x.example/ 404 Not Counted", None),
            ("HTTP 404 returned 12 results", None),
            ("the http response code 500 is documented", None),
            ("parser error (502) in line 3", None),
            ("Le serveur distant : (404) dossiers", None),
            ("Der Remoteserver: (500) Dateien", None),
            ("https://x.example/ 404 pages", None),
            ("`404 lines`", None),
        ] {
            let is_error = is_error(line);
            let found = status(line, is_error);
            let found = found.map(|found| (found.status, found.is_weak));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn the_host_of_a_message_becomes_a_url() {
        for (line, expected) in [
            (
                "Cannot connect to host a.example:8443 ssl:<ssl.SSLContext object> [x]",
                "https://a.example:8443/",
            ),
            (
                "Cannot connect to host a.example:443 ssl:default [x]",
                "https://a.example/",
            ),
            (
                "Cannot connect to host a.example:80 ssl:default [x]",
                "http://a.example/",
            ),
            (
                "HttpHostConnectException: Connect to a.example:443 [a.example/192.0.2.1] failed",
                "https://a.example/",
            ),
            (
                "No such host is known. (a.example:443)",
                "https://a.example/",
            ),
            (
                "url: Url { scheme: \"http\", username: \"\", password: None, host: Some(Domain(\"a.example\")), port: Some(81), path: \"/b\" }",
                "http://a.example:81/b",
            ),
            ("connect to the host (see chapter 3:12)", ""),
            ("certificate verify failed (_ssl.c:1006)", ""),
            ("Error: refused (client.service.ts:25)", ""),
        ] {
            let found = url(line);
            assert_eq!(found.as_ref().map_or("", Url::as_str), expected, "{line}");
        }
    }
}
