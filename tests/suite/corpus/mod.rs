//! The corpus: responses of real gateways, proxies and platforms with their source and truth,
//! diagnosed and scored without the software that wrote them.
//!
//! Module `proxies` captures those of the proxies that it can start, and checks that they still
//! answer so. The others were written down from the sources that stand in them.

pub(crate) mod capture;
pub(crate) mod score;
mod table;

use std::path::{Path, PathBuf};

use probecause::domain::diagnosis::rulebook::Rulebook;

use capture::Capture;
use score::{Outcome, Scored};

/// The folder of the corpus.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Every capture with its score, in the order of front door, fault and protocol.
fn scored() -> Vec<Scored> {
    let rulebook = Rulebook::embedded().unwrap();
    let mut captures = Vec::new();
    for door in std::fs::read_dir(folder().join("captures")).unwrap() {
        for file in std::fs::read_dir(door.unwrap().path()).unwrap() {
            captures.push(Capture::read(&file.unwrap().path()));
        }
    }
    captures.sort_by(|one, other| one.key().cmp(&other.key()));
    let score = |capture| Scored::new(capture, &rulebook);
    captures.into_iter().map(score).collect()
}

/// Captures that are diagnosed wrongly, until their rules are written.
pub(crate) const KNOWN_WRONG: &[&str] = &[];

#[test]
fn no_wrong_cause_or_hop_is_likely() {
    let mut problems = Vec::new();
    for scored in scored() {
        let known = KNOWN_WRONG.contains(&scored.capture.name().as_str());
        match (scored.outcome == Outcome::Wrong, known) {
            (true, false) => problems.push(scored.to_string()),
            (false, true) => problems.push(format!("{scored}: remove it from KNOWN_WRONG")),
            (true, true) | (false, false) => {}
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_cause_and_hop_of_a_truth_exists() {
    let rulebook = Rulebook::embedded().unwrap();
    let known: Vec<&str> = rulebook.causes().map(|cause| cause.id.as_str()).collect();
    let mut unknown: Vec<String> = Vec::new();
    for scored in scored() {
        let truth = &scored.capture.truth;
        let causes = truth.causes.iter().map(String::as_str);
        unknown.extend(
            causes
                .filter(|cause| !known.contains(cause))
                .map(|cause| format!("{}: no rule names {cause}", scored.capture.name())),
        );
        let hops = truth.hops.iter();
        let bad = hops.filter(|hop| probecause::model::cause::Hop::parse(hop).is_none());
        unknown.extend(bad.map(|hop| format!("{}: no hop {hop}", scored.capture.name())));
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
}

#[test]
fn every_capture_has_a_source_and_an_unverified_one_no_truth() {
    const SOURCES: [&str; 6] = [
        "captured by tests/suite/proxies",
        "tests/fixtures/transcripts/",
        "https://",
        "a public capture",
        "example: ",
        "unverified: ",
    ];
    for scored in scored() {
        let (name, capture) = (scored.capture.name(), &scored.capture);
        let is_known = |start: &str| capture.source.starts_with(start);
        assert!(SOURCES.iter().any(|start| is_known(start)), "{name}");
        assert!(capture.date.parse::<jiff::civil::Date>().is_ok(), "{name}");
        assert!(!capture.software.is_empty(), "{name}");
        if capture.source.starts_with("unverified: ") {
            assert!(capture.truth.causes.is_empty(), "{name}");
        }
    }
}

/// The table in `tests/corpus/README.md`. To write it anew, set `CORPUS_UPDATE=1`.
#[test]
fn the_table_is_the_one_in_the_readme() {
    let path = folder().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(table::BEGIN).unwrap();
    let (_, after) = rest.split_once(table::END).unwrap();
    let (begin, end) = (table::BEGIN, table::END);
    let wanted = format!("{before}{begin}\n{}{end}{after}", table::table(&scored()));
    if updates() {
        std::fs::write(&path, wanted).unwrap();
    } else {
        assert_eq!(
            readme, wanted,
            "run with CORPUS_UPDATE=1 to update the table"
        );
    }
}

/// Whether the corpus is to be written instead of compared.
pub(crate) fn updates() -> bool {
    std::env::var_os("CORPUS_UPDATE").is_some_and(|value| value == "1")
}
