//! Checks of `deploy/prometheus`: its metric and label names exist, every alert has a test in
//! which it fires and one in which it does not, and promtool, amtool, Prometheus and Alertmanager
//! accept the files.
//!
//! The alert tests are promtool unit tests, the YAML files in `tests/deploy_prometheus`.

mod alertmanager;
mod catalogue;
mod coverage;
mod names;
mod servers;
mod tools;

/// The promtool unit tests, without their extension.
#[cfg(test)]
const CASES: [&str; 4] = ["targets", "cause_changes", "votes", "prober"];

/// The path of a file in the repository.
#[cfg(test)]
fn root(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The path of a file in `deploy/prometheus`.
#[cfg(test)]
fn deploy(name: &str) -> std::path::PathBuf {
    root("deploy/prometheus").join(name)
}

/// The text of a file in `deploy/prometheus`, without comments.
#[cfg(test)]
fn read(name: &str) -> String {
    let text = std::fs::read_to_string(deploy(name)).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// The values after `key` on the lines that begin with it.
#[cfg(test)]
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let found = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(key));
    found.map(str::trim).collect()
}
