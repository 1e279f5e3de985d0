//! Runs a test in a process of its own, for what is measured per process.

use std::process::Command;

/// The environment variable that is set in a test's own process.
const OWN: &str = "PROBECAUSE_TEST_OWN_PROCESS";

/// Returns whether this process runs only the test of this name (as `cargo test` prints it). If
/// not, runs the test in a new process and panics unless it passes.
pub(crate) fn is_own(test: &str) -> bool {
    if std::env::var_os(OWN).is_some() {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", test])
        .env(OWN, "yes");
    passes(&mut command);
    false
}

/// Runs a command that runs one test. Panics unless the test passes.
pub(crate) fn passes(command: &mut Command) {
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    println!("{stdout}");
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}\n{stderr}");
}
