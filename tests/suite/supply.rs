//! Checks the dependencies against `deny.toml`: licenses, banned crates, and sources.
//!
//! A short form of `cargo deny check` that needs no tool but cargo and no network.
//! `tests/run --long` runs `cargo deny` itself.

use std::collections::BTreeSet;
use std::process::Command;

/// A package that the program or its tests are built from.
struct Package {
    name: String,
    version: semver::Version,
    license: String,
}

/// The packages in `cargo tree`. `cargo metadata` also lists packages that no feature
/// enables.
fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--all-features"])
        .args(["--edges", "normal,build,dev", "--prefix", "none"])
        .args(["--format", "{p}|{l}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let lines: BTreeSet<&str> = tree.lines().filter(|line| !line.is_empty()).collect();
    let package = |line: &str| {
        let (package, license) = line.split_once('|').unwrap();
        let mut words = package.split(' ');
        Package {
            name: words.next().unwrap().to_owned(),
            version: words.next().unwrap()[1..].parse().unwrap(),
            license: license.trim_end_matches(" (*)").to_owned(),
        }
    };
    lines.into_iter().map(package).collect()
}

fn policy() -> toml::Table {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml"));
    text.unwrap().parse().unwrap()
}

fn allowed(policy: &toml::Table) -> BTreeSet<&str> {
    let listed = policy["licenses"]["allow"].as_array().unwrap();
    listed.iter().map(|one| one.as_str().unwrap()).collect()
}

/// Whether allowed licenses satisfy an SPDX expression.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let parsed = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX);
    parsed.is_ok_and(|parsed| parsed.evaluate(|license| allowed.contains(&*license.to_string())))
}

#[test]
fn every_license_is_allowed() {
    let policy = policy();
    let allowed = allowed(&policy);
    let packages = packages();
    assert!(packages.len() > 100, "only {} packages", packages.len());
    for package in &packages {
        let Package { name, license, .. } = package;
        assert!(is_allowed(license, &allowed), "{name}: {license:?}");
    }
    assert!(is_allowed("GPL-3.0-only OR MIT", &allowed));
    for refused in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "", "nonsense"] {
        assert!(!is_allowed(refused, &allowed), "{refused:?} is accepted");
    }
}

#[test]
fn no_banned_crate_is_a_dependency() {
    let policy = policy();
    let bans = policy["bans"]["deny"].as_array().unwrap();
    for Package { name, version, .. } in packages() {
        for ban in bans {
            let pattern = ban["crate"].as_str().unwrap();
            let (banned, versions) = pattern.split_once(':').unwrap_or((pattern, "*"));
            let versions = semver::VersionReq::parse(versions).unwrap();
            let is_banned = name == banned && versions.matches(&version);
            assert!(!is_banned, "{name} {version}: {}", ban["reason"]);
        }
    }
}

#[test]
fn every_dependency_is_from_an_allowed_registry_and_has_a_checksum() {
    let policy = policy();
    let registries = policy["sources"]["allow-registry"].as_array().unwrap();
    let lock = include_str!("../../Cargo.lock");
    let lock: toml::Table = lock.parse().unwrap();
    let locked = lock["package"].as_array().unwrap();
    for package in locked {
        let name = package["name"].as_str().unwrap();
        if name == env!("CARGO_PKG_NAME") {
            continue;
        }
        let source = package.get("source").and_then(|source| source.as_str());
        let registry = source.and_then(|source| source.strip_prefix("registry+"));
        let known = registries.iter().any(|one| one.as_str() == registry);
        assert!(
            known && package.get("checksum").is_some(),
            "{name}: {source:?}"
        );
    }
}
