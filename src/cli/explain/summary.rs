//! Summarizes one cause from all rules that name it.
//!
//! All output formats (text, JSON, Markdown) use this summary, so that they agree.

use crate::domain::diagnosis::cause::Cause;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Rule;
use crate::domain::diagnosis::rulebook::{Rulebook, unexplained};
use crate::model::cause::{CauseId, Certainty, Hop, Owner};

/// A cause with all its rules. Except for `unexplained`, the title, owner, hop, next steps and URL
/// are those that [`Rulebook::causes`] returns.
pub(super) struct CauseSummary<'a> {
    pub(super) cause: CauseId,
    pub(super) title: String,
    pub(super) owner: Owner,
    pub(super) hop: Option<Hop>,
    /// The highest certainty that any rule of the cause can reach.
    pub(super) certainty: Certainty,
    /// The next steps for the cause in general.
    pub(super) next: Vec<String>,
    /// The URL of a page about the cause; `None` for `unexplained`.
    pub(super) see: Option<String>,
    /// The other causes that are candidates when the examples of the cause's rules are diagnosed.
    pub(super) rivals: Vec<CauseId>,
    /// Every rule that names the cause, the highest certainty first.
    pub(super) rules: Vec<&'a Rule>,
}

/// Summarizes every cause; `unexplained` comes last.
pub(super) fn summaries(rulebook: &Rulebook) -> Vec<CauseSummary<'_>> {
    let known = rulebook.causes().map(|cause| summary(rulebook, cause));
    known.chain([unexplained_summary()]).collect()
}

/// Returns a description of the people who have to act if a cause has this owner.
pub(super) const fn describe_owner(owner: Owner) -> &'static str {
    match owner {
        Owner::Service => "the owners of the service behind the endpoint",
        Owner::Platform => "the owners of the gateway, its permissions, and its quotas",
        Owner::Network => "the owners of name resolution, routing, and firewalls",
        Owner::Client => "the caller, whose request or credentials are wrong",
        Owner::Prober => "the operators of this prober",
        Owner::Unknown => "no observed fact shows who has to act",
    }
}

/// Returns a description of the part of a request's path that this hop stands for.
pub(super) const fn describe_hop(hop: Hop) -> &'static str {
    match hop {
        Hop::Client => "the request, its credentials, or the client's own network",
        Hop::Edge => "the host name, the address, TLS, a CDN or an edge function",
        Hop::Gateway => "the API gateway, reverse proxy or load balancer",
        Hop::Upstream => "the server behind a gateway, or the connection to it",
        Hop::Function => "the serverless function",
        Hop::Application => "the application itself",
    }
}

/// Returns a description of the source of the facts that a rule tests.
pub(super) fn basis(rule: &Rule) -> &'static str {
    let tests = |prefix: &str| rule.when.iter().any(|one| one.fact.starts_with(prefix));
    if tests("log.") {
        "from AWS logs"
    } else if ["lambda.", "api.", "window."].into_iter().any(tests) {
        "from AWS metrics"
    } else {
        "seen from outside"
    }
}

/// Returns the name and the value of each fact that differs from its default. Line breaks in a
/// value are escaped.
pub(super) fn non_default(facts: &Facts) -> Vec<(String, String)> {
    let defaults = Facts::defaults();
    facts
        .iter()
        .filter(|(name, value)| defaults.get(name) != Some(value))
        .map(|(name, value)| (name.to_owned(), value.to_string().replace('\n', "\\n")))
        .collect()
}

fn summary<'a>(rulebook: &'a Rulebook, shown: Cause<'a>) -> CauseSummary<'a> {
    let all = rulebook.rules().filter(|rule| rule.cause == *shown.id);
    let mut rules: Vec<&Rule> = all.collect();
    // The sort is stable, so rules with the same certainty keep their order in the rulebook.
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.certainty));
    let certainty = rules.iter().map(|rule| rule.certainty).max();
    CauseSummary {
        cause: shown.id.clone(),
        title: shown.title.to_owned(),
        owner: shown.owner,
        hop: shown.hop,
        certainty: certainty.unwrap_or(Certainty::Possible),
        next: shown.next.to_vec(),
        see: Some(shown.see.to_owned()),
        rivals: rivals(rulebook, &rules),
        rules,
    }
}

fn unexplained_summary() -> CauseSummary<'static> {
    let verdict = unexplained();
    CauseSummary {
        cause: verdict.cause,
        title: verdict.title,
        owner: verdict.owner,
        hop: verdict.hop,
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
