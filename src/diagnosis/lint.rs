//! What is wrong or doubtful about an operator's rules, beyond what the reader refuses.
//!
//! A rule whose own example it does not lead is wrong. One that can never lead, since
//! another holds whenever it does and weighs at least as much, is doubtful; so is one that
//! takes the place of one of ours without saying so. Implication is decided condition by
//! condition: it never calls a rule shadowed that is not, and may miss one that is.

use crate::diagnosis::condition::{Condition, Test};
use crate::diagnosis::fact::FactValue;
use crate::diagnosis::rule::{Rule, RuleProblem};
use crate::diagnosis::rulebook::Rulebook;

/// What was found, in the order of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Rules that do not do what they say.
    pub errors: Vec<RuleProblem>,
    /// Rules that work and are doubtful.
    pub warnings: Vec<RuleProblem>,
}

/// Looks at the operator's rules of a rule book.
#[must_use]
pub fn lint(book: &Rulebook, ours: &Rulebook) -> Findings {
    let mut findings = Findings::default();
    for (index, rule) in book.rules().enumerate() {
        if rule.origin.embedded {
            continue;
        }
        findings
            .errors
            .extend(examples(book, rule).into_iter().map(|text| at(rule, text)));
        if ours.rules().any(|known| known.id == rule.id) {
            let text = format!("takes the place of the built-in rule `{}`", rule.id);
            findings.warnings.push(at(rule, text));
        }
        let above = book.rules().enumerate();
        let shadow = above
            .filter(|(other, _)| *other != index)
            .find(|(other, known)| shadows(known, *other < index, rule));
        if let Some((_, shadow)) = shadow {
            let text = format!(
                "`{}` can never lead: `{}` ({}) holds whenever it does and weighs as much; \
                 raise its weight or ask for more",
                rule.id, shadow.id, shadow.origin
            );
            findings.warnings.push(at(rule, text));
        }
    }
    findings
}

fn at(rule: &Rule, message: String) -> RuleProblem {
    RuleProblem {
        file: rule.origin.file.to_string(),
        line: rule.origin.line,
        message,
    }
}

/// What a rule says of itself and does not keep.
fn examples(book: &Rulebook, rule: &Rule) -> Vec<String> {
    let leader = |facts| {
        let diagnosis = book.diagnose(facts);
        diagnosis.cause().map(ToString::to_string)
    };
    let cause = rule.cause.as_str();
    let mut wrong = Vec::new();
    for (number, example) in (1..).zip(&rule.examples) {
        let named = leader(example);
        if named.as_deref() != Some(cause) {
            let named = named.unwrap_or_else(|| "no failure at all".to_owned());
            wrong.push(format!(
                "example {number} of `{}` is diagnosed as {named}, not as `{cause}`: mend the \
                 example, or raise the weight",
                rule.id
            ));
        }
    }
    for (number, counterexample) in (1..).zip(&rule.counterexamples) {
        if leader(&counterexample.given).as_deref() == Some(cause) {
            wrong.push(format!(
                "counterexample {number} of `{}` is diagnosed as `{cause}` all the same: mend \
                 it, or ask for more in `when`",
                rule.id
            ));
        }
    }
    wrong
}

/// Whether `other` holds whenever `rule` does and always comes before it.
fn shadows(other: &Rule, earlier: bool, rule: &Rule) -> bool {
    if other.cause == rule.cause || (other.fallback && !rule.fallback) {
        return false;
    }
    let implied = |wanted: &Condition| rule.when.iter().any(|known| implies(known, wanted));
    if !other.when.iter().all(implied) {
        return false;
    }
    // An ordinary rule comes before every fallback.
    if rule.fallback && !other.fallback {
        return true;
    }
    let least = other.weigh.iter().fold(other.weight, |weight, factor| {
        weight * factor.factor.min(1.0)
    });
    let most = rule.weigh.iter().fold(rule.weight, |weight, factor| {
        weight * factor.factor.max(1.0)
    });
    least > most || (least >= most && earlier)
}

/// Whether a fact that satisfies `known` satisfies `wanted`.
fn implies(known: &Condition, wanted: &Condition) -> bool {
    if known.fact != wanted.fact {
        return false;
    }
    match (&known.test, &wanted.test) {
        (one, other) if one == other => true,
        (Test::Present(false), _) | (_, Test::Present(false)) => false,
        (_, Test::Present(true)) => true,
        (Test::OneOf(values), test) => values.iter().all(|value| passes(value, test)),
        (
            Test::Range { at_least, below },
            Test::Range {
                at_least: low,
                below: high,
            },
        ) => {
            low.is_none_or(|low| at_least.is_some_and(|known| known >= low))
                && high.is_none_or(|high| below.is_some_and(|known| known <= high))
        }
        _ => false,
    }
}

fn passes(value: &FactValue, test: &Test) -> bool {
    let mut facts = crate::diagnosis::fact::Facts::default();
    // Any fact does: only the value is looked at.
    let name = match value {
        FactValue::Text(_) => "host",
        FactValue::Number(_) => "status",
    };
    facts.set(name, value.clone());
    let condition = Condition {
        fact: name.to_owned(),
        test: test.clone(),
    };
    condition.holds(&facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::RuleFile;

    /// Findings about one rule with these conditions, weight and example.
    fn check(when: &str, weight: f64, given: &str, expected: &[&str]) {
        let text = format!(
            "[[rule]]\nid = \"maintenance-page\"\ntitle = \"The service shows its page\"\n\
             owner = \"service\"\nweight = {weight}\nnext = [\"Wait.\"]\n\
             see = \"https://status.example/\"\nwhen = {{ {when} }}\n\
             example = [{{ given = {{ phase = \"expect\", unmet = \"status\", {given} }} }}]\n\
             counterexample = [{{ given = {{ phase = \"expect\", unmet = \"status\", \
             status = 418 }}, because = \"b\" }}]\n"
        );
        let files = [RuleFile {
            name: "own.toml".to_owned(),
            text,
        }];
        let book = Rulebook::with(&files).unwrap();
        let findings = lint(&book, &Rulebook::embedded().unwrap());
        let told = findings.errors.iter().chain(&findings.warnings);
        let told: Vec<String> = told.map(ToString::to_string).collect();
        assert_eq!(told, expected);
    }

    const TEAPOT: &str = "status = 599, header.server = \"maintenance\"";

    #[test]
    fn a_rule_that_keeps_its_word_is_fine() {
        check(
            "status = 599, header.server = \"maintenance\"",
            1.0,
            TEAPOT,
            &[],
        );
    }

    #[test]
    fn an_example_that_is_diagnosed_otherwise_is_wrong() {
        check(
            "status = 599, header.server = \"other\"",
            1.0,
            TEAPOT,
            &[
                "own.toml:1: example 1 of `maintenance-page` is diagnosed as unexpected-status, \
               not as `maintenance-page`: mend the example, or raise the weight",
            ],
        );
    }

    #[test]
    fn a_counterexample_that_fits_is_wrong() {
        check(
            "status = { at_least = 400 }",
            100.0,
            TEAPOT,
            &[
                "own.toml:1: counterexample 1 of `maintenance-page` is diagnosed as \
               `maintenance-page` all the same: mend it, or ask for more in `when`",
            ],
        );
    }

    const TWO: &str = r#"
        [[rule]]
        id = "wide"
        title = "Wide"
        owner = "service"
        next = ["Look."]
        see = "https://example.org/"
        when = { status = { at_least = 500 }, phase = "expect" }
        example = [{ given = { phase = "expect", status = 599 } }]
        counterexample = [{ given = { phase = "expect", status = 1 }, because = "b" }]
        [[rule]]
        id = "narrow"
        title = "Narrow"
        owner = "service"
        weight = 0.5
        next = ["Look."]
        see = "https://example.org/"
        when = { status = [598, 599], phase = "expect", header.server = "x" }
        example = [{ given = { phase = "expect", status = 598, header.server = "x" } }]
        counterexample = [{ given = { phase = "expect", status = 1 }, because = "b" }]
    "#;

    #[test]
    fn a_narrower_rule_that_weighs_less_is_shadowed() {
        let find = |text: &str| {
            let files = [RuleFile {
                name: "own.toml".to_owned(),
                text: text.to_owned(),
            }];
            let book = Rulebook::with(&files).unwrap();
            lint(&book, &Rulebook::embedded().unwrap()).warnings
        };
        let warnings = find(TWO);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].line, 11);
        assert!(warnings[0].message.contains("`wide` (own.toml:2)"));
        assert!(find(&TWO.replace("weight = 0.5", "weight = 2")).is_empty());
    }
}
