//! `deploy/kubernetes`: rendered by kubectl, validated against the published schemas of two
//! releases, held against the `restricted` pod security standard, and its configurations
//! read by the daemon itself.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What can be applied.
const WAYS: [&str; 5] = [
    "base",
    "overlays/cloudwatch",
    "overlays/prometheus-operator",
    "overlays/production",
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

/// Runs a tool on a text; whether it is content, and what it said.
#[cfg(test)]
fn judged(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that reads nothing closes its end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said.into_owned())
}

/// Runs a tool on a text; returns what it said, and panics where it fails.
#[cfg(test)]
fn run(command: &mut Command, input: &str) -> String {
    let (content, said) = judged(command, input);
    assert!(content, "{said}");
    said
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
            let mut out = std::io::stdout();
            writeln!(out, "{way} for {release}: {passed} resources pass").unwrap();
            assert_eq!(passed, text.split("\n---\n").count(), "{said}");
        }
    }
}

/// Pipes manifests through one of our scripts; whether it is content, and what it said.
#[cfg(test)]
fn script(name: &str, manifests: &str) -> (bool, String) {
    let path = root().join("tests/deploy_kubernetes").join(name);
    judged(Command::new(tool("python")).arg(path), manifests)
}

/// Runs a script on every way, and prints how many of its rules hold.
#[cfg(test)]
fn every_way(name: &str) {
    for way in WAYS {
        let (content, said) = script(name, &rendered(way));
        assert!(content, "{way}: {said}");
        let mut out = std::io::stdout();
        let rules = said.matches("ok: ").count();
        writeln!(out, "{way}: {rules} rules of {name} hold").unwrap();
    }
}

/// Spoils the manifests of one way, and wants a script to say what is wrong.
#[cfg(test)]
fn noticed(name: &str, way: &str, spoilt: &[(&str, &str, &str)]) {
    let text = rendered(way);
    for (from, to, wanted) in spoilt {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from} is not there");
        let (content, said) = script(name, &bad);
        assert!(!content && said.contains(wanted), "{from} → {to}: {said}");
    }
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn every_way_keeps_to_the_restricted_standard_whose_every_control_is_awake() {
    every_way("restricted.py");
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn the_parts_of_every_way_fit_each_other() {
    every_way("check.py");
    noticed(
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
fn every_configuration_can_be_used_as_it_is() {
    for way in [
        "base",
        "overlays/cloudwatch",
        "overlays/sharded",
        "overlays/production",
    ] {
        let file = root()
            .join("deploy/kubernetes")
            .join(way)
            .join("probecause.toml");
        let loaded = probecause::io::config::load(&file);
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
fn the_operators_rules_are_those_of_prometheus() {
    let (content, said) = script("rules.py", "");
    assert!(content, "{said}");
    write!(std::io::stdout(), "{said}").unwrap();
}

#[test]
#[ignore = "needs kubectl and kubernetes-validate: run by tests/run"]
fn the_operators_resources_have_the_fields_of_their_published_schema_and_no_other() {
    let way = "overlays/prometheus-operator";
    let (content, said) = script("custom.py", &rendered(way));
    assert!(content, "{said}");
    for kind in CUSTOM {
        assert!(said.contains(&format!("ok: {kind}: ")), "{said}");
    }
    write!(std::io::stdout(), "{said}").unwrap();
    noticed(
        "custom.py",
        way,
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
fn hadolint_finds_nothing_in_the_dockerfile() {
    let file = root().join("deploy/container/Dockerfile");
    let said = run(Command::new(tool("hadolint")).arg(&file), "");
    assert_eq!(said, "");
    // The linter is awake: it wants a base image with its version.
    let bad = tempfile::tempdir().unwrap();
    let copy = bad.path().join("Dockerfile");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("rust:1.95.0-bookworm"));
    std::fs::write(&copy, text.replace("rust:1.95.0-bookworm", "rust")).unwrap();
    let output = Command::new(tool("hadolint")).arg(copy).output().unwrap();
    assert!(!output.status.success());
}
