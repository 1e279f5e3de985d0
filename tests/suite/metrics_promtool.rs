//! `/metrics` of a rich, hostile state as Prometheus's own linter reads it.

use crate::support::page_state;

use std::io::Write;
use std::process::{Command, Stdio};

#[test]
#[ignore = "needs promtool: run by tests/run"]
fn promtool_finds_nothing_wrong_with_the_metrics() {
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
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.trim().is_empty(),
        "promtool said:\n{said}"
    );
}
