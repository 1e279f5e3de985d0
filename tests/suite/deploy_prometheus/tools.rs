//! promtool and amtool accept the shipped files, and amtool routes each alert as expected.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::deploy_prometheus::{CASES, deploy, root};

const RULES: [&str; 2] = ["recording.rules.yaml", "alerts.rules.yaml"];

/// A command for a tool that the setup script installs.
pub(crate) fn tool(name: &str) -> Command {
    Command::new(root("target/tools").join(name))
}

/// Runs a command, which must succeed, and returns its output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .expect("tests/deploy_prometheus/setup fetches it");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    text.into_owned()
}

/// Writes a Prometheus configuration from a scrape file, with the daemon's port and both rule
/// files. Returns its path.
pub(crate) fn configuration(folder: &Path, scrape: &str, daemon: u16) -> PathBuf {
    let text = std::fs::read_to_string(deploy(scrape)).unwrap();
    let here = format!("127.0.0.1:{daemon}");
    assert!(text.contains("127.0.0.1:9853"));
    let text = text.replace("127.0.0.1:9853", &here);
    let text = text.replace("scrape_interval: 15s", "scrape_interval: 1s");
    let text = text.replace("scrape_timeout: 10s", "scrape_timeout: 1s");
    let rules = RULES
        .map(|file| format!("  - {}\n", deploy(file).display()))
        .concat();
    let config = format!("global:\n  evaluation_interval: 1s\nrule_files:\n{rules}{text}");
    let path = folder.join("prometheus.yml");
    std::fs::write(&path, config).unwrap();
    path
}

#[test]
#[ignore = "needs promtool: tests/run sets it up"]
fn promtool_reports_no_problem_in_the_rules_and_their_tests_pass() {
    let check = ["check", "rules", "--lint-fatal"];
    run(tool("promtool").args(check).args(RULES.map(deploy)));
    for name in CASES {
        let file = root("tests/deploy_prometheus").join(format!("{name}.yaml"));
        run(tool("promtool").args(["test", "rules"]).arg(file));
    }
}

#[test]
#[ignore = "needs promtool: tests/run sets it up"]
fn promtool_reports_no_problem_in_the_scrape_files() {
    let folder = tempfile::tempdir().unwrap();
    for scrape in ["scrape.yaml", "scrape-blackbox.yaml"] {
        run(tool("promtool")
            .args(["check", "config"])
            .arg(deploy(scrape)));
        let config = configuration(folder.path(), scrape, 9853);
        run(tool("promtool").args(["check", "config"]).arg(config));
    }
}

/// The labels of alerts, each with the expected receiver.
fn routes() -> Vec<(String, &'static str)> {
    let down = "alertname=ProbecauseTargetDown component=target severity=critical";
    let slow = "alertname=ProbecauseTargetDegraded component=target severity=warning";
    let named = "alertname=ProbecauseCauseNamed component=target severity=info";
    let prober_alert = "component=prober job=probecause location=eu-west-1";
    vec![
        (format!("{down} target=orders team=shop"), "shop-page"),
        (format!("{down} target=orders"), "operations-page"),
        (
            format!("{down} target=orders team=unheard-of"),
            "operations-page",
        ),
        (format!("{slow} team=shop"), "shop"),
        (format!("{slow} team="), "operations"),
        (
            format!("{named} owner=platform cause=lambda-throttled team=shop"),
            "platform",
        ),
        (
            format!("{named} owner=network cause=dns-failure team=shop"),
            "network",
        ),
        (
            format!("{named} owner=client cause=unauthorized team=shop"),
            "client",
        ),
        (
            format!("{named} owner=prober cause=prober-local team=shop"),
            "prober",
        ),
        (
            format!("{named} owner=service cause=lambda-function-error team=shop"),
            "shop",
        ),
        (
            format!("{named} owner=service cause=lambda-function-error team=other"),
            "service",
        ),
        (
            format!("alertname=ProbecauseDaemonAbsent severity=critical {prober_alert}"),
            "prober-page",
        ),
        (
            format!("alertname=ProbecauseSpoolGrowing severity=warning {prober_alert}"),
            "prober",
        ),
        (
            "alertname=OfAnotherKind severity=critical".to_owned(),
            "operations",
        ),
    ]
}

#[test]
#[ignore = "needs amtool: tests/run sets it up"]
fn amtool_routes_each_alert_to_its_receiver() {
    let file = format!("--config.file={}", deploy("alertmanager.yaml").display());
    run(tool("amtool")
        .arg("check-config")
        .arg(deploy("alertmanager.yaml")));
    for (labels, receiver) in routes() {
        let output = run(tool("amtool")
            .args(["config", "routes", "test", &file])
            .args(labels.split(' ')));
        // A warning about overridden flags may follow.
        assert_eq!(output.lines().next(), Some(receiver), "{labels}");
    }
}
