//! promtool and amtool on the shipped files: they read what the servers will read.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::deploy_prometheus::{CASES, deploy, root};

const RULES: [&str; 2] = ["recording.rules.yaml", "alerts.rules.yaml"];

/// A tool that the setup script has made ready.
pub(crate) fn tool(name: &str) -> Command {
    Command::new(root("target/tools").join(name))
}

/// What a tool says that must succeed.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command
        .output()
        .expect("tests/deploy_prometheus/setup fetches it");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    text.into_owned()
}

/// A whole configuration of Prometheus: a scrape file with this daemon, and both rule files.
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
    let whole = format!("global:\n  evaluation_interval: 1s\nrule_files:\n{rules}{text}");
    let path = folder.join("prometheus.yml");
    std::fs::write(&path, whole).unwrap();
    path
}

#[test]
#[ignore = "needs promtool: tests/run sets it up"]
fn promtool_finds_nothing_wrong_with_the_rules_and_every_case_holds() {
    let check = ["check", "rules", "--lint-fatal"];
    said(tool("promtool").args(check).args(RULES.map(deploy)));
    for name in CASES {
        let file = root("tests/deploy_prometheus").join(format!("{name}.yaml"));
        said(tool("promtool").args(["test", "rules"]).arg(file));
    }
}

#[test]
#[ignore = "needs promtool: tests/run sets it up"]
fn promtool_finds_nothing_wrong_with_the_scrape_files() {
    let folder = tempfile::tempdir().unwrap();
    for scrape in ["scrape.yaml", "scrape-blackbox.yaml"] {
        said(
            tool("promtool")
                .args(["check", "config"])
                .arg(deploy(scrape)),
        );
        let whole = configuration(folder.path(), scrape, 9853);
        said(tool("promtool").args(["check", "config"]).arg(whole));
    }
}

/// Labels of an alert → who receives it.
fn routes() -> Vec<(String, &'static str)> {
    let down = "alertname=ProbecauseTargetDown component=target severity=critical";
    let slow = "alertname=ProbecauseTargetDegraded component=target severity=warning";
    let named = "alertname=ProbecauseCauseNamed component=target severity=info";
    let own = "component=prober job=probecause location=eu-west-1";
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
            format!("alertname=ProbecauseDaemonAbsent severity=critical {own}"),
            "prober-page",
        ),
        (
            format!("alertname=ProbecauseSpoolGrowing severity=warning {own}"),
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
fn amtool_routes_each_alert_to_those_who_act() {
    let file = format!("--config.file={}", deploy("alertmanager.yaml").display());
    said(
        tool("amtool")
            .arg("check-config")
            .arg(deploy("alertmanager.yaml")),
    );
    for (labels, receiver) in routes() {
        let told = said(
            tool("amtool")
                .args(["config", "routes", "test", &file])
                .args(labels.split(' ')),
        );
        // A warning that one flag outweighs another may follow.
        assert_eq!(told.lines().next(), Some(receiver), "{labels}");
    }
}
