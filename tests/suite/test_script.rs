//! Checks the exit status of `tests/run`, which CI goes by.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Programs that `tests/run` needs before it looks for the toolchain.
const SHELL_TOOLS: [&str; 4] = ["bash", "dirname", "mktemp", "rm"];

#[test]
fn a_missing_toolchain_is_listed_and_the_exit_status_is_1() {
    let tools = tempfile::tempdir().unwrap();
    for tool in SHELL_TOOLS {
        let paths = std::env::var_os("PATH").unwrap();
        let found = std::env::split_paths(&paths)
            .map(|folder| folder.join(tool))
            .find(|path| path.exists())
            .unwrap();
        symlink(found, tools.path().join(tool)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
    let output = Command::new("bash")
        .arg(script)
        .env("PATH", tools.path())
        .output()
        .unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    for missing in ["missing: cargo", "missing: cc", "missing: python3"] {
        assert!(text.contains(missing), "{text}");
    }
    assert!(text.contains("0 passed, 1 failed, 0 skipped"), "{text}");
    assert_eq!(output.status.code(), Some(1), "{text}");
}
