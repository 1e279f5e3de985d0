//! Diagnoses the examples and counterexamples of every rule, and checks that no rule is shadowed
//! by another.

use std::collections::BTreeSet;

use probecause::domain::diagnosis::catalog::{FactType, info};
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::diagnosis::{Diagnosis, Outcome};
use probecause::model::cause::{CauseId, Certainty, Hop, Owner};

/// The published cause ids. An id is never renamed or reused.
const VOCABULARY: &str = "integration-timeout lambda-throttled lambda-permission-denied \
    lambda-malformed-response lambda-function-error lambda-function-timeout authorizer-failure \
    integration-unreachable api-throttled quota-exceeded unauthorized forbidden route-not-found \
    payload-too-large alb-no-target alb-target-timeout alb-bad-gateway \
    cloudfront-origin-unreachable cloudfront-origin-timeout cloudfront-function-error \
    dns-name-not-found dns-failure connection-refused connect-timeout connection-reset \
    certificate-expired certificate-name-mismatch certificate-untrusted tls-handshake-failed \
    response-timeout response-truncated too-many-redirects unexpected-status unexpected-body \
    too-slow certificate-expiring prober-local unexplained \
    network-unreachable certificate-revoked certificate-not-yet-valid tls-version-unsupported \
    tls-client-certificate-required tls-plain-http response-malformed \
    upstream-refused upstream-timeout upstream-reset upstream-unhealthy upstream-name-not-found \
    upstream-tls-failed upstream-overloaded edge-function-error probe-blocked function-not-ready \
    object-not-found dns-no-address layer-failing innermost-layer-failing function-missing \
    waf-unavailable gateway-misconfigured";

/// Causes that no hop can be given for: the response does not tell who broke it.
const WITHOUT_HOP: &str = "layer-failing innermost-layer-failing connection-reset response-timeout response-truncated response-malformed \
    too-many-redirects too-slow unexpected-status unexpected-body";

fn rulebook() -> Rulebook {
    Rulebook::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn cause(diagnosis: &Diagnosis) -> &str {
    diagnosis.cause().map_or("none", CauseId::as_str)
}

#[test]
fn every_example_is_diagnosed_as_the_cause_of_its_rule_or_ties_with_it() {
    let rulebook = rulebook();
    for rule in rulebook.rules() {
        for example in &rule.examples {
            let diagnosis = rulebook.diagnose(example);
            let verdict = diagnosis.verdict.as_ref().unwrap();
            let candidate_of_rule = verdict
                .candidates
                .iter()
                .find(|candidate| candidate.cause == rule.cause)
                .unwrap_or_else(|| panic!("{} does not match its own example", rule.id));
            // In a tie both candidates have the highest share, so neither shadows the other.
            assert!(
                (candidate_of_rule.share - verdict.candidates[0].share).abs() < 1e-9,
                "{} is shadowed by {} in {example:?}",
                rule.id,
                verdict.cause
            );
        }
    }
}

#[test]
fn every_counterexample_is_diagnosed_as_something_else() {
    let rulebook = rulebook();
    for rule in rulebook.rules() {
        for counterexample in &rule.counterexamples {
            let diagnosis = rulebook.diagnose(&counterexample.given);
            assert_ne!(
                cause(&diagnosis),
                rule.cause.as_str(),
                "diagnosed despite the counterexample: {}",
                counterexample.because
            );
        }
    }
}

#[test]
fn every_rule_names_the_hop_that_failed_unless_its_cause_cannot() {
    for rule in rulebook().rules() {
        let exempt = WITHOUT_HOP
            .split_whitespace()
            .any(|word| word == rule.cause.as_str());
        assert!(rule.hop.is_some() || exempt, "{} has no `hop`", rule.id);
    }
}

/// A fallback knows no cause, so that it may neither be sure nor name anybody.
#[test]
fn a_fallback_and_an_unexpected_status_are_only_possible_and_blame_nobody() {
    for rule in rulebook().rules() {
        if rule.fallback {
            assert_eq!(rule.owner, Owner::Unknown, "{}", rule.id);
        }
        if rule.fallback || rule.cause.as_str() == "unexpected-status" {
            assert_eq!(rule.certainty, Certainty::Possible, "{}", rule.id);
            assert_ne!(rule.owner, Owner::Service, "{}", rule.id);
        }
    }
}

#[test]
fn a_fallback_shows_the_status_and_the_headers_that_tell_most() {
    let mut facts = Facts::defaults();
    facts.set_text("phase", "expect");
    facts.set_text("unmet", "status");
    facts.set_text("answered_by", "application");
    facts.set_number("status", 418.0);
    for (name, value) in [
        ("header.server", "teapot"),
        ("header.x-amzn-errortype", "TeapotException"),
        ("header.via", "1.1 kettle"),
        ("header.content-type", "text/plain"),
    ] {
        facts.set_text(name, value);
    }
    let diagnosis = rulebook().diagnose(&facts);
    let verdict = diagnosis.verdict.unwrap();
    assert_eq!(verdict.title, "The application itself returned 418");
    assert_eq!(verdict.hop, Some(Hop::Application));
    let evidence: Vec<String> = diagnosis
        .evidence
        .iter()
        .map(|evidence| format!("{}={}", evidence.fact, evidence.value))
        .collect();
    for expected in [
        "status=418",
        "answered_by=application",
        "header.x-amzn-errortype=TeapotException",
        "header.server=teapot",
        "header.via=1.1 kettle",
    ] {
        assert!(evidence.iter().any(|one| one == expected), "{evidence:?}");
    }
    assert!(!evidence.iter().any(|one| one.contains("content-type")));
}

#[test]
fn every_cause_of_a_rule_is_a_published_id() {
    for rule in rulebook().causes() {
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
fn every_published_cause_leads_the_diagnosis_of_an_example() {
    let rulebook = rulebook();
    let leading_causes: BTreeSet<String> = rulebook
        .rules()
        .flat_map(|rule| &rule.examples)
        .map(|example| cause(&rulebook.diagnose(example)).to_owned())
        .collect();
    // `unexplained` has no rule, and `prober-local` is also diagnosed by comparing many targets.
    for word in VOCABULARY.split_whitespace() {
        if !["prober-local", "unexplained"].contains(&word) {
            assert!(
                leading_causes.contains(word),
                "no example is diagnosed as {word}"
            );
        }
    }
}

#[test]
fn every_fault_and_every_unmet_expectation_has_a_cause() {
    let rulebook = rulebook();
    for fact in ["fault", "unmet"] {
        let FactType::Word(words) = info(fact).unwrap().kind else {
            panic!("the fact `{fact}` is not an enumeration");
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
                cause(&rulebook.diagnose(&facts)) != "unexplained"
            });
            assert!(explained, "no phase with {fact} = {word} has a cause");
        }
    }
}

#[test]
fn a_diagnosis_exists_for_all_facts_is_deterministic_and_has_shares_that_sum_to_one() {
    let rulebook = rulebook();
    let mut count = 0;
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
                        let diagnosis = rulebook.diagnose(&facts);
                        assert_eq!(diagnosis, rulebook.diagnose(&facts));
                        assert_ne!(diagnosis.outcome, Outcome::Passed);
                        let verdict = diagnosis.verdict.unwrap();
                        let sum: f64 = verdict
                            .candidates
                            .iter()
                            .map(|candidate| candidate.share)
                            .sum();
                        assert!((sum - 1.0).abs() < 1e-9);
                        assert_eq!(verdict.cause, verdict.candidates[0].cause);
                        count += 1;
                    }
                }
            }
        }
    }
    assert_eq!(count, 5 * 6 * 6 * 3 * 4);
    assert_eq!(rulebook.diagnose(&Facts::defaults()), Diagnosis::passed());
}
