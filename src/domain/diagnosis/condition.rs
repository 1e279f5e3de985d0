//! One condition of a rule: a fact and what it must be.
//!
//! Equality, set, range, glob and presence; a rule is their conjunction. There is no
//! `or`, `not`, regular expression or arithmetic on purpose: a rule that needs more needs
//! a new fact, which is code with tests.

use wildmatch::WildMatchPattern;

use crate::domain::diagnosis::fact::{FactValue, Facts};

/// A fact and what it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The fact's name, in the catalogue.
    pub fact: String,
    /// What it must be.
    pub test: Test,
}

/// What a fact must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// One of these.
    OneOf(Vec<FactValue>),
    /// A text of this shape; `*` stands for any run of characters.
    Glob(String),
    /// A number in `at_least..below`; an absent bound is none.
    Range {
        /// The first number inside.
        at_least: Option<f64>,
        /// The first number outside.
        below: Option<f64>,
    },
    /// Known, or not known.
    Present(bool),
}

impl Condition {
    /// Whether the facts satisfy it; an unknown fact satisfies nothing but its absence.
    #[must_use]
    pub fn holds(&self, facts: &Facts) -> bool {
        let value = facts.get(&self.fact);
        match (&self.test, value) {
            (Test::Present(wanted), value) => value.is_some() == *wanted,
            (Test::OneOf(values), Some(value)) => values.contains(value),
            (Test::Glob(glob), Some(FactValue::Text(text))) => {
                WildMatchPattern::<'*', '\0'>::new(glob).matches(text)
            }
            (Test::Range { at_least, below }, Some(FactValue::Number(number))) => {
                at_least.is_none_or(|low| *number >= low) && below.is_none_or(|high| *number < high)
            }
            _ => false,
        }
    }

    /// Whether facts that satisfy it cannot but satisfy `other`. `false` also where that
    /// is not seen from the two tests alone.
    #[must_use]
    pub fn implies(&self, other: &Self) -> bool {
        if self.fact != other.fact {
            return false;
        }
        match (&self.test, &other.test) {
            (Test::Present(given), Test::Present(wanted)) => given == wanted,
            // All other tests need the fact to be known.
            (_, Test::Present(wanted)) => *wanted,
            (Test::OneOf(values), _) => values.iter().all(|value| {
                let mut facts = Facts::default();
                facts.set(&self.fact, value.clone());
                other.holds(&facts)
            }),
            // A run of characters that one pattern leaves open, the other must leave open
            // too: its `*` is the only thing that takes a `*` as it stands.
            (Test::Glob(given), Test::Glob(wanted)) => {
                WildMatchPattern::<'*', '\0'>::new(wanted).matches(given)
            }
            (
                Test::Range { at_least, below },
                Test::Range {
                    at_least: low,
                    below: high,
                },
            ) => {
                low.is_none_or(|low| at_least.is_some_and(|given| given >= low))
                    && high.is_none_or(|high| below.is_some_and(|given| given <= high))
            }
            _ => false,
        }
    }

    /// The fact's value as it may be published: text of a body only as the template that
    /// it matched, since it may hold what nobody but the service's owner should see.
    #[must_use]
    pub fn evidence(&self, facts: &Facts) -> Option<FactValue> {
        let value = facts.get(&self.fact)?;
        if !self.fact.starts_with("body.") {
            return Some(value.clone());
        }
        match &self.test {
            _ if !self.holds(facts) => None,
            Test::OneOf(_) => Some(value.clone()),
            Test::Glob(glob) => Some(FactValue::Text(glob.clone())),
            Test::Range { .. } | Test::Present(_) => Some(FactValue::Text("present".to_owned())),
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fact = &self.fact;
        match &self.test {
            Test::OneOf(values) => {
                let words: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "{fact} is {}", words.join(" or "))
            }
            Test::Glob(glob) => write!(f, "{fact} looks like {glob}"),
            Test::Range { at_least, below } => match (at_least, below) {
                (Some(low), Some(high)) => write!(f, "{fact} is at least {low} and below {high}"),
                (Some(low), None) => write!(f, "{fact} is at least {low}"),
                (None, Some(high)) => write!(f, "{fact} is below {high}"),
                (None, None) => write!(f, "{fact} is a number"),
            },
            Test::Present(true) => write!(f, "{fact} is known"),
            Test::Present(false) => write!(f, "{fact} is not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(test: Test, expected: bool) {
        let mut facts = Facts::default();
        facts.set_text("header.server", "awselb/2.0");
        facts.set_number("status", 503.0);
        let fact = match &test {
            Test::Range { .. } => "status",
            _ => "header.server",
        };
        let condition = Condition {
            fact: fact.to_owned(),
            test,
        };
        assert_eq!(condition.holds(&facts), expected, "{condition}");
    }

    #[test]
    fn each_test_holds_when_it_should_and_not_otherwise() {
        check(Test::Glob("awselb/*".to_owned()), true);
        check(Test::Glob("awselb".to_owned()), false);
        check(Test::Present(true), true);
        check(Test::Present(false), false);
        let text = |text: &str| Test::OneOf(vec![FactValue::Text(text.to_owned())]);
        check(text("awselb/2.0"), true);
        check(text("nginx"), false);
        let range = |at_least, below| Test::Range { at_least, below };
        check(range(Some(503.0), None), true);
        check(range(None, Some(503.0)), false);
    }

    #[test]
    fn one_condition_implies_another_where_it_leaves_it_no_way_out() {
        let words = |words: &[&str]| {
            let words = words.iter().map(|word| FactValue::Text((*word).to_owned()));
            Test::OneOf(words.collect())
        };
        let glob = |glob: &str| Test::Glob(glob.to_owned());
        let range = |at_least, below| Test::Range { at_least, below };
        let implies = |given: Test, wanted: Test, expected: bool| {
            let condition = |test| Condition {
                fact: match test {
                    Test::Range { .. } => "status".to_owned(),
                    _ => "header.server".to_owned(),
                },
                test,
            };
            let (given, wanted) = (condition(given), condition(wanted));
            assert_eq!(given.implies(&wanted), expected, "{given} → {wanted}");
        };
        implies(words(&["a"]), words(&["a", "b"]), true);
        implies(words(&["a", "b"]), words(&["a"]), false);
        implies(words(&["ab"]), glob("a*"), true);
        implies(glob("ab*"), glob("a*"), true);
        implies(glob("a*"), glob("ab*"), false);
        implies(glob("a*c"), glob("a*b*c"), false);
        implies(glob("a*"), words(&["a"]), false);
        implies(glob("a*"), Test::Present(true), true);
        implies(Test::Present(true), glob("*"), false);
        implies(Test::Present(false), Test::Present(false), true);
        implies(words(&["a"]), Test::Present(false), false);
        implies(range(Some(5.0), Some(6.0)), range(Some(5.0), None), true);
        implies(range(Some(5.0), None), range(Some(5.0), Some(6.0)), false);
        implies(range(None, Some(5.0)), range(Some(1.0), None), false);
    }

    #[test]
    fn text_of_a_body_is_published_only_as_its_template() {
        let mut facts = Facts::default();
        facts.set_text("body.message", "customer 4711 not found");
        let condition = |test| Condition {
            fact: "body.message".to_owned(),
            test,
        };
        let glob = condition(Test::Glob("*not found".to_owned()));
        assert_eq!(
            glob.evidence(&facts),
            Some(FactValue::Text("*not found".to_owned()))
        );
        let other = condition(Test::Glob("never".to_owned()));
        assert_eq!(other.evidence(&facts), None);
    }
}
