//! Responses of proxies and platforms beyond AWS, as their source, documentation or captures
//! give them, and look-alikes that must not get a cause.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::diagnosis::Verdict;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::model::cause::{Certainty, Hop};
use probecause::model::observation::{HttpVersion, Observation, Response};
use probecause::model::target::Target;

use crate::front_doors::support::summary;

static RULEBOOK: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::embedded().unwrap());

/// A response: status, headers, body, and the total time in seconds, 0 if unknown.
struct Case<'a> {
    status: u16,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
    seconds: f64,
    reason: Option<&'a str>,
}

fn case<'a>(status: u16, headers: &'a [(&'a str, &'a str)], body: &'a str) -> Case<'a> {
    Case {
        status,
        headers,
        body,
        seconds: 0.0,
        reason: None,
    }
}

fn verdict(case: &Case<'_>) -> Verdict {
    let url = url::Url::parse("https://shop.example/").unwrap();
    let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, url.as_str());
    seen.duration = Duration::from_secs_f64(case.seconds);
    let headers = case.headers.iter();
    seen.response = Some(Response {
        status: case.status,
        reason: case.reason.map(str::to_owned),
        version: HttpVersion::Http11,
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: case.body.as_bytes().to_vec(),
        body_truncated: false,
        body_bytes: case.body.len() as u64,
        content_length: None,
    });
    let target = Target::with_defaults("t", url);
    let facts = Facts::gather(&target, &seen, &Context::at(Timestamp::UNIX_EPOCH));
    let verdict = RULEBOOK.diagnose(&facts).verdict.unwrap();
    Verdict::clone(&verdict)
}

#[track_caller]
fn check(cases: &[(Case<'_>, &str)]) {
    for (case, expected) in cases {
        let verdict = verdict(case);
        let given = format!("{} {:?} {}", case.status, case.headers, case.body);
        let found = summary(&verdict);
        assert!(
            found.starts_with(expected),
            "{found}, not {expected}: {given}"
        );
    }
}

fn nginx(title: &str, signature: &str) -> String {
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>{signature}</center>\r\n</body>\r\n</html>\r\n"
    )
}

const AZURE: &str = "Microsoft-Azure-Application-Gateway/v2";

fn haproxy(title: &str, sentence: &str) -> String {
    format!("<html><body><h1>{title}</h1>\n{sentence}\n</body></html>\n")
}

fn apache(title: &str, text: &str) -> String {
    format!(
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>{title}</title>\n\
         </head><body>\n<h1>x</h1>\n<p>{text}</p>\n</body></html>\n"
    )
}

fn varnish(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html>\n  <head>\n    <title>{title}</title>\n  </head>\n  <body>\n    \
         <h1>Error {title}</h1>\n    <h3>Guru Meditation:</h3>\n    <p>XID: 32770</p>\n    <hr>\n    \
         <p>Varnish cache server</p>\n  </body>\n</html>\n"
    )
}

#[test]
fn envoy_names_the_reason_in_its_text() {
    let prefix = "upstream connect error or disconnect/reset before headers. ";
    let with = |reason: &str| format!("{prefix}reset reason: {reason}");
    let retried = |reason: &str| format!("{prefix}retried and the latest reset reason: {reason}");
    let refused = "remote connection failure, transport failure reason: delayed connect error: 111";
    let tls = "connection failure, transport failure reason: TLS error: 268435581:SSL routines:\
               OPENSSL_internal:CERTIFICATE_VERIFY_FAILED";
    for (status, body, expected) in [
        (503, with(refused), "likely upstream-refused"),
        (503, retried(refused), "likely upstream-refused"),
        (503, with("connection failure"), "possible upstream-refused"),
        (
            503,
            with("remote connection failure, transport failure reason: delayed connect error: 110"),
            "likely upstream-timeout",
        ),
        (503, with(tls), "likely upstream-tls-failed"),
        (503, with("connection timeout"), "likely upstream-timeout"),
        (503, with("connection termination"), "likely upstream-reset"),
        (503, with("remote reset"), "likely upstream-reset"),
        (
            503,
            with("remote refused stream reset"),
            "likely upstream-reset",
        ),
        (502, with("protocol error"), "likely upstream-reset"),
        (503, with("overflow"), "likely upstream-overloaded"),
        (
            503,
            "no healthy upstream".to_owned(),
            "likely upstream-unhealthy",
        ),
        (
            504,
            "upstream request timeout".to_owned(),
            "likely upstream-timeout",
        ),
        (403, "RBAC: access denied".to_owned(), "likely forbidden"),
        (401, "Jwt is expired".to_owned(), "likely unauthorized"),
        (404, String::new(), "possible unexpected-status"),
    ] {
        // A transcript may lack the headers.
        check(&[
            (
                case(status, &[("server", "envoy")], &body),
                if status == 404 {
                    "possible route-not-found"
                } else {
                    expected
                },
            ),
            (case(status, &[], &body), expected),
        ]);
    }
}

/// Checks pages without headers, with LF for CRLF, and behind a CDN.
#[track_caller]
fn check_pages(pages: &[(u16, String, &str)]) {
    for (status, body, expected) in pages {
        let cdn = [("server", "cloudflare"), ("cf-ray", "94033c2c2a5b9e5d-SJC")];
        check(&[
            (case(*status, &[], body), expected),
            (case(*status, &[], &body.replace("\r\n", "\n")), expected),
            (case(*status, &cdn, body), expected),
        ]);
    }
}

#[test]
fn a_page_of_nginx_is_recognized_without_headers_and_behind_a_cdn() {
    check_pages(&[
        (
            502,
            nginx("502 Bad Gateway", "nginx"),
            "possible upstream-refused upstream-reset upstream-tls-failed",
        ),
        (
            502,
            nginx("502 Bad Gateway", "openresty/1.25.3.1"),
            "possible upstream-refused",
        ),
        (
            504,
            nginx("504 Gateway Time-out", "nginx/1.24.0 (Ubuntu)"),
            "likely upstream-timeout",
        ),
        (
            503,
            nginx("503 Service Temporarily Unavailable", "nginx"),
            "possible upstream-unhealthy probe-blocked",
        ),
        (
            413,
            nginx("413 Request Entity Too Large", "Tengine"),
            "likely payload-too-large",
        ),
        (
            403,
            nginx("403 Forbidden", AZURE),
            "possible forbidden probe-blocked",
        ),
        (
            502,
            nginx("502 Bad Gateway", AZURE),
            "possible upstream-unhealthy",
        ),
    ]);
}

#[test]
fn nginx_names_what_is_wrong_with_a_request_in_the_title() {
    let bad =
        |title: &str| nginx(title, "nginx").replace(&format!("<h1>{title}"), "<h1>400 Bad Request");
    check_pages(&[
        (
            400,
            bad("400 The plain HTTP request was sent to HTTPS port"),
            "likely tls-plain-http",
        ),
        (
            400,
            bad("400 No required SSL certificate was sent"),
            "likely tls-client-certificate-required",
        ),
        (
            400,
            bad("400 The SSL certificate error"),
            "likely tls-client-certificate-required",
        ),
        (
            400,
            bad("400 Request Header Or Cookie Too Large"),
            "likely payload-too-large",
        ),
        (400, bad("400 Bad Request"), "possible unexpected-status"),
    ]);
}

#[test]
fn a_page_of_haproxy_is_recognized_by_its_sentence() {
    check_pages(&[
        (
            503,
            haproxy(
                "503 Service Unavailable",
                "No server is available to handle this request.",
            ),
            "possible upstream-unhealthy upstream-refused",
        ),
        (
            502,
            haproxy(
                "502 Bad Gateway",
                "The server returned an invalid or incomplete response.",
            ),
            "likely upstream-reset",
        ),
        (
            504,
            haproxy("504 Gateway Time-out", "The server didn't respond in time."),
            "likely upstream-timeout",
        ),
        (
            403,
            haproxy(
                "403 Forbidden",
                "Request forbidden by administrative rules.",
            ),
            "possible forbidden probe-blocked",
        ),
        (
            408,
            haproxy(
                "408 Request Time-out",
                "Your browser didn't send a complete request in time.",
            ),
            "possible unexpected-status",
        ),
        (
            503,
            haproxy("503 Service Unavailable", "Back at noon."),
            "possible unexpected-status",
        ),
    ]);
}

#[test]
fn httpd_names_the_reason_on_its_page() {
    let down = "The server is temporarily unable to service your\nrequest due to maintenance \
                downtime or capacity\nproblems. Please try again later.";
    let proxy_error = |reason: &str| {
        apache(
            "502 Proxy Error",
            &format!("Reason: <strong>{reason}</strong>"),
        )
    };
    check_pages(&[
        (
            502,
            proxy_error("DNS lookup failure for: app.internal"),
            "likely upstream-name-not-found",
        ),
        (
            502,
            proxy_error("Error during SSL Handshake with remote server"),
            "likely upstream-tls-failed",
        ),
        (
            502,
            proxy_error("Error reading from remote server"),
            "possible upstream-reset upstream-timeout",
        ),
        (
            503,
            apache("503 Service Unavailable", down),
            "possible upstream-refused upstream-unhealthy",
        ),
        (
            504,
            apache("504 Gateway Timeout", "x"),
            "likely upstream-timeout",
        ),
    ]);
}

#[test]
fn varnish_and_fastly_differ_in_the_title() {
    check_pages(&[
        (
            503,
            varnish("503 Backend fetch failed"),
            "possible upstream-refused upstream-unhealthy",
        ),
        (
            503,
            varnish("503 first byte timeout"),
            "likely upstream-timeout",
        ),
        (
            503,
            varnish("503 All backends failed or unhealthy"),
            "likely upstream-unhealthy",
        ),
        (
            503,
            varnish("503 backend read error"),
            "likely upstream-reset",
        ),
    ]);
}

#[test]
fn a_short_text_is_recognized_if_only_one_program_writes_it() {
    let text = str::to_owned;
    check_pages(&[
        (
            503,
            text("no available server\n"),
            "likely upstream-unhealthy",
        ),
        (
            404,
            text("404 page not found\n"),
            "possible route-not-found",
        ),
        (502, text("Bad Gateway"), "possible upstream-refused"),
        (404, text("default backend - 404"), "likely route-not-found"),
        (
            503,
            text("Function host is not running."),
            "likely function-not-ready",
        ),
        (
            500,
            text("Internal Server Error"),
            "possible unexpected-status",
        ),
    ]);
}

#[test]
fn time_tells_the_causes_of_one_page_apart() {
    let apache = apache(
        "502 Proxy Error",
        "Reason: <strong>Error reading from remote server</strong>",
    );
    let varnish = varnish("503 Backend fetch failed");
    let at = |seconds, case| Case { seconds, ..case };
    check(&[
        (
            at(60.05, case(502, &[], &apache)),
            "likely upstream-timeout",
        ),
        (at(0.02, case(502, &[], &apache)), "likely upstream-reset"),
        (
            at(60.05, case(503, &[], &varnish)),
            "likely upstream-timeout",
        ),
        (
            at(0.02, case(503, &[], &varnish)),
            "possible upstream-refused",
        ),
        (
            at(30.05, case(503, &[("via", "1.1 vegur")], "")),
            "possible upstream-timeout",
        ),
        (
            at(0.05, case(503, &[("via", "1.1 vegur")], "")),
            "possible upstream-unhealthy",
        ),
    ]);
}

#[test]
fn a_json_or_xml_body_names_the_error() {
    let apigee = r#"{"fault":{"faultstring":"Gateway Timeout","detail":{"errorcode":"messaging.adaptors.http.flow.GatewayTimeout","reason":"TARGET_READ_TIMEOUT"}}}"#;
    let s3 = |code: &str| {
        format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>x</Message></Error>")
    };
    let kong = |message: &str| format!(r#"{{"message":"{message}"}}"#);
    for (status, body, expected) in [
        (504, apigee.to_owned(), "likely upstream-timeout"),
        (404, s3("NoSuchKey"), "likely object-not-found"),
        (
            403,
            s3("AccessDenied"),
            "possible forbidden object-not-found",
        ),
        (
            503,
            s3("SlowDown"),
            "possible api-throttled upstream-unhealthy",
        ),
        (
            503,
            kong("failure to get a peer from the ring-balancer"),
            "likely upstream-unhealthy",
        ),
        (
            503,
            kong("name resolution failed"),
            "likely upstream-name-not-found",
        ),
        (
            404,
            kong("no Route matched with those values"),
            "likely route-not-found",
        ),
        (
            504,
            kong("The upstream server is timing out"),
            "likely upstream-timeout",
        ),
        (
            502,
            kong("An invalid response was received from the upstream server"),
            "possible upstream-reset upstream-refused",
        ),
    ] {
        check(&[(case(status, &[], &body), expected)]);
    }
}

#[test]
fn platforms_name_their_errors_in_headers() {
    for (status, header, value, expected) in [
        (
            504,
            "x-vercel-error",
            "FUNCTION_INVOCATION_TIMEOUT",
            "likely upstream-timeout",
        ),
        (
            503,
            "x-vercel-error",
            "FUNCTION_THROTTLED",
            "likely upstream-overloaded",
        ),
        (
            404,
            "x-vercel-error",
            "DEPLOYMENT_NOT_FOUND",
            "likely route-not-found",
        ),
        (
            502,
            "x-azure-externalerror",
            "0x830c1011, The certificate authority is unfamiliar",
            "likely upstream-tls-failed",
        ),
        (
            502,
            "ngrok-error-code",
            "ERR_NGROK_8012",
            "likely upstream-refused",
        ),
        (
            503,
            "proxy-status",
            "cdn; error=connection_refused",
            "likely upstream-refused",
        ),
        (
            504,
            "x-amzn-errortype",
            "GatewayTimeoutException:http://internal/",
            "likely upstream-timeout",
        ),
        (401, "www-authenticate", "Bearer", "likely unauthorized"),
    ] {
        check(&[(case(status, &[(header, value)], "down"), expected)]);
    }
}

#[test]
fn platforms_name_their_errors_on_pages_and_in_the_reason_phrase() {
    let vercel =
        "An error occurred with your deployment\n\nFUNCTION_INVOCATION_FAILED\n\nfra1::x-1-2\n";
    let stopped = "<h1 id=\"unavailable\">Error 403 - This web app is stopped.</h1>";
    let fastly = [("x-served-by", "cache-fra-1")];
    let with = |reason, case| Case {
        reason: Some(reason),
        ..case
    };
    check(&[
        (case(500, &[], vercel), "likely edge-function-error"),
        (case(403, &[], stopped), "likely upstream-unhealthy"),
        (
            case(404, &[], "<p>ERR_NGROK_3200</p>"),
            "likely upstream-unhealthy",
        ),
        (
            with("first byte timeout", case(503, &fastly, "")),
            "likely upstream-timeout",
        ),
        (
            with("Site Disabled", case(403, &[], "")),
            "possible upstream-unhealthy",
        ),
    ]);
}

#[test]
fn cloudflare_is_blamed_only_if_it_says_that_it_made_the_error() {
    for (status, code, cause) in [
        (520, "520", "upstream-reset"),
        (521, "521", "upstream-refused"),
        (522, "522", "upstream-timeout"),
        (523, "523", "upstream-unhealthy"),
        (524, "524", "upstream-timeout"),
        (525, "525", "upstream-tls-failed"),
        (526, "526", "upstream-tls-failed"),
        (530, "1016", "upstream-name-not-found"),
        (530, "1033", "upstream-unhealthy"),
        (500, "1101", "edge-function-error"),
        (503, "1102", "edge-function-error"),
        (429, "1015", "probe-blocked"),
        (403, "1020", "probe-blocked"),
    ] {
        let stated = [
            ("server", "cloudflare"),
            ("cf-ray", "a-FRA"),
            ("cf-error-type", code),
        ];
        let page =
            format!("<a href=\"/cdn-cgi/x\"></a><span class=\"cf-error-code\">{code}</span>");
        let text = format!("error code: {code}");
        check(&[
            (case(status, &stated, ""), &format!("likely {cause}")),
            (
                case(status, &stated[..2], &page),
                &format!("possible {cause}"),
            ),
            (
                case(status, &stated[..2], &text),
                &format!("possible {cause}"),
            ),
            (
                case(status, &stated[..2], r#"{"error":"of the origin"}"#),
                "possible unexpected-status",
            ),
        ]);
    }
    // Nothing shows who answered, but the status is Cloudflare's and an origin would say more.
    let empty = [
        ("server", "cloudflare"),
        ("cf-ray", "a-SJC"),
        ("content-length", "0"),
    ];
    check(&[(case(520, &empty, ""), "possible upstream-reset")]);
}

/// Texts that other programs write too, and applications that quote a proxy.
#[test]
fn a_look_alike_is_never_more_than_possible() {
    let page = nginx("502 Bad Gateway", "my own server");
    for look_alike in [
        case(502, &[("via", "1.1 varnish")], "oops"),
        case(503, &[("server", "Server")], "{\"message\":\"busy\"}"),
        case(503, &[], "no healthy upstream servers for shard 7"),
        case(403, &[], "RBAC: access denied to report 4711"),
        case(503, &[], "The text \"no healthy upstream\" was logged"),
        case(502, &[], &page),
        case(404, &[("x-powered-by", "Express")], "404 page not found"),
        case(503, &[("server", "nginx")], "<h1>Back at noon</h1>"),
        case(
            522,
            &[("server", "cloudflare"), ("x-powered-by", "PHP/8.3")],
            "",
        ),
        case(
            500,
            &[("x-powered-by", "Express")],
            r#"{"error_code":1101,"message":"mine"}"#,
        ),
        case(503, &[("server", "envoy")], r#"{"error":"maintenance"}"#),
        case(404, &[("server", "AmazonS3")], "<html>not here</html>"),
        case(504, &[("x-vercel-id", "fra1::x")], "our own timeout"),
        case(403, &[], "<title>Access Denied</title>"),
        case(418, &[], "short and stout"),
    ] {
        let verdict = verdict(&look_alike);
        let given = format!(
            "{} {:?} {}",
            look_alike.status, look_alike.headers, look_alike.body
        );
        assert_eq!(
            verdict.certainty,
            Certainty::Possible,
            "{}: {given}",
            verdict.cause
        );
    }
}

#[test]
fn the_application_itself_is_named_where_it_shows() {
    for (case, title) in [
        (
            case(418, &[], "short and stout"),
            "The application itself returned 418",
        ),
        (
            case(
                500,
                &[("server", "nginx"), ("x-powered-by", "Express")],
                "x",
            ),
            "The application itself returned 500",
        ),
        (
            case(
                500,
                &[("content-type", "application/json; charset=utf-8")],
                r#"{"details":"Error id 1"}"#,
            ),
            "The application itself returned 500",
        ),
        (
            case(500, &[("server", "nginx")], "x"),
            "The response status is not as expected",
        ),
    ] {
        let verdict = verdict(&case);
        assert_eq!(verdict.title, title);
        assert_eq!(
            verdict.hop == Some(Hop::Application),
            title.starts_with("The application")
        );
    }
}
