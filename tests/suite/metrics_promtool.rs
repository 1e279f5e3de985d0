//! `promtool check metrics` on the metrics of the `page_state` fixture, which includes hostile
//! names and labels.

use crate::support::page_state;

use std::io::Write;
use std::process::{Command, Stdio};

#[test]
#[ignore = "needs promtool: run by tests/run"]
fn promtool_reports_no_problem_in_the_metrics() {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/promtool");
    let mut child = Command::new(tool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tests/tools fetches promtool");
    let text = page_state::sinks().0.render();
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && report.trim().is_empty(),
        "promtool reported:\n{report}"
    );
}
