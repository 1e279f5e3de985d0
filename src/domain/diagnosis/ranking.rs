//! Ranks the rules that match a set of facts, and derives the verdict and the evidence from the
//! ranked rules.
//!
//! A candidate's weight is the weight of its rule, multiplied by the factors that apply. The
//! candidate's share is this weight divided by the sum of the weights of all candidates. Ties keep
//! the order of the rules. Fallbacks are used only if no ordinary rule matches.

use std::collections::BTreeSet;

use crate::domain::diagnosis::condition::{Condition, is_plain};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Rule;
use crate::domain::diagnosis::{Candidate, Evidence, Verdict};
use crate::model::cause::Certainty;

/// Minimum share (0 to 1) of the most probable cause for a certainty above `possible`.
const LIKELY_FROM: f64 = 0.9;

/// Pairs of lists: derived facts, and the facts from which they are derived. If the evidence
/// contains one of the derived facts, the facts in the second list are added to the evidence.
const DERIVED_FROM: &[(&[&str], &[&str])] = &[
    (&["config.function_state"], &["config.function_reason"]),
    (
        &["invoked"],
        &[
            "answer_time",
            "floor",
            "floor.low",
            "floor_from",
            "excess",
            "healthy_minimum",
        ],
    ),
    (
        &[
            "lambda.seen",
            "lambda.throttled",
            "lambda.failed",
            "lambda.ran",
            "window.every",
            "api.seen",
        ],
        &[
            "window.state",
            "window.ours",
            "window.requests",
            "lambda.throttles",
            "lambda.invocations",
            "lambda.errors",
            "lambda.duration_max",
            "api.count",
            "api.server_errors",
        ],
    ),
    (
        &["log.template"],
        &[
            "log.source",
            "log.integration_status",
            "log.integration_latency",
        ],
    ),
];

/// Facts about headers that show who generated the response, the most informative first. They are
/// added to the evidence of a fallback rule, which does not test headers itself.
const INFORMATIVE_HEADERS: &[&str] = &[
    "header.x-amzn-errortype",
    "header.x-vercel-error",
    "header.x-azure-externalerror",
    "header.cf-error-type",
    "proxy_status.error",
    "header.l5d-proxy-error",
    "header.server",
    "header.via",
    "header.x-powered-by",
    "header.x-cache",
    "header.content-type",
];

/// Maximum number of [`INFORMATIVE_HEADERS`] that are added to the evidence.
const MAX_INFORMATIVE: usize = 3;

/// A rule that matches, with its weight for the given facts.
pub(super) struct Match<'a> {
    pub(super) rule: &'a Rule,
    weight: f64,
}

impl<'a> Match<'a> {
    fn new(rule: &'a Rule, facts: &Facts) -> Self {
        let factors = rule.weigh.iter();
        let factors = factors.filter(|factor| all_hold(&factor.when, facts));
        Self {
            rule,
            weight: factors.fold(rule.weight, |weight, factor| weight * factor.factor),
        }
    }
}

/// Returns the heaviest matching rule of each cause, the heaviest first.
pub(super) fn rank<'a>(rules: &'a [Rule], facts: &Facts) -> Vec<Match<'a>> {
    let matching = |fallback: bool| -> Vec<Match<'a>> {
        rules
            .iter()
            .filter(|rule| rule.fallback == fallback && all_hold(&rule.when, facts))
            .map(|rule| Match::new(rule, facts))
            .collect()
    };
    let mut ranked = matching(false);
    if ranked.is_empty() {
        ranked = matching(true);
    }
    // The sort is stable: equal weights keep the order of the rules.
    ranked.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let mut seen = BTreeSet::new();
    ranked.retain(|one| seen.insert(&one.rule.cause));
    ranked
}

/// Returns whether all conditions hold. Conditions on the body are tested last, because a body may
/// be long.
fn all_hold(conditions: &[Condition], facts: &Facts) -> bool {
    let is_on_body = |condition: &&Condition| condition.fact.starts_with("body.");
    let first = conditions.iter().filter(|one| !is_on_body(one));
    let last = conditions.iter().filter(is_on_body);
    first.chain(last).all(|condition| condition.holds(facts))
}

/// Returns the verdict of the ranked rules; `first` is the heaviest of them.
pub(super) fn verdict(first: &Match<'_>, ranked: &[Match<'_>], facts: &Facts) -> Verdict {
    let sum: f64 = ranked.iter().map(|one| one.weight).sum();
    let candidates: Vec<Candidate> = ranked
        .iter()
        .map(|one| Candidate {
            cause: one.rule.cause.clone(),
            share: one.weight / sum,
        })
        .collect();
    let certainty = if first.weight / sum >= LIKELY_FROM {
        first.rule.certainty
    } else {
        Certainty::Possible
    };
    first.rule.verdict(facts, certainty, candidates)
}

/// Returns the known facts that the ranked rules test, in the order tested; then, for a fallback,
/// the status and the most informative headers; then the facts from which these facts are derived.
pub(super) fn evidence(ranked: &[Match<'_>], facts: &Facts) -> Vec<Evidence> {
    let tested = ranked.iter().flat_map(|one| {
        let factors = one.rule.weigh.iter().flat_map(|factor| &factor.when);
        one.rule.when.iter().chain(factors)
    });
    let mut found: Vec<Evidence> = Vec::new();
    for condition in tested {
        if is_new(&found, &condition.fact)
            && let Some(value) = condition.evidence(facts)
        {
            let fact = condition.fact.clone();
            found.push(Evidence { fact, value });
        }
    }
    if ranked.first().is_some_and(|one| one.rule.fallback) {
        let headers = known(INFORMATIVE_HEADERS, facts).into_iter();
        let headers = headers.filter(|header| is_plain(&header.fact, &header.value));
        let telling = known(&["status"], facts).into_iter();
        let telling = telling.chain(headers.take(MAX_INFORMATIVE));
        let new = telling.filter(|evidence| is_new(&found, &evidence.fact));
        let new: Vec<Evidence> = new.collect();
        found.extend(new);
    }
    // If both ends of the floor are equal, the lower end is redundant.
    let is_point = facts.get("floor.low") == facts.get("floor");
    for (derived, sources) in DERIVED_FROM {
        if derived.iter().any(|fact| !is_new(&found, fact)) {
            for evidence in known(sources, facts) {
                let redundant = is_point && evidence.fact == "floor.low";
                if !redundant && is_new(&found, &evidence.fact) {
                    found.push(evidence);
                }
            }
        }
    }
    found
}

fn is_new(found: &[Evidence], fact: &str) -> bool {
    found.iter().all(|evidence| evidence.fact != fact)
}

/// Returns the named facts that are known, with their values.
pub(super) fn known(names: &[&str], facts: &Facts) -> Vec<Evidence> {
    let known = names.iter().filter_map(|name| {
        Some(Evidence {
            fact: (*name).to_owned(),
            value: facts.get(name)?.clone(),
        })
    });
    known.collect()
}
