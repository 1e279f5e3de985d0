//! The closed vocabulary between code and rules: every fact's name, type and meaning.
//!
//! A rule with a misspelt fact or value is refused when it is read instead of silently
//! never fitting. Grouped by what a fact is drawn from.

mod aws;

/// What type a fact has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactType {
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number.
    Number,
}

/// One fact of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct FactInfo {
    /// The name; a trailing `*` stands for any rest.
    pub name: &'static str,
    /// Its type.
    pub kind: FactType,
    /// The value when nothing else is known; absent: the fact is absent then.
    pub default: Option<&'static str>,
    /// What it says, for those who write rules.
    pub meaning: &'static str,
}

use FactType::{Number, Text, Word};

/// Every fact there is. Rules are checked against it.
pub const CATALOGUE: &[FactInfo] = &joined();

/// The facts seen from outside, and what was declared.
const OUTSIDE: &[FactInfo] = &[
    fact(
        "phase",
        Word(&[
            "resolve",
            "connect",
            "tls",
            "processing",
            "transfer",
            "expect",
            "degraded",
        ]),
        "where it went wrong: the phase of the fault; `expect` when a whole answer failed its expectations; `degraded` when it only is late or its certificate runs out; absent when all is well",
    ),
    fact(
        "fault",
        Word(&[
            "name-not-found",
            "resolver-failure",
            "connection-refused",
            "unreachable",
            "connection-reset",
            "connection-closed",
            "timeout",
            "certificate-expired",
            "certificate-not-yet-valid",
            "certificate-name-mismatch",
            "certificate-untrusted",
            "tls-handshake",
            "truncated",
            "too-many-redirects",
            "bad-redirect",
            "protocol",
            "decode",
            "address-refused",
            "proxy",
            "credentials",
            "local",
        ]),
        "what broke before a whole answer was in",
    ),
    fact(
        "unmet",
        Word(&[
            "status",
            "header",
            "body",
            "too-slow",
            "certificate-expiring",
        ]),
        "the gravest expectation that a whole answer did not meet",
    ),
    fact(
        "method",
        Text,
        "method that the target asks with; an answer to `HEAD` has no body to tell a front door by",
    ),
    fact("status", Number, "status code of the final answer"),
    with_default(
        "front_door",
        Word(&[
            "http-api",
            "rest-api",
            "function-url",
            "alb",
            "cloudfront",
            "unknown",
        ]),
        "unknown",
        "what answered, by its headers, host and byte-exact pages",
    ),
    with_default(
        "gateway_made",
        Word(&["yes", "unclear", "no"]),
        "no",
        "whether the gateway itself made the answer: `yes` for a body in its exact form with none but its own headers, `unclear` for its headers around another body or none",
    ),
    fact("body.message", Text, "string `message` of a JSON body"),
    fact("body.Message", Text, "string `Message` of a JSON body"),
    fact("body.Reason", Text, "string `Reason` of a JSON body"),
    fact(
        "body.errorMessage",
        Text,
        "string `errorMessage` of a JSON body: how Lambda reports a failed function",
    ),
    fact(
        "body.errors",
        Number,
        "how many objects with a string `message` the top-level `errors` of a JSON body lists, as GraphQL reports errors behind a 200; absent when there is none",
    ),
    fact(
        "body.errors.type",
        Text,
        "the first `errorType` among them: AppSync's word for what failed",
    ),
    fact(
        "body.json",
        Word(&["object", "other", "no"]),
        "whether the body is a JSON object, another JSON value, or no whole JSON at all",
    ),
    fact(
        "age",
        Number,
        "seconds that the answer lay in a cache, by its `age` header; above 0 it was made for an earlier request, and no time of this one says anything about it",
    ),
    fact(
        "header.*",
        Text,
        "first value of a response header, by lower-case name",
    ),
    fact("phase.resolve", Number, "seconds of name resolution"),
    fact("phase.connect", Number, "seconds of TCP"),
    fact("phase.tls", Number, "seconds of the TLS handshake"),
    fact(
        "phase.processing",
        Number,
        "seconds from request sent to first byte",
    ),
    fact("phase.transfer", Number, "seconds from first byte to last"),
    fact(
        "duration",
        Number,
        "seconds from start to last byte or fault",
    ),
    fact(
        "answer_time",
        Number,
        "seconds the answer took: processing where known, else the whole duration",
    ),
    fact(
        "clock",
        Word(&["processing", "total"]),
        "which of the two `answer_time` is",
    ),
    fact(
        "floor",
        Number,
        "seconds this front door takes when it answers without the function, on the same clock: the upper end of the interval",
    ),
    fact(
        "floor.low",
        Number,
        "seconds of the quickest answer without the function that the floor was drawn from",
    ),
    fact(
        "floor.high",
        Number,
        "seconds of the slowest such answer that counts; equal to `floor.low` for an estimate",
    ),
    fact(
        "floor_from",
        Text,
        "where the floor comes from: control requests, another answer, or an estimate",
    ),
    fact(
        "excess",
        Number,
        "answer time above `floor.high`, in seconds; may be negative",
    ),
    fact(
        "healthy_minimum",
        Number,
        "seconds of the quickest answer from behind the front door while all was well, at today's round trip",
    ),
    with_default(
        "invoked",
        Word(&["yes", "no", "unclear"]),
        "unclear",
        "whether the time above the floor, and the history of healthy answers, suggest that the function ran: a hint for ranking, never a proof; `unclear` behind a declared authorizer",
    ),
    with_default(
        "plateau",
        Word(&[
            "integration",
            "function",
            "cloudfront",
            "client",
            "learned",
            "none",
        ]),
        "none",
        "which time limit the answer time sits on: a declared or documented one, our own deadline, or `learned`, one that repeated failures sit on and nobody declared (it only ranks)",
    ),
    fact(
        "certificate_days",
        Number,
        "days until the first certificate of the chain expires",
    ),
    with_default(
        "integration",
        Word(&["lambda", "http", "vpc-link", "unknown"]),
        "unknown",
        "what the user declared to stand behind the route",
    ),
    with_default(
        "authorizer",
        Word(&["none", "lambda", "jwt", "iam", "unknown"]),
        "unknown",
        "what the user declared to authorise callers",
    ),
    with_default(
        "vantage",
        Word(&["sound", "suspect"]),
        "sound",
        "whether the prober itself is in trouble: `suspect` while nearly all unrelated targets fail in this failure's phase",
    ),
    fact("redirects", Number, "redirects followed"),
    fact("http_version", Text, "`1.0`, `1.1` or `2`"),
    fact("host", Text, "host of the last hop"),
];

/// The catalogue's entry for a name; `None`: there is no such fact.
#[must_use]
pub fn info(name: &str) -> Option<&'static FactInfo> {
    CATALOGUE
        .iter()
        .find(|info| match info.name.strip_suffix('*') {
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => info.name == name,
        })
}

/// Both lists as one, for which constants have no other means.
const fn joined() -> [FactInfo; OUTSIDE.len() + aws::FACTS.len()] {
    let mut all = [aws::FACTS[0]; OUTSIDE.len() + aws::FACTS.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < OUTSIDE.len() {
            OUTSIDE[at]
        } else {
            aws::FACTS[at - OUTSIDE.len()]
        };
        at += 1;
    }
    all
}

const fn fact(name: &'static str, kind: FactType, meaning: &'static str) -> FactInfo {
    FactInfo {
        name,
        kind,
        default: None,
        meaning,
    }
}

const fn with_default(
    name: &'static str,
    kind: FactType,
    default: &'static str,
    meaning: &'static str,
) -> FactInfo {
    FactInfo {
        name,
        kind,
        default: Some(default),
        meaning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::expectation::UnmetKind;
    use crate::model::observation::FaultKind;

    fn words(name: &str) -> &'static [&'static str] {
        match info(name).unwrap().kind {
            Word(words) => words,
            _ => &[],
        }
    }

    #[test]
    fn the_catalogue_knows_every_fault_and_every_unmet_kind() {
        let faults: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words("fault"), faults);
        let unmet: Vec<_> = UnmetKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words("unmet"), unmet);
    }

    #[test]
    fn header_facts_need_a_name() {
        assert!(info("header.server").is_some());
        assert!(info("header.").is_none());
        assert!(info("colour").is_none());
    }
}
