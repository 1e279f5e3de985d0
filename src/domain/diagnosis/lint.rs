//! Checks parsed rules: runs their examples and finds rules that can never determine the cause.
//!
//! Examples and counterexamples are run against all rules. A rule can never determine the cause if
//! its conditions, compared fact by fact, imply the conditions of another rule that always outranks
//! it. The check does not find a rule that is outranked only by several rules together, or a rule
//! that tests facts that never occur together. An empty result therefore does not prove that
//! every rule can determine a cause.

use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::{Rule, RuleProblem};
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::model::cause::CauseId;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The rules cannot be used.
    Error,
    /// The rules can be used, but probably not as intended.
    Warning,
    /// Information that needs no correction.
    Note,
}

/// A finding about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The severity of the finding.
    pub level: Level,
    /// The problem, its position, and the correction.
    pub problem: RuleProblem,
}

/// Maximum difference between two shares (0 to 1) that counts as a tie.
const TIE: f64 = 1e-9;

/// Checks the custom rules in `book`, and returns the findings in the order of the files.
/// `built_in` holds the built-in rules, to find the rules that custom rules replace.
#[must_use]
pub fn lint(book: &Rulebook, built_in: &Rulebook) -> Vec<Finding> {
    let rules: Vec<&Rule> = book.rules().collect();
    let mut findings = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        if !rule.origin.embedded {
            findings.extend(check_replacement(built_in, rule));
            findings.extend(check_shadowed(&rules, place));
            findings.extend(check_outweighed(&rules, place));
            findings.extend(check_examples(book, rule));
            findings.extend(check_counterexamples(book, rule));
        }
    }
    findings
}

/// Returns a note if the rule replaces a built-in rule.
fn check_replacement(built_in: &Rulebook, rule: &Rule) -> Option<Finding> {
    let replaced = built_in.rules().find(|other| other.id == rule.id)?;
    let message = format!(
        "rule `{}` replaces the rule with the same id ({})",
        rule.id, replaced.origin
    );
    Some(finding(Level::Note, rule, rule.origin.line, message))
}

/// Returns a warning if the rule can never determine the cause, because another rule outranks this
/// rule wherever this rule matches.
fn check_shadowed(rules: &[&Rule], place: usize) -> Option<Finding> {
    let rule = rules[place];
    let (_, other) = rules
        .iter()
        .enumerate()
        .find(|(other, _)| *other != place && outranks(rules, *other, place))?;
    let correction = if rule.fallback && !other.fallback {
        "a fallback is used only if no ordinary rule matches; change the fallback's conditions, or remove the fallback"
            .to_owned()
    } else {
        let (least, _) = weights(other, rule);
        format!(
            "raise the `weight` of `{}` above {least}, change its conditions, or remove the rule",
            rule.id
        )
    };
    let message = format!(
        "rule `{}` can never determine the cause: whenever it matches, `{}` ({}) also matches and outranks it; {correction}",
        rule.id, other.id, other.origin
    );
    Some(finding(Level::Warning, rule, rule.origin.line, message))
}

/// Returns a note if the rule outranks built-in rules wherever they match, which may be intended.
fn check_outweighed(rules: &[&Rule], place: usize) -> Option<Finding> {
    let rule = rules[place];
    let outweighed: Vec<String> = rules
        .iter()
        .enumerate()
        .filter(|(index, other)| other.origin.embedded && outranks(rules, place, *index))
        .map(|(_, other)| format!("`{}`", other.id))
        .collect();
    if outweighed.is_empty() {
        return None;
    }
    let message = format!(
        "rule `{}` matches whenever these built-in rules match, and outranks them, so they can never determine the cause: {}",
        rule.id,
        outweighed.join(", ")
    );
    Some(finding(Level::Note, rule, rule.origin.line, message))
}

/// Returns whether the rule at index `above` outranks the rule at index `below` wherever the latter
/// matches.
fn outranks(rules: &[&Rule], above: usize, below: usize) -> bool {
    let (first, second) = (rules[above], rules[below]);
    let matches_too = first
        .when
        .iter()
        .all(|wanted| second.when.iter().any(|given| given.implies(wanted)));
    if !matches_too || (first.fallback && !second.fallback) {
        return false;
    }
    if second.fallback && !first.fallback {
        return true;
    }
    let ((least, _), (_, most)) = (weights(first, second), weights(second, second));
    // Rules of different causes that tie share the first place. Of two rules of one cause that tie,
    // the earlier rule wins.
    let first_of_cause = first.cause == second.cause && above < below;
    least > most || (first_of_cause && least >= most)
}

/// Returns the smallest and the largest weight that `rule` can have when all conditions of `given`
/// hold.
fn weights(rule: &Rule, given: &Rule) -> (f64, f64) {
    let bounds = (rule.weight, rule.weight);
    rule.weigh.iter().fold(bounds, |(least, most), factor| {
        let applies = factor
            .when
            .iter()
            .all(|wanted| given.when.iter().any(|held| held.implies(wanted)));
        let by = factor.factor;
        if applies {
            (least * by, most * by)
        } else {
            (least * by.min(1.0), most * by.max(1.0))
        }
    })
}

/// Returns an error for each example that has no phase, that the rule does not match, or that is
/// not diagnosed as the rule's cause.
fn check_examples(book: &Rulebook, rule: &Rule) -> Vec<Finding> {
    let lines = rule.origin.examples.iter();
    rule.examples
        .iter()
        .zip(lines)
        .filter_map(|(example, line)| {
            let message = example_problem(book, rule, example)?;
            Some(finding(Level::Error, rule, *line, message))
        })
        .collect()
}

/// Returns the problem if an example has no phase, if the rule does not match the example, or if
/// the example is not diagnosed as the rule's cause; otherwise `None`.
fn example_problem(book: &Rulebook, rule: &Rule, example: &Facts) -> Option<String> {
    let diagnosis = book.diagnose(example);
    let Some(verdict) = &diagnosis.verdict else {
        return Some(NO_PHASE.to_owned());
    };
    if let Some(unmet) = rule.when.iter().find(|needed| !needed.holds(example)) {
        let id = &rule.id;
        return Some(format!(
            "rule `{id}` does not match its own example, which does not meet the condition: {unmet}; correct `given` or `when`"
        ));
    }
    let share_of = |cause: &CauseId| {
        let mut all = verdict.candidates.iter();
        all.find(|candidate| candidate.cause == *cause)
            .map_or(0.0, |candidate| candidate.share)
    };
    // A tie is allowed, because both causes then share the first place.
    let (own, first) = (share_of(&rule.cause), share_of(&verdict.cause));
    if (first - own).abs() < TIE {
        return None;
    }
    let by_rule = deciding_rule(book, example);
    Some(format!(
        "this example is diagnosed as `{}`{by_rule}, and `{}` has only {:.0} % of the weight of all candidates; change the `weight` or `when` of the rule, or correct `given`",
        verdict.cause,
        rule.cause,
        own * 100.0
    ))
}

/// The message about an example without the fact `phase`.
const NO_PHASE: &str = "this example has no fact `phase`, without which a probe counts as passed; add `phase` to `given`, such as `phase = \"expect\"`, or set it at the top of the file";

/// Returns an error for each counterexample that is diagnosed as the rule's cause.
fn check_counterexamples(book: &Rulebook, rule: &Rule) -> Vec<Finding> {
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
                "this counterexample is diagnosed as `{}`{}; add a condition to `when` that excludes it",
                rule.cause,
                deciding_rule(book, given)
            );
            Some(finding(Level::Error, rule, *line, message))
        })
        .collect()
}

/// Returns a part of a message that names the rule that determines the cause for the facts; empty
/// if no rule matches.
fn deciding_rule(book: &Rulebook, facts: &Facts) -> String {
    let heaviest = book.heaviest_match(facts);
    heaviest.map_or_else(String::new, |rule| {
        format!(" by rule `{}` ({})", rule.id, rule.origin)
    })
}

/// Creates a finding at a line of the rule's file.
fn finding(level: Level, rule: &Rule, line: usize, message: String) -> Finding {
    Finding {
        level,
        problem: RuleProblem::new(&rule.origin.file, line, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::embedded::FILES;

    /// Returns the text of a rule with the required keys and the further keys in `more`.
    fn rule(id: &str, when: &str, more: &str) -> String {
        format!(
            r#"[[rule]]
id = "{id}"
title = "Defined in a test"
owner = "service"
next = ["Look."]
see = "https://example.org/"
when = {{ {when} }}
{more}
example = [{{ given = {{ phase = "expect", status = 503, header.server = "b/1" }} }}]
counterexample = [{{ given = {{ phase = "tls" }}, because = "There was no response" }}]
"#
        )
    }

    fn check(rules: &[String], expected: &[&str]) {
        let text = rules.concat();
        let book = Rulebook::from_files([("t.toml", text.as_str())]).unwrap();
        let findings: Vec<String> = lint(&book, &Rulebook::embedded().unwrap())
            .iter()
            .map(|finding| format!("{:?} {}", finding.level, finding.problem))
            .collect();
        assert_eq!(findings, expected);
    }

    #[test]
    fn the_built_in_rules_have_no_findings() {
        // The built-in files are loaded like custom rules, so that they are checked.
        let book = Rulebook::from_files(FILES.iter().copied()).unwrap();
        let none = Rulebook::from_files([]).unwrap();
        assert_eq!(lint(&book, &none), []);
    }

    #[test]
    fn a_narrower_later_rule_of_the_same_cause_and_weight_can_never_determine_the_cause() {
        let broad = rule("broad", "status = { at_least = 500 }", "");
        let when = "status = 503, header.server = \"b/*\"";
        check(
            &[broad.clone(), rule("narrow", when, "cause = \"broad\"")],
            &[
                "Warning t.toml:11: rule `narrow` can never determine the cause: whenever it matches, `broad` (t.toml:1) also matches and outranks it; raise the `weight` of `narrow` above 1, change its conditions, or remove the rule",
            ],
        );
        // The narrower rule may determine the cause if it ties with a rule of another cause, comes
        // before the broader rule, or is sometimes heavier.
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
    fn a_fallback_covered_by_an_ordinary_rule_can_never_determine_the_cause() {
        check(
            &[
                rule("broad", "status = { present = true }", ""),
                rule("last", "status = 503", "fallback = true\nweight = 9"),
            ],
            &[
                "Warning t.toml:11: rule `last` can never determine the cause: whenever it matches, `broad` (t.toml:1) also matches and outranks it; a fallback is used only if no ordinary rule matches; change the fallback's conditions, or remove the fallback",
                "Error t.toml:20: this example is diagnosed as `broad` by rule `broad` (t.toml:1), and `last` has only 0 % of the weight of all candidates; change the `weight` or `when` of the rule, or correct `given`",
            ],
        );
    }

    #[test]
    fn examples_and_counterexamples_are_run() {
        check(
            &[rule("mine", "status = 502", "")],
            &[
                "Error t.toml:9: rule `mine` does not match its own example, which does not meet the condition: status is 502; correct `given` or `when`",
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
                "Error t.toml:19: this example is diagnosed as `heavy` by rule `heavy` (t.toml:1), and `light` has only 10 % of the weight of all candidates; change the `weight` or `when` of the rule, or correct `given`",
            ],
        );
        check(
            &[rule("mine", "phase = { present = true }", "")],
            &[
                "Error t.toml:10: this counterexample is diagnosed as `mine` by rule `mine` (t.toml:1); add a condition to `when` that excludes it",
            ],
        );
        let silent = rule("mine", "status = 503", "").replace("phase = \"expect\", ", "");
        check(&[silent], &[&format!("Error t.toml:9: {NO_PHASE}")]);
    }
}
