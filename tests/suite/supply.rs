//! What is built in: licences, forbidden crates and sources, by `deny.toml`.
//!
//! The short form of `cargo deny check`, which `tests/run --long` runs itself: it needs no
//! tool but cargo and no network.

use std::collections::BTreeSet;
use std::process::Command;

/// A package that the program or its tests are built of.
struct Package {
    name: String,
    version: semver::Version,
    licence: String,
}

/// By the tree, since `cargo metadata` lists what no feature asks for.
fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--all-features"])
        .args(["--edges", "normal,build,dev", "--prefix", "none"])
        .args(["--format", "{p}|{l}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let lines: BTreeSet<&str> = tree.lines().filter(|line| !line.is_empty()).collect();
    let package = |line: &str| {
        let (package, licence) = line.split_once('|').unwrap();
        let mut words = package.split(' ');
        Package {
            name: words.next().unwrap().to_owned(),
            version: words.next().unwrap()[1..].parse().unwrap(),
            licence: licence.trim_end_matches(" (*)").to_owned(),
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

/// Whether an SPDX expression asks for nothing but what is allowed.
fn fits(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let parsed = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX);
    parsed.is_ok_and(|parsed| parsed.evaluate(|asked| allowed.contains(&*asked.to_string())))
}

#[test]
fn licences_are_among_the_allowed() {
    let policy = policy();
    let allowed = allowed(&policy);
    let packages = packages();
    assert!(packages.len() > 100, "only {} packages", packages.len());
    for package in &packages {
        let Package { name, licence, .. } = package;
        assert!(fits(licence, &allowed), "{name}: {licence:?}");
    }
    assert!(fits("GPL-3.0-only OR MIT", &allowed));
    for refused in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "", "nonsense"] {
        assert!(!fits(refused, &allowed), "{refused:?} is let through");
    }
}

#[test]
fn nothing_forbidden_is_built_in() {
    let policy = policy();
    let forbidden = policy["bans"]["deny"].as_array().unwrap();
    for Package { name, version, .. } in packages() {
        for ban in forbidden {
            let spelt = ban["crate"].as_str().unwrap();
            let (banned, versions) = spelt.split_once(':').unwrap_or((spelt, "*"));
            let versions = semver::VersionReq::parse(versions).unwrap();
            let hit = name == banned && versions.matches(&version);
            assert!(!hit, "{name} {version}: {}", ban["reason"]);
        }
    }
}

#[test]
fn everything_comes_from_the_registry_with_a_checksum() {
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
