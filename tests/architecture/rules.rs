//! The rules of the house: floors, purity, and the shape of a file.
//!
//! Each rule pushes its findings as `file:line: what is wrong`, with the mend where it
//! is not plain.

use std::collections::BTreeSet;

use crate::circles;
use crate::source::Source;

/// The layers from bottom to top, each a folder of `src`. `main` belongs to the top one.
const LAYERS: [(u8, &[&str]); 5] = [
    (1, &["model"]),
    (2, &["domain"]),
    (3, &["io"]),
    (4, &["engine"]),
    (5, &["cli", "main"]),
];

/// Crates that floors 1 and 2 may use: types, text and errors, nothing that acts.
const PURE_CRATES: [&str; 7] = [
    "humantime",
    "jiff",
    "regex",
    "secrecy",
    "thiserror",
    "url",
    "wildmatch",
];

/// Serialisation in the core, where it is the matter itself: a rule's parser reads TOML,
/// an expectation compares JSON values, the fact `body.message` is in an answer's JSON, and
/// an access log's lines are JSON.
const SERDE_ROOMS: [(&str, &str); 7] = [
    ("toml", "src/domain/diagnosis/parser"),
    ("serde_json", "src/model/target"),
    ("serde_json", "src/domain/expectation"),
    ("serde_json", "src/domain/diagnosis/gather."),
    ("serde_json", "src/domain/diagnosis/aws/log_line"),
    ("serde_json_path", "src/model/target"),
    ("serde_json_path", "src/domain/expectation"),
];

/// Parts of `std` that touch the world.
const STD_IO: [&[&str]; 10] = [
    &["std", "fs"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "io"],
    &["std", "os"],
    &["std", "net", "TcpStream"],
    &["std", "net", "TcpListener"],
    &["std", "net", "UdpSocket"],
    &["std", "net", "ToSocketAddrs"],
];

/// Macros that write.
const IO_MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// A file that is longer wants to be two.
const MOST_CODE_LINES: usize = 300;

/// `main` only hands over.
const MOST_MAIN_LINES: usize = 40;

/// Everything that breaks a rule, one line each.
pub(crate) fn findings(files: &[(String, String)], crates: &BTreeSet<String>) -> Vec<String> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::read(path, text))
        .collect();
    let tests: BTreeSet<Vec<String>> = sources
        .iter()
        .flat_map(|source| {
            let names = source.test_modules.iter();
            names.map(|name| [&source.module[..], std::slice::from_ref(name)].concat())
        })
        .collect();
    let code: Vec<&Source> = sources
        .iter()
        .filter(|source| !tests.iter().any(|test| source.module.starts_with(test)))
        .collect();
    let mut out = Vec::new();
    for source in &code {
        shape(source, &mut out);
        if let Some(floor) = source.room().and_then(floor) {
            arrows(source, floor, &mut out);
            if floor <= 2 {
                purity(source, crates, &mut out);
            }
        }
    }
    circles::find(&code, &mut out);
    out
}

fn floor(room: &str) -> Option<u8> {
    let holds = LAYERS.iter().find(|(_, rooms)| rooms.contains(&room));
    holds.map(|&(floor, _)| floor)
}

/// Head, length, and a place on a floor.
fn shape(source: &Source, out: &mut Vec<String>) {
    let path = &source.path;
    if !source.headed {
        out.push(format!(
            "{path}:1: opens without a `//!` head that says why it exists"
        ));
    }
    let most = if path == "src/main.rs" {
        MOST_MAIN_LINES
    } else {
        MOST_CODE_LINES
    };
    if source.code_lines > most {
        let lines = source.code_lines;
        out.push(format!(
            "{path}:1: has {lines} lines of code, more than {most}: split it"
        ));
    }
    if source.room().is_some_and(|room| floor(room).is_none()) {
        out.push(format!(
            "{path}:1: this room stands on no floor: give it a place in LAYERS"
        ));
    }
}

/// Paths of the crate that point up.
fn arrows(source: &Source, from: u8, out: &mut Vec<String>) {
    for (line, path) in source.inner_paths() {
        if let Some(to) = floor(&path[1]).filter(|&to| to > from) {
            let (file, named) = (&source.path, path[1..].join("::"));
            out.push(format!(
                "{file}:{line}: points up, from floor {from} to `{named}` on floor {to}"
            ));
        }
    }
}

/// What floors 1 and 2 must not touch.
fn purity(source: &Source, crates: &BTreeSet<String>, out: &mut Vec<String>) {
    let file = &source.path;
    for (line, path) in &source.paths {
        let named = path.join("::");
        let allowed = |name: &str| {
            let (known, place) = (PURE_CRATES.contains(&name), |at: &str| file.starts_with(at));
            let special = SERDE_ROOMS
                .iter()
                .any(|&(allowed, at)| allowed == name && place(at));
            known || special
        };
        if STD_IO
            .iter()
            .any(|io| path.iter().zip(*io).filter(|(a, b)| a == *b).count() == io.len())
        {
            out.push(format!(
                "{file}:{line}: `{named}` touches the world below floor 3"
            ));
        } else if path.last().is_some_and(|last| last == "now") {
            out.push(format!(
                "{file}:{line}: `{named}` reads a clock: take `now` as an argument"
            ));
        } else if path
            .iter()
            .any(|part| part == "SystemTime" || part == "Instant")
        {
            out.push(format!(
                "{file}:{line}: `{named}` is a clock's type: take a `Timestamp`"
            ));
        } else if crates.contains(&path[0]) && !allowed(&path[0]) {
            let name = &path[0];
            out.push(format!(
                "{file}:{line}: `{named}`: the crate `{name}` belongs on floor 3"
            ));
        }
    }
    for (line, name) in &source.macros {
        if IO_MACROS.contains(&name.as_str()) {
            out.push(format!("{file}:{line}: `{name}!` writes below floor 3"));
        }
    }
}
