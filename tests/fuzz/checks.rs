//! Checks that must pass for any input, one function per kind of input.
//!
//! The fuzzer calls them with generated inputs, and `tests/suite/fuzz.rs` with those of the
//! corpus. A panic or a failed assertion is a finding. No check uses the network.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::alarm;
use probecause::domain::diagnosis::Diagnosis;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::parser;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::transcript;
use probecause::io::config::{self, Problem};
use probecause::io::probe;
use probecause::model::cause::Certainty;
use probecause::model::observation::{HttpVersion, Observation, Response};
use probecause::model::settings::RuleFile;
use probecause::model::target::Target;
use tempfile::TempDir;

/// A kind of input.
pub(crate) struct Check {
    /// The name of the check and of its corpus.
    pub(crate) name: &'static str,
    /// The check; it panics on a finding.
    pub(crate) run: fn(&[u8]),
}

/// All checks.
pub(crate) const CHECKS: [Check; 5] = [
    Check {
        name: "config",
        run: config,
    },
    Check {
        name: "rules",
        run: rules,
    },
    Check {
        name: "transcript",
        run: transcript,
    },
    Check {
        name: "answer",
        run: answer,
    },
    Check {
        name: "certificate",
        run: certificate,
    },
];

static RULES: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::embedded().unwrap());

/// The start of the line that begins another file within an input, as in `=== web.yml`.
const NEXT_FILE: &str = "=== ";

/// A configuration and the files that it may name, each after its [`NEXT_FILE`] line. It
/// gives consistent settings or problems with a place and a message.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let folder = TempDir::new_in(memory()).unwrap();
    let main = folder.path().join("probecause.toml");
    let mut parts = text.split(NEXT_FILE);
    std::fs::write(&main, parts.next().unwrap_or_default()).unwrap();
    for part in parts {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        let plain = |letter: char| letter.is_ascii_lowercase() || letter == '.';
        if !name.is_empty() && name.chars().all(plain) && !name.starts_with('.') {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
    }
    match config::load(&main) {
        Ok(loaded) => {
            assert!(!loaded.settings.targets.is_empty() || !loaded.warnings.is_empty());
            check_problems(&loaded.warnings, folder.path());
            let names = |settings| {
                let alarms = alarm::desired(settings).into_iter();
                alarms.map(|alarm| alarm.name).collect::<Vec<_>>()
            };
            assert_eq!(names(&loaded.settings), names(&loaded.settings));
            let again = config::load(&main).unwrap();
            assert_eq!(again.settings.targets, loaded.settings.targets);
        }
        Err(error) => {
            assert!(!error.problems.is_empty(), "refused without a reason");
            check_problems(&error.problems, folder.path());
        }
    }
}

/// Every problem has a message, and its line exists in its file.
fn check_problems(problems: &[Problem], folder: &Path) {
    for problem in problems {
        assert!(!problem.message.is_empty(), "{problem:?} has no message");
        let Some(line) = problem.line else { continue };
        let text = std::fs::read_to_string(folder.join(&problem.file)).unwrap();
        let most = text.lines().count().max(1);
        assert!((1..=most + 1).contains(&line), "{problem:?} of {most}");
    }
}

/// A folder in memory if there is one, because the fuzzer creates thousands of files per
/// second.
fn memory() -> std::path::PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        return shared.to_owned();
    }
    std::env::temp_dir()
}

/// A rule file. It gives a rulebook that diagnoses, or problems with messages.
pub(crate) fn rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = parser::parse("fuzz.toml", text);
    let file = RuleFile {
        name: "fuzz.toml".to_owned(),
        text: text.to_owned(),
    };
    match (Rulebook::with(&[file]), parsed) {
        (Ok(book), Ok(_)) => {
            let mut facts = Facts::defaults();
            facts.set_text("phase", "expect");
            facts.set_number("status", 503.0);
            check_diagnosis(&book.diagnose(&facts));
            // Only that it terminates.
            let _ = probecause::domain::diagnosis::lint::lint(&book, &RULES);
        }
        (Err(error), _) => {
            assert!(!error.0.is_empty(), "refused without a reason");
            assert!(error.0.iter().all(|problem| !problem.message.is_empty()));
        }
        (Ok(_), Err(problems)) => assert!(problems.is_empty(), "accepted despite {problems:?}"),
    }
}

/// A text with curl transcripts. Each response in it gets a diagnosis.
pub(crate) fn transcript(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let found = transcript::read(&text).transcripts;
    let lines = text.lines().count();
    for one in &found {
        assert!((1..=lines).contains(&one.line), "line {}", one.line);
        assert!(one.timed || one.observation.duration.is_zero());
    }
    let judged = transcript::judge::judge(&found, &RULES);
    assert_eq!(judged.len(), found.len());
    judged.iter().for_each(check_diagnosis);
}

/// A response: `STATUS MILLISECONDS URL`, headers, an empty line, and a body. It always gives
/// the same facts and the same diagnosis.
pub(crate) fn answer(data: &[u8]) {
    let Some((target, seen)) = parse_response(data) else {
        return;
    };
    let context = Context::at(Timestamp::UNIX_EPOCH);
    let facts = Facts::gather(&target, &seen, &context);
    let diagnosis = RULES.diagnose(&facts);
    check_diagnosis(&diagnosis);
    assert_eq!(facts, Facts::gather(&target, &seen, &context));
    assert_eq!(diagnosis, RULES.diagnose(&facts));
}

/// The target and the observation that the bytes describe.
fn parse_response(data: &[u8]) -> Option<(Target, Observation)> {
    let head = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = head.map_or((data, &[][..]), |at| (&data[..at], &data[at + 2..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut first = lines.next()?.splitn(3, ' ');
    let status: u16 = first.next()?.parse().ok()?;
    let took: u32 = first.next()?.parse().ok()?;
    let url: url::Url = first.next()?.parse().ok()?;
    let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, url.as_str());
    seen.duration = Duration::from_millis(took.into());
    seen.phases.connect = Some(seen.duration / 20);
    seen.phases.processing = Some(seen.duration);
    let headers = lines.filter_map(|line| line.split_once(": "));
    seen.response = Some(Response {
        status,
        reason: None,
        version: HttpVersion::Http11,
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
        body_truncated: !took.is_multiple_of(2),
        body_bytes: body.len() as u64,
        content_length: took.is_multiple_of(3).then_some(body.len() as u64),
    });
    Some((Target::with_defaults("fuzzed", url), seen))
}

/// The shares sum to 1, the verdict is the first candidate, and its certainty is above
/// `possible` only with a share of at least 0.9.
fn check_diagnosis(diagnosis: &Diagnosis) {
    let Some(verdict) = &diagnosis.verdict else {
        return;
    };
    let shares: Vec<f64> = verdict.candidates.iter().map(|one| one.share).collect();
    assert!(
        (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9,
        "{shares:?}"
    );
    assert_eq!(verdict.candidates[0].cause, verdict.cause);
    assert!(shares[0] >= 0.9 || verdict.certainty == Certainty::Possible);
}

/// A certificate in DER form, as a server presents it.
pub(crate) fn certificate(data: &[u8]) {
    let Some(parsed) = probe::certificate::parse(data) else {
        return;
    };
    assert_eq!(probe::certificate::parse(data).as_ref(), Some(&parsed));
    let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://fuzz.example/");
    seen.tls = Some(probecause::model::observation::TlsFacts {
        version: None,
        chain: vec![parsed],
        path_expiry: None,
    });
    let target = Target::with_defaults("fuzzed", "https://fuzz.example/".parse().unwrap());
    let facts = Facts::gather(&target, &seen, &Context::at(Timestamp::UNIX_EPOCH));
    check_diagnosis(&RULES.diagnose(&facts));
    let days = probecause::domain::expectation::certificate_days(&seen, Timestamp::UNIX_EPOCH);
    assert!(days.is_some(), "{:?} has no expiry", seen.tls);
}
