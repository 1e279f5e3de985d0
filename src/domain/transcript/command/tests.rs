//! Tests of the recognition of commands.

use super::*;

fn check(line: &str, expected: Option<(&str, Option<&str>)>) {
    let found = find(line, true).map(parse);
    let found = found.as_ref().map(|command| {
        let url = command.url.as_ref().map_or("-", Url::as_str);
        (url, command.method.as_deref())
    });
    assert_eq!(found, expected, "{line}");
}

#[test]
fn commands_are_found_after_every_prompt() {
    for prompt in [
        "",
        "$ ",
        "% ",
        "# ",
        "> ",
        "~ $ ",
        "user@host:~$ ",
        "[root@x ~]# ",
        "root: ",
        "PS C:\\Users\\me> ",
        "C:\\Users\\me>",
        "\u{279c}  ~ ",
        "\u{276f} ",
        "+ ",
        "`",
        "$ time ",
        "/usr/bin/time -v ",
        "$ sudo ",
        "docker exec web curl.sh && ",
        "kubectl exec pod -- ",
        "$ HTTPS_PROXY=x ",
        "/usr/bin/",
        "C:\\tools\\",
        "RUN: ",
    ] {
        check(
            &format!("{prompt}curl -i https://x.example/a"),
            Some(("https://x.example/a", None)),
        );
    }
}

#[test]
fn sentences_and_output_are_no_commands() {
    for line in [
        "use curl -v to look",
        "* curl -v",
        "< x: curl -v",
        "curl: (7) Failed to connect",
        "curl works",
        "I use http and https ://",
        "  curl-7.88.1.tar",
        "curl 7.57.0 (x86_64-pc-linux-gnu) libcurl/7.57.0 OpenSSL/1.0.2g",
        "curl 8.5.0",
        "curl 8.x",
    ] {
        check(line, None);
    }
    assert!(find("please run curl -v https://x.example/", false).is_some());
}

/// Commands, each with the expected URL and method. The URL is `-` if it is unknown.
const COMMANDS: &[(&str, &str, Option<&str>)] = &[
    ("curl -I x.example/a", "http://x.example/a", Some("HEAD")),
    ("curl localhost:8080", "http://localhost:8080/", None),
    (
        "curl -sSo /dev/null -H 'Origin: http://o.example' 'https://me:pw@x.example/a?t=s'",
        "https://x.example/a",
        None,
    ),
    (
        "curl -x http://p.example:1 -XPUT https://x.example",
        "https://x.example/",
        Some("PUT"),
    ),
    (
        "curl --request=POST --url https://x.example/",
        "https://x.example/",
        Some("POST"),
    ),
    (
        "curl -d a=b https://x.example/",
        "https://x.example/",
        Some("POST"),
    ),
    ("curl -v ${API_URL}", "-", None),
    ("curl -v https://${HOST}/x", "-", None),
    ("curl -v https://<your-api>/x", "-", None),
    (
        "http post https://x.example/a name=x",
        "https://x.example/a",
        Some("POST"),
    ),
    (
        "http -v --timeout 2 POST localhost:1/a x=y",
        "http://localhost:1/a",
        Some("POST"),
    ),
    ("http :8080/a", "http://localhost:8080/a", None),
    (
        "wget -S --spider https://x.example/a",
        "https://x.example/a",
        Some("HEAD"),
    ),
    ("wget -qO- x.example", "http://x.example/", None),
    (
        "Invoke-WebRequest -Uri https://x.example/ -Method Head",
        "https://x.example/",
        Some("HEAD"),
    ),
    ("iwr https://x.example/", "https://x.example/", None),
    (
        "openssl s_client -connect x.example:443 -servername y.example",
        "https://x.example/",
        None,
    ),
    (
        "fetch(\"https://x.example/a\", {",
        "https://x.example/a",
        None,
    ),
];

#[test]
fn url_and_method_of_every_program() {
    for (line, url, method) in COMMANDS {
        check(line, Some((*url, *method)));
    }
}

#[test]
fn the_format_of_write_out_is_kept() {
    for line in [
        "curl -w '%{time_total}' x.example",
        "curl -sw '%{time_total}' x.example",
        "curl --write-out='%{time_total}' x.example",
        "curl -o /dev/null --write-out '%{time_total}' x.example",
    ] {
        let command = parse(line);
        assert_eq!(
            command.write_out.as_deref(),
            Some("%{time_total}"),
            "{line}"
        );
        assert_eq!(command.url.unwrap().as_str(), "http://x.example/");
    }
}

#[test]
fn each_letter_of_a_word_of_short_options_counts() {
    for (line, hides_body, follows) in [
        ("curl -s x.example", false, false),
        ("curl -sSL x.example", false, true),
        ("curl -XiL x.example", false, false),
        ("curl -o iL x.example", true, false),
        ("curl -sSLO x.example/a", true, true),
        ("curl -o - x.example", false, false),
        ("curl --location x.example", false, true),
        ("curl --output a x.example", true, false),
    ] {
        let command = parse(line);
        let found = (command.hides_body, command.follows);
        assert_eq!(found, (hides_body, follows), "{line}");
    }
    assert_eq!(
        parse("curl -sIo x x.example").method.as_deref(),
        Some("HEAD")
    );
}
