//! The reason phrase of the status line, which some proxies use to name a cause.

use crate::support::probe::{answer, probe, target};

#[tokio::test]
async fn the_reason_phrase_of_the_status_line_is_kept() {
    for (line, expected) in [
        ("503 Backend fetch failed", "Backend fetch failed"),
        ("503 Service Unavailable", "Service Unavailable"),
        ("504 Gateway Time-out", "Gateway Time-out"),
        ("502 ", ""),
        ("599 first byte timeout", "first byte timeout"),
    ] {
        // Decompression must not lose it either.
        for more in [
            "content-length: 2\r\n\r\nok",
            "content-encoding: gzip\r\ncontent-length: 0\r\n\r\n",
        ] {
            let server = answer(format!("HTTP/1.1 {line}\r\n{more}")).await;
            let seen = probe(&target(&server.url("/"))).await;
            let response = seen.response.unwrap();
            assert_eq!(response.reason.as_deref(), Some(expected), "{line}");
        }
    }
}
