//! Noise and hostile text: bounded memory, and nothing that a terminal acts on.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use probecause::domain::transcript;
use proptest::prelude::*;

/// Number of bytes of a large text.
const LARGE: usize = 10_000_000;

fn diagnose(text: &[u8], arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .arg("diagnose")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = text.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&text));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

/// Characters that a terminal or an editor may act on.
fn is_unsafe(letter: char) -> bool {
    (letter.is_control() && letter != '\n')
        || "\u{202e}\u{2066}\u{200f}\u{200b}\u{2028}\u{feff}".contains(letter)
}

#[test]
fn nothing_of_a_text_reaches_the_terminal_unescaped() {
    let text = "$ curl -i http://x.example/\n\
        HTTP/1.1 418 \x1b[31mTea\u{202e}pot\n\
        server: a\u{9b}2Jb\u{2066}c\x07\n\
        x-amzn-errortype: \u{202e}x\x1b]0;title\x07\n\
        content-type: text/\u{200f}\u{2028}html\n\
        \n\
        {\"message\":\"\u{202e}\u{feff}\\u001b[2J\\u009b2J\"}\n\
        $ curl http://y.example/\n\
        curl: (7) Failed to \u{202e}connect\u{200b} \x1b]8;;http://evil\x1b\\to\n\
        $ x\n\
        {\"evidence\":[{\"fact\":\"\\u001b[31m\",\"value\":\"\\u001b[2J\"},\
        {\"fact\":\"front_door\",\"value\":\"\\u009b2J\"}],\
        \"certainty\":\"x\",\"phases\":{},\"status\":503,\"url\":\"http://x.example/\"}\n";
    for arguments in [&[][..], &["--json"]] {
        let output = diagnose(text.as_bytes(), arguments);
        assert_eq!(output.status.code(), Some(0));
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.contains("418") && shown.contains("503"), "{shown}");
        assert!(!shown.contains(is_unsafe), "{shown:?}");
        if arguments.is_empty() {
            continue;
        }
        for line in shown.lines() {
            assert!(
                serde_json::from_str::<serde_json::Value>(line).is_ok(),
                "{line}"
            );
        }
    }
    let output = diagnose(b"nothing", &["/nonexistent/\u{1b}[31m\u{202e}x"]);
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(!shown.contains(is_unsafe), "{shown:?}");
}

#[test]
fn large_texts_are_read_to_the_end() {
    let headers: String = (0..100_000).map(|at| format!("h{at}: {at}\n")).collect();
    let response = "HTTP/1.1 503 Oops\ncontent-length: 2\n\nhi\n$ \n";
    for (name, text, count) in [
        ("brackets", "{".repeat(LARGE), 0),
        ("open lines", "{\n".repeat(LARGE / 40), 0),
        ("one line", "a: b ".repeat(LARGE / 5), 0),
        (
            "headers",
            format!("HTTP/1.1 503 Oops\n{headers}\n{{}}\n"),
            1,
        ),
        ("responses", response.repeat(20_000), 500),
    ] {
        let reading = transcript::read(&text);
        assert_eq!(reading.transcripts.len(), count, "{name}");
        for one in &reading.transcripts {
            let response = one.observation.response.as_ref().unwrap();
            assert!(response.headers.len() <= 100, "{name}");
            assert!(response.body.len() <= 1 << 20, "{name}");
        }
        if name == "responses" {
            assert_eq!(reading.left_out, 19_500);
        }
    }
    let noise: Vec<u8> = (0..LARGE as u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect();
    let output = diagnose(&noise, &[]);
    assert!(matches!(output.status.code(), Some(0 | 2)));
}

#[test]
fn left_out_responses_are_counted() {
    let output = diagnose(
        "HTTP/1.1 500 Oops\n\n$ x\n".repeat(501).as_bytes(),
        &["--json"],
    );
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.lines().count(), 500);
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.contains("results left out: 1;"), "{note}");
}

#[test]
fn a_text_without_a_response_gets_the_commands_that_help() {
    let output = diagnose(b"# Notes\nIt does not work.\n", &[]);
    assert_eq!(output.status.code(), Some(2));
    let shown = String::from_utf8(output.stderr).unwrap();
    for part in [
        "no response or failed request found in standard input",
        "curl -sv",
        "curl.exe",
        "wget -S",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
}

/// Lines that mean something to a dialect, in any order.
fn lines() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "HTTP/1.1 503 Oops",
        "< HTTP/2 200",
        "> GET / HTTP/1.1",
        "> Host: x",
        "<",
        ">",
        "*",
        "* Trying 1.2.3.4:80...",
        "* Connected to x",
        "curl: (7) x",
        "curl: (",
        "$ curl http://x/ \\",
        "PS C:\\> curl.exe -w '%{time_total",
        "real 0m1.5s",
        "```",
        "~~~",
        "{",
        "}",
        "[",
        "{\"a\":",
        "status: 503,",
        "headers: {",
        "  'a': 'b',",
        "data: {",
        "<= Recv header, 3 bytes (0x3)",
        "0000: 41 42",
        "0001:",
        "--2025-05-20 04:44:13--  http://x/",
        "2025-05-20 04:44:43 ERROR 503: x.",
        "content-length: 3",
        "content-length: 99999999999999999999",
        "\u{20ac}\u{202e}\x1b[",
        "\r",
        "",
        "Error: connect ECONNREFUSED",
        "503",
        "&lt; HTTP/1.1 503",
        "<pre>",
        "12:01:02 < HTTP/1.1 503",
        "  0  0  0  0  0  0  0  0 --:--:-- 0:00:01 --:--:-- 0",
        "time_total: 1",
        "exit status 7",
    ]);
    let any = "\\PC{0,40}";
    let one = prop_oneof![8 => line.prop_map(str::to_owned), 2 => any];
    prop::collection::vec((one, prop::bool::weighted(0.8)), 0..40).prop_map(|lines| {
        let end = |ends: bool| if ends { "\n" } else { " " };
        let parts = lines.into_iter().map(|(line, ends)| line + end(ends));
        parts.collect()
    })
}

proptest! {
    #[test]
    fn any_text_is_read(text in lines()) {
        let count = text.split('\n').count();
        for one in transcript::read(&text).transcripts {
            prop_assert!((1..=count).contains(&one.line), "line {}", one.line);
            prop_assert!(one.timed || one.observation.duration.is_zero());
            prop_assert!(one.observation.fault.is_some() || one.observation.response.is_some());
        }
    }

    #[test]
    fn any_bytes_are_decoded_and_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = transcript::read(&transcript::text::decode::decode(&bytes));
    }
}
