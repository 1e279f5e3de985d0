//! Bodies: content codings, framing, and the heads that curl accepts.

use std::io::Write as _;
use std::sync::Arc;

use crate::support::certified;
use crate::support::probe::{answer, check, probe, target};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use probecause::model::observation::{FaultKind, Observation, Phase};
use probecause::model::target::BodyMatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TEXT: &[u8] = b"hello, hello, hello";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

async fn probe_encoded(headers: &str, body: &[u8], expect: bool) -> Observation {
    let mut reply = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n").into_bytes();
    reply.extend(body);
    let mut target = target(&answer(reply).await.url("/"));
    if expect {
        target.expect.body = vec![BodyMatch::Contains("hello".to_owned())];
    }
    probe(&target).await
}

#[tokio::test]
async fn every_spelling_and_stack_of_known_codings_is_decoded() {
    let twice = [gzip(TEXT), gzip(TEXT)].concat();
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("content-encoding: GZIP", gzip(TEXT)),
        ("Content-Encoding: x-gzip", gzip(TEXT)),
        ("content-encoding: X-GZip", gzip(TEXT)),
        ("content-encoding: deflate", zlib(TEXT)),
        ("content-encoding: deflate", raw_deflate(TEXT)),
        ("content-encoding: ZSTD", zstd(TEXT)),
        ("content-encoding: gzip, gzip", gzip(&gzip(TEXT))),
        (
            "content-encoding: gzip\r\ncontent-encoding: gzip",
            gzip(&gzip(TEXT)),
        ),
        ("content-encoding: deflate , gzip", gzip(&zlib(TEXT))),
        ("content-encoding: deflate, zstd", zstd(&raw_deflate(TEXT))),
        ("content-encoding: zstd,gzip", gzip(&zstd(TEXT))),
        ("content-encoding: identity", TEXT.to_vec()),
        ("content-encoding: none", TEXT.to_vec()),
        ("content-encoding: identity, gzip", gzip(TEXT)),
        ("content-encoding: ", TEXT.to_vec()),
        ("x-none: 1", TEXT.to_vec()),
    ];
    for (headers, body) in table {
        let seen = probe_encoded(headers, &body, true).await;
        check(&seen, None);
        let response = seen.response.unwrap();
        assert_eq!(response.body, TEXT, "{headers}");
        assert_eq!(response.body_bytes, TEXT.len() as u64, "{headers}");
        assert!(!response.body_truncated);
    }
    let members = probe_encoded("content-encoding: gzip", &twice, true).await;
    check(&members, None);
    assert_eq!(members.response.unwrap().body, [TEXT, TEXT].concat());
}

#[tokio::test]
async fn an_empty_body_needs_no_encoding() {
    for headers in [
        "content-encoding: gzip\r\ncontent-length: 0",
        "content-encoding: br\r\ncontent-length: 0",
        "content-encoding: zstd\r\ncontent-length: 0",
        "content-encoding: deflate\r\ncontent-length: 0",
    ] {
        check(&probe_encoded(headers, b"", false).await, None);
    }
    let server =
        answer("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\n").await;
    let mut head = target(&server.url("/"));
    head.request.method = "HEAD".to_owned();
    check(&probe(&head).await, None);
}

#[tokio::test]
async fn a_body_that_contradicts_its_coding_is_named_so() {
    let mut damaged = gzip(TEXT);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 4].to_vec();
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("gzip", TEXT.to_vec()),
        ("gzip", damaged),
        ("gzip", cut(gzip(TEXT))),
        ("deflate", cut(zlib(TEXT))),
        ("deflate", TEXT.to_vec()),
        ("deflate", b"x".to_vec()),
        ("br", TEXT.to_vec()),
        ("zstd", cut(zstd(TEXT))),
        ("zstd", TEXT.to_vec()),
        ("gzip, gzip", gzip(TEXT)),
    ];
    for (coding, body) in table {
        let headers = format!(
            "content-encoding: {coding}\r\ncontent-length: {}",
            body.len()
        );
        let seen = probe_encoded(&headers, &body, true).await;
        check(&seen, Some((FaultKind::Decode, Phase::Transfer)));
        let detail = seen.fault.unwrap().detail;
        assert!(
            detail.contains(&format!("not valid `{coding}` data")),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn an_unknown_coding_matters_only_if_the_body_is_expected_to_match() {
    for coding in ["compress", "gzip, rot13", "gzip, gzip, gzip, gzip, gzip"] {
        let headers = format!("content-encoding: {coding}");
        let seen = probe_encoded(&headers, b"uryyb", true).await;
        check(&seen, Some((FaultKind::Decode, Phase::Transfer)));
        let detail = seen.fault.unwrap().detail;
        assert!(
            detail.contains(&format!("coding `{coding}` is not supported")),
            "{detail}"
        );
        check(&probe_encoded(&headers, b"uryyb", false).await, None);
        // A wrong announcement of a readable body does no harm.
        check(&probe_encoded(&headers, TEXT, true).await, None);
    }
}

#[tokio::test]
async fn a_decompression_bomb_is_cut() {
    let zeros = vec![0; 64 * 1024 * 1024];
    for (coding, body) in [
        ("gzip", gzip(&zeros)),
        ("zstd", zstd(&zeros)),
        ("gzip, gzip", gzip(&gzip(&zeros))),
    ] {
        let headers = format!(
            "content-encoding: {coding}\r\ncontent-length: {}",
            body.len()
        );
        let seen = probe_encoded(&headers, &body, false).await;
        check(&seen, None);
        let response = seen.response.unwrap();
        assert!(response.body_truncated);
        assert_eq!(
            (response.body.len(), response.body_bytes),
            (64 * 1024, 8 * 1024 * 1024)
        );
    }
}

#[tokio::test]
async fn a_body_longer_than_announced_is_not_truncated() {
    let seen = probe_encoded("content-length: 5", b"hello and more", true).await;
    check(&seen, None);
    assert_eq!(seen.response.unwrap().body, b"hello");
}

/// Sends SETTINGS, waits for the request, then sends a response head with `content-length: 3` and
/// a body of this length.
async fn http2_length(body: usize) -> Observation {
    let ca = certified::ca();
    let server = certified::serve(
        Some(&ca),
        certified::valid(),
        None,
        move |mut stream| async move {
            let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
            let mut buffer = [0; 4096];
            let mut read = 0;
            while read < 120 {
                read += stream.read(&mut buffer).await.unwrap();
            }
            // `:status: 200`, then `content-length: 3` as a literal with an indexed name.
            let mut frames = vec![0, 0, 5, 1, 4, 0, 0, 0, 1, 0x88, 0x0f, 0x0d, 1, b'3'];
            frames.extend([0, 0, u8::try_from(body).unwrap(), 0, 1, 0, 0, 0, 1]);
            frames.extend(vec![b'a'; body]);
            let _ = stream.write_all(&frames).await;
            let _ = stream.flush().await;
            let _ = stream.read(&mut buffer).await;
        },
    )
    .await;
    probe(&certified::trusting(&server, &ca)).await
}

#[tokio::test]
async fn an_http2_body_of_another_length_than_announced_is_malformed() {
    check(&http2_length(3).await, None);
    for length in [1, 6] {
        let seen = http2_length(length).await;
        check(&seen, Some((FaultKind::Protocol, Phase::Transfer)));
    }
}

#[tokio::test]
async fn heads_that_curl_accepts_are_accepted() {
    for head in [
        "x-folded: a\r\n b\r\n\tc",
        "x-space : a",
        "x odd name: a",
        "x(odd)[name]: a",
        "x-control: a\x01b",
        "x-latin: caf\u{e9}",
        ": no name",
        "no colon at all",
        "x-empty:",
        "x-quoted: \"a\\\"b\"",
        "set-cookie: a=1;\r\n  path=/",
    ] {
        let reply =
            format!("HTTP/1.1 200 OK\r\n{head}\r\nx-last: yes\r\ncontent-length: 2\r\n\r\nok");
        let seen = probe(&target(&answer(reply).await.url("/"))).await;
        check(&seen, None);
        let response = seen.response.unwrap();
        assert_eq!(response.header("x-last"), Some("yes"), "{head:?}");
        assert_eq!(response.body, b"ok", "{head:?}");
    }
    for reply in [
        "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\n\nok",
        "HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
        "HTTP/1.1 200 sehr sch\u{f6}n\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ] {
        let seen = probe(&target(&answer(reply).await.url("/"))).await;
        check(&seen, None);
        assert_eq!(seen.response.unwrap().body, b"ok", "{reply:?}");
    }
}

#[tokio::test]
async fn many_headers_are_accepted_and_some_are_kept() {
    let many: String = (0..900).map(|index| format!("x-{index}: 1\r\n")).collect();
    let reply = format!("HTTP/1.1 200 OK\r\n{many}content-length: 2\r\n\r\nok");
    let seen = probe(&target(&answer(reply).await.url("/"))).await;
    check(&seen, None);
    assert_eq!(seen.response.unwrap().headers.len(), 200);
}

#[tokio::test]
async fn what_is_not_http_is_quoted() {
    for (reply, text) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        ("220 mail.test ESMTP\r\n", "220 mail.test ESMTP"),
        (
            "\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{16}",
            "use `https` in the URL",
        ),
    ] {
        let seen = probe(&target(&answer(reply).await.url("/"))).await;
        check(&seen, Some((FaultKind::Protocol, Phase::Processing)));
        let detail = seen.fault.unwrap().detail;
        assert!(detail.contains(text), "{detail}");
    }
}

/// A query or a request body is often repeated in a good response, where it is expected.
#[tokio::test]
async fn a_response_may_repeat_the_query_and_the_request_body() {
    let reply = "HTTP/1.1 200 OK\r\nx-region: eu-west-1\r\ncontent-length: 25\r\n\r\n\
                 eu-west-1 {\"id\":\"orders\"}";
    let server = answer(reply.as_bytes().to_vec()).await;
    let mut target = target(&server.url("/?region=eu-west-1"));
    target.request.method = "POST".to_owned();
    target.request.body = Arc::from(&b"{\"id\":\"orders\"}"[..]);
    let seen = probe(&target).await;
    let response = seen.response.as_ref().unwrap();
    assert_eq!(response.header("x-region"), Some("eu-west-1"));
    assert_eq!(response.body, b"eu-west-1 {\"id\":\"orders\"}");
}
