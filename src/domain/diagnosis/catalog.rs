//! The closed vocabulary shared by code and rules: the name, type, and meaning of every fact.
//!
//! The parser checks rules against it, so that a rule with a misspelled fact or value is
//! rejected instead of silently never matching. `aws` holds the facts drawn from AWS.

mod aws;

/// The type of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactType {
    /// Any text.
    Text,
    /// One of the listed words.
    Word(&'static [&'static str]),
    /// A number.
    Number,
}

/// The definition of a fact.
#[derive(Clone, Copy, Debug)]
pub struct FactInfo {
    /// The name; a trailing `*` matches any suffix.
    pub name: &'static str,
    /// The type.
    pub kind: FactType,
    /// The value if nothing else is known; `None`: the fact is absent then.
    pub default: Option<&'static str>,
    /// The meaning, as documentation for authors of rules.
    pub meaning: &'static str,
}

use FactType::{Number, Text, Word};

/// Every fact.
pub const CATALOG: &[FactInfo] = &joined();

/// The facts that are observed from outside or declared in the configuration.
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
        "the phase that failed: the phase of the fault; `expect` if a complete response did not meet its expectations; `degraded` if it was only too slow or its certificate expires soon; absent if the probe passed",
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
        "the fault that occurred before the response was complete",
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
        "the most severe expectation that a complete response did not meet",
    ),
    fact(
        "method",
        Text,
        "request method of the target; a response to `HEAD` has no body that identifies a front door",
    ),
    fact("status", Number, "status code of the final response"),
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
        "front door that responded, recognized by headers, host, and byte-exact pages",
    ),
    with_default(
        "gateway_made",
        Word(&["yes", "unclear", "no"]),
        "no",
        "whether the gateway generated the response itself: `yes` for an exact body with only gateway headers, `unclear` for only gateway headers with another body or none",
    ),
    fact("body.message", Text, "string `message` of a JSON body"),
    fact("body.Message", Text, "string `Message` of a JSON body"),
    fact("body.Reason", Text, "string `Reason` of a JSON body"),
    fact(
        "body.errorMessage",
        Text,
        "string `errorMessage` of a JSON body, with which Lambda reports a failed function",
    ),
    fact(
        "body.errors",
        Number,
        "number of objects with a string `message` in the top-level `errors` of a JSON body, in which GraphQL reports errors behind a 200; absent if there are none",
    ),
    fact(
        "body.errors.type",
        Text,
        "first `errorType` in `errors`, with which AppSync names the kind of failure",
    ),
    fact(
        "body.json",
        Word(&["object", "other", "no"]),
        "whether the body is a JSON object, another JSON value, or not valid JSON",
    ),
    fact(
        "age",
        Number,
        "seconds that the response spent in a cache, from its `age` header; above 0, the response belongs to an earlier request and the times of this request say nothing about it",
    ),
    fact(
        "header.*",
        Text,
        "first value of a response header, by its lower-case name",
    ),
    fact("phase.resolve", Number, "seconds of name resolution"),
    fact(
        "phase.connect",
        Number,
        "seconds of the TCP connection attempt",
    ),
    fact("phase.tls", Number, "seconds of the TLS handshake"),
    fact(
        "phase.processing",
        Number,
        "seconds from the sent request to the first byte",
    ),
    fact(
        "phase.transfer",
        Number,
        "seconds from the first byte to the last",
    ),
    fact(
        "duration",
        Number,
        "seconds from the start to the last byte or the fault",
    ),
    fact(
        "answer_time",
        Number,
        "response time in seconds: `phase.processing` if known, else `duration`",
    ),
    fact(
        "clock",
        Word(&["processing", "total"]),
        "clock of `answer_time`: `processing` or the `total` duration",
    ),
    fact(
        "floor",
        Number,
        "seconds that this front door needs to respond without the function, on the same clock; the upper end of the interval",
    ),
    fact(
        "floor.low",
        Number,
        "lower end of the floor: seconds of the fastest response without the function",
    ),
    fact(
        "floor.high",
        Number,
        "upper end of the floor: seconds of the slowest such response that is no outlier; equal to `floor.low` for an estimate",
    ),
    fact(
        "floor_from",
        Text,
        "source of the floor: control requests, another response, or an estimate",
    ),
    fact(
        "excess",
        Number,
        "`answer_time` minus `floor.high`, in seconds; may be negative",
    ),
    fact(
        "healthy_minimum",
        Number,
        "seconds of the fastest healthy response from behind the front door, adjusted to the current round trip",
    ),
    with_default(
        "invoked",
        Word(&["yes", "no", "unclear"]),
        "unclear",
        "whether the time above the floor and the history of healthy responses suggest that the function ran: a hint for ranking, never proof; `unclear` behind a declared authorizer",
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
        "time limit that `answer_time` matches: a declared or documented one, the prober's own timeout (`client`), or an undeclared one that repeated failures match (`learned`, which only affects the ranking)",
    ),
    fact(
        "certificate_days",
        Number,
        "days until the first certificate in the chain expires",
    ),
    with_default(
        "integration",
        Word(&["lambda", "http", "vpc-link", "unknown"]),
        "unknown",
        "declared integration behind the route",
    ),
    with_default(
        "authorizer",
        Word(&["none", "lambda", "jwt", "iam", "unknown"]),
        "unknown",
        "declared authorizer of the route",
    ),
    with_default(
        "vantage",
        Word(&["sound", "suspect"]),
        "sound",
        "health of the prober itself: `suspect` while nearly all unrelated targets fail in the same phase as this one",
    ),
    fact("redirects", Number, "number of followed redirects"),
    fact("http_version", Text, "`1.0`, `1.1` or `2`"),
    fact("host", Text, "host of the last request, after redirects"),
];

/// The definition of the fact with this name; `None` if there is none.
#[must_use]
pub fn info(name: &str) -> Option<&'static FactInfo> {
    CATALOG
        .iter()
        .find(|info| match info.name.strip_suffix('*') {
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => info.name == name,
        })
}

/// Concatenates both lists, which constants allow only in this way.
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
    fn the_catalog_lists_every_fault_and_every_unmet_kind() {
        let faults: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words("fault"), faults);
        let unmet: Vec<_> = UnmetKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words("unmet"), unmet);
    }

    #[test]
    fn a_header_fact_needs_a_header_name() {
        assert!(info("header.server").is_some());
        assert!(info("header.").is_none());
        assert!(info("color").is_none());
    }
}
