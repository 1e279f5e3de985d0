//! The Debian package: its files, their owners and modes, and that an upgrade keeps an edited
//! configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use probecause::io::config;

use crate::deploy_host::deploy;
use crate::support::debian::{PACKAGE, later, repacked, succeed};

const CONFIGURATION: &str = "etc/probecause/probecause.toml";

/// Files that users of the package rely on, with their modes.
const EXPECTED_FILES: [(&str, &str); 13] = [
    ("usr/bin/probecause", "-rwxr-xr-x"),
    ("usr/lib/systemd/system/probecause.service", "-rw-r--r--"),
    (CONFIGURATION, "-rw-r--r--"),
    ("usr/share/doc/probecause/copyright", "-rw-r--r--"),
    ("usr/share/doc/probecause/changelog.gz", "-rw-r--r--"),
    ("usr/share/doc/probecause/reference.toml", "-rw-r--r--"),
    ("usr/share/doc/probecause/rules/README.md", "-rw-r--r--"),
    ("usr/share/doc/probecause/rules/http-api.toml", "-rw-r--r--"),
    (
        "usr/share/bash-completion/completions/probecause",
        "-rw-r--r--",
    ),
    ("usr/share/zsh/vendor-completions/_probecause", "-rw-r--r--"),
    (
        "usr/share/fish/vendor_completions.d/probecause.fish",
        "-rw-r--r--",
    ),
    ("usr/share/man/man1/probecause.1.gz", "-rw-r--r--"),
    ("usr/share/man/man1/probecause-run.1.gz", "-rw-r--r--"),
];

/// Directories in which the package may install files.
const ALLOWED_DIRECTORIES: [&str; 4] = [
    "etc/probecause/",
    "usr/bin/",
    "usr/lib/systemd/system/",
    "usr/share/",
];

#[test]
fn the_packaged_configuration_loads_without_warnings() {
    let loaded = config::load(&deploy("debian/probecause.toml")).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.settings.targets.len(), 1);
}

#[test]
#[ignore = "needs cargo-deb and dpkg: tests/run sets them up"]
fn the_package_contains_all_files_and_root_owns_them() {
    let package = PACKAGE.as_path();
    let listing = succeed(Command::new("dpkg-deb").arg("--contents").arg(package));
    let mut files = BTreeMap::new();
    for line in listing.lines() {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let (mode, owner, path) = (parts[0], parts[1], parts[5].trim_start_matches("./"));
        assert!(["root/root", "0/0"].contains(&owner), "{line}");
        if mode.starts_with('-') {
            assert!(
                ALLOWED_DIRECTORIES
                    .iter()
                    .any(|directory| path.starts_with(directory)),
                "{path}"
            );
            files.insert(path, mode);
        } else {
            assert_eq!(mode, "drwxr-xr-x", "{line}");
        }
    }
    for (path, mode) in EXPECTED_FILES {
        assert_eq!(files.get(path), Some(&mode), "{path} in\n{listing}");
    }
    let field = |name: &str| {
        let mut query = Command::new("dpkg-deb");
        succeed(query.arg("--field").arg(package).arg(name))
    };
    let depends = field("Depends");
    for expected in ["libc6 (>= ", "ca-certificates"] {
        assert!(depends.contains(expected), "{depends}");
    }
    let version = field("Version");
    assert!(version.starts_with(env!("CARGO_PKG_VERSION")), "{version}");
    let mut control = Command::new("dpkg-deb");
    let conffiles = succeed(control.arg("--info").arg(package).arg("conffiles"));
    assert_eq!(conffiles.trim(), format!("/{CONFIGURATION}"));
}

#[test]
#[ignore = "needs cargo-deb and lintian: tests/run sets them up"]
fn lintian_reports_no_problem() {
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning"]);
    // This tag applies only to packages in Debian's archive.
    lintian.args(["--suppress-tags", "initial-upload-closes-no-bugs"]);
    let report = succeed(lintian.arg(PACKAGE.as_path()));
    assert_eq!(report, "");
}

#[test]
#[ignore = "needs cargo-deb and dpkg: tests/run sets them up"]
fn man_renders_the_manual_page_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let mut manual = Command::new(env!("CARGO_BIN_EXE_probecause"));
    succeed(manual.arg("manual").arg("--output").arg(folder.path()));
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let pages = entries.map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|end| end == "1"));
    let mut count = 0;
    for page in pages {
        let mut man = Command::new("man");
        // Print groff's warnings to stderr.
        man.args(["--local-file", "--warnings=all"]).arg(&page);
        let output = man.env("MANPAGER", "cat").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{page:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("SYNOPSIS"), "{page:?}:\n{text}");
        count += 1;
    }
    assert!(count > 10, "{count} pages");
}

#[test]
#[ignore = "needs cargo-deb and dpkg: tests/run sets them up"]
fn an_upgrade_keeps_an_edited_configuration_and_replaces_an_unedited_one() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["old.deb", "new.deb"].map(|name| folder.path().join(name));
    repacked(&old, without_scripts);
    repacked(&new, |tree| {
        later(tree);
        without_scripts(tree);
    });

    let check = |edit: Option<&str>, expected: &str, dist_file: bool| {
        let root = tempfile::tempdir().unwrap();
        install(root.path(), &old);
        let file = root.path().join(CONFIGURATION);
        if let Some(text) = edit {
            std::fs::write(&file, text).unwrap();
        }
        install(root.path(), &new);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(expected), "{text}");
        let offered = file.with_extension("toml.dpkg-dist");
        assert_eq!(offered.exists(), dist_file, "{edit:?}");
    };
    check(Some("# Edited.\n"), "# Edited.", true);
    check(None, "# Line of the new package.", false);
}

/// Removes the maintainer scripts, which would control the systemd of this machine.
fn without_scripts(tree: &Path) {
    for name in ["postinst", "prerm", "postrm"] {
        std::fs::remove_file(tree.join("DEBIAN").join(name)).unwrap();
    }
}

/// Installs `package` into the directory `root` with a separate dpkg database.
fn install(root: &Path, package: &Path) {
    let database = root.join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        std::fs::create_dir_all(database.join(folder)).unwrap();
    }
    if !database.join("status").exists() {
        std::fs::write(database.join("status"), "").unwrap();
    }
    let mut dpkg = Command::new("dpkg");
    // The options of a non-interactive apt. The dependencies are not installed in `root`.
    dpkg.args(["--force-confdef", "--force-confold", "--force-depends"]);
    dpkg.args(["--force-not-root", "--force-bad-path"]);
    dpkg.arg(format!("--root={}", root.display()));
    dpkg.env("DEBIAN_FRONTEND", "noninteractive");
    succeed(dpkg.arg("--install").arg(package));
}
