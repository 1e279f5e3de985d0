//! Tests of the formats, each with lines of failures and of successes.

use super::*;

/// Returns what `read` returns for a line: status, URL, seconds and error of a failed request;
/// `passed`; or `-` for `None`.
fn shown(line: &str) -> String {
    match read(line) {
        None => "-".to_owned(),
        Some(Logged::Passed) => "passed".to_owned(),
        Some(Logged::Failed(entry)) => format!(
            "{} {} {} {}",
            entry.status,
            entry.url.as_ref().map_or("-", Url::as_str),
            entry
                .time
                .map_or("-".to_owned(), |time| format!("{:.3}", time.as_secs_f64())),
            entry.error.unwrap_or("-"),
        ),
    }
}

#[test]
fn lines_of_herokus_router_are_read() {
    let line = |code: &str, status: &str| {
        format!(
            "2025-11-11T03:12:44.1+00:00 heroku[router]: at=error code={code} desc=\"x\" method=GET path=\"/a?b=c\" host=shop.example request_id=1 fwd=\"192.0.2.1\" dyno=web.1 connect=1ms service=30001ms status={status} bytes=0 protocol=https"
        )
    };
    for (code, error) in [
        ("H12", "timeout"),
        ("H10", "unhealthy"),
        ("H13", "reset"),
        ("H82", "-"),
    ] {
        let expected = format!("503 https://shop.example/a 30.001 {error}");
        assert_eq!(shown(&line(code, "503")), expected);
    }
    assert_eq!(shown(&line("H27", "499")), "passed");
    let passed = "at=info method=GET path=\"/\" host=a.example fwd=\"192.0.2.1\" dyno=web.1 connect=0ms service=9ms status=200 bytes=1";
    assert_eq!(shown(passed), "passed");
    assert_eq!(shown("the code=H12 means a timeout"), "-");
}

#[test]
fn lines_of_a_load_balancer_are_read() {
    let line = |times: &str, status: &str| {
        format!(
            "h2 2025-11-11T03:12:52.352228Z app/shop/0123456789abcdef 192.0.2.1:12653 10.0.8.2:8080 {times} {status} 49 202 \"GET https://shop.example:443/a HTTP/2.0\" \"curl/8.5.0\" - - arn:aws:x \"Root=1-a\" \"shop.example\" \"-\" 2 2025-11-11T03:12:42.351000Z \"forward\" \"-\" \"-\""
        )
    };
    for (times, status, expected) in [
        ("-1 -1 -1", "504 -", "504 https://shop.example/a 10.001 -"),
        (
            "0.001 0.500 0.000",
            "502 -",
            "502 https://shop.example/a 0.501 -",
        ),
        (
            "0.001 0.500 0.000",
            "500 500",
            "500 https://shop.example/a 0.501 -",
        ),
        ("0.001 0.500 0.000", "200 200", "passed"),
        ("0.001 0.500 0.000", "404 404", "passed"),
        ("-1 -1 -1", "460 -", "passed"),
    ] {
        assert_eq!(shown(&line(times, status)), expected, "{times} {status}");
    }
}

#[test]
fn lines_of_envoy_are_read() {
    for (line, expected) in [
        (
            "[2025-11-11T03:12:44.310Z] \"GET /a HTTP/2\" 503 UH 0 19 0 - \"-\" \"curl/8\" \"id\" \"shop.example\" \"-\"",
            "503 http://shop.example/a 0.000 unhealthy",
        ),
        (
            "[2025-11-11T03:12:44.310Z] \"GET /a HTTP/1.1\" 503 UF,URX upstream_reset_before_response_started{connection_failure,delayed_connect_error:_111} - \"delayed_connect_error:_111\" 0 152 31 - \"-\" \"curl/8\" \"id\" \"shop.example\" \"10.0.0.1:80\"",
            "503 http://shop.example/a 0.031 refused",
        ),
        (
            "[2025-11-11T03:12:44.310Z] \"GET /a HTTP/1.1\" 503 UC upstream_reset_before_response_started{connection_termination} - \"-\" 0 95 2 - \"-\" \"curl/8\" \"id\" \"shop.example\" \"10.0.0.1:80\"",
            "503 http://shop.example/a 0.002 reset",
        ),
        (
            "[2025-11-11T03:12:44.310Z] \"GET /a HTTP/2\" 200 - 0 19 4 3 \"-\" \"curl/8\" \"id\" \"shop.example\" \"10.0.0.1:80\"",
            "passed",
        ),
        (
            "[2025-11-11T03:12:44.310Z] \"GET /a HTTP/2\" 0 DC 0 0 4 - \"-\" \"curl/8\" \"id\" \"shop.example\" \"10.0.0.1:80\"",
            "passed",
        ),
        (
            "[11/11/2025T03:12:44] method=POST authority=shop.example:443 request=/a response_flag=UT status=200 status_details=upstream_response_timeout total_time_ms=15001",
            "200 https://shop.example/a 15.001 timeout",
        ),
    ] {
        assert_eq!(shown(line), expected, "{line}");
    }
}

#[test]
fn lines_of_other_proxies_are_read() {
    for (line, expected) in [
        (
            "[Tue Nov 11 03:12:44.652656 2025] [proxy_http:error] [pid 18590] (103)Software caused connection abort: [client 192.0.2.1:24591] AH01102: error reading status line from remote server 127.0.0.1:1111, referer: https://a.example/",
            "502 - - reset",
        ),
        (
            "[Tue Nov 11 03:12:44.652656 2025] [proxy_http:error] [pid 18590:tid 7] (70007)The timeout specified has expired: [client 192.0.2.1:24591] AH01102: error reading status line from remote server app:80",
            "502 - - timeout",
        ),
        (
            "[Tue Nov 11 03:12:44.652656 2025] [proxy:error] [pid 18590] (111)Connection refused: AH00957: HTTP: attempt to connect to 127.0.0.1:8080 (localhost) failed",
            "503 - - refused",
        ),
        (
            "[Tue Nov 11 03:12:44 2025] [error] (111)Connection refused: proxy: HTTP: attempt to connect to 127.0.0.1:8080 (localhost) failed",
            "503 - - refused",
        ),
        (
            "[Tue Nov 11 03:12:44 2025] [core:error] [pid 1] [client 192.0.2.1:1] AH00082: an unknown filter was not added: DEFLATE",
            "-",
        ),
        (
            "haproxy[7]: 192.0.2.1:33317 [11/Nov/2025:03:12:44.655] web app/srv1 10/0/3000/-1/3009 503 212 - - sC-- 1/1/1/1/3 0/0 \"GET /a HTTP/1.1\"",
            "503 - 3.009 timeout",
        ),
        (
            "haproxy[7]: 192.0.2.1:33317 [11/Nov/2025:03:12:44.655] web app/<NOSRV> 0/-1/-1/-1/0 503 212 - - SC-- 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\"",
            "503 - 0.000 unhealthy",
        ),
        (
            "haproxy[7]: 192.0.2.1:33317 [11/Nov/2025:03:12:44.655] web app/srv1 1/0/1/9/11 200 212 - - ---- 1/1/1/1/0 0/0 \"GET /a HTTP/1.1\"",
            "passed",
        ),
        (
            "192.0.2.1 - - [11/Nov/2025:03:12:44 +0000] \"GET /a HTTP/1.1\" 504 562 \"-\" \"curl/8\" 487 15.002 [shop-web-80] [] 10.0.0.1:80, 10.0.0.2:80 0, 0 5.001, 10.001 504, 504 abcdef",
            "504 - 15.002 timeout",
        ),
        (
            "192.0.2.1 - - [11/Nov/2025:03:12:44 +0000] \"GET /a HTTP/1.1\" 504 562 \"-\" \"curl/8\" 487 15.002 [shop-web-80] [] 10.0.0.1:80 562 15.001 504 abcdef",
            "504 - 15.002 -",
        ),
        (
            "level=debug msg=\"'502 Bad Gateway' caused by: dial tcp 10.0.0.1:80: connect: connection refused\"",
            "502 - - refused",
        ),
        (
            "'499 Client Closed Request' caused by: context canceled",
            "passed",
        ),
    ] {
        assert_eq!(shown(line), expected, "{line}");
    }
}
