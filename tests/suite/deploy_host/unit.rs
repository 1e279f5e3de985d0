//! The systemd unit passes `systemd-analyze verify` and has a low exposure level.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::deploy_host::deploy;
use crate::support::debian::succeed;

/// The highest allowed exposure level of `systemd-analyze security`, from 0 (safe) to 10. The
/// daemon needs the network; the unit denies everything else.
const MAX_EXPOSURE: f64 = 1.5;

const PROGRAM: &str = env!("CARGO_BIN_EXE_probecause");

/// Writes the unit with the path of the built program and the given change.
fn unit(folder: &Path, change: impl FnOnce(String) -> String) -> PathBuf {
    let text = std::fs::read_to_string(deploy("systemd/probecause.service")).unwrap();
    let file = folder.join("probecause.service");
    std::fs::write(&file, change(text.replace("/usr/bin/probecause", PROGRAM))).unwrap();
    file
}

/// Runs `systemd-analyze verify` on the changed unit, with the manual pages it references.
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
fn systemd_reports_no_problem_in_the_unit() {
    let output = verify(|text| text);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
#[ignore = "needs systemd-analyze: tests/run sets it up"]
fn systemd_reports_an_invalid_unit() {
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
fn the_exposure_of_the_unit_is_low() {
    let folder = tempfile::tempdir().unwrap();
    let mut security = Command::new("systemd-analyze");
    let file = unit(folder.path(), |text| text);
    let report = succeed(security.args(["security", "--offline=true"]).arg(file));
    let overall = report
        .lines()
        .find(|line| line.contains("Overall exposure"));
    let overall = overall.unwrap_or_else(|| panic!("no overall exposure:\n{report}"));
    let level = overall.split_once(": ").unwrap().1.split(' ').next();
    let level: f64 = level.unwrap().parse().unwrap();
    println!("exposure {level}");
    assert!(level <= MAX_EXPOSURE, "{report}");
}
