//! Checks of `deploy/kubernetes`: kubectl renders the kustomizations, the manifests match the
//! published schemas of two releases and the `restricted` Pod Security Standard, and the daemon
//! loads the configurations.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The kustomizations, each of which can be applied.
const KUSTOMIZATIONS: [&str; 5] = [
    "base",
    "overlays/cloudwatch",
    "overlays/prometheus-operator",
    "overlays/production",
    "overlays/sharded",
];

/// The newest release that the validator supports, and one from two years before.
const RELEASES: [&str; 2] = ["1.37", "1.31"];

/// Custom resources of the Prometheus operator.
const CUSTOM: [&str; 2] = ["ServiceMonitor", "PrometheusRule"];

#[cfg(test)]
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of a tool that the setup script installs.
#[cfg(test)]
fn tool(name: &str) -> PathBuf {
    root().join("target/kubernetes-venv/bin").join(name)
}

/// The manifests of a kustomization.
#[cfg(test)]
fn rendered(kustomization: &str) -> String {
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(root().join("deploy/kubernetes").join(kustomization))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && report.is_empty(),
        "{kustomization}: {report}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command with `input` on stdin. Returns whether it succeeded, and its output.
#[cfg(test)]
fn run_any(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read stdin may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), report.into_owned())
}

/// Runs a command with `input` on stdin, which must succeed, and returns its output.
#[cfg(test)]
fn run(command: &mut Command, input: &str) -> String {
    let (success, report) = run_any(command, input);
    assert!(success, "{report}");
    report
}

/// The manifests without custom resources.
#[cfg(test)]
fn without_custom(rendered: &str) -> String {
    let documents = rendered.split("\n---\n");
    let custom = |document: &&str| {
        CUSTOM
            .iter()
            .any(|kind| document.contains(&format!("\nkind: {kind}\n")))
    };
    let without_custom: Vec<_> = documents.filter(|document| !custom(document)).collect();
    without_custom.join("\n---\n")
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn every_kustomization_is_valid_for_the_newest_and_a_two_year_old_release() {
    for kustomization in KUSTOMIZATIONS {
        let text = without_custom(&rendered(kustomization));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.yaml");
        std::fs::write(&file, &text).unwrap();
        for release in RELEASES {
            let mut command = Command::new(tool("kubernetes-validate"));
            let report = run(command.args(["--strict", "-k", release]).arg(&file), "");
            let passed = report.matches(" passed for resource ").count();
            let mut out = std::io::stdout();
            writeln!(
                out,
                "{kustomization} for {release}: {passed} resources pass"
            )
            .unwrap();
            assert_eq!(passed, text.split("\n---\n").count(), "{report}");
        }
    }
}

/// Runs a script of `tests/deploy_kubernetes` on manifests. Returns whether it succeeded, and its
/// output.
#[cfg(test)]
fn script(name: &str, manifests: &str) -> (bool, String) {
    let path = root().join("tests/deploy_kubernetes").join(name);
    run_any(Command::new(tool("python")).arg(path), manifests)
}

/// Runs a script on every kustomization and prints the number of passed checks.
#[cfg(test)]
fn check_all(name: &str) {
    for kustomization in KUSTOMIZATIONS {
        let (success, report) = script(name, &rendered(kustomization));
        assert!(success, "{kustomization}: {report}");
        let mut out = std::io::stdout();
        let rules = report.matches("ok: ").count();
        writeln!(out, "{kustomization}: {rules} checks of {name} passed").unwrap();
    }
}

/// Breaks the manifests of a kustomization and requires that a script reports it. An entry of
/// `changes` is the text to replace, its replacement, and a part of the expected report.
#[cfg(test)]
fn assert_reported(name: &str, kustomization: &str, changes: &[(&str, &str, &str)]) {
    let text = rendered(kustomization);
    for (from, to, expected) in changes {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from} is not in the manifests");
        let (success, report) = script(name, &bad);
        assert!(
            !success && report.contains(expected),
            "{from} → {to}: {report}"
        );
    }
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn every_kustomization_meets_the_restricted_standard() {
    check_all("restricted.py");
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn the_manifests_of_every_kustomization_are_consistent() {
    check_all("check.py");
    assert_reported(
        "check.py",
        "overlays/sharded",
        &[
            ("replicas: 3", "replicas: 4", "as many pods as shards"),
            ("9853\"", "9854\"", "the port matches the configuration"),
            (
                "name: POD_NAME",
                "name: POD",
                "the shard index is the pod number",
            ),
            ("- --watch\n", "- --watches\n", "are watched"),
            ("/-/healthy", "/healthz", "livenessProbe uses a path"),
        ],
    );
}

#[test]
fn every_configuration_loads() {
    for kustomization in [
        "base",
        "overlays/cloudwatch",
        "overlays/sharded",
        "overlays/production",
    ] {
        let file = root()
            .join("deploy/kubernetes")
            .join(kustomization)
            .join("probecause.toml");
        let loaded = probecause::io::config::load(&file);
        let loaded = loaded.unwrap_or_else(|error| panic!("{kustomization}: {error}"));
        let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        // Listening without a password is accepted, since the NetworkPolicy restricts access.
        assert!(
            warnings
                .iter()
                .all(|warning| warning.contains("server.listen")),
            "{warnings:?}"
        );
    }
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn the_prometheus_rule_equals_the_shipped_rules() {
    let (success, report) = script("rules.py", "");
    assert!(success, "{report}");
    write!(std::io::stdout(), "{report}").unwrap();
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn custom_resources_match_their_published_schemas() {
    let kustomization = "overlays/prometheus-operator";
    let (success, report) = script("custom.py", &rendered(kustomization));
    assert!(success, "{report}");
    for kind in CUSTOM {
        assert!(report.contains(&format!("ok: {kind}: ")), "{report}");
    }
    write!(std::io::stdout(), "{report}").unwrap();
    assert_reported(
        "custom.py",
        kustomization,
        &[
            (
                "honorLabels:",
                "honourLabels:",
                "'honourLabels' was unexpected",
            ),
            (
                "port: http\n    scrape",
                "port: 80\n    scrape",
                "80 is not of type 'string'",
            ),
            ("interval: 30s", "interval: 30 s", "does not match"),
            ("- alert: ", "- alarm: ", "'alarm' was unexpected"),
            ("  groups:\n", "  group:\n", "'group' was unexpected"),
        ],
    );
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn hadolint_reports_no_problem_in_the_dockerfile() {
    let file = root().join("deploy/container/Dockerfile");
    let report = run(Command::new(tool("hadolint")).arg(&file), "");
    assert_eq!(report, "");
    // hadolint reports a base image without a version.
    let bad = tempfile::tempdir().unwrap();
    let copy = bad.path().join("Dockerfile");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("rust:1.95.0-bookworm"));
    std::fs::write(&copy, text.replace("rust:1.95.0-bookworm", "rust")).unwrap();
    let output = Command::new(tool("hadolint")).arg(copy).output().unwrap();
    assert!(!output.status.success());
}
