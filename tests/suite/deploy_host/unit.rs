//! The unit: what systemd has to say of it, and how exposed it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::deploy_host::deploy;
use crate::support::debian::succeed;

/// What is left to an attacker, of ten, by `systemd-analyze security`. The network is the
/// daemon's work; everything else is shut.
const MOST_EXPOSURE: f64 = 1.5;

const PROGRAM: &str = env!("CARGO_BIN_EXE_probecause");

/// The unit as if its program were installed where it has been built.
fn unit(folder: &Path, change: impl FnOnce(String) -> String) -> PathBuf {
    let text = std::fs::read_to_string(deploy("systemd/probecause.service")).unwrap();
    let file = folder.join("probecause.service");
    std::fs::write(&file, change(text.replace("/usr/bin/probecause", PROGRAM))).unwrap();
    file
}

/// `systemd-analyze verify`, with the man page that the unit names.
fn verify(change: impl FnOnce(String) -> String) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    let mut manual = Command::new(PROGRAM);
    succeed(manual.arg("manual").arg("--output").arg(&pages));
    let mut verify = Command::new("systemd-analyze");
    verify
        .args(["verify", "--man=yes"])
        .arg(unit(folder.path(), change))
        .env("MANPATH", folder.path().join("man"));
    verify.output().unwrap()
}

#[test]
#[ignore = "needs systemd-analyze: tests/run sets it up"]
fn systemd_has_nothing_to_say_of_the_unit() {
    let output = verify(|text| text);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
#[ignore = "needs systemd-analyze: tests/run sets it up"]
fn systemd_would_tell_of_a_unit_that_is_wrong() {
    for (right, wrong) in [
        ("WatchdogSec=30s", "WatchdogSec=soon"),
        ("man:probecause(1)", "man:no-such-page(1)"),
        (PROGRAM, "/no/such/program"),
    ] {
        let output = verify(|text| text.replace(right, wrong));
        assert_ne!(String::from_utf8_lossy(&output.stderr), "", "{wrong}");
    }
}

#[test]
#[ignore = "needs systemd-analyze: tests/run sets it up"]
fn the_unit_is_hardly_exposed() {
    let folder = tempfile::tempdir().unwrap();
    let mut security = Command::new("systemd-analyze");
    let file = unit(folder.path(), |text| text);
    let told = succeed(security.args(["security", "--offline=true"]).arg(file));
    let overall = told.lines().find(|line| line.contains("Overall exposure"));
    let overall = overall.unwrap_or_else(|| panic!("no overall exposure:\n{told}"));
    let level = overall.split_once(": ").unwrap().1.split(' ').next();
    let level: f64 = level.unwrap().parse().unwrap();
    println!("exposure {level}");
    assert!(level <= MOST_EXPOSURE, "{told}");
}
