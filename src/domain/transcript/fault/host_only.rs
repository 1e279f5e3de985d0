//! Recognizes failed name resolutions in messages that consist of the name of the host.
//!
//! The message of Java's `UnknownHostException` is only the name. Spring and Feign copy the message
//! without the class of the exception.

use std::sync::LazyLock;

use regex::Regex;

use super::Found;
use crate::domain::transcript::pattern::pattern;
use crate::model::observation::{FaultKind, Phase};

/// The rank of the fault that [`find_fault`] returns. It is higher than every rank of a phrase.
const RANK: usize = 9_000;

/// Expressions that capture the message of the exception and the host of the URL, each with the
/// number of the message's group and the number of the host's group.
static FORMS: LazyLock<Vec<(Regex, usize, usize)>> = LazyLock::new(|| {
    [
        (
            r#"I/O error on [A-Z]+ request for "https?://([^/":?]+)[^"]{0,400}": ([\w.-]+)(?:;|\s|$)"#,
            2,
            1,
        ),
        (
            r"RetryableException: ([\w.-]+) executing [A-Z]+ https?://([^/:?\s]+)",
            1,
            2,
        ),
    ]
    .into_iter()
    .filter_map(|(form, message, host)| Some((pattern(form)?, message, host)))
    .collect()
});

/// Returns the fault if the exception's message is only the host of the request; otherwise `None`.
pub(super) fn find_fault(message: &str) -> Option<Found> {
    if !message.contains("http") {
        return None;
    }
    let is_host = FORMS.iter().any(|(form, message_at, host_at)| {
        form.captures(message)
            .is_some_and(|found| found[*message_at] == found[*host_at])
    });
    is_host.then_some(Found {
        phase: Phase::Resolve,
        kind: FaultKind::ResolverFailure,
        is_stated: true,
        is_vague: false,
        rank: RANK,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_the_request_counts() {
        for (message, expected) in [
            (
                "ResourceAccessException: I/O error on GET request for \"https://a.example/b?c\": a.example",
                true,
            ),
            (
                "I/O error on GET request for \"https://a.example:8443/b\": a.example; nested exception",
                true,
            ),
            (
                "feign.RetryableException: a.example executing GET https://a.example/b",
                true,
            ),
            (
                "I/O error on GET request for \"https://a.example/b\": Oops",
                false,
            ),
        ] {
            assert_eq!(find_fault(message).is_some(), expected, "{message}");
        }
    }
}
