//! Responses of a proxy itself, for plain HTTP and for tunnels.

use crate::support::probe::{answer, check, probe, target};
use probecause::model::observation::{FaultKind, Phase};

async fn through(reply: &str, url: &str) -> probecause::model::observation::Observation {
    let proxy = answer(reply.to_owned()).await;
    let mut target = target(url);
    target.request.proxy = Some(proxy.url("/").parse().unwrap());
    probe(&target).await
}

fn reply(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: 0\r\n\r\n")
}

#[tokio::test]
async fn a_response_that_a_proxy_made_itself_is_the_proxys() {
    for (status, headers) in [
        (407, "Proxy-Authenticate: Basic realm=\"x\"\r\n"),
        (407, "Server: nginx\r\n"),
        (407, ""),
        (502, ""),
        (503, ""),
        (504, ""),
        (
            503,
            "Server: squid/5.7\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\nVia: 1.1 p (squid/5.7)\r\n",
        ),
        (500, "Server: tinyproxy/1.11.1\r\n"),
        (
            502,
            "Via: 1.1 p\r\nProxy-Status: p; error=connection_refused\r\n",
        ),
    ] {
        let seen = through(&reply(status, headers), "http://name.test/").await;
        check(&seen, Some((FaultKind::Proxy, Phase::Processing)));
        let detail = seen.fault.unwrap().detail;
        assert!(
            detail.contains(&format!("the proxy answered with status {status}")),
            "{detail}"
        );
        assert_eq!(detail.contains("request.proxy"), status == 407, "{detail}");
        assert_eq!(seen.response.unwrap().status, status);
    }
}

#[tokio::test]
async fn a_forwarded_response_is_the_endpoints() {
    for (status, headers) in [
        (200, ""),
        (404, ""),
        (500, ""),
        (502, "Server: nginx\r\n"),
        (503, "Via: 1.1 p\r\nServer: awselb/2.0\r\n"),
        (503, "Via: 1.1 p\r\n"),
    ] {
        let seen = through(&reply(status, headers), "http://name.test/").await;
        check(&seen, None);
        assert_eq!(seen.response.unwrap().status, status);
    }
}

#[tokio::test]
async fn an_expected_status_is_the_endpoints() {
    let proxy = answer(reply(503, "")).await;
    let mut target = target("http://name.test/");
    target.request.proxy = Some(proxy.url("/").parse().unwrap());
    target.expect.status = vec![(503, 503)];
    check(&probe(&target).await, None);
}

#[tokio::test]
async fn a_refused_tunnel_names_the_proxys_answer() {
    for (status, text) in [
        (407, "set or correct `request.proxy_auth`"),
        (502, "502 X"),
        (403, "403 X"),
    ] {
        let seen = through(&reply(status, ""), "https://name.test/").await;
        check(&seen, Some((FaultKind::Proxy, Phase::Connect)));
        let detail = seen.fault.unwrap().detail;
        assert!(detail.contains(text), "{detail}");
    }
}

#[tokio::test]
async fn the_user_and_password_of_the_proxys_url_are_sent() {
    for (url, line) in [
        ("http://name.test/", "GET http://name.test/ HTTP/1.1"),
        ("https://name.test/", "CONNECT name.test:443 HTTP/1.1"),
    ] {
        let proxy = answer(reply(407, "")).await;
        let mut target = target(url);
        let with_user = format!("http://me:p%40ss@{}/", proxy.address);
        target.request.proxy = Some(with_user.parse().unwrap());
        probe(&target).await;
        let request = proxy.seen().remove(0);
        assert!(request.starts_with(line), "{request}");
        // `me:p@ss` in base64.
        let header = "proxy-authorization: basic bwu6cebzcw==";
        assert!(request.to_lowercase().contains(header), "{request}");
    }
}
