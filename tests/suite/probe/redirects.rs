//! Redirects: what is sent again, where `Location` leads, and cookies on the way.

use crate::support::probe::{Server, answer, check, probe, read_request, serve, target};
use probecause::model::observation::{FaultKind, Phase};
use probecause::model::secret::Secret;
use probecause::model::target::{Auth, HeaderText};
use tokio::io::AsyncWriteExt;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn plain(name: &str, value: &str) -> (String, HeaderText) {
    (name.to_owned(), HeaderText::Plain(value.to_owned()))
}

/// A server that redirects with this status and location.
async fn redirect(status: u16, location: &str) -> Server {
    answer(format!(
        "HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    ))
    .await
}

#[tokio::test]
async fn another_origin_gets_method_and_body_as_the_status_says_and_no_credentials() {
    for (status, method, has_body) in [
        (301, "GET", false),
        (302, "GET", false),
        (303, "GET", false),
        (307, "POST", true),
        (308, "POST", true),
    ] {
        let second = answer(OK).await;
        let first = redirect(status, &second.url("/landed")).await;
        let mut target = target(&first.url("/"));
        target.request.method = "POST".to_owned();
        target.request.body = b"{\"ping\":true}".as_slice().into();
        target.request.headers = vec![
            plain("Accept", "application/json"),
            plain("User-Agent", "monitor/1"),
            plain("X-Env", "staging"),
            plain("Content-Type", "application/json"),
            plain("X-Api-Key", "k1"),
            plain("Cookie", "session=1"),
            plain("Host", "shop.test"),
            (
                "X-Trace".to_owned(),
                HeaderText::Secret(Secret::new("s3".to_owned())),
            ),
        ];
        target.auth = Some(Auth::Bearer(Secret::new("t1".to_owned())));
        check(&probe(&target).await, None);
        let request = second.seen().remove(0).to_lowercase();
        let line = format!("{} /landed http/1.1", method.to_lowercase());
        assert!(request.starts_with(&line), "{status}: {request}");
        for kept in [
            "accept: application/json",
            "user-agent: monitor/1",
            "x-env: staging",
        ] {
            assert!(request.contains(kept), "{status}: {kept} in {request}");
        }
        for dropped in ["k1", "session", "shop.test", "s3", "t1", "referer"] {
            assert!(
                !request.contains(dropped),
                "{status}: {dropped} in {request}"
            );
        }
        for of_body in [
            "content-type: application/json",
            "content-length: 13",
            "{\"ping\":true}",
        ] {
            assert_eq!(
                request.contains(of_body),
                has_body,
                "{status}: {of_body} in {request}"
            );
        }
    }
}

#[tokio::test]
async fn a_location_in_utf8_or_latin1_is_followed() {
    for (location, path) in [
        (&b"/caf\xc3\xa9"[..], "/caf%C3%A9"),
        (b"/caf\xe9", "/caf%E9"),
        (b"/a b", "/a%20b"),
    ] {
        let server = serve(move |mut stream, record| async move {
            let request = read_request(&mut stream).await;
            let is_first = request.starts_with("GET / ");
            record.lock().unwrap().push(request);
            let mut reply = OK.as_bytes().to_vec();
            if is_first {
                reply = b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: ".to_vec();
                reply.extend(location);
                reply.extend(b"\r\n\r\n");
            }
            stream.write_all(&reply).await.unwrap();
        })
        .await;
        let seen = probe(&target(&server.url("/"))).await;
        check(&seen, None);
        assert_eq!(seen.final_url, server.url(path));
        assert!(server.seen()[1].starts_with(&format!("GET {path} HTTP/1.1")));
    }
}

#[tokio::test]
async fn a_redirect_without_location_passes_where_its_status_is_expected() {
    for head in ["", "location: \r\n", "location:   \r\n"] {
        for status in [301, 302, 307, 308] {
            let reply = format!("HTTP/1.1 {status} Go\r\n{head}content-length: 0\r\n\r\n");
            let server = answer(reply).await;
            let mut target = target(&server.url("/"));
            let fault = (FaultKind::BadRedirect, Phase::Transfer);
            check(&probe(&target).await, Some(fault));
            target.expect.status = vec![(status, status)];
            let seen = probe(&target).await;
            check(&seen, None);
            assert_eq!(seen.response.unwrap().status, status);
        }
    }
}

#[tokio::test]
async fn a_cookie_ends_a_redirect_to_itself_unless_cookies_are_off() {
    let login = || {
        serve(|mut stream, record| async move {
            let request = read_request(&mut stream).await;
            let has_cookie = request.to_lowercase().contains("cookie: seen=1");
            record.lock().unwrap().push(request);
            let again = "HTTP/1.1 302 Found\r\nlocation: /\r\nset-cookie: seen=1; Path=/; HttpOnly\
                         \r\ncontent-length: 0\r\n\r\n";
            let reply = if has_cookie { OK } else { again };
            stream.write_all(reply.as_bytes()).await.unwrap();
        })
    };
    let server = login().await;
    let mut target = target(&server.url("/"));
    check(&probe(&target).await, None);
    assert_eq!(server.seen().len(), 2);
    // The jar does not outlive the probe.
    check(&probe(&target).await, None);
    assert_eq!(server.seen().len(), 4);
    target.request.cookies = false;
    let fault = (FaultKind::TooManyRedirects, Phase::Transfer);
    check(&probe(&target).await, Some(fault));
}

#[tokio::test]
async fn a_cookie_is_not_sent_to_another_host() {
    let second = answer(OK).await;
    // The same server under another host name: cookies ignore ports.
    let location = format!("http://localhost:{}/", second.address.port());
    let first = answer(format!(
        "HTTP/1.1 302 Go\r\nset-cookie: s=1; Path=/\r\nlocation: {location}\r\n\
         content-length: 0\r\n\r\n"
    ))
    .await;
    check(&probe(&target(&first.url("/"))).await, None);
    assert!(!second.seen()[0].to_lowercase().contains("cookie"));
}
