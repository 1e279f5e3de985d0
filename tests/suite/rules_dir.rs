//! Tests custom rules from the command line: `check`, `explain`, `diagnose`, and `probe`.
//!
//! Also compares the page of all causes with the output of `explain --markdown`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

const PAGE: &str = "config/rules/README.md";
const WORKED_EXAMPLE: &str = "config/rules.d";
const CUSTOM: &str = "tests/fixtures/rules/own";

fn probecause(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(arguments)
        .output()
        .expect("the command")
}

/// The standard output of a command, which must succeed.
fn stdout_of(arguments: &[&str]) -> String {
    let output = probecause(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A temporary folder with a configuration for `target` and the worked example's rule.
fn configuration(target: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.d");
    std::fs::create_dir(&rules).expect("a folder");
    let rule = Path::new(WORKED_EXAMPLE).join("maintenance-page.toml");
    std::fs::copy(rule, rules.join("maintenance-page.toml")).expect("a rule");
    let text =
        format!("rules_dir = \"rules.d\"\n[[target]]\nname = \"shop\"\nurl = \"{target}\"\n");
    std::fs::write(folder.path().join("c.toml"), text).expect("a file");
    folder
}

const MAINTENANCE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html\r\n\
     retry-after: 3600\r\ncontent-length: 4\r\nconnection: close\r\n\r\nback";

#[test]
fn the_page_of_all_causes_is_what_the_program_prints() {
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    let printed = stdout_of(&["explain", "--markdown"]);
    let mut lines = written.lines().zip(printed.lines()).enumerate();
    let first = lines.find(|(_, (written, printed))| written != printed);
    assert!(
        written == printed,
        "{PAGE} is out of date, first in {first:?}; update it with\n    \
         cargo run -- explain --markdown > {PAGE}"
    );
}

#[test]
fn the_worked_example_is_in_the_page_and_passes_the_check() {
    let rule = std::fs::read_to_string(format!("{WORKED_EXAMPLE}/maintenance-page.toml"));
    let page = std::fs::read_to_string(PAGE).expect("the page");
    assert!(page.contains(&rule.expect("the rule")));
    assert_eq!(
        stdout_of(&["check", "--rules", WORKED_EXAMPLE]),
        "fine: 1 file of rules\n"
    );
}

#[test]
fn check_reports_custom_rules_that_replace_others_or_never_decide() {
    insta::assert_snapshot!(stdout_of(&["check", "--rules", CUSTOM]));
    let json = stdout_of(&["check", "--rules", CUSTOM, "--json"]);
    let levels: Vec<String> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|value| format!("{} {}", value["level"], value["line"]))
        .collect();
    assert_eq!(levels, [r#""warning" 36"#, r#""note" 4"#, r#""note" 20"#]);
}

#[test]
fn explain_shows_the_file_and_line_of_a_custom_cause() {
    insta::assert_snapshot!(stdout_of(&[
        "explain",
        "--verbose",
        "--rules",
        WORKED_EXAMPLE,
        "maintenance-page"
    ]));
    let json = stdout_of(&[
        "explain",
        "--rules",
        WORKED_EXAMPLE,
        "--json",
        "maintenance-page",
    ]);
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["rules"][0]["embedded"], false);
    assert_eq!(value["rules"][0]["line"], 7);
    assert_eq!(value["rules"][0]["examples"][0]["status"], 503.0);
    assert!(!stdout_of(&["explain"]).contains("maintenance-page"));
    assert!(stdout_of(&["explain", "--rules", WORKED_EXAMPLE]).contains("maintenance-page"));
}

#[test]
fn diagnose_uses_custom_rules_from_a_directory_or_a_configuration() {
    let folder = configuration("https://example.com/");
    let text = format!("* using HTTP/1.1\n> GET / HTTP/1.1\n> Host: example.com\n>\n{MAINTENANCE}");
    let file = folder.path().join("curl.txt");
    std::fs::write(&file, text.replace('\r', "")).expect("a file");
    let (file, config) = (file.display().to_string(), folder.path().join("c.toml"));
    let config = config.display().to_string();
    let cause = |arguments: &[&str]| {
        let all = [&["diagnose", "--json", &file], arguments].concat();
        let value: serde_json::Value = serde_json::from_str(&stdout_of(&all)).expect("JSON");
        value["cause"].as_str().map(str::to_owned)
    };
    assert_eq!(cause(&[]).as_deref(), Some("unexpected-status"));
    for arguments in [["--rules", WORKED_EXAMPLE], ["--config", &config]] {
        assert_eq!(cause(&arguments).as_deref(), Some("maintenance-page"));
    }
}

#[test]
fn probe_uses_the_rules_of_its_configuration() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).expect("a request");
            stream
                .write_all(MAINTENANCE.as_bytes())
                .expect("a response");
        }
    });
    let folder = configuration(&url);
    let config = folder.path().join("c.toml").display().to_string();
    for arguments in [
        ["probe", "--json", "--config", &config, "--target", "shop"],
        [
            "probe",
            "--json",
            "--rules",
            WORKED_EXAMPLE,
            "--timeout=5s",
            &url,
        ],
    ] {
        let output = probecause(&arguments);
        assert_eq!(output.status.code(), Some(1), "the probe failed");
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(value["cause"], "maintenance-page", "{arguments:?}");
    }
    server.join().expect("the server");
}

#[test]
fn every_command_rejects_a_missing_rules_directory() {
    for arguments in [
        &["explain", "--rules", "no-such.d"][..],
        &["diagnose", "--rules", "no-such.d", "-"],
        &["probe", "--rules", "no-such.d", "http://127.0.0.1:1/"],
    ] {
        let output = probecause(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "error: no-such.d: directory not found; create it or correct the path\n"
        );
    }
}
