//! Recognizes error messages that are not about a request although they contain words such as
//! `timeout`, `resolve` or `certificate`: messages about programs, builds, tests, databases and
//! signatures of packages.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use crate::domain::transcript::pattern::{pattern, pattern_set};

/// Names of exceptions, separated by spaces, that report an error in the program itself instead of
/// a failed request.
const KINDS: &str = "TypeError KeyError NameError ImportError ModuleNotFoundError ReferenceError \
    SyntaxError AttributeError IndexError LookupError ValueError AssertionError IndentationError \
    UnboundLocalError NotImplementedError RangeError NoMethodError ArgumentError LoadError \
    RecursionError UnicodeDecodeError ZeroDivisionError FileNotFoundError PermissionError \
    NullPointerException ClassNotFoundException ClassCastException NoClassDefFoundError \
    NoSuchMethodError NoSuchElementException IllegalArgumentException \
    UnsupportedOperationException OutOfMemoryError StackOverflowError \
    IndexOutOfBoundsException ArrayIndexOutOfBoundsException ArgumentNullException \
    InvalidCastException NullReferenceException BeanCreationException \
    UnsatisfiedDependencyException";

/// Matches the name of an exception before its message or, as in Ruby, in parentheses after it.
/// Captures the name.
static KIND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"\b(\w+(?:Error|Exception))\b(?:[\x22'\])]*(?:\s?\[[\w]+\])?\s?:|\)\s*$)")
});

/// Expressions that match messages which are never about a request.
const NEVER: [&str; 5] = [
    r"is not a (?:function|constructor)\b|\bis not defined\b|has no attribute|cannot read propert|undefined is not",
    r"cannot find (?:module|package|symbol)|no module named|cannot import name|use of undeclared|placeholder '",
    r"unrecogni[sz]ed (?:argument|option)|unknown (?:option|flag|argument|shorthand)|no such option|unexpected argument",
    r"eof when reading a line|end-of-stream marker|compressed file ended|unexpected end of (?:zlib|zip|gzip|archive|data stream)|host key\b|expkeysig|gpg error|no_pubkey",
    r"untrusted signature|bad signature|code[- ]?sign|signing certificate|signatures? (?:were|was|is|are) invalid|could(?: not|n.t) resolve (?:dependenc|placeholder|merge|conflict|all |type|symbol|module|import|reference|artifact)",
];

/// Expressions that match messages which are about a request only if [`SHOWN`] also matches them.
const RARELY: [&str; 6] = [
    r"hikari|statement timeout|lock (?:wait )?timeout|deadlock|\bpq: |sqlstate|\bora-\d|psycopg|sqlalchemy|\bsql\w*exception",
    r"\bmongo|\bredis|\bkafka|\bamqp|/lib/dpkg|could not get lock|\bgc (?:time|overhead) limit|outofmemory|heap space",
    r"timed out waiting for (?:the )?condition|while waiting for (?:state|resource)|waiting for (?:locator|selector|element|lock)|\btimeoutexpired",
    r"async callback was not invoked|\bjest\.|for async tests|\btest (?:timed out|timeout|exceeded)|exceeded timeout of|for a (?:test|hook)\b",
    r"\bselenium\b|\bplaywright\b|\bcypress\b|\bpytest\b",
    r"^\W*(?:make|npm|cargo|gradle|maven|mvn|cc1|gcc|clang|rustc|javac|cmake|ninja|webpack|vite|tsc|eslint|dpkg|rpm|gpg|codesign|jarsigner)(?:\[\d+\])?: ",
];

/// Matches signs of a request: a URL, the word `fetch`, a network error, or a nested error, which
/// may be a network error.
static SHOWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)://|\be(?:conn|hostunreach|netunreach|notfound|ai_again|timedout|proto|pipe|socket)[a-z]*\b|net::err_|\bdial (?:tcp|udp)|fetch|: terminated|networkerror|connection (?:was )?(?:refused|reset)|nested exception|caused by",
    )
});

/// The compiled expressions of [`NEVER`].
static OF_NEVER: LazyLock<RegexSet> = LazyLock::new(|| pattern_set(NEVER, true));

/// The compiled expressions of [`RARELY`].
static OF_RARELY: LazyLock<RegexSet> = LazyLock::new(|| pattern_set(RARELY, true));

/// Returns whether an error message without a status is not about a request.
pub(super) fn is_unrelated(line: &str) -> bool {
    let is_shown = || SHOWN.as_ref().is_some_and(|shown| shown.is_match(line));
    OF_NEVER.is_match(line) || (OF_RARELY.is_match(line) || is_of_program(line)) && !is_shown()
}

/// Returns whether the first exception that a line names is one of [`KINDS`]. The general names
/// `Error` and `Exception` are skipped.
fn is_of_program(line: &str) -> bool {
    let Some(kind) = KIND.as_ref() else {
        return false;
    };
    let mut names = kind
        .captures_iter(line)
        .filter_map(|found| found.get(1))
        .map(|name| name.as_str())
        .filter(|name| !matches!(*name, "Error" | "Exception"));
    let first = names.next();
    first.is_some_and(|first| KINDS.split_whitespace().any(|kind| kind == first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_are_valid() {
        assert_eq!(
            (OF_NEVER.len(), OF_RARELY.len()),
            (NEVER.len(), RARELY.len())
        );
    }

    #[test]
    fn messages_about_other_things_are_unrelated() {
        for line in [
            "TypeError: client.timeout is not a function",
            "Uncaught ReferenceError: resolve is not defined",
            "Error: Uncaught TypeError: handshake.verify is null",
            "app.py:12: ValueError: timeout must be positive",
            "error: unrecognized arguments: --read-timeout 5",
            "java.sql.SQLTimeoutException: query timed out",
            "java.lang.IllegalArgumentException: timeout < 0",
            "E: GPG error: http://x.example/ stable: EXPKEYSIG certificate expired",
            "app.rb:3:in `call': undefined method `timeout' for nil (NoMethodError)",
            "ERROR: https://x.example/main: UNTRUSTED signature",
            "kubectl: error: timed out waiting for the condition",
        ] {
            assert!(is_unrelated(line), "{line}");
        }
        for line in [
            "TypeError: fetch failed",
            "TypeError: terminated",
            "requests.exceptions.ReadTimeout: Read timed out.",
            "MongoNetworkError: connect ECONNREFUSED 10.0.0.1:27017",
            "Error: connect ETIMEDOUT 10.0.0.1:80",
            "ConnectionError: HTTPSConnectionPool(host='a', port=443): AttributeError: x",
        ] {
            assert!(!is_unrelated(line), "{line}");
        }
    }
}
