//! What `deploy/prometheus` gives to Prometheus and Alertmanager: every name in it against
//! the catalogue, every alert with a case in which it fires and one in which it is silent,
//! and all of it in the hands of promtool, amtool and a running Alertmanager.
//!
//! The cases are promtool's own: the YAML files beside this one.

mod alertmanager;
mod cases;
mod catalogue;
mod names;
mod servers;
mod tools;

/// The files with cases for promtool.
#[cfg(test)]
const CASES: [&str; 4] = ["targets", "cause_changes", "votes", "prober"];

#[cfg(test)]
fn root(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of `deploy/prometheus`.
#[cfg(test)]
fn deploy(name: &str) -> std::path::PathBuf {
    root("deploy/prometheus").join(name)
}

/// Its text without comments.
#[cfg(test)]
fn read(name: &str) -> String {
    let text = std::fs::read_to_string(deploy(name)).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// What follows `key` on the lines that begin with it: the names of alerts, of records.
#[cfg(test)]
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let found = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(key));
    found.map(str::trim).collect()
}
