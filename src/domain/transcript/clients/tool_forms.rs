//! Recognizes the error messages of individual tools and libraries, such as apt, aria2, R, PHP,
//! Perl's and Ruby's clients, and libcurl's bindings. Most of these messages do not start with a
//! word such as `error:`.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::form::Form;
use crate::domain::transcript::pattern::{pattern, pattern_set};

/// Expressions that match the error messages of individual tools and libraries. Each comment names
/// the programs whose messages the expressions below the comment match.
const EXPRESSIONS: [&str; 23] = [
    // curl and git on Windows: Schannel's own messages. Erlang's ssl: a TLS alert.
    r"^\W*schannel: .{0,120}(?:failed|error|SEC_E_|CRYPT_E_|CERT_TRUST_)|\b(?:CLIENT|SERVER) ALERT: Fatal",
    // Ruby: an uncaught exception, with its class at the end.
    r":in [`'\x{2018}].*\((?:[A-Z]\w*::)*[A-Z]\w*\)\s*$",
    // Perl's LWP, which reports its own failures as the status 500.
    r"(?:^|\s)500 (?:Can't (?:connect to|verify SSL|locate object method)|[Rr]ead timeout|Server closed connection|Status read failed|SSL (?:negotiation|read)|EOF when|Bad hostname|Redirect loop)",
    r"\bProtocol scheme 'https' is not supported",
    // Perl's HTTP::Tiny and Mojo::UserAgent.
    r"\b599 Internal Exception\b|^\W*Connection error: [A-Z]",
    // R.
    r"^\W*Error in [\w.:]*(?:curl|connection|download|url|GET|POST|HEAD|request|fetch|perform|file|read)[\w.]*\(.*\) ?: |^\W*cannot open URL 'https?://|\bInternetOpenUrl failed: ",
    // pycurl, and any program that prints libcurl's text for an error code (curl_easy_strerror).
    r"\bpycurl\.error: \(",
    r"^\W*(?:\[?\d{1,3}\] )?(?:Could(?:n't| not) (?:resolve host ?name|connect to server|resolve proxy name)|Timeout was reached|SSL connect error|SSL peer certificate or SSH|Server returned nothing|Failure when receiving data from|Failed sending data to|Stream error in the HTTP/2|Error in the HTTP2 framing|Transferred a partial file|Number of redirects hit|Problem with the SSL CA cert|Server aborted the SSL handshake)",
    // apk.
    r"^\W*(?:WARNING|ERROR): (?:Ignoring |fetching |updating \S+ )?https?://\S+: ",
    // aria2, and gRPC's resolver.
    r"\berrorCode=\d{1,2} |\bC-ares status is not ARES_SUCCESS",
    // apt, on the line below the URL.
    r"^\W*(?:Could not connect to \S+:\d+ \(|Cannot initiate the connection to |Unable to connect to \S+:\w+:\s*$|Temporary failure resolving '|Could not resolve '|Something wicked happened resolving|Could not handshake: |Certificate verification failed: |Error reading from server|Clearsigned file isn't valid|Bad header line)",
    r"\[IP: [\da-fA-F.:]+ \d+\]\s*$",
    // axel and other programs that print only these words.
    r"^\W*Too many redirects\W*$",
    // PHP's functions that open a URL.
    r"\b(?:file_get_contents|fopen|fsockopen|stream_socket_client|copy|readfile|file|simplexml_load_file|get_headers|getimagesize|SoapClient::\w+)\([^)]{0,300}\): ",
    // The error code of Chrome's error page, alone on a line.
    r"^\W*ERR_(?:ADDRESS|CERT|CONNECTION|CONTENT|EMPTY|HTTP2|INCOMPLETE|INTERNET|INVALID|NAME|NETWORK|PROXY|QUIC|RESPONSE|SOCKET|SSL|TIMED|TOO_MANY|TUNNEL)_[A-Z0-9_]{2,50}\W*$",
    // aiohttp, without the name of the exception.
    r"\bCannot connect to host \S+:\d{1,5} ssl:",
    // Ruby, without the name of the exception.
    r"\bgetaddrinfo: [A-Za-z]|\bFailed to open TCP connection to \S+:\d{1,5} \(",
    // Rust: hyper and reqwest.
    r"\b(?:tcp connect error|error trying to connect): |\bclient error \((?:Connect|SendRequest)\)",
    // Go, for a message whose `Get "URL":` was removed or changed.
    r"\bhttp: server gave HTTP response to HTTPS client\b",
    // Go's server, about the handshake of a client.
    r"\bhttp: TLS handshake error from \S+: ",
    // Node.js and OkHttp: the proxy did not open a tunnel.
    r"\btunneling socket could not be established\b|\bwhen HTTP Tunneling\b|\bUnexpected response code for CONNECT: ",
    // wget of BusyBox.
    r"\bwget: (?:error getting response|can't connect to remote host|bad address|download timed out|server returned error)\b",
    // PHP 5 and 7.
    r"\bUncaught exception '[\w\\]+' with message '",
];

/// The compiled expressions of [`EXPRESSIONS`].
static ERROR: LazyLock<RegexSet> = LazyLock::new(|| pattern_set(EXPRESSIONS, false));

/// The forms in which tools and libraries state the status of a response.
pub(super) const FORMS: &[Form] = &[
    // Ruby.
    Form {
        sign: ":in ",
        expression: r#":in [`'\x{2018}][^']{1,120}': ([45]\d\d) "?([A-Z][^"()]{0,60})"? \((?:[A-Z]\w*::)+[A-Z]\w*\)\s*$"#,
        needs_error: false,
        is_weak: false,
    },
    // aria2.
    Form {
        sign: " status=",
        expression: r"response status is not successful\. status=([45]\d\d)()\b",
        needs_error: false,
        is_weak: false,
    },
    // R.
    Form {
        sign: "HTTP error ",
        expression: r"^\W*Error in .* : HTTP error ([45]\d\d)\.()\s*$",
        needs_error: false,
        is_weak: false,
    },
    Form {
        sign: "HTTP status was '",
        expression: r"\bHTTP status was '([45]\d\d) ([^']{0,60})'",
        needs_error: false,
        is_weak: false,
    },
    // yum.
    Form {
        sign: "HTTPS Error ",
        expression: r"\[Errno 14\] HTTPS Error ([45]\d\d)\b(?: - (.*))?",
        needs_error: false,
        is_weak: false,
    },
    // apk.
    Form {
        sign: ": HTTP ",
        expression: r"^\W*(?:WARNING|ERROR): (?:\w+ )?https?://\S+: HTTP ([45]\d\d): (.*)$",
        needs_error: false,
        is_weak: false,
    },
];

/// Matches the text after a status with which a client reports its own failure: LWP's 500,
/// HTTP::Tiny's and Tornado's 599, and the status of the redirect after which Python's urllib gives
/// up.
static INVENTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\W*(?:Can't (?:connect to|verify SSL)|[Rr]ead timeout|Server closed connection without|Status read failed|Internal Exception|Redirect loop|Timeout (?:while|during|in)\b|(?:Connection|Operation|Resolving) timed out|(?:Failed|Could(?:n't| not)) (?:to )?(?:connect|resolve)|Empty reply|SSL\b|Stream closed|The HTTP server returned a redirect error)",
    )
});

/// Returns whether a line is an error message that one of [`EXPRESSIONS`] matches.
pub(super) fn is_error(line: &str) -> bool {
    ERROR.is_match(line)
}

/// Returns whether a client reports its own failure with a status, judged by the status and the
/// text after it.
pub(super) fn is_invented(status: &str, rest: &str) -> bool {
    matches!(
        status,
        "500" | "599" | "301" | "302" | "303" | "307" | "308"
    ) && INVENTED.as_ref().is_some_and(|it| it.is_match(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_are_valid() {
        assert_eq!(ERROR.len(), EXPRESSIONS.len());
        for form in FORMS {
            assert!(pattern(form.expression).is_some(), "{}", form.expression);
        }
    }

    #[test]
    fn messages_of_tools_are_errors() {
        for line in [
            "schannel: SEC_E_UNTRUSTED_ROOT (0x80090325) - x",
            "/a/http.rb:9:in `initialize': execution expired (Net::OpenTimeout)",
            "==> 500 Can't connect to a.example:443 (certificate verify failed)",
            "Error in curl::curl_fetch_memory(url, handle = handle) : Timeout was reached: x",
            "[6] Couldn't resolve host name (Could not resolve host: a.example)",
            "WARNING: Ignoring https://a.example/main: DNS lookup error",
            "  Could not connect to a.example:80 (192.0.2.1). - connect (111: x)",
            "  -> [SocketCore.cc:500] errorCode=1 Failed to establish connection",
        ] {
            assert!(is_error(line), "{line}");
        }
        for line in [
            "Unable to connect to the museum: closed.",
            "Could not resolve the question",
            "Error in the first chapter: see below",
            "500 Can't-miss offers",
            "app.rb:3:in `call'",
        ] {
            assert!(!is_error(line), "{line}");
        }
    }

    #[test]
    fn statuses_that_the_client_invented_are_recognized() {
        assert!(is_invented("500", " Can't connect to a.example:443"));
        assert!(is_invented("599", ": Timeout while connecting"));
        assert!(!is_invented("500", " Internal Server Error"));
        assert!(!is_invented("503", " Can't connect to the database"));
    }
}
