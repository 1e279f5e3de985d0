//! Checks a line for signs that an HTTP request was made, and that the request used TLS.
//!
//! Programs also report timeouts, unexpected ends of files and mismatched names without having made
//! a request. A message without such a sign may therefore be about something other than a request.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use crate::domain::transcript::pattern::{MAX_LINE, pattern, pattern_set};

/// Expressions that match words of TLS, its libraries and their error codes.
const TLS: [&str; 4] = [
    r"certificate|\bcert|cert[_.]|_cert|badcert|\btls|tls\b|\bssl|ssl\b|ssl[_:/.]|x509|https",
    r"[a-z]ssl[a-z]*(?:error|exception)|ssl[a-z]*(?:error|exception)|schannel|gnutls|\bnss\b|pkix|sec_e_|sec_error",
    r"handshake_?failure|\balert\b|self[-_ ]signed|0x8009|0x800b|eproto|cipher|\bsni\b|nottimevalid",
    r"trust (?:relationship|anchor)|unable_to_|altname|subject alternative|corrupted frame|frame size",
];

/// Expressions that match words of HTTP, of its clients and of network connections.
const REQUEST: [&str; 9] = [
    r"http|://|fetch|axios|\brequests\b|urllib|urlopen|\b(?:py)?curl\b|\bwget\b|internetopenurl|reqwest|hyper|undici|superagent|guzzle|faraday",
    r"feign|retrofit|webclient|resttemplate|resourceaccess|i/o error on|\binvoke-|\biwr\b|\birm\b|\bnet::|websocket",
    r"(?-i:\b(?:GET|POST|PUT|HEAD|PATCH|DELETE|OPTIONS)\b)|\burl\b|\buri\b|response|upstream|\bproxy|gateway|endpoint|\bapi\b|webhook",
    r"remote (?:server|name|host|end)|socket|\be(?:conn|host|net|ai_|notfound|proto|pipe)[a-z]*\b|\betimedout|\bdial\b|\btcp\b|\bdns\b",
    r"getaddrinfo|gaierror|unknownhost|no such host|resolve host|name resolution|name or service|nodename|servname|java\.net\.|javax\.net",
    r"system\.net|webexception|ns_error|dns_probe|os error \d|errno|broken pipe|network is|no route|unreachable|empty reply|server disconnected|rst_stream|goaway|nghttp2|stream (?:was )?reset|\bquic\b",
    r"nsurlerror|cfnetwork|httpoison|hackney|\bmint\.|\bfinch\b|\btesla\b|nxdomain|servfail",
    r"connect(?:ion)? (?:was |is )?(?:refused|reset|closed|aborted|timed|timeout|error)|(?:read|write|connect|pool|open) ?time(?:d )?out|(?-i:timeout of \d+ms exceeded)",
    r"localhost:\d|\b\d{1,3}(?:\.\d{1,3}){3}\b|\bport[ =:]+\d|\bhost(?:name)?[ =:'\x22]+[\w-]+\.[\w.-]+",
];

/// Matches words of a server about the TLS handshake of a client.
static OF_SERVER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\bssl_accept|\btls handshake error from\b|\b(?:ssl|tls|handshake)\b.{0,60}\b(?:failed|error) (?:to|with|from|for) client\b|\bacceptsecuritycontext\b",
    )
});

/// The compiled expressions of [`TLS`].
static OF_TLS: LazyLock<RegexSet> = LazyLock::new(|| pattern_set(TLS, true));

/// The compiled expressions of [`REQUEST`].
static OF_REQUEST: LazyLock<RegexSet> = LazyLock::new(|| pattern_set(REQUEST, true));

/// Matches a host name and a port, such as `a.example:8080`, or a file name and a line number, such
/// as `main.go:120`. Captures the name.
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\b([\w-]+(?:\.[\w-]+)+):\d{2,5}\b"));

/// Returns whether a line shows that a request was made: a URL, an address, a client, or words of
/// HTTP, TLS or network connections. A line longer than `MAX_LINE` always counts.
pub(in crate::domain::transcript) fn shows_request(line: &str) -> bool {
    line.len() > MAX_LINE || OF_REQUEST.is_match(line) || shows_tls(line) || has_address(line)
}

/// Returns whether a line contains words of TLS.
pub(in crate::domain::transcript) fn shows_tls(line: &str) -> bool {
    OF_TLS.is_match(line)
}

/// Returns whether a line is a server's report about the TLS handshake of a client; `false` for a
/// line longer than `MAX_LINE`.
pub(in crate::domain::transcript) fn is_of_server(line: &str) -> bool {
    line.len() <= MAX_LINE && OF_SERVER.as_ref().is_some_and(|it| it.is_match(line))
}

fn has_address(line: &str) -> bool {
    let is_host = |found: regex::Captures<'_>| !is_file(&found[1]);
    ADDRESS
        .as_ref()
        .is_some_and(|address| address.captures_iter(line).any(is_host))
}

/// Returns whether a name that precedes a colon and a number is the name of a source file, as in
/// `(_ssl.c:1006)`.
pub(in crate::domain::transcript) fn is_file(name: &str) -> bool {
    const EXTENSIONS: &str = "c cc cpp cs cjs ex go h html java js jsx kt lua mjs php pl py rb rs scala swift ts tsx vue";
    let extension = name.rsplit('.').next().unwrap_or_default();
    EXTENSIONS.split(' ').any(|known| known == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_are_valid() {
        assert_eq!((OF_TLS.len(), OF_REQUEST.len()), (TLS.len(), REQUEST.len()));
    }

    #[test]
    fn signs_of_a_request_are_found() {
        for line in [
            "Get \"https://x.example/\": EOF",
            "Error: timeout at a.example:8080",
            "SocketTimeoutException: Read timed out",
            "Error: connect ECONNREFUSED 10.0.0.1:80",
            "AxiosError: timeout of 100ms exceeded",
            "OpenURI::HTTPError: 503",
            "ssl.SSLError: timed out",
        ] {
            assert!(shows_request(line), "{line}");
        }
        for line in [
            "TimeoutError: 30000",
            "Error: timed out at main.go:120",
            "Error: deadline exceeded",
            "Error: name mismatch: expected \"a\"",
            "Error: parse error: unexpected EOF",
        ] {
            assert!(!shows_request(line), "{line}");
        }
    }
}
