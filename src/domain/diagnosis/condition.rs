//! Defines a condition of a rule: a fact and the test that its value must pass.
//!
//! A test compares a value with a set of values, a range, or a glob pattern, or requires that the
//! fact is known or unknown. A rule matches if all its conditions hold. There is deliberately no
//! `or` between conditions, and no `not`, regular expression, or arithmetic: a rule that needs more
//! requires a new fact, which is code with unit tests.

use crate::domain::diagnosis::fact::{FactValue, Facts};

/// A fact and the test that its value must pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The fact's name in the catalog.
    pub fact: String,
    /// The test that the fact's value must pass.
    pub test: Test,
}

/// A test of a fact's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The value is one of the listed values.
    OneOf(Vec<FactValue>),
    /// The value is text that matches this pattern; `*` matches any number of characters.
    Glob(String),
    /// The value is a number in `at_least..below`; a bound that is `None` is not checked.
    Range {
        /// The inclusive lower bound.
        at_least: Option<f64>,
        /// The exclusive upper bound.
        below: Option<f64>,
    },
    /// The fact is known (`true`) or unknown (`false`).
    Present(bool),
}

impl Condition {
    /// Returns whether the facts satisfy the condition. An unknown fact satisfies only
    /// `Test::Present(false)`.
    #[must_use]
    pub fn holds(&self, facts: &Facts) -> bool {
        let value = facts.get(&self.fact);
        match (&self.test, value) {
            (Test::Present(wanted), value) => value.is_some() == *wanted,
            (Test::OneOf(values), Some(value)) => values.contains(value),
            (Test::Glob(glob), Some(FactValue::Text(text))) => glob_matches(glob, text),
            (Test::Range { at_least, below }, Some(FactValue::Number(number))) => {
                at_least.is_none_or(|low| *number >= low) && below.is_none_or(|high| *number < high)
            }
            _ => false,
        }
    }

    /// Returns whether every set of facts that satisfies this condition also satisfies `other`.
    /// Returns `false` also if the two tests alone do not prove this.
    #[must_use]
    pub(super) fn implies(&self, other: &Self) -> bool {
        if self.fact != other.fact {
            return false;
        }
        match (&self.test, &other.test) {
            (Test::Present(given), Test::Present(wanted)) => given == wanted,
            // Every other test requires a known fact, so it implies `Present(true)`.
            (_, Test::Present(wanted)) => *wanted,
            (Test::OneOf(values), _) => values.iter().all(|value| {
                let mut facts = Facts::default();
                facts.set(&self.fact, value.clone());
                other.holds(&facts)
            }),
            // The pattern `given` is matched as text: only a `*` in `wanted` matches the character
            // `*`, so if `wanted` matches, it has a wildcard wherever `given` has one.
            (Test::Glob(given), Test::Glob(wanted)) => glob_matches(wanted, given),
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

    /// Returns the fact's value in a form that may be published. A value from the body may contain
    /// private data, and so may a header or reason phrase that is long or has unusual characters.
    /// Such a value is replaced with the value or pattern of the condition that it matches, or with
    /// `present`. `None` if the fact is unknown, or if such a value does not satisfy the condition.
    #[must_use]
    pub fn evidence(&self, facts: &Facts) -> Option<FactValue> {
        let value = facts.get(&self.fact)?;
        if !self.fact.starts_with("body.") && is_plain(&self.fact, value) {
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

/// Maximum length in bytes of a header value or reason phrase that is published unchanged.
const MAX_PLAIN: usize = 128;

/// Returns whether the value of a header or reason phrase is short and has only the characters of
/// names and versions, such as `nginx/1.24.0 (Ubuntu)`. A longer value or one with other characters
/// may contain private data, because a server may repeat data of the request in its headers.
/// Returns `true` for facts that are not a header or reason phrase.
pub(in crate::domain) fn is_plain(fact: &str, value: &FactValue) -> bool {
    match value {
        FactValue::Text(text) if fact.starts_with("header.") || fact == "reason" => {
            is_plain_text(text)
        }
        _ => true,
    }
}

/// Returns whether a text has at most [`MAX_PLAIN`] bytes and only the characters of names and
/// versions.
pub(in crate::domain) fn is_plain_text(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || " ._-/():,;+".contains(c);
    text.len() <= MAX_PLAIN && text.chars().all(is_of_name)
}

/// Returns whether a pattern matches the whole text; `*` matches any number of characters. The time
/// is proportional to the length of the text, so patterns may be tested on large bodies.
fn glob_matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // The earliest position of each part leaves the most text for the parts after it.
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fact = &self.fact;
        match &self.test {
            Test::OneOf(values) => {
                let words: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "{fact} is {}", words.join(" or "))
            }
            Test::Glob(glob) => write!(f, "{fact} matches {glob}"),
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
    fn each_test_accepts_only_matching_values() {
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
    fn a_pattern_matches_the_whole_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*a", "a", false),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "xabyab", true),
            ("**", "", true),
            ("*\n*", "a\nb", true),
            ("", "", true),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_condition_implies_another_if_its_values_all_satisfy_the_other() {
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
        for name in ["body.text", "body.title", "body.json.a", "body.xml.a"] {
            facts.set_text(name, "customer 4711");
            let fact = name.to_owned();
            let present = Condition {
                fact,
                test: Test::Present(true),
            };
            let published = present.evidence(&facts).unwrap().to_string();
            assert_eq!(published, "present", "{name}");
        }
    }

    #[test]
    fn a_header_is_published_only_if_it_is_plain() {
        let mut facts = Facts::default();
        let condition = Condition {
            fact: "header.server".to_owned(),
            test: Test::Present(true),
        };
        let long = "a".repeat(129);
        for (value, published) in [
            ("nginx/1.24.0 (Ubuntu)", "nginx/1.24.0 (Ubuntu)"),
            ("accept=*/* token=4711", "present"),
            ("Bearer realm=\"x\"", "present"),
            ("user@example.com", "present"),
            (&long, "present"),
        ] {
            facts.set_text("header.server", value);
            let evidence = condition.evidence(&facts).unwrap();
            assert_eq!(evidence.to_string(), published);
        }
    }
}
