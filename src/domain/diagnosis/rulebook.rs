//! All rules, and the ranking of those that fit.
//!
//! A candidate's share is its weight, times the factors that hold, over the sum; ties keep
//! the order of the files. Fallbacks are looked at only when nothing specific fits, and
//! what nothing fits is `unexplained`, never a wrong name. Total and deterministic.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::embedded;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::reader;
use crate::domain::diagnosis::rule::{Rule, RuleProblem};
use crate::domain::diagnosis::{Candidate, Diagnosis, Evidence, Outcome, Verdict};
use crate::model::cause::{CauseId, Certainty, Owner};
use crate::model::settings::RuleFile;

/// Every rule, in the order of the files.
#[derive(Clone, Debug)]
pub struct Rulebook {
    rules: Vec<Rule>,
}

/// Rules that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RulebookError(pub Vec<RuleProblem>);

/// The share from which a leading candidate is more than possible (design: nine tenths).
const LIKELY_FROM: f64 = 0.9;

/// What `unexplained` means.
const UNEXPLAINED_TITLE: &str = "No rule explains this failure";

/// What to do about a failure that no rule explains.
const UNEXPLAINED_NEXT: &[&str] = &[
    "Look at the evidence: status, headers and phase times are all that was seen from outside.",
    "Look in the logs of the service and of its gateway for the request id and the time.",
    "If you find the cause, write a rule for it: the facts it may ask for are listed in `probecause explain --facts`.",
];

/// Words, and the facts that they were judged by.
const JUDGED_BY: &[(&[&str], &[&str])] = &[
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

/// The facts shown when no rule asked for any.
const UNEXPLAINED_FACTS: &[&str] = &[
    "phase",
    "fault",
    "unmet",
    "status",
    "front_door",
    "answer_time",
];

impl Rulebook {
    /// The rules that are built into the program.
    ///
    /// # Errors
    /// Never in a released program: a test reads them all.
    pub fn embedded() -> Result<Self, RulebookError> {
        Self::with(&[])
    }

    /// An operator's rules, which win ties, before the program's own. One with the id of
    /// ours takes its place.
    ///
    /// # Errors
    /// Every problem of the operator's files.
    pub fn with(operators: &[RuleFile]) -> Result<Self, RulebookError> {
        let files = operators
            .iter()
            .map(|file| (file.name.as_str(), file.text.as_str()));
        let mut book = Self::from_files(files)?;
        let mut own = Self::from_files(embedded::FILES.iter().copied())?.rules;
        own.retain(|rule| !book.rules.iter().any(|theirs| theirs.id == rule.id));
        for rule in &mut own {
            rule.origin.embedded = true;
        }
        book.rules.append(&mut own);
        Ok(book)
    }

    /// Rules of several files, as pairs of name and text. An earlier file wins ties.
    ///
    /// # Errors
    /// Every problem of every file, and ids that occur twice.
    pub fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RulebookError> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut problems = Vec::new();
        for (file, text) in files {
            match reader::parse(file, text) {
                Ok(read) => {
                    for rule in read {
                        if let Some(other) = rules.iter().find(|other| other.id == rule.id) {
                            let place = &other.origin;
                            problems.push(RuleProblem {
                                file: file.to_owned(),
                                line: rule.origin.line,
                                message: format!(
                                    "rule `{}` exists already at {place}: rename one; several rules may \
                                     name one `cause`",
                                    rule.id
                                ),
                            });
                        }
                        rules.push(rule);
                    }
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(Self { rules })
        } else {
            Err(RulebookError(problems))
        }
    }

    /// Every rule, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// One rule a cause, in order: the rule named like its cause, else the first that
    /// names it. `unexplained` has none.
    pub fn causes(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().enumerate().filter_map(|(index, rule)| {
            let namesake = self.rules.iter().any(|other| other.id == rule.cause);
            let first = !self.rules[..index]
                .iter()
                .any(|other| other.cause == rule.cause);
            let shown = if namesake {
                rule.id == rule.cause
            } else {
                first
            };
            shown.then_some(rule)
        })
    }

    /// A verdict for a cause that several failures have in common although it leads none
    /// of them; never more than possible. `None`: no rule names it.
    #[must_use]
    pub fn verdict_of(&self, cause: &CauseId, candidates: Vec<Candidate>) -> Option<Verdict> {
        let rule = self.causes().find(|rule| rule.cause == *cause)?;
        Some(Verdict {
            cause: rule.cause.clone(),
            title: rule.title.clone(),
            owner: rule.owner,
            certainty: Certainty::Possible,
            candidates,
            next: rule.next.clone(),
        })
    }

    /// The rule that weighs most among those that fit; `None`: nothing fits.
    #[must_use]
    pub fn leader(&self, facts: &Facts) -> Option<&Rule> {
        self.rank(facts).first().map(|fit| fit.rule)
    }

    /// What the facts mean. Total and deterministic.
    #[must_use]
    pub fn diagnose(&self, facts: &Facts) -> Diagnosis {
        let outcome = match facts.text("phase") {
            None => return Diagnosis::passed(),
            Some("degraded") => Outcome::Degraded,
            Some(_) => Outcome::Failed,
        };
        let ranked = self.rank(facts);
        let (verdict, evidence) = match ranked.first() {
            Some(leader) => (verdict(leader, &ranked), evidence(&ranked, facts)),
            None => (unexplained(), known(UNEXPLAINED_FACTS, facts)),
        };
        Diagnosis {
            outcome,
            verdict: Some(Arc::new(verdict)),
            evidence,
            error: facts.error.clone(),
        }
    }

    /// What fits, best first, one entry a cause.
    fn rank(&self, facts: &Facts) -> Vec<Fit<'_>> {
        let fitting = |fallback: bool| -> Vec<Fit<'_>> {
            self.rules
                .iter()
                .filter(|rule| rule.fallback == fallback && all_hold(&rule.when, facts))
                .map(|rule| Fit {
                    rule,
                    weight: weight(rule, facts),
                })
                .collect()
        };
        let mut fits = fitting(false);
        if fits.is_empty() {
            fits = fitting(true);
        }
        // Stable: equal weights keep the order of the files.
        fits.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        let mut seen = BTreeSet::new();
        fits.retain(|fit| seen.insert(&fit.rule.cause));
        fits
    }
}

/// The owner, title and next steps of `unexplained`, which no rule describes.
#[must_use]
pub fn unexplained() -> Verdict {
    Verdict {
        cause: CauseId::unexplained(),
        title: UNEXPLAINED_TITLE.to_owned(),
        // Whoever owns the endpoint knows most about what it does.
        owner: Owner::Service,
        certainty: Certainty::Possible,
        candidates: vec![Candidate {
            cause: CauseId::unexplained(),
            share: 1.0,
        }],
        next: UNEXPLAINED_NEXT
            .iter()
            .map(|step| (*step).to_owned())
            .collect(),
    }
}

struct Fit<'a> {
    rule: &'a Rule,
    weight: f64,
}

fn all_hold(conditions: &[Condition], facts: &Facts) -> bool {
    conditions.iter().all(|condition| condition.holds(facts))
}

fn weight(rule: &Rule, facts: &Facts) -> f64 {
    let factors = rule
        .weigh
        .iter()
        .filter(|factor| all_hold(&factor.when, facts));
    factors.fold(rule.weight, |weight, factor| weight * factor.factor)
}

fn verdict(leader: &Fit<'_>, ranked: &[Fit<'_>]) -> Verdict {
    let sum: f64 = ranked.iter().map(|fit| fit.weight).sum();
    let candidates: Vec<Candidate> = ranked
        .iter()
        .map(|fit| Candidate {
            cause: fit.rule.cause.clone(),
            share: fit.weight / sum,
        })
        .collect();
    let certainty = if leader.weight / sum >= LIKELY_FROM {
        leader.rule.certainty
    } else {
        Certainty::Possible
    };
    Verdict {
        cause: leader.rule.cause.clone(),
        title: leader.rule.title.clone(),
        owner: leader.rule.owner,
        certainty,
        candidates,
        next: leader.rule.next.clone(),
    }
}

/// The facts that the leader and its rivals asked for, in the order asked.
fn evidence(ranked: &[Fit<'_>], facts: &Facts) -> Vec<Evidence> {
    let asked = ranked.iter().flat_map(|fit| {
        let factors = fit.rule.weigh.iter().flat_map(|factor| &factor.when);
        fit.rule.when.iter().chain(factors)
    });
    let mut found: Vec<Evidence> = Vec::new();
    for condition in asked {
        if found.iter().any(|evidence| evidence.fact == condition.fact) {
            continue;
        }
        if let Some(value) = condition.evidence(facts) {
            found.push(Evidence {
                fact: condition.fact.clone(),
                value,
            });
        }
    }
    // What a word was judged by belongs to it.
    let is_point = facts.get("floor.low") == facts.get("floor");
    for (words, numbers) in JUDGED_BY {
        if found.iter().any(|fact| words.contains(&fact.fact.as_str())) {
            for evidence in known(numbers, facts) {
                // An estimated floor has no other end to tell.
                let told = is_point && evidence.fact == "floor.low";
                if !told && !found.iter().any(|other| other.fact == evidence.fact) {
                    found.push(evidence);
                }
            }
        }
    }
    found
}

fn known(names: &[&str], facts: &Facts) -> Vec<Evidence> {
    names
        .iter()
        .filter_map(|name| {
            Some(Evidence {
                fact: (*name).to_owned(),
                value: facts.get(name)?.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [[rule]]
        id = "first"
        title = "First"
        owner = "service"
        next = ["Look."]
        see = "https://example.org/"
        when = { status = 500 }
        example = [{ given = { phase = "expect", status = 500 } }]
        counterexample = [{ given = { phase = "expect" }, because = "b" }]
        [[rule]]
        id = "second"
        title = "Second"
        owner = "platform"
        next = ["Look."]
        see = "https://example.org/"
        when = { status = { at_least = 500 } }
        weigh = [{ when = { invoked = "no" }, factor = 19 }]
        example = [{ given = { phase = "expect", status = 500 } }]
        counterexample = [{ given = { phase = "expect" }, because = "b" }]
        [[rule]]
        id = "last-resort"
        title = "Last"
        owner = "service"
        fallback = true
        next = ["Look."]
        see = "https://example.org/"
        when = { status = { present = true } }
        example = [{ given = { phase = "expect", status = 400 } }]
        counterexample = [{ given = { phase = "expect" }, because = "b" }]
    "#;

    fn check(status: Option<f64>, invoked: &str, expected: &str) {
        let book = Rulebook::from_files([("t.toml", RULES)]).unwrap();
        let mut facts = Facts::defaults();
        facts.set_text("phase", "expect");
        facts.set_text("invoked", invoked);
        if let Some(status) = status {
            facts.set_number("status", status);
        }
        let diagnosis = book.diagnose(&facts);
        let verdict = diagnosis.verdict.unwrap();
        let shares: Vec<String> = verdict
            .candidates
            .iter()
            .map(|candidate| format!("{} {:.2}", candidate.cause, candidate.share))
            .collect();
        assert_eq!(
            format!("{} {}", verdict.certainty, shares.join(" ")),
            expected
        );
    }

    #[test]
    fn ties_keep_the_order_of_the_file_and_are_only_possible() {
        check(Some(500.0), "unclear", "possible first 0.50 second 0.50");
    }

    #[test]
    fn a_factor_reorders_and_nine_tenths_are_likely() {
        check(Some(500.0), "no", "likely second 0.95 first 0.05");
    }

    #[test]
    fn a_fallback_never_rivals_and_nothing_is_unexplained() {
        check(Some(404.0), "no", "likely last-resort 1.00");
        check(None, "no", "possible unexplained 1.00");
    }

    #[test]
    fn an_id_that_occurs_twice_is_refused() {
        let error = Rulebook::from_files([("a.toml", RULES), ("b.toml", RULES)]).unwrap_err();
        assert_eq!(error.0.len(), 3);
        assert!(error.to_string().contains("rule `first` exists already"));
    }
}
