//! Holds the floors of the house over `src`: arrows only point down, and the two lower
//! floors touch neither the world nor the clock.
//!
//! Reviews forget and editors import; this does neither. Each finding says file, line
//! and rule. The rules are themselves tried on made-up sources below.
#![expect(
    clippy::unwrap_used,
    reason = "an unreadable source tree fails the test here"
)]

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::Path;

use rules::findings;

#[test]
fn the_house_keeps_its_floors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, &root.join("src"), &mut files);
    assert!(files.len() > 30, "only {} files found", files.len());
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let findings = findings(&files, &dependencies(&manifest));
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let parts = path.strip_prefix(root).unwrap().iter();
            let parts: Vec<_> = parts.map(|part| part.to_str().unwrap()).collect();
            files.push((parts.join("/"), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The crate names of the dependencies, as they are written in code.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let table = manifest["dependencies"].as_table().unwrap();
    table.keys().map(|name| name.replace('-', "_")).collect()
}

/// Looks at made-up files, given as path and text, and compares what is found.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), format!("//! Head.\n{text}")))
        .collect();
    let crates = ["tokio", "serde", "serde_json", "toml", "jiff", "tracing"];
    let crates = crates.map(str::to_owned).into();
    assert_eq!(findings(&files, &crates), expected);
}

#[test]
fn arrows_down_and_sideways_are_fine() {
    check(
        &[
            ("src/model/cause.rs", "pub struct Cause;"),
            ("src/domain/health.rs", "use crate::model::cause::Cause;"),
            (
                "src/domain/report.rs",
                "use crate::{domain::health::Health, model::cause};\nuse jiff::Timestamp;",
            ),
            (
                "src/io/sink/page.rs",
                "use super::x;\nfn f() { tokio::spawn(std::fs::read()); }",
            ),
        ],
        &[],
    );
}

#[test]
fn an_arrow_up_is_found_in_every_spelling() {
    check(
        &[
            (
                "src/domain/health.rs",
                "use crate::{model::A, io::probe::{self, B}};",
            ),
            (
                "src/model/cause.rs",
                "\nfn f() -> super::super::domain::Report {}",
            ),
            (
                "src/io/sink/page.rs",
                "fn f() { super::super::super::engine::app::go() }",
            ),
        ],
        &[
            "src/domain/health.rs:2: points up, from floor 2 to `io::probe` on floor 3",
            "src/domain/health.rs:2: points up, from floor 2 to `io::probe::B` on floor 3",
            "src/model/cause.rs:3: points up, from floor 1 to `domain::Report` on floor 2",
            "src/io/sink/page.rs:2: points up, from floor 3 to `engine::app::go` on floor 4",
        ],
    );
}

#[test]
fn circles_between_rooms_and_between_files_of_one_room_are_found() {
    check(
        &[
            ("src/domain/health.rs", "use crate::domain::report::Report;"),
            ("src/domain/report.rs", "use crate::domain::health::Health;"),
        ],
        &[
            "a circle: domain::health → domain::report → domain::health",
            "these rooms need each other: domain::health, domain::report",
        ],
    );
    check(
        &[
            ("src/io/probe/mod.rs", "pub mod a; use self::a::A;"),
            ("src/io/probe/a.rs", "use super::b::B; use super::Thing;"),
            ("src/io/probe/b.rs", "use crate::io::probe::a::A;"),
        ],
        &["a circle: io::probe::a → io::probe::b → io::probe::a"],
    );
}

#[test]
fn rooms_can_be_in_a_circle_where_no_two_files_are() {
    check(
        &[
            ("src/io/probe/a.rs", "use crate::io::config::b::B;"),
            ("src/io/config/b.rs", ""),
            ("src/io/config/c.rs", "use crate::io::probe::d::D;"),
            ("src/io/probe/d.rs", ""),
        ],
        &["these rooms need each other: io::config, io::probe"],
    );
}

#[test]
fn the_core_touches_neither_world_nor_clock() {
    check(
        &[(
            "src/domain/health.rs",
            "use std::{fs, time::{Duration, Instant}};\n\
             use std::net::{SocketAddr, TcpStream};\n\
             fn f() { tracing::info!(\"x\"); println!(\"y\"); }\n\
             fn g() { jiff::Timestamp::now(); }\n\
             use serde::Deserialize;",
        )],
        &[
            "src/domain/health.rs:2: `std::fs` touches the world below floor 3",
            "src/domain/health.rs:2: `std::time::Instant` is a clock's type: take a `Timestamp`",
            "src/domain/health.rs:3: `std::net::TcpStream` touches the world below floor 3",
            "src/domain/health.rs:4: `tracing::info`: the crate `tracing` belongs on floor 3",
            "src/domain/health.rs:5: `jiff::Timestamp::now` reads a clock: take `now` as an argument",
            "src/domain/health.rs:6: `serde::Deserialize`: the crate `serde` belongs on floor 3",
            "src/domain/health.rs:4: `println!` writes below floor 3",
        ],
    );
}

#[test]
fn serialisation_is_allowed_where_it_is_the_matter() {
    check(
        &[
            ("src/domain/diagnosis/parser.rs", "use toml::de::DeTable;"),
            ("src/model/target.rs", "pub value: serde_json::Value,"),
            ("src/domain/diagnosis/fact.rs", "use serde_json::Value;"),
        ],
        &[
            "src/domain/diagnosis/fact.rs:2: `serde_json::Value`: the crate `serde_json` belongs on floor 3",
        ],
    );
}

#[test]
fn comments_literals_and_tests_are_not_code() {
    check(
        &[
            (
                "src/domain/health.rs",
                "// use std::fs;\n/* crate::engine::app::x /* nested */ std::fs::read */\n\
                 /// [`std::fs::read`]\n\
                 const A: &str = \"std::fs::read\\\" crate::engine::app::x\";\n\
                 const B: &str = r#\"std::fs::read \" crate::engine::app::x\"#;\n\
                 const C: [char; 2] = ['\"', '\\''];\n\
                 fn f<'a>(x: &'a str) {}\n\
                 #[cfg(test)]\nmod tests { use std::fs; fn f() { { std::fs::read(); } } }\n\
                 #[cfg(test)]\nmod more;",
            ),
            ("src/domain/health/more.rs", "use std::fs;"),
        ],
        &[],
    );
}

#[test]
fn a_file_without_head_a_long_file_and_a_room_on_no_floor_are_found() {
    let long = "let x = 1;\n".repeat(41);
    let files = [
        ("src/main.rs".to_owned(), format!("//! Head.\n{long}")),
        (
            "src/model/cause.rs".to_owned(),
            "use jiff::Span;\n// A comment.\n\n".repeat(301),
        ),
        ("src/helpers.rs".to_owned(), "//! Head.".to_owned()),
    ];
    assert_eq!(
        findings(&files, &BTreeSet::new()),
        [
            "src/main.rs:1: has 41 lines of code, more than 40: split it",
            "src/model/cause.rs:1: opens without a `//!` head that says why it exists",
            "src/model/cause.rs:1: has 301 lines of code, more than 300: split it",
            "src/helpers.rs:1: this room stands on no floor: give it a place in LAYERS",
        ]
    );
}
