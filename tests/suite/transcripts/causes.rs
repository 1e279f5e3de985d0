//! Texts whose cause, certainty and advice must be right, and never more certain than the text.

use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::transcript;
use probecause::domain::transcript::judge::judge;

use super::folder;

/// The line that starts a text: the mark, then for each result `CAUSE CERTAINTY`, the causes of a
/// tie separated by `|`; `nothing` for a text without a result.
const CASE: &str = "\n=== ";

#[test]
fn every_text_has_the_expected_causes() {
    let rulebook = Rulebook::embedded().unwrap();
    let mut wrong = Vec::new();
    for file in [
        "errors.txt",
        "messages.txt",
        "proxies.txt",
        "bodies.txt",
        "logs.txt",
        "proxy-logs.txt",
        "pages.txt",
        "tools.txt",
        "quotations.txt",
        "quotes.txt",
        "protocols.txt",
    ] {
        let all = std::fs::read_to_string(folder("causes").join(file)).unwrap();
        for case in all.split(CASE).skip(1) {
            let (expected, text) = case.split_once('\n').unwrap();
            let found = transcript::read(text).transcripts;
            let found: Vec<String> = judge(&found, &rulebook)
                .iter()
                .map(|diagnosis| {
                    let Some(verdict) = &diagnosis.verdict else {
                        return "passed".to_owned();
                    };
                    let causes = verdict.candidates.iter().map(|one| one.cause.as_str());
                    let causes: Vec<&str> = causes.take(3).collect();
                    format!("{} {}", causes.join("|"), verdict.certainty)
                })
                .collect();
            let found = if found.is_empty() {
                vec!["nothing".to_owned()]
            } else {
                found
            };
            if found.join(" ; ") != expected {
                wrong.push(format!("{file}: {found:?} instead of {expected}\n{text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_first_step_for_a_response_without_a_time_is_to_measure_it() {
    let rulebook = Rulebook::embedded().unwrap();
    let text = "$ curl -i https://abc1234567.execute-api.eu-west-1.amazonaws.com/\n\
        HTTP/2 503\ncontent-type: application/json\ncontent-length: 33\n\
        apigw-requestid: abc=\n\n{\"message\":\"Service Unavailable\"}\n";
    let first_step = |text: &str| {
        let found = transcript::read(text).transcripts;
        let diagnoses = judge(&found, &rulebook);
        diagnoses[0].verdict.as_ref().unwrap().next[0].clone()
    };
    assert!(first_step(text).starts_with("Measure the total time"));
    let timed = format!("{text}\nreal\t0m30.163s\n");
    assert!(!first_step(&timed).contains("Measure"));
}

#[test]
fn lines_that_are_not_used_are_counted() {
    for (text, lines, first) in [
        ("HTTP/1.1 503 Oops\n\nno\n", 0, 0),
        ("We tried it.\n\nHTTP/1.1 503 Oops\n\nno\n", 1, 1),
        (
            "$ curl https://a.example/\nhello\n$ curl -i https://b.example/\nHTTP/1.1 503 Oops\n\nno\n",
            2,
            1,
        ),
        (
            "$ curl https://a.example/\n{\"message\":\"Service Unavailable\"}\n\
             $ curl -i https://b.example/\nHTTP/1.1 503 Oops\n\nno\n",
            1,
            1,
        ),
    ] {
        let unused = transcript::read(text).unused;
        assert_eq!((unused.lines, unused.first), (lines, first), "{text}");
    }
}
