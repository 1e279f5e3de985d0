//! The rules: imports point down, the lower layers are pure, files have a head comment and are short.
//!
//! Each rule appends its findings as `file:line: what is wrong`, with the correction where
//! it is not obvious.

use std::collections::BTreeSet;

use crate::circles;
use crate::source::Source;

/// The layers from bottom to top. Each is a folder of `src`.
pub(crate) const LAYERS: [&str; 5] = ["model", "domain", "io", "engine", "cli"];

/// Layers from this one on may perform I/O and read clocks.
const IO: usize = 2;

/// Crates that `model` and `domain` may use: they provide types and text and perform no I/O.
const PURE_CRATES: [&str; 7] = [
    "humantime",
    "jiff",
    "regex",
    "secrecy",
    "thiserror",
    "url",
    "wildmatch",
];

/// Exceptions for serialization crates, as (crate, path prefix): the rule parser reads TOML,
/// expectations compare JSON values, the fact `body.message` comes from a JSON body, access log
/// lines are JSON, and so are HAR files.
const SERDE_FILES: [(&str, &str); 12] = [
    ("toml", "src/domain/discovery"),
    ("serde_json", "src/domain/account_changes"),
    ("serde_json", "src/domain/configuration"),
    ("serde_json", "src/domain/diagnosis/aws/permission"),
    ("toml", "src/domain/diagnosis/parser"),
    ("serde_json", "src/model/target"),
    ("serde_json", "src/domain/expectation"),
    ("serde_json", "src/domain/diagnosis/gather"),
    ("serde_json", "src/domain/diagnosis/aws/log_line"),
    ("serde_json", "src/domain/transcript/documents/json_doc/"),
    ("serde_json_path", "src/model/target"),
    ("serde_json_path", "src/domain/expectation"),
];

/// Parts of `std` that perform I/O.
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

/// Macros that write to a terminal.
const IO_MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// Limit for the length of a file: code, comments and tests.
const MAX_LINES: usize = 400;

/// Limit for the lines of code of a file, without comments and tests.
const MAX_CODE_LINES: usize = 300;

/// Limit for the lines of code of `main.rs`, which only starts the command.
const MAX_MAIN_LINES: usize = 40;

/// Every violation of a rule by these files of `src`, given as path and text.
pub(crate) fn findings(files: &[(String, String)], crates: &BTreeSet<String>) -> Vec<String> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::read("src", path, text))
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
        head_and_length(source, &mut out);
        let Some(name) = source.layer() else { continue };
        match level(name) {
            Some(layer) => {
                import_directions(source, layer, &mut out);
                if layer < IO {
                    purity(source, crates, &mut out);
                }
            }
            None => out.push(format!(
                "{}:1: belongs to no layer: move it into one of {}",
                source.path,
                LAYERS.join(", ")
            )),
        }
    }
    circles::find(&code, &mut out);
    out
}

/// Circular imports in another crate, given its root folder and its files.
pub(crate) fn circular_imports(root: &str, files: &[(String, String)]) -> Vec<String> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::read(root, path, text))
        .collect();
    let mut out = Vec::new();
    circles::find(&sources.iter().collect::<Vec<_>>(), &mut out);
    out
}

fn level(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|name| *name == layer)
}

/// Checks head and length.
fn head_and_length(source: &Source, out: &mut Vec<String>) {
    let path = &source.path;
    if !source.has_head_comment {
        out.push(format!(
            "{path}:1: starts without a `//!` comment that says what the module is responsible for"
        ));
    }
    let limit = if path == "src/main.rs" {
        MAX_MAIN_LINES
    } else {
        MAX_CODE_LINES
    };
    let (lines, code) = (source.lines, source.code_lines);
    if code > limit {
        out.push(format!(
            "{path}:1: has {code} lines of code, more than {limit}: split it"
        ));
    } else if lines > MAX_LINES {
        out.push(format!(
            "{path}:1: has {lines} lines, more than {MAX_LINES}: split it"
        ));
    }
}

/// Checks that imports point down.
fn import_directions(source: &Source, from: usize, out: &mut Vec<String>) {
    for (line, path) in source.inner_paths() {
        if let Some(to) = level(&path[1]).filter(|&to| to > from) {
            let (file, item) = (&source.path, path[1..].join("::"));
            out.push(format!(
                "{file}:{line}: imports `{item}` upward, from `{}` to `{}`",
                LAYERS[from], LAYERS[to]
            ));
        }
    }
}

/// Checks that a file of `model` or `domain` performs no I/O and reads no clock.
fn purity(source: &Source, crates: &BTreeSet<String>, out: &mut Vec<String>) {
    let file = &source.path;
    for (line, path) in &source.paths {
        let named = path.join("::");
        let allowed = |name: &str| {
            let (known, place) = (PURE_CRATES.contains(&name), |at: &str| file.starts_with(at));
            let special = SERDE_FILES
                .iter()
                .any(|&(allowed, at)| allowed == name && place(at));
            known || special
        };
        if STD_IO
            .iter()
            .any(|io| path.iter().zip(*io).filter(|(a, b)| a == *b).count() == io.len())
        {
            out.push(format!(
                "{file}:{line}: `{named}` performs I/O: move it to `io`"
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
                "{file}:{line}: `{named}` is a type of a clock: use a `Timestamp`"
            ));
        } else if crates.contains(&path[0]) && !allowed(&path[0]) {
            let name = &path[0];
            out.push(format!(
                "{file}:{line}: `{named}`: the crate `{name}` belongs to `io`"
            ));
        }
    }
    for (line, name) in &source.macros {
        if IO_MACROS.contains(&name.as_str()) {
            out.push(format!(
                "{file}:{line}: `{name}!` performs I/O: move it to `io`"
            ));
        }
    }
}
