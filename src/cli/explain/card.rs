//! What there is to say of one cause, drawn from all rules that name it.
//!
//! Shared by the three forms (terminal, JSON, page), so that they cannot disagree.

use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Rule;
use crate::domain::diagnosis::rulebook::{Rulebook, unexplained};
use crate::model::cause::{CauseId, Certainty, Owner};

/// One cause.
pub(super) struct Card<'a> {
    pub(super) cause: CauseId,
    pub(super) title: String,
    pub(super) owner: Owner,
    /// The most that any of its rules can earn.
    pub(super) certainty: Certainty,
    /// What to do, by the rule that stands for the cause.
    pub(super) next: Vec<String>,
    /// The page that this rule rests on; `unexplained` has none.
    pub(super) see: Option<String>,
    /// Causes that also fit one of its examples.
    pub(super) rivals: Vec<CauseId>,
    /// Every rule that names it, those that can earn most first.
    pub(super) rules: Vec<&'a Rule>,
}

/// Every cause, `unexplained` last.
pub(super) fn cards(rulebook: &Rulebook) -> Vec<Card<'_>> {
    let known = rulebook.causes().map(|rule| card(rulebook, rule));
    known.chain([last_resort()]).collect()
}

/// The people behind an owner's word.
pub(super) const fn who(owner: Owner) -> &'static str {
    match owner {
        Owner::Service => "the people who own the service behind the endpoint",
        Owner::Platform => "the people who own the gateway, its permissions and quotas",
        Owner::Network => "the people who own name resolution, routing and firewalls",
        Owner::Client => "whoever calls: a wrong request, or missing credentials",
        Owner::Prober => "whoever runs this prober",
    }
}

/// What a rule goes by: the answer alone, or what AWS says of it.
pub(super) fn basis(rule: &Rule) -> &'static str {
    let asks = |prefix: &str| rule.when.iter().any(|one| one.fact.starts_with(prefix));
    if asks("log.") {
        "by AWS's log"
    } else if ["lambda.", "api.", "window."].into_iter().any(asks) {
        "by AWS's metrics"
    } else {
        "seen from outside"
    }
}

/// Facts without those that only hold their default.
pub(super) fn said(facts: &Facts) -> Vec<(String, String)> {
    let defaults = Facts::defaults();
    facts
        .iter()
        .filter(|(name, value)| defaults.get(name) != Some(value))
        .map(|(name, value)| (name.to_owned(), value.to_string()))
        .collect()
}

fn card<'a>(rulebook: &'a Rulebook, shown: &'a Rule) -> Card<'a> {
    let all = rulebook.rules().filter(|rule| rule.cause == shown.cause);
    let mut rules: Vec<&Rule> = all.collect();
    // Stable: of equals the order of the files is kept.
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.certainty));
    let certainty = rules.iter().map(|rule| rule.certainty).max();
    Card {
        cause: shown.cause.clone(),
        title: shown.title.clone(),
        owner: shown.owner,
        certainty: certainty.unwrap_or(shown.certainty),
        next: shown.next.clone(),
        see: Some(shown.see.clone()),
        rivals: rivals(rulebook, &rules),
        rules,
    }
}

fn last_resort() -> Card<'static> {
    let verdict = unexplained();
    Card {
        cause: verdict.cause,
        title: verdict.title,
        owner: verdict.owner,
        certainty: verdict.certainty,
        next: verdict.next,
        see: None,
        rivals: Vec::new(),
        rules: Vec::new(),
    }
}

fn rivals(rulebook: &Rulebook, rules: &[&Rule]) -> Vec<CauseId> {
    let mut rivals = Vec::new();
    for rule in rules {
        for example in &rule.examples {
            let verdict = rulebook.diagnose(example).verdict;
            for candidate in verdict.iter().flat_map(|verdict| &verdict.candidates) {
                if candidate.cause != rule.cause && !rivals.contains(&candidate.cause) {
                    rivals.push(candidate.cause.clone());
                }
            }
        }
    }
    rivals
}
