//! The Grafana dashboards: they equal the output of `grafana/build.py`, and every query returns
//! data from a Prometheus server that scrapes a daemon probing the simulator.
//!
//! Their rendering in Grafana is not tested.

use std::path::Path;
use std::process::Command;

#[cfg(test)]
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_dashboards_equal_the_output_of_their_builder() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("grafana");
    std::fs::create_dir_all(copy.join("dashboards")).unwrap();
    std::fs::copy(root().join("grafana/build.py"), copy.join("build.py")).unwrap();
    let built = Command::new("python3").arg(copy.join("build.py")).status();
    assert!(built.unwrap().success());
    for name in ["fleet.json", "target.json", "daemon.json"] {
        let read =
            |folder: &Path| std::fs::read_to_string(folder.join("dashboards").join(name)).unwrap();
        let same = read(&copy) == read(&root().join("grafana"));
        assert!(same, "{name} is out of date; run grafana/build.py");
    }
}

#[test]
#[ignore = "needs Prometheus: run by tests/run"]
fn every_query_of_every_dashboard_returns_data() {
    let output = Command::new("python3")
        .arg(root().join("tests/dashboards/check.py"))
        .arg(env!("CARGO_BIN_EXE_probecause"))
        .arg(root().join("target/tools/prometheus-server"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success(), "{text}");
}
