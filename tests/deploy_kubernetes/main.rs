//! `deploy/kubernetes`: rendered by kubectl, validated against the published schemas of two
//! releases, held against the `restricted` pod security standard, and its configurations
//! read by the daemon itself.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What can be applied.
const WAYS: [&str; 4] = [
    "base",
    "overlays/cloudwatch",
    "overlays/prometheus-operator",
    "overlays/sharded",
];

/// The newest release that the validator knows, and one of two years before.
const RELEASES: [&str; 2] = ["1.37", "1.31"];

/// Kinds that a cluster has only with the Prometheus operator.
const CUSTOM: [&str; 2] = ["ServiceMonitor", "PrometheusRule"];

#[cfg(test)]
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
fn tool(name: &str) -> PathBuf {
    root().join("target/kubernetes-venv/bin").join(name)
}

#[cfg(test)]
fn rendered(way: &str) -> String {
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(root().join("deploy/kubernetes").join(way))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{way}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a tool on a text; returns what it said, and panics where it fails.
#[cfg(test)]
fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.into_owned()
}

/// The documents of a kind that the cluster itself knows.
#[cfg(test)]
fn known(rendered: &str) -> String {
    let documents = rendered.split("\n---\n");
    let custom = |document: &&str| {
        CUSTOM
            .iter()
            .any(|kind| document.contains(&format!("\nkind: {kind}\n")))
    };
    let known: Vec<_> = documents.filter(|document| !custom(document)).collect();
    known.join("\n---\n")
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn every_way_is_valid_for_the_newest_release_and_for_one_of_two_years_ago() {
    for way in WAYS {
        let text = known(&rendered(way));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.yaml");
        std::fs::write(&file, &text).unwrap();
        for release in RELEASES {
            let mut command = Command::new(tool("kubernetes-validate"));
            let said = run(command.args(["--strict", "-k", release]).arg(&file), "");
            let passed = said.matches(" passed for resource ").count();
            println!("{way} for {release}: {passed} resources pass");
            assert_eq!(passed, text.split("\n---\n").count(), "{said}");
        }
    }
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn every_way_keeps_to_the_restricted_standard_and_to_what_we_promise() {
    for way in WAYS {
        let script = root().join("tests/deploy_kubernetes/check.py");
        let said = run(Command::new(tool("python")).arg(script), &rendered(way));
        println!("{way}: {} rules hold", said.matches("ok: ").count());
    }
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn a_privileged_pod_is_found() {
    let text = rendered("base").replace("allowPrivilegeEscalation: false", "privileged: true");
    let script = root().join("tests/deploy_kubernetes/check.py");
    let mut child = Command::new(tool("python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("no escalation") && said.contains("not privileged"),
        "{said}"
    );
}

#[test]
fn every_configuration_can_be_used_as_it_is() {
    for way in ["base", "overlays/cloudwatch", "overlays/sharded"] {
        let file = root()
            .join("deploy/kubernetes")
            .join(way)
            .join("probecause.toml");
        let loaded = probecause::config::load(&file);
        let loaded = loaded.unwrap_or_else(|error| panic!("{way}: {error}"));
        let doubts: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        // That nobody is asked for a password is what the NetworkPolicy is for.
        assert!(
            doubts.iter().all(|doubt| doubt.contains("server.listen")),
            "{doubts:?}"
        );
    }
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn the_operators_rules_are_those_of_prometheus_and_its_resources_have_its_fields() {
    let script = root().join("tests/deploy_kubernetes/rules.py");
    println!("{}", run(Command::new(tool("python")).arg(script), ""));
    let text = rendered("overlays/prometheus-operator");
    for (kind, fields) in [
        // github.com/prometheus-operator/prometheus-operator/blob/main/Documentation/api-reference/api.md
        (
            "ServiceMonitor",
            &["selector:", "endpoints:", "honorLabels: true", "port: http"][..],
        ),
        (
            "PrometheusRule",
            &["groups:", "alert: ProbecauseTargetDown", "runbook_url:"],
        ),
    ] {
        let mut documents = text.split("\n---\n");
        let document = documents
            .find(|one| one.contains(&format!("\nkind: {kind}\n")))
            .unwrap();
        for field in fields {
            assert!(document.contains(field), "{kind} has no {field}");
        }
    }
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let file = root().join("deploy/container/Dockerfile");
    let said = run(Command::new(tool("hadolint")).arg(&file), "");
    assert_eq!(said, "");
    // The linter is awake: it wants a base image with its version.
    let bad = tempfile::tempdir().unwrap();
    let copy = bad.path().join("Dockerfile");
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(&copy, text.replace("rust:1.95-bookworm", "rust")).unwrap();
    let output = Command::new(tool("hadolint")).arg(copy).output().unwrap();
    assert!(!output.status.success());
}
