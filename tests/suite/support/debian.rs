//! The package, built as users build it, and others made of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// The package, from what the tests have built already; once for all of them.
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

/// The package with something changed in what it unpacks to.
pub(crate) fn repacked(file: &Path, change: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    let mut unpack = Command::new("dpkg-deb");
    succeed(unpack.arg("--raw-extract").arg(&*PACKAGE).arg(&tree));
    change(&tree);
    let mut pack = Command::new("dpkg-deb");
    // Quick to pack: nobody downloads it.
    pack.args(["-Zgzip", "-z1", "--root-owner-group", "--build"]);
    succeed(pack.arg(tree).arg(file));
}

/// A change: of a later version, with a line more in the configuration.
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

/// Runs a command that must end well; what it prints.
pub(crate) fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (told, wrong) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{command:?}: {status}\n{told}{wrong}");
    told.into_owned()
}

fn edit(file: &Path, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, change(text)).unwrap();
}
