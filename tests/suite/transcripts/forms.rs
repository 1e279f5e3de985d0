//! Short texts of many programs, each with what it must give.

use probecause::domain::transcript;

use super::{folder, summary};

/// The line that starts a text: the mark, then what the text must give; `nothing` for a text
/// without a result.
const CASE: &str = "\n=== ";

/// Minimum number of texts; fewer mean that the files are missing.
const AT_LEAST: usize = 200;

#[test]
fn every_form_is_read() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for file in [
        "curl.txt",
        "logs.txt",
        "outputs.txt",
        "programs.txt",
        "wrappers.txt",
    ] {
        let all = std::fs::read_to_string(folder("forms").join(file)).unwrap();
        for case in all.split(CASE).skip(1) {
            let (expected, text) = case.split_once('\n').unwrap();
            let found = transcript::read(text).transcripts;
            let mut found: Vec<String> = found.iter().map(summary).collect();
            if found.is_empty() {
                found.push("nothing".to_owned());
            }
            let expected: Vec<&str> = expected.split(" ; ").collect();
            let fits = found.len() == expected.len()
                && found
                    .iter()
                    .zip(&expected)
                    .all(|(found, expected)| fits(found, expected));
            if !fits {
                wrong.push(format!("{file}: {found:?} instead of {expected:?}\n{text}"));
            }
            count += 1;
        }
    }
    assert!(count >= AT_LEAST, "{count} texts");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a summary is the expected one, which may leave the body open.
fn fits(found: &str, expected: &str) -> bool {
    let rest = found.strip_prefix(expected);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
