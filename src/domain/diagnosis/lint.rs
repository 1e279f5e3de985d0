//! What is wrong, or doubtful, with rules that can be read.
//!
//! A rule's examples and counterexamples are its tests: they are run here, against all
//! rules. A rule that can never lead is found where its conditions, fact by fact, leave
//! another rule no way not to fit. That finds no rule that only several others together
//! keep from leading, nor facts that never go together in the world: silence is no proof.

use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::{Rule, RuleProblem};
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::model::cause::CauseId;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The rules cannot be used.
    Error,
    /// They can be used, but hardly as meant.
    Warning,
    /// Worth knowing; nothing to mend.
    Note,
}

/// Something found about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave.
    pub level: Level,
    /// What, where, and the mend.
    pub problem: RuleProblem,
}

/// How far two shares may differ and still be a tie.
const TIE: f64 = 1e-9;

/// Looks at every rule of the operator's, among all rules; in the order of the files.
/// `ours` are the rules that are built in, to tell which are replaced.
#[must_use]
pub fn lint(book: &Rulebook, ours: &Rulebook) -> Vec<Finding> {
    let rules: Vec<&Rule> = book.rules().collect();
    let mut findings = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        if !rule.origin.embedded {
            findings.extend(replaces(ours, rule));
            findings.extend(shadowed(&rules, place));
            findings.extend(silences(&rules, place));
            findings.extend(examples(book, rule));
            findings.extend(counterexamples(book, rule));
        }
    }
    findings
}

fn replaces(ours: &Rulebook, rule: &Rule) -> Option<Finding> {
    let ours = ours.rules().find(|ours| ours.id == rule.id)?;
    let message = format!("takes the place of rule `{}` ({})", ours.id, ours.origin);
    Some(finding(Level::Note, rule, rule.origin.line, message))
}

/// The rule can never lead, since another leads wherever it fits.
fn shadowed(rules: &[&Rule], place: usize) -> Option<Finding> {
    let rule = rules[place];
    let (_, other) = rules
        .iter()
        .enumerate()
        .find(|(other, _)| *other != place && outranks(rules, *other, place))?;
    let mend = if rule.fallback && !other.fallback {
        "a fallback is looked at only when no ordinary rule fits".to_owned()
    } else {
        let (least, _) = weights(other, rule);
        format!("raise its `weight` above {least}, ask for other facts, or remove it")
    };
    let message = format!(
        "rule `{}` never leads: what fits it also fits `{}` ({}), which weighs no less; {mend}",
        rule.id, other.id, other.origin
    );
    Some(finding(Level::Warning, rule, rule.origin.line, message))
}

/// The operator's rule keeps some of ours from ever leading, which may be the intent.
fn silences(rules: &[&Rule], place: usize) -> Option<Finding> {
    let rule = rules[place];
    let ours: Vec<String> = rules
        .iter()
        .enumerate()
        .filter(|(other, ours)| ours.origin.embedded && outranks(rules, place, *other))
        .map(|(_, ours)| format!("`{}`", ours.id))
        .collect();
    if ours.is_empty() {
        return None;
    }
    let message = format!(
        "rule `{}` fits wherever these of ours do, and weighs more, so that they never lead: {}",
        rule.id,
        ours.join(", ")
    );
    Some(finding(Level::Note, rule, rule.origin.line, message))
}

/// Whether the rule at `above` leads over that at `below` wherever the latter fits.
fn outranks(rules: &[&Rule], above: usize, below: usize) -> bool {
    let (first, second) = (rules[above], rules[below]);
    let fits_too = first
        .when
        .iter()
        .all(|wanted| second.when.iter().any(|given| given.implies(wanted)));
    if !fits_too || (first.fallback && !second.fallback) {
        return false;
    }
    if second.fallback && !first.fallback {
        return true;
    }
    let ((least, _), (_, most)) = (weights(first, second), weights(second, second));
    // Causes that tie share the first place: both are told. Of one cause, the first is.
    let first_of_cause = first.cause == second.cause && above < below;
    least > most || (first_of_cause && least >= most)
}

/// The least and the most that a rule may weigh where all conditions of `given` hold.
fn weights(rule: &Rule, given: &Rule) -> (f64, f64) {
    let bounds = (rule.weight, rule.weight);
    rule.weigh.iter().fold(bounds, |(least, most), factor| {
        let counts = factor
            .when
            .iter()
            .all(|wanted| given.when.iter().any(|held| held.implies(wanted)));
        let by = factor.factor;
        if counts {
            (least * by, most * by)
        } else {
            (least * by.min(1.0), most * by.max(1.0))
        }
    })
}

fn examples(book: &Rulebook, rule: &Rule) -> Vec<Finding> {
    let lines = rule.origin.examples.iter();
    rule.examples
        .iter()
        .zip(lines)
        .filter_map(|(example, line)| {
            let message = not_led(book, rule, example)?;
            Some(finding(Level::Error, rule, *line, message))
        })
        .collect()
}

/// Why an example does not lead to its rule's cause; `None`: it does.
fn not_led(book: &Rulebook, rule: &Rule, example: &Facts) -> Option<String> {
    let diagnosis = book.diagnose(example);
    let Some(verdict) = &diagnosis.verdict else {
        return Some(NOTHING_FAILED.to_owned());
    };
    if let Some(unmet) = rule.when.iter().find(|needed| !needed.holds(example)) {
        let id = &rule.id;
        return Some(format!(
            "rule `{id}` does not fit its own example, where not: {unmet}; mend `given` or `when`"
        ));
    }
    let share_of = |cause: &CauseId| {
        let mut all = verdict.candidates.iter();
        all.find(|candidate| candidate.cause == *cause)
            .map_or(0.0, |candidate| candidate.share)
    };
    // A tie is no shadow: both share the first place.
    let (own, first) = (share_of(&rule.cause), share_of(&verdict.cause));
    if (first - own).abs() < TIE {
        return None;
    }
    let place = leader(book, example);
    Some(format!(
        "this example is diagnosed as `{}`{place}, and as `{}` only with {:.0} %; raise `weight`, or ask for more facts",
        verdict.cause,
        rule.cause,
        own * 100.0
    ))
}

const NOTHING_FAILED: &str = "nothing failed in this example, since it says no `phase`; say one, such as phase = \"expect\", or once for the whole file";

fn counterexamples(book: &Rulebook, rule: &Rule) -> Vec<Finding> {
    let lines = rule.origin.counterexamples.iter();
    rule.counterexamples
        .iter()
        .zip(lines)
        .filter_map(|(counterexample, line)| {
            let given = &counterexample.given;
            if book.diagnose(given).cause() != Some(&rule.cause) {
                return None;
            }
            let message = format!(
                "this counterexample is diagnosed as `{}` all the same{}; say in `when` what tells it apart",
                rule.cause,
                leader(book, given)
            );
            Some(finding(Level::Error, rule, *line, message))
        })
        .collect()
}

/// By which rule facts are diagnosed, in brackets.
fn leader(book: &Rulebook, facts: &Facts) -> String {
    let leader = book.leader(facts);
    leader.map_or_else(String::new, |rule| {
        format!(" by rule `{}` ({})", rule.id, rule.origin)
    })
}

fn finding(level: Level, rule: &Rule, line: usize, message: String) -> Finding {
    Finding {
        level,
        problem: RuleProblem {
            file: rule.origin.file.to_string(),
            line,
            message,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::embedded::FILES;

    /// A rule with the usual parts; `more` are further keys.
    fn rule(id: &str, when: &str, more: &str) -> String {
        format!(
            r#"[[rule]]
id = "{id}"
title = "Told in a test"
owner = "service"
next = ["Look."]
see = "https://example.org/"
when = {{ {when} }}
{more}
example = [{{ given = {{ phase = "expect", status = 503, header.server = "b/1" }} }}]
counterexample = [{{ given = {{ phase = "tls" }}, because = "No answer came" }}]
"#
        )
    }

    fn check(rules: &[String], expected: &[&str]) {
        let text = rules.concat();
        let book = Rulebook::from_files([("t.toml", text.as_str())]).unwrap();
        let told: Vec<String> = lint(&book, &Rulebook::embedded().unwrap())
            .iter()
            .map(|finding| format!("{:?} {}", finding.level, finding.problem))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn our_own_rules_have_nothing_to_find() {
        // Taken for an operator's: nothing replaces them.
        let book = Rulebook::from_files(FILES.iter().copied()).unwrap();
        let none = Rulebook::from_files([]).unwrap();
        assert_eq!(lint(&book, &none), []);
    }

    #[test]
    fn a_narrower_rule_of_the_same_cause_that_comes_later_and_weighs_no_more_never_leads() {
        let broad = rule("broad", "status = { at_least = 500 }", "");
        let when = "status = 503, header.server = \"b/*\"";
        check(
            &[broad.clone(), rule("narrow", when, "cause = \"broad\"")],
            &[
                "Warning t.toml:11: rule `narrow` never leads: what fits it also fits `broad` (t.toml:1), which weighs no less; raise its `weight` above 1, ask for other facts, or remove it",
            ],
        );
        // A tie of two causes, heavier, earlier, or heavier at times: it may lead.
        check(&[broad.clone(), rule("narrow", when, "")], &[]);
        check(&[rule("narrow", "status = 503", ""), broad], &[]);
        let lighter = "weigh = [{ when = { invoked = \"yes\" }, factor = 0.5 }]";
        check(
            &[
                rule("broad", "status = { at_least = 500 }", lighter),
                rule("narrow", "status = 503", ""),
            ],
            &[],
        );
    }

    #[test]
    fn a_fallback_that_an_ordinary_rule_covers_never_leads() {
        check(
            &[
                rule("broad", "status = { present = true }", ""),
                rule("last", "status = 503", "fallback = true\nweight = 9"),
            ],
            &[
                "Warning t.toml:11: rule `last` never leads: what fits it also fits `broad` (t.toml:1), which weighs no less; a fallback is looked at only when no ordinary rule fits",
                "Error t.toml:20: this example is diagnosed as `broad` by rule `broad` (t.toml:1), and as `last` only with 0 %; raise `weight`, or ask for more facts",
            ],
        );
    }

    #[test]
    fn examples_and_counterexamples_are_run() {
        check(
            &[rule("mine", "status = 502", "")],
            &[
                "Error t.toml:9: rule `mine` does not fit its own example, where not: status is 502; mend `given` or `when`",
            ],
        );
        check(
            &[
                rule(
                    "heavy",
                    "status = { at_least = 503 }, header.server = { present = true }",
                    "weight = 9",
                ),
                rule("light", "status = { at_least = 500 }", ""),
            ],
            &[
                "Error t.toml:19: this example is diagnosed as `heavy` by rule `heavy` (t.toml:1), and as `light` only with 10 %; raise `weight`, or ask for more facts",
            ],
        );
        check(
            &[rule("mine", "phase = { present = true }", "")],
            &[
                "Error t.toml:10: this counterexample is diagnosed as `mine` all the same by rule `mine` (t.toml:1); say in `when` what tells it apart",
            ],
        );
        let silent = rule("mine", "status = 503", "").replace("phase = \"expect\", ", "");
        check(&[silent], &[&format!("Error t.toml:9: {NOTHING_FAILED}")]);
    }
}
