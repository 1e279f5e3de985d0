//! What fuzzing has found and covered, again in each run: `tests/fuzz/run` finds more.

#[path = "../fuzz/checks.rs"]
mod checks;

use std::path::Path;

use checks::CHECKS;

/// Fewer would mean that a corpus was not found.
const AT_LEAST: usize = 10;

#[test]
fn whatever_the_fuzzer_kept_is_read_or_refused_in_words() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for check in CHECKS {
        let folder = corpora.join(check.name);
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let data = std::fs::read(&path).unwrap();
            let ended = std::panic::catch_unwind(|| (check.run)(&data));
            assert!(ended.is_ok(), "{} is a finding", path.display());
            count += 1;
        }
        assert!(count >= AT_LEAST, "{}: {count} inputs", folder.display());
    }
}

/// Each check can fail: an input that it does not refuse, changed on the way, is noticed.
#[test]
fn inputs_of_the_corpus_get_through() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let reads = |kind: &str, read: &dyn Fn(&[u8]) -> bool| {
        let entries = std::fs::read_dir(corpora.join(kind)).unwrap();
        let through = entries.filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            read(&std::fs::read(path).unwrap())
        });
        assert!(through.count() > 0, "no {kind} gets through");
    };
    reads("certificate", &|data| {
        probecause::io::probe::certificate::parse(data).is_some()
    });
    reads("transcript", &|data| {
        !probecause::domain::transcript::read(&String::from_utf8_lossy(data)).is_empty()
    });
    reads("rules", &|data| {
        let text = String::from_utf8_lossy(data);
        probecause::domain::diagnosis::parser::parse("a.toml", &text)
            .is_ok_and(|rules| !rules.is_empty())
    });
}
