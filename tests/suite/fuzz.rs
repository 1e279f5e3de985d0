//! Replays the inputs that fuzzing has found; `tests/fuzz/run` searches for more.

#[path = "../fuzz/checks.rs"]
mod checks;

use std::path::Path;

use checks::CHECKS;

/// The minimum number of inputs per corpus; fewer mean that the corpus is missing.
const AT_LEAST: usize = 10;

#[test]
fn every_input_of_the_corpus_passes_its_check() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for check in CHECKS {
        let folder = corpora.join(check.name);
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let data = std::fs::read(&path).unwrap();
            let result = std::panic::catch_unwind(|| (check.run)(&data));
            assert!(result.is_ok(), "{} fails its check", path.display());
            count += 1;
        }
        assert!(count >= AT_LEAST, "{}: {count} inputs", folder.display());
    }
}

/// Otherwise the checks of valid inputs would never run.
#[test]
fn each_corpus_contains_valid_inputs() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let check = |kind: &str, is_valid: &dyn Fn(&[u8]) -> bool| {
        let entries = std::fs::read_dir(corpora.join(kind)).unwrap();
        let valid = entries.filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            is_valid(&std::fs::read(path).unwrap())
        });
        assert!(valid.count() > 0, "no valid {kind}");
    };
    check("certificate", &|data| {
        probecause::io::probe::certificate::parse(data).is_some()
    });
    check("transcript", &|data| {
        !probecause::domain::transcript::read(&String::from_utf8_lossy(data))
            .transcripts
            .is_empty()
    });
    check("rules", &|data| {
        let text = String::from_utf8_lossy(data);
        probecause::domain::diagnosis::parser::parse("a.toml", &text)
            .is_ok_and(|parsed| !parsed.rules.is_empty())
    });
}
