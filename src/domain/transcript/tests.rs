//! Tests that read whole texts and check the responses and failures that are found.

use super::*;

/// Compares the transcripts of a text with expected lines of URL, status or fault, duration in
/// seconds, and body.
fn check(text: &str, expected: &[&str]) {
    let found: Vec<String> = read(text)
        .transcripts
        .iter()
        .map(|transcript| {
            let observation = &transcript.observation;
            let url = transcript.url.as_ref().map_or("-", Url::as_str);
            let time = if transcript.timed {
                format!("{:.3}", observation.duration.as_secs_f64())
            } else {
                "-".to_owned()
            };
            match (&observation.fault, &observation.response) {
                (Some(fault), _) => format!(
                    "{url} {} {} {time}",
                    fault.phase.as_str(),
                    fault.kind.as_str()
                ),
                (None, Some(response)) => format!(
                    "{url} {} {time} {}",
                    response.status,
                    String::from_utf8_lossy(&response.body)
                ),
                (None, None) => "nothing".to_owned(),
            }
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn headers_and_body_with_windows_line_ends_are_parsed() {
    check(
        "HTTP/1.1 503 Service Unavailable\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi\r\n",
        &["- 503 - hi"],
    );
}

#[test]
fn the_url_is_taken_from_the_command_without_its_secrets() {
    check(
        "$ curl -si 'https://me:pw@x.example/a?token=s'\nHTTP/2 200\n\nok\n\n$ curl -i http://y.example/\nHTTP/1.1 404 Not Found\n\nno",
        &["https://x.example/a 200 - ok", "http://y.example/ 404 - no"],
    );
}

#[test]
fn without_a_command_the_url_is_built_from_the_host_header() {
    check(
        "* Connected to x.example (1.2.3.4) port 443 (#0)\n> GET /a HTTP/1.1\n> Host: x.example\n>\n< HTTP/1.1 500 Oops\n< content-length: 3\n<\n{ [3 bytes data]\n* Connection #0 to host x.example left intact\nbad\nreal 0.40\n",
        &["https://x.example/a 500 0.400 bad"],
    );
}

#[test]
fn a_time_on_the_last_line_of_the_body_is_separated() {
    check(
        "curl -i http://x.example/ -w 'time_total: %{time_total}'\nHTTP/1.1 500 Oops\n\n{\"a\":1}time_total: 0.123\n",
        &["http://x.example/ 500 0.123 {\"a\":1}"],
    );
}

#[test]
fn only_the_last_response_of_a_redirect_counts() {
    check(
        "curl -iL http://x.example/\nHTTP/1.1 301 Moved\nlocation: /b\n\nHTTP/1.1 200 OK\n\nyes\n",
        &["http://x.example/ 200 - yes"],
    );
}

#[test]
fn curl_errors_become_faults() {
    for (error, expected) in [
        (
            "(6) Could not resolve host: x.example",
            "resolve resolver-failure",
        ),
        (
            "(7) Failed to connect to x.example port 80: Connection refused",
            "connect connection-refused",
        ),
        (
            "(7) Failed to connect to x.example port 80: No route to host",
            "connect unreachable",
        ),
        (
            "(28) Connection timed out after 3001 milliseconds",
            "connect timeout 3.001",
        ),
        (
            "(28) Operation timed out after 5000 milliseconds with 0 bytes received",
            "processing timeout 5.000",
        ),
        (
            "(35) OpenSSL SSL_connect: Connection reset by peer",
            "tls connection-reset",
        ),
        (
            "(35) error:0A000410:SSL routines::sslv3 alert handshake failure",
            "tls tls-handshake",
        ),
        (
            "(51) SSL: no alternative certificate subject name matches",
            "tls certificate-name-mismatch",
        ),
        (
            "(60) SSL certificate problem: certificate has expired",
            "tls certificate-expired",
        ),
        (
            "(60) SSL certificate problem: self-signed certificate",
            "tls certificate-untrusted",
        ),
        (
            "(52) Empty reply from server",
            "processing connection-closed",
        ),
        (
            "(56) Recv failure: Connection reset by peer",
            "processing connection-reset",
        ),
        (
            "(47) Maximum (5) redirects followed",
            "processing too-many-redirects",
        ),
    ] {
        let text = format!("$ curl -v http://x.example/\ncurl: {error}\n");
        let is_timed = expected.ends_with(|last: char| last.is_ascii_digit());
        let time = if is_timed { "" } else { " -" };
        check(&text, &[&format!("http://x.example/ {expected}{time}")]);
    }
}

#[test]
fn a_body_that_ends_early_is_a_fault_in_the_transfer_phase() {
    check(
        "HTTP/1.1 200 OK\ncontent-length: 9\n\nhal\ncurl: (18) transfer closed with 6 bytes remaining to read",
        &["- transfer truncated -"],
    );
}

#[test]
fn text_without_a_response_yields_nothing_and_malformed_text_does_not_panic() {
    check("", &[]);
    check("# Notes\nuse curl -v to look\n", &[]);
    check(
        "HTTP/1.1 abc\n< \n> \n* \ncurl: (\ncurl: (x) y\nreal m\ncurl 'http://[\n",
        &[],
    );
    check(
        "HTTP/2 \u{20ac}\nreal 0m\u{20ac}s\ncurl: (99999999999) x\n",
        &[],
    );
}

#[test]
fn a_carriage_return_in_a_document_does_not_count_as_a_line() {
    let text = "{\nHTTP/1.1 503 Oops \r HTTP/1.1 503 Oops ";
    let found = super::read(text).transcripts;
    assert!(!found.is_empty());
    assert!(found.iter().all(|one| one.line == 2));
}
