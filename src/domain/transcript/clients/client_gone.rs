//! Recognizes the messages with which a server logs that the client caused a failure, for example
//! because the client closed the connection or has no valid certificate.
//!
//! Such a message contains the words of a failed connection, but the service did not fail.

use std::sync::LazyLock;

use regex::RegexSet;

use crate::domain::transcript::pattern::pattern_set;

/// Expressions that match messages about a failure that the client caused. Each comment names the
/// programs that log the messages of the expression below it.
static MESSAGES: LazyLock<RegexSet> = LazyLock::new(|| {
    let expressions = [
        // Tomcat, Jetty, Spring, Undertow and Netty.
        r"\bClientAbortException\b|\bjetty\.io\.EofException\b|\bAsyncRequestNotUsableException\b|\bClientDisconnectedException\b",
        // ASP.NET Core.
        r"\b(?:client has disconnected|client reset the request stream|request was aborted by the client)\b|\bConnectionAbortedException: The connection was aborted by the (?:client|application)\b",
        // Python: Starlette, uWSGI and Django.
        r"\bClientDisconnect(?:ed)?\b|\buwsgi_response_write\w*\(\)|\bBroken pipe from \('",
        // nginx, gunicorn and others.
        r"\bclient (?:prematurely )?(?:closed|terminated) (?:the )?(?:keepalive )?(?:connection|request)\b|\b[Cc]lient (?:has )?(?:disconnected|went away)\b|\b[Cc]lient closed request\b",
        // Go's server.
        r"\bhttp: TLS handshake error from \S+: (?:EOF|.*\bclient (?:certificate|didn't provide a certificate)|.*\bclient offered only unsupported versions)",
        // Apache httpd, nginx and HAProxy, about the certificate of the client.
        r"\bCertificate Verification: Error \(|\bclient SSL certificate verify error\b|\bSSL client (?:CA chain cannot be verified|certificate not trusted)",
    ];
    pattern_set(expressions, false)
});

/// Returns whether a line states that the client caused a failure.
pub(in crate::domain::transcript) fn is_of_client(line: &str) -> bool {
    MESSAGES.is_match(line)
}

/// Returns whether a line continues a stack trace, judged by the first characters of the line.
pub(in crate::domain::transcript) fn continues_trace(line: &str) -> bool {
    let text = line.trim_start();
    let starts = [
        "at ",
        "... ",
        "Caused by: ",
        "Suppressed: ",
        "--- End of",
        "---> ",
    ];
    starts.iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_about_the_client_are_recognized() {
        assert_eq!(MESSAGES.len(), 6);
        for line in [
            "org.apache.catalina.connector.ClientAbortException: java.io.IOException: Broken pipe",
            "org.eclipse.jetty.io.EofException: Closed",
            "Microsoft.AspNetCore.Connections.ConnectionResetException: The client has disconnected",
            "starlette.requests.ClientDisconnect",
            "OSError: write error uwsgi_response_write_body_do(): Broken pipe [core/writer.c line 341]",
            "http: TLS handshake error from 192.0.2.1:4711: EOF",
            "[ssl:error] [pid 1] [client 192.0.2.1:1] AH02039: Certificate Verification: Error (10): certificate has expired",
            "client SSL certificate verify error: (21:unable to verify the first certificate)",
        ] {
            assert!(is_of_client(line), "{line}");
        }
        for line in [
            "java.io.IOException: Broken pipe",
            "java.io.EOFException: HttpConnectionOverHTTP: early EOF",
            "upstream prematurely closed connection while reading response header",
            "Error: Client network socket disconnected before secure TLS connection was established",
            "System.OperationCanceledException: The operation was canceled.",
            "http: TLS handshake error from 192.0.2.1:4711: remote error: tls: unknown certificate authority",
        ] {
            assert!(!is_of_client(line), "{line}");
        }
    }
}
