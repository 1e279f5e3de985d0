//! Checks the structure of the source tree.
//!
//! Imports point from upper layers to lower ones and never in a circle, the lower layers
//! perform no I/O and read no clock, files have a head comment and are short, and every public
//! item has a user. The checks are themselves tested on made-up sources.
#![expect(
    clippy::unwrap_used,
    reason = "an unreadable source tree fails the test"
)]

mod circles;
mod rules;
mod source;
mod unused;

use std::collections::BTreeSet;
use std::path::Path;

use rules::{LAYERS, circular_imports, findings};

/// Items that only tests use: they inject or observe what a test could not otherwise, or are
/// generated for every enum alike.
const ONLY_TESTS_USE: [&str; 17] = [
    "io/probe/auth.rs: from_provider",
    "io/probe/mod.rs: with_credentials",
    "io/simulator/gateway.rs: invocations",
    "io/simulator/gateway.rs: requests",
    "io/simulator/gateway.rs: set_default_route",
    "io/simulator/gateway.rs: set_fault",
    "io/simulator/mod.rs: LookAlike",
    "io/simulator/mod.rs: invocations",
    "io/simulator/mod.rs: requests",
    "io/simulator/mod.rs: rest_invocations",
    "io/simulator/mod.rs: set_default_route",
    "io/simulator/mod.rs: set_fault",
    "io/sink/cloudwatch/mod.rs: start_with",
    "io/sink/prometheus/families.rs: families",
    "io/sink/prometheus/families.rs: labels",
    "model/text_enum.rs: ALL",
    "model/text_enum.rs: parse",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_source_tree_keeps_its_layers() {
    let files = files_of("src");
    assert!(files.len() > 30, "only {} files found", files.len());
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let findings = findings(&files, &dependencies(&manifest));
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn the_source_folder_shows_the_layers_and_nothing_else() {
    let entries = std::fs::read_dir(root().join("src")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut expected: BTreeSet<String> = LAYERS.iter().map(ToString::to_string).collect();
    expected.extend(["lib.rs".to_owned(), "main.rs".to_owned()]);
    assert_eq!(names.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn benchmarks_and_tests_have_no_circular_imports() {
    for crate_root in ["benches/accuracy", "benches/side_by_side", "tests/suite"] {
        let found = circular_imports(crate_root, &files_of(crate_root));
        assert!(found.is_empty(), "\n{crate_root}: {}\n", found.join("\n"));
    }
}

#[test]
fn every_public_item_has_a_user() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unused-items");
    unused::write_crate(root(), &folder, &LAYERS);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let found = unused::items(root(), &folder.join("Cargo.toml"), target);
    assert_eq!(found, ONLY_TESTS_USE.map(str::to_owned).into());
}

#[test]
fn a_planted_unused_public_item_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let package = "package = { name = \"planted\", edition = \"2024\" }\n";
    write(
        "Cargo.toml",
        &format!("{package}[dependencies]\n[dev-dependencies]\n"),
    );
    write(
        "Cargo.lock",
        "version = 4\n[[package]]\nname = \"planted\"\nversion = \"0.0.0\"\n",
    );
    write(
        "src/main.rs",
        "//! Head.\n\nuse probecause::model::used;\nfn main() { used(); }\n",
    );
    write(
        "src/model/mod.rs",
        "pub fn used() {}\npub fn describe() {}\n\
         #[cfg(test)]\nmod tests { #[test] fn it_works() { super::describe(); } }\n",
    );
    let checked = folder.path().join("checked");
    unused::write_crate(folder.path(), &checked, &["model"]);
    let target = folder.path().join("target");
    let found = unused::items(folder.path(), &checked.join("Cargo.toml"), &target);
    assert_eq!(found, ["model/mod.rs: describe".to_owned()].into());
}

/// Every Rust file of a folder as path, relative to the project, and text.
fn files_of(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(root(), &root().join(folder), &mut files);
    files
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

/// Names of the dependencies as code spells them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let table = manifest["dependencies"].as_table().unwrap();
    table.keys().map(|name| name.replace('-', "_")).collect()
}

/// Compares the findings in made-up files, given as path and text.
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
fn imports_from_the_same_or_a_lower_layer_are_allowed() {
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
fn an_upward_import_is_found_in_every_spelling() {
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
            "src/domain/health.rs:2: imports `io::probe` upward, from `domain` to `io`",
            "src/domain/health.rs:2: imports `io::probe::B` upward, from `domain` to `io`",
            "src/model/cause.rs:3: imports `domain::Report` upward, from `model` to `domain`",
            "src/io/sink/page.rs:2: imports `engine::app::go` upward, from `io` to `engine`",
        ],
    );
}

#[test]
fn a_circle_between_two_files_is_found() {
    check(
        &[
            ("src/domain/health.rs", "use crate::domain::report::Report;"),
            ("src/domain/report.rs", "use crate::domain::health::Health;"),
        ],
        &[
            "circular imports: domain::health → domain::report → domain::health",
            "circular imports inside domain: health → report → health",
        ],
    );
}

#[test]
fn a_parent_and_its_child_may_import_each_other_and_two_children_may_not() {
    check(
        &[
            ("src/io/probe/mod.rs", "pub mod a; use self::a::A;"),
            ("src/io/probe/a.rs", "use super::b::B; use super::Thing;"),
            ("src/io/probe/b.rs", "use crate::io::probe::a::A;"),
        ],
        &[
            "circular imports: io::probe::a → io::probe::b → io::probe::a",
            "circular imports inside io::probe: a → b → a",
        ],
    );
}

#[test]
fn a_circle_between_a_module_and_its_own_subfolder_is_found() {
    check(
        &[
            (
                "src/io/config/validate/daemon.rs",
                "use crate::io::config::web;",
            ),
            (
                "src/io/config/web.rs",
                "use crate::io::config::validate::text;",
            ),
            ("src/io/config/validate/mod.rs", "mod daemon;"),
        ],
        &["circular imports inside io::config: validate → web → validate"],
    );
}

#[test]
fn a_circle_between_modules_is_found_where_no_two_files_form_one() {
    check(
        &[
            ("src/io/probe/a.rs", "use crate::io::config::b::B;"),
            ("src/io/config/b.rs", ""),
            ("src/io/config/c.rs", "use crate::io::probe::d::D;"),
            ("src/io/probe/d.rs", ""),
        ],
        &["circular imports inside io: config → probe → config"],
    );
}

#[test]
fn io_and_clocks_are_found_in_the_lower_layers() {
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
            "src/domain/health.rs:2: `std::fs` performs I/O: move it to `io`",
            "src/domain/health.rs:2: `std::time::Instant` is a type of a clock: use a `Timestamp`",
            "src/domain/health.rs:3: `std::net::TcpStream` performs I/O: move it to `io`",
            "src/domain/health.rs:4: `tracing::info`: the crate `tracing` belongs to `io`",
            "src/domain/health.rs:5: `jiff::Timestamp::now` reads a clock: take `now` as an argument",
            "src/domain/health.rs:6: `serde::Deserialize`: the crate `serde` belongs to `io`",
            "src/domain/health.rs:4: `println!` performs I/O: move it to `io`",
        ],
    );
}

#[test]
fn serialization_is_allowed_in_listed_files() {
    check(
        &[
            ("src/domain/diagnosis/parser.rs", "use toml::de::DeTable;"),
            ("src/model/target.rs", "pub value: serde_json::Value,"),
            ("src/domain/diagnosis/fact.rs", "use serde_json::Value;"),
        ],
        &[
            "src/domain/diagnosis/fact.rs:2: `serde_json::Value`: the crate `serde_json` belongs to `io`",
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
fn a_missing_head_comment_a_long_file_and_a_file_in_no_layer_are_found() {
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
            "src/model/cause.rs:1: starts without a `//!` comment that says what the module is responsible for",
            "src/model/cause.rs:1: has 301 lines of code, more than 300: split it",
            "src/helpers.rs:1: belongs to no layer: move it into one of model, domain, io, engine, cli",
        ]
    );
}
