//! Recognizes lines of source code and of configuration files.
//!
//! Such lines contain the names of exceptions, error codes and timeouts, but they report no
//! failure.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use crate::domain::transcript::pattern::{pattern, pattern_set};

/// Matches the setting of a timeout, such as `readTimeout: 60s`, `"connectTimeout": 5000,` or
/// `TIMEOUT=30`. Captures the key.
static SETTING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?ix)["']?([a-z_][\w-]*(?:\.[\w-]+)*timeout[\w-]*|timeout[\w-]*)["']?\s*[:=]\s*
        (?:["']?\d[\d_.]*\s?[a-z\u{b5}]{0,12}["']?\s*(?:[,;)}\]\#]|//|$)
          |["']?\$\{?[\w.:-]+\}?["']?\s*,?\s*$
          |(?:true|false|null|none|undefined)\s*[,;]?\s*$)"#,
    )
});

/// Matches a line such as `httpReqTimeout:`, which contains only a key with the word `timeout`. The
/// settings in this group are on the next lines. Captures the key.
static GROUP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r#"(?i)^\s*(?:-\s+)?["']?([a-z_][\w-]*timeout[\w-]*)["']?\s*[:=]\s*[{|>]?\s*$"#)
});

/// Expressions that match lines of source code in the languages that people paste most.
static SOURCE: LazyLock<RegexSet> = LazyLock::new(|| {
    // Before the code, a debugger or a diff may show an arrow, a sign or the line number.
    let start = r"^\W*(?:\d+\W+)?";
    let expressions = [
        r"(?:\}\s*)?(?:else\s+)?(?:if|while|switch|catch|when|assert\w*|expect)\s?\(.*(?:[{;]|&&|\|\|)\s*(?://.*)?$",
        r"(?:\}\s*)?catch\s?\([\w.| ]+\s\w+\)\s*\{?\s*$",
        r"(?:el)?if\s.*(?:[=!]=|\bin\b|\bis\b|isinstance\(|errors\.(?:Is|As)\().*[:{]\s*(?:#.*)?$",
        r"except\b[^:]{0,200}:\s*(?:\d+\s*)?(?:#.*|pass|raise.*)?$",
        r"rescue\s[\w:, ]+(?:=>\s*\w+)?\s*$",
        r"(?:throw\s+new\s|raise\s+[\w.]+\()",
        r"import\s+[\w.*{}, ]+;?\s*$",
        r"import\s+[\w.*{}, ]+\sfrom\s\S+;?\s*$",
        r"from\s\S+\simport\s",
        r"using\s[\w.]+;\s*$",
        r"return\s.*;\s*$",
        r"(?:const|let|var|val|final|static|public|private|protected|function|func|def|class|export)\s.*(?:[;{(,:=]\s*$|\s=\s)",
        r#"case\s["'`]?[\w.]+["'`]?\s*:\s*$"#,
        r"@\w+\(",
        r"assert\s.*(?:[=!]=|\bin\b|\bis\b)",
        r"(?:(?:self|this|t|cy|should|chai)\.)?(?:assert|expect|require)\w*(?:\.\w+)?\(",
    ];
    let anchored = expressions
        .iter()
        .map(|expression| format!("{start}(?:{expression})"));
    let anywhere = [
        r"^\s*//",
        r#"(?:===?|!==?)\s*["'`]?(?:\w+\.)?E[A-Z]{4,}"#,
        r"\binstanceof\s|\bisinstance\(|\berrors\.(?:Is|As)\(",
        // A list of error codes, such as the codes after which a client repeats a request.
        r#"["']E[A-Z_]{4,}["'],\s*["']E[A-Z_]{4,}["']"#,
        // A table of error codes: a code is the key, not the value.
        r#"["']E[A-Z_]{4,}["']\s*:\s*["'\d{\[]|^\s*E[A-Z]{4,}\s*:\s*["'].*["'],?\s*$"#,
        r"\.to(?:Throw|Equal|Be|Match|Contain)\w*\(|\bpytest\.raises\(|\bassertRaises\w*\(",
        r"\.catch\(|\bnew\s[\w.]+(?:Error|Exception)\(",
        // The rest of a condition that was wrapped, such as `_SSLError):`.
        r"^[^()]*\w(?:Error|Exception|Timeout)\)\s?:\s",
    ];
    let all = anchored.chain(anywhere.map(str::to_owned));
    pattern_set(all, false)
});

/// Matches the text before a string literal that source code sends, prints or assigns. The text
/// ends with the opening quote.
static WRITES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?x)(?:
        \b(?:send|sendall|sendto|write|writeln|writelines|WriteString|Write|Fprint\w*|print\w*|puts|emit|end|reply|respond)!?\(
          (?:[\w.&*>-]+,\s*)?(?:\[\]byte\(|Buffer\.from\()?
        |^\s*(?:(?:const|let|var|static|char|auto|String)\s.*|[\w.]+\s)=\s
        |^\s*\.[a-z_]+\(
        )[&*]?[bru]{0,2}["'`]$"#,
    )
});

/// Matches the rest of a sentence after a string literal.
static SENTENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"["'`]\s(?:[A-Za-z]+\s+){2,}[A-Za-z]+[.!?]?\s*$"#));

/// Matches the result of a system call in the output of strace.
static SYSTEM_CALL: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\)\s+=\s-?\d"));

/// Returns whether the string literal in a line is not a response that was received. Such a literal
/// is sent, printed or assigned by source code, or is the subject of a sentence. `before` is the
/// text before the literal, with the opening quote of the literal.
pub(in crate::domain::transcript) fn writes_literal(before: &str, line: &str) -> bool {
    let matches = |expression: &LazyLock<Option<Regex>>, text: &str| {
        expression.as_ref().is_some_and(|it| it.is_match(text))
    };
    let is_subject = !before.contains(char::is_alphanumeric) && matches(&SENTENCE, line);
    is_subject || matches(&WRITES, before) && !matches(&SYSTEM_CALL, line)
}

/// Returns whether a line is source code.
pub(in crate::domain::transcript) fn is_source(line: &str) -> bool {
    SOURCE.is_match(line)
}

/// Returns a line without the settings of timeouts in it; an empty text for a line that [`GROUP`]
/// matches. A key that ends with `Error` or `Exception` is the name of an exception, not a setting.
pub(super) fn without_settings(line: &str) -> Cow<'_, str> {
    let is_setting = |key: &str| !key.ends_with("Error") && !key.ends_with("Exception");
    let is_group = GROUP
        .as_ref()
        .and_then(|group| group.captures(line))
        .is_some_and(|found| is_setting(&found[1]));
    if is_group {
        return Cow::Borrowed("");
    }
    let Some(setting) = SETTING.as_ref() else {
        return Cow::Borrowed(line);
    };
    setting.replace_all(line, |found: &regex::Captures<'_>| {
        let is_removed = is_setting(&found[1]);
        if is_removed { "" } else { &found[0] }.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_code_is_recognized() {
        for line in [
            "if (err.code === 'ECONNREFUSED') {",
            "  } else if (e.code == \"ETIMEDOUT\" || retry) {",
            "if err.errno == errno.ECONNREFUSED:",
            "\tif errors.Is(err, syscall.ECONNREFUSED) {",
            "except requests.exceptions.SSLError:",
            "except (ConnectTimeout, ReadTimeout) as e:  # retry",
            "    } catch (SocketTimeoutException e) {",
            "rescue Errno::ECONNREFUSED, Net::ReadTimeout => e",
            "        raise ConnectTimeout(e, request=request)",
            "--> 514                 raise SSLError(e, request=request)    515",
            "import javax.net.ssl.SSLHandshakeException;",
            "from requests.exceptions import ReadTimeout",
            "const RETRY = ['ECONNRESET'];",
            "errorCodes: [ 'ETIMEDOUT', 'ECONNRESET', 'EPIPE' ],",
            "throw new ConnectException(\"refused\");",
            "_SSLError):    513                 # This branch is for urllib3 v1.22",
            "  if isinstance(e.reason, _SSLError):    513   # comment",
            "+  case 'ECONNREFUSED':",
            "@Retryable(value = SocketTimeoutException.class)",
            "// ECONNREFUSED: nothing listens",
            "assert str(error) == \"Error: read ECONNRESET\"",
            "self.assertEqual(str(error), 'ConnectionError: refused')",
            "await expect(call()).rejects.toThrow(\"Error: socket hang up\");",
            "NAMES = {\"ECONNRESET\": \"reset\", \"EPIPE\": \"pipe\"}",
            "  ETIMEDOUT: 'the server is slow',",
        ] {
            assert!(is_source(line), "{line}");
        }
    }

    #[test]
    fn literals_that_code_writes_are_recognized() {
        for (before, after, expected) in [
            ("    conn.sendall(b\"", "\")", true),
            ("fmt.Fprint(w, \"", "\")", true),
            ("socket.write('", "');", true),
            ("c.Write([]byte(\"", "\"))", true),
            ("RESPONSE = b\"", "\"", true),
            ("> \"", "\" is what our server writes", true),
            ("write(5, \"", "\", 40) = 40", false),
            ("recvfrom(5, \"", "\", 40, 0) = 40", false),
            ("reply: '", "'", false),
            ("error 503 for http://a.example/: \"", "\" (1)", false),
        ] {
            let line = format!("{before}HTTP/1.1 503 Oops\\r\\n{after}");
            assert_eq!(writes_literal(before, &line), expected, "{line}");
        }
    }

    #[test]
    fn the_expressions_are_valid() {
        assert_eq!(SOURCE.len(), 24);
    }

    #[test]
    fn messages_are_not_source_code() {
        for line in [
            "Error: connect ECONNREFUSED 127.0.0.1:80",
            "  code: 'ECONNREFUSED',",
            "import failed: dial tcp 10.0.0.1:443: connect: connection refused",
            "let me show the error: Error: connect ECONNREFUSED 10.0.0.1:80",
            "if I call it I get java.net.ConnectException: Connection refused",
            "(java.net.ConnectException): Connection refused",
            "Caused by: java.net.SocketTimeoutException: Read timed out",
            "return code 28: Error: timeout",
            "class org.x.Y threw java.net.ConnectException: Connection refused",
            "requests.exceptions.SSLError: HTTPSConnectionPool(host='a', port=443): Max retries exceeded",
        ] {
            assert!(!is_source(line), "{line}");
        }
    }

    #[test]
    fn settings_are_removed() {
        for line in [
            "  readTimeout: 60s",
            "  ReadTimeout=30",
            "connectTimeout: 5s,",
            "httpReqTimeout:",
            "- SocketTimeout: |",
            "\"socketTimeout\": 5000,",
            "  proxy-connect-timeout: \"5\"",
            "spring.http.client.read-timeout=5s",
            "READ_TIMEOUT=${TIMEOUT}",
            "requestTimeout: false",
        ] {
            assert_eq!(without_settings(line).trim(), "", "{line}");
        }
        for line in [
            "ReadTimeout: HTTPSConnectionPool(host='a', port=443): Read timed out.",
            "requests.exceptions.ReadTimeout:",
            "TimeoutError: 30000",
            "Net::ReadTimeout: Net::ReadTimeout",
            "Error: timeout of 1000ms exceeded",
        ] {
            assert_eq!(without_settings(line), line);
        }
        let client = "axios.create({ connectTimeout: 3000, url: 'x' })";
        assert_eq!(without_settings(client), "axios.create({  url: 'x' })");
    }
}
