//! Builds the Debian package with `deploy/debian/build`, and variants of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// The package, built once for all tests from the binary that they have built already.
pub(crate) static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("target/deploy-host/probecause.deb");
    let tools = root.join("target/deploy-host/cargo-deb/bin");
    let path = std::env::var("PATH").unwrap();
    succeed(
        Command::new(root.join("deploy/debian/build"))
            .arg("--output")
            .arg(&file)
            .env("PROFILE", "dev")
            .env("PATH", format!("{}:{path}", tools.display())),
    );
    file
});

/// Writes to `file` the package after a change to its unpacked tree.
pub(crate) fn repacked(file: &Path, change: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    let mut unpack = Command::new("dpkg-deb");
    succeed(unpack.arg("--raw-extract").arg(&*PACKAGE).arg(&tree));
    change(&tree);
    let mut pack = Command::new("dpkg-deb");
    // Fast compression, since the size does not matter here.
    pack.args(["-Zgzip", "-z1", "--root-owner-group", "--build"]);
    succeed(pack.arg(tree).arg(file));
}

/// A change for [`repacked`]: a later version with one more line in the configuration.
pub(crate) fn later(tree: &Path) {
    edit(&tree.join("DEBIAN/control"), |text| {
        let lines = text.lines().map(|line| match line.split_once(": ") {
            Some(("Version", _)) => "Version: 99.0-1\n".to_owned(),
            _ => format!("{line}\n"),
        });
        lines.collect()
    });
    let configuration = tree.join("etc/probecause/probecause.toml");
    edit(&configuration, |text| {
        text + "\n# Line of the new package.\n"
    });
}

/// Runs a command that must exit with 0, and returns its output.
pub(crate) fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{command:?}: {status}\n{stdout}{stderr}");
    stdout.into_owned()
}

fn edit(file: &Path, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, change(text)).unwrap();
}
