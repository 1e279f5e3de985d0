//! `probe --compare`: two answers beside each other, from the command line.

use serde_json::Value;
use tokio::process::Command;

use crate::support::probe::{Server, answer};

async fn serving(status: &str, headers: &str, body: &str) -> Server {
    let length = body.len();
    answer(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))
    .await
}

/// Runs `probe` with these arguments, and returns exit code, output and errors.
async fn probe(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .arg("probe")
        .args(arguments)
        .output()
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The properties that differ, with both values.
fn differences(json: &str) -> Vec<(String, String, String)> {
    let object: Value = serde_json::from_str(json).unwrap();
    let differences = object["differences"].as_array().unwrap().iter();
    differences
        .map(|one| {
            let [name, a, b] = ["property", "a", "b"].map(|key| one[key].as_str().unwrap());
            (name.to_owned(), a.to_owned(), b.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn what_differs_between_two_answers_is_marked() {
    let one = serving(
        "200 OK",
        "server: one\r\nset-cookie: id=secret-1\r\ndate: a\r\n",
        "hello world",
    )
    .await;
    let two = serving(
        "502 Bad Gateway",
        "server: two\u{1b}[31m\r\nset-cookie: id=secret-2\r\ndate: b\r\n",
        "hello there",
    )
    .await;
    let (a, b) = (one.url("/x"), two.url("/x"));
    let (code, text, errors) = probe(&["--compare", &a, "--compare", &b]).await;
    assert_eq!(code, Some(1), "{errors}");
    for part in ["≠ status", "≠ server", "≠ body from byte 6", "≠ address"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in [
        "secret",
        "\u{1b}",
        "≠ total",
        "≠ date",
        "≠ body size",
        "≠ set-cookie",
    ] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    let (_, json, _) = probe(&["--json", "--compare", &a, "--compare", &b]).await;
    let differences = differences(&json);
    let status = ("status".to_owned(), "200".to_owned(), "502".to_owned());
    assert!(differences.contains(&status), "{differences:?}");
    assert!(!json.contains("secret"), "{json}");
}

#[tokio::test]
async fn the_same_url_is_compared_through_two_addresses() {
    let one = serving("200 OK", "", "same").await;
    let two = serving("200 OK", "", "same").await;
    let (a, b) = (one.address.to_string(), two.address.to_string());
    let url = "http://shop.test/orders";
    let (code, json, errors) = probe(&["--json", url, "--compare", &a, "--compare", &b]).await;
    assert_eq!(code, Some(0), "{errors}");
    let names: Vec<_> = differences(&json).into_iter().map(|one| one.0).collect();
    assert_eq!(names, ["address"]);
    for server in [one, two] {
        let request = server.seen().concat().to_ascii_lowercase();
        assert!(request.contains("host: shop.test\r\n"), "{request}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_refused_with_the_correction() {
    for (arguments, message) in [
        (&["--compare", "http://a.test/"][..], "needs two values"),
        (&["--compare", "a:1", "--compare", "b:2"], "is not a URL"),
        (
            &["http://a.test/", "--compare", "a", "--compare", "b:2"],
            "has no port",
        ),
    ] {
        let (code, _, errors) = probe(arguments).await;
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(errors.contains(message), "{arguments:?}: {errors}");
    }
}

#[tokio::test]
async fn a_notice_says_that_a_redirect_left_the_address() {
    let elsewhere = serving("200 OK", "", "ok").await;
    let to = format!("location: {}\r\n", elsewhere.url("/"));
    let redirecting = serving("302 Found", &to, "").await;
    let direct = serving("200 OK", "", "ok").await;
    let (a, b) = (redirecting.address.to_string(), direct.address.to_string());
    let url = "http://shop.test/orders";
    let (_, _, errors) = probe(&[url, "--compare", &a, "--compare", &b]).await;
    let notice = format!("a redirect led from {a} to {}", elsewhere.url("/"));
    assert!(errors.contains(&notice), "{errors}");
    assert_eq!(errors.matches("redirect").count(), 1, "{errors}");
    let (_, json, errors) = probe(&["--json", url, "--connect-to", &a]).await;
    assert!(errors.contains(&notice), "{errors}");
    assert!(json.starts_with('{'), "{json}");
}

#[tokio::test]
async fn an_address_is_refused_if_an_http_proxy_chooses_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("probecause.toml");
    std::fs::write(
        &config,
        "location = \"test\"\n[[target]]\nname = \"shop\"\nurl = \"http://shop.test/\"\n\
         request = { proxy = \"http://127.0.0.1:1\" }\n",
    )
    .unwrap();
    let target = ["--config", config.to_str().unwrap(), "--target", "shop"];
    for options in [
        &["--connect-to", "127.0.0.1:2"][..],
        &["--compare", "127.0.0.1:2", "--compare", "127.0.0.1:3"],
    ] {
        let (code, _, errors) = probe(&[&target, options].concat()).await;
        assert_eq!(code, Some(2), "{options:?}");
        assert!(errors.contains("through the HTTP proxy"), "{errors}");
    }
}
