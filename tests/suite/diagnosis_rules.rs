//! Runs every rule's own examples and counterexamples, and looks for shadowed rules.

use std::collections::BTreeSet;

use probecause::domain::diagnosis::catalog::{FactType, info};
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::diagnosis::{Diagnosis, Outcome};
use probecause::model::cause::CauseId;

/// The vocabulary users rely on; ids are never reused or renamed.
const VOCABULARY: &str = "integration-timeout lambda-throttled lambda-permission-denied \
    lambda-malformed-response lambda-function-error lambda-function-timeout authorizer-failure \
    integration-unreachable api-throttled quota-exceeded unauthorized forbidden route-not-found \
    payload-too-large alb-no-target alb-target-timeout alb-bad-gateway \
    cloudfront-origin-unreachable cloudfront-origin-timeout cloudfront-function-error \
    dns-name-not-found dns-failure connection-refused connect-timeout connection-reset \
    certificate-expired certificate-name-mismatch certificate-untrusted tls-handshake-failed \
    response-timeout response-truncated too-many-redirects unexpected-status unexpected-body \
    too-slow certificate-expiring prober-local unexplained";

fn book() -> Rulebook {
    Rulebook::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn cause(diagnosis: &Diagnosis) -> &str {
    diagnosis.cause().map_or("none", CauseId::as_str)
}

#[test]
fn every_example_is_diagnosed_as_its_rule_or_as_one_it_ties_with() {
    let book = book();
    for rule in book.rules() {
        for example in &rule.examples {
            let diagnosis = book.diagnose(example);
            let verdict = diagnosis.verdict.as_ref().unwrap();
            let own = verdict
                .candidates
                .iter()
                .find(|candidate| candidate.cause == rule.cause)
                .unwrap_or_else(|| panic!("{} does not fit its own example", rule.id));
            // A tie is no shadow: both share the first place.
            assert!(
                (own.share - verdict.candidates[0].share).abs() < 1e-9,
                "{} is shadowed by {} in {example:?}",
                rule.id,
                verdict.cause
            );
        }
    }
}

#[test]
fn every_counterexample_is_diagnosed_as_something_else() {
    let book = book();
    for rule in book.rules() {
        for counterexample in &rule.counterexamples {
            let diagnosis = book.diagnose(&counterexample.given);
            assert_ne!(
                cause(&diagnosis),
                rule.cause.as_str(),
                "although: {}",
                counterexample.because
            );
        }
    }
}

#[test]
fn every_cause_is_in_the_published_vocabulary() {
    for rule in book().causes() {
        assert!(
            VOCABULARY
                .split_whitespace()
                .any(|word| word == rule.cause.as_str()),
            "{}",
            rule.cause
        );
    }
}

#[test]
fn every_published_cause_leads_an_example_of_its_own() {
    let book = book();
    let led: BTreeSet<String> = book
        .rules()
        .flat_map(|rule| &rule.examples)
        .map(|example| cause(&book.diagnose(example)).to_owned())
        .collect();
    // No rule describes the one; the other is also found by looking at many targets.
    for word in VOCABULARY.split_whitespace() {
        if !["prober-local", "unexplained"].contains(&word) {
            assert!(led.contains(word), "no example is led by {word}");
        }
    }
}

#[test]
fn every_fault_and_every_unmet_expectation_has_a_cause() {
    let book = book();
    for fact in ["fault", "unmet"] {
        let FactType::Word(words) = info(fact).unwrap().kind else {
            panic!("{fact} has no words");
        };
        for word in words {
            let explained = [
                "resolve",
                "connect",
                "tls",
                "processing",
                "transfer",
                "expect",
                "degraded",
            ]
            .iter()
            .any(|phase| {
                let mut facts = Facts::defaults();
                facts.set_text("phase", phase);
                facts.set_text(fact, word);
                cause(&book.diagnose(&facts)) != "unexplained"
            });
            assert!(explained, "{fact} = {word} reaches no cause");
        }
    }
}

#[test]
fn a_diagnosis_is_total_and_deterministic_and_its_shares_sum_to_one() {
    let book = book();
    let mut seen = 0;
    for phase in ["resolve", "tls", "processing", "expect", "degraded"] {
        for status in [200.0, 401.0, 404.0, 429.0, 500.0, 503.0] {
            for door in [
                "http-api",
                "rest-api",
                "function-url",
                "alb",
                "cloudfront",
                "unknown",
            ] {
                for invoked in ["yes", "no", "unclear"] {
                    for time in [0.0, 0.2, 3.0, 30.1] {
                        let mut facts = Facts::defaults();
                        facts.set_text("phase", phase);
                        facts.set_text("unmet", "status");
                        facts.set_text("front_door", door);
                        facts.set_text("gateway_made", "yes");
                        facts.set_text("invoked", invoked);
                        facts.set_number("status", status);
                        facts.set_number("answer_time", time);
                        let diagnosis = book.diagnose(&facts);
                        assert_eq!(diagnosis, book.diagnose(&facts));
                        assert_ne!(diagnosis.outcome, Outcome::Passed);
                        let verdict = diagnosis.verdict.unwrap();
                        let sum: f64 = verdict.candidates.iter().map(|one| one.share).sum();
                        assert!((sum - 1.0).abs() < 1e-9);
                        assert_eq!(verdict.cause, verdict.candidates[0].cause);
                        seen += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen, 5 * 6 * 6 * 3 * 4);
    assert_eq!(book.diagnose(&Facts::defaults()), Diagnosis::passed());
}
