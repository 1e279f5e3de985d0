//! Checks the headers of a response against the conditions of its target.

use super::{Unmet, UnmetKind};
use crate::model::observation::Response;
use crate::model::target::TextMatch;

/// Returns the unmet expectation if the header `name` does not meet its condition; otherwise
/// `None`. If the header has several values, one of them must meet a positive condition, such as
/// `Contains`, and all must meet a negative one, such as `Lacks`.
pub(super) fn check(name: &str, expected: &TextMatch, response: &Response) -> Option<Unmet> {
    let headers = response.headers.iter();
    let values: Vec<&str> = headers
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .collect();
    let is_present = !values.is_empty();
    let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
    let (is_met, problem) = match expected {
        TextMatch::Equals(text) => (any(&|value| value == text), format!("is not `{text}`")),
        TextMatch::Contains(part) => (
            any(&|value| value.contains(part.as_str())),
            format!("does not contain `{part}`"),
        ),
        TextMatch::Regex(pattern) => (
            any(&|value| pattern.0.is_match(value)),
            format!("does not match `{}`", pattern.0.as_str()),
        ),
        TextMatch::Differs(text) => (!any(&|value| value == text), format!("is `{text}`")),
        TextMatch::Lacks(part) => (
            !any(&|value| value.contains(part.as_str())),
            format!("contains `{part}`"),
        ),
        TextMatch::NoMatch(pattern) => (
            !any(&|value| pattern.0.is_match(value)),
            format!("matches `{}`", pattern.0.as_str()),
        ),
        TextMatch::Exists(wanted) => (is_present == *wanted, "is present".to_owned()),
    };
    let needs_value = matches!(
        expected,
        TextMatch::Equals(_)
            | TextMatch::Contains(_)
            | TextMatch::Regex(_)
            | TextMatch::Exists(true)
    );
    let problem = if needs_value && !is_present {
        "is missing"
    } else {
        &problem
    };
    (!is_met).then(|| Unmet {
        kind: UnmetKind::Header,
        detail: format!("header `{name}` {problem}"),
    })
}
