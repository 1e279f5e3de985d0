//! Checks a response against the expectations of its target.
//!
//! Only complete responses are checked: a probe without a complete response has a fault, which is
//! more severe than an unmet expectation. The unmet expectations are returned, most severe first.
//! `diagnosis` determines the cause of the failure. The functions are pure: the current time is an
//! argument.

mod certificate;
mod header;
mod json;

use jiff::Timestamp;

pub use self::certificate::days as certificate_days;

use crate::model::observation::{Observation, Response};
use crate::model::target::{BodyMatch, Expectations};
use crate::model::text_enum::text_enum;

/// An expectation that a response did not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The kind of the unmet expectation.
    pub kind: UnmetKind,
    /// A description of how the response differs from the expectation. Of the body, it contains
    /// only text that is also in the configuration, and the shortened JSON value at a configured
    /// path.
    pub detail: String,
}

text_enum! {
    /// The kinds of unmet expectations, most severe first.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum UnmetKind {
        /// The status code is not in the expected ranges.
        Status = "status",
        /// A response header does not meet its condition.
        Header = "header",
        /// The response body does not meet one of its conditions.
        Body = "body",
        /// The probe took longer than `slower_than`. This degrades the probe instead of failing it.
        TooSlow = "too-slow",
        /// A certificate chain expires in less than `certificate_days` days. This degrades the
        /// probe instead of failing it.
        CertificateExpiring = "certificate-expiring",
    }
}

/// The expected status codes of a target that sets no `status`, as inclusive ranges.
const DEFAULT_STATUS: &[(u16, u16)] = &[(200, 299)];

impl UnmetKind {
    /// Returns whether this kind of unmet expectation degrades the probe instead of failing it.
    #[must_use]
    pub const fn degrades(self) -> bool {
        matches!(self, Self::TooSlow | Self::CertificateExpiring)
    }
}

/// Returns the expectations that the observation does not meet, most severe first. Returns an empty
/// list if there is no complete response.
#[must_use]
pub fn check(expectations: &Expectations, observation: &Observation, now: Timestamp) -> Vec<Unmet> {
    let (None, Some(response)) = (&observation.fault, &observation.response) else {
        return Vec::new();
    };
    let mut unmet = Vec::new();
    unmet.extend(check_status(&expectations.status, response.status));
    for (name, expected) in &expectations.headers {
        unmet.extend(header::check(name, expected, response));
    }
    for expected in &expectations.body {
        unmet.extend(check_body(expected, response));
    }
    if let Some(limit) = expectations.slower_than
        && observation.duration_without_lag() > limit
    {
        unmet.push(Unmet {
            kind: UnmetKind::TooSlow,
            detail: format!(
                "the probe took {:.3} s, more than `slower_than` ({:.3} s)",
                observation.duration.as_secs_f64(),
                limit.as_secs_f64()
            ),
        });
    }
    unmet.extend(certificate::check(expectations, observation, now));
    unmet
}

/// Returns whether a status code is in the expected ranges.
#[must_use]
pub fn is_expected_status(expectations: &Expectations, status: u16) -> bool {
    check_status(&expectations.status, status).is_none()
}

/// Returns whether at least one of the target's conditions for the body is not met.
#[must_use]
pub fn body_is_unmet(expectations: &Expectations, response: &Response) -> bool {
    let mut expected = expectations.body.iter();
    expected.any(|expected| check_body(expected, response).is_some())
}

fn check_status(expected: &[(u16, u16)], status: u16) -> Option<Unmet> {
    let ranges = if expected.is_empty() {
        DEFAULT_STATUS
    } else {
        expected
    };
    if ranges
        .iter()
        .any(|(low, high)| (*low..=*high).contains(&status))
    {
        return None;
    }
    let wanted: Vec<String> = ranges
        .iter()
        .map(|(low, high)| {
            if low == high {
                low.to_string()
            } else {
                format!("{low}-{high}")
            }
        })
        .collect();
    Some(Unmet {
        kind: UnmetKind::Status,
        detail: format!("status {status} instead of {}", wanted.join(", ")),
    })
}

fn check_body(expected: &BodyMatch, response: &Response) -> Option<Unmet> {
    let text = String::from_utf8_lossy(&response.body);
    let problem = body_problem(expected, &text)?;
    // If the body was truncated, the whole body might meet the condition. The message therefore
    // states how many bytes were checked.
    let kept = if response.body_truncated {
        format!(
            " (only the first {} bytes of the body were checked)",
            response.body.len()
        )
    } else {
        String::new()
    };
    Some(Unmet {
        kind: UnmetKind::Body,
        detail: format!("{problem}{kept}"),
    })
}

fn body_problem(expected: &BodyMatch, text: &str) -> Option<String> {
    match expected {
        BodyMatch::Contains(part) => {
            (!text.contains(part.as_str())).then(|| format!("body does not contain `{part}`"))
        }
        BodyMatch::Regex(pattern) => (!pattern.0.is_match(text))
            .then(|| format!("body does not match `{}`", pattern.0.as_str())),
        BodyMatch::Lacks(part) => text
            .contains(part.as_str())
            .then(|| format!("body contains `{part}`")),
        BodyMatch::NoMatch(pattern) => pattern
            .0
            .is_match(text)
            .then(|| format!("body matches `{}`", pattern.0.as_str())),
        BodyMatch::Json { path, test } => json::problem(path, test, text),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::observation::{Certificate, TlsFacts};
    use crate::model::target::{JsonPath, JsonTest, Pattern, TextMatch};

    fn observed(status: u16, body: &str) -> Observation {
        let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "http://x/");
        observation.duration = Duration::from_millis(2500);
        observation.response = Some(Response::of(status, &[("x-mode", "live")], body));
        observation
    }

    fn check_one(expect: &Expectations, observation: &Observation, expected: &[&str]) {
        let unmet = check(expect, observation, Timestamp::UNIX_EPOCH);
        let details: Vec<&str> = unmet.iter().map(|unmet| unmet.detail.as_str()).collect();
        assert_eq!(details, expected);
        assert!(unmet.is_sorted_by_key(|unmet| unmet.kind));
    }

    fn json(path: &str, value: serde_json::Value) -> BodyMatch {
        BodyMatch::Json {
            path: JsonPath {
                source: path.to_owned(),
                path: serde_json_path::JsonPath::parse(&format!("$.{path}")).unwrap(),
            },
            test: JsonTest::Equals(value),
        }
    }

    #[test]
    fn a_2xx_status_is_expected_by_default() {
        check_one(&Expectations::default(), &observed(204, ""), &[]);
        check_one(
            &Expectations::default(),
            &observed(301, ""),
            &["status 301 instead of 200-299"],
        );
    }

    #[test]
    fn every_unmet_header_and_body_condition_is_described() {
        let expect = Expectations {
            status: vec![(500, 500)],
            headers: vec![
                ("x-mode".to_owned(), TextMatch::Equals("test".to_owned())),
                ("x-none".to_owned(), TextMatch::Contains("a".to_owned())),
            ],
            body: vec![
                BodyMatch::Contains("yes".to_owned()),
                BodyMatch::Regex(Pattern(regex::Regex::new("^ok").unwrap())),
                json("status", "ok".into()),
                json("missing", 1.into()),
            ],
            ..Expectations::default()
        };
        check_one(
            &expect,
            &observed(500, r#"{"status":"bad"}"#),
            &[
                "header `x-mode` is not `test`",
                "header `x-none` is missing",
                "body does not contain `yes`",
                "body does not match `^ok`",
                "body has \"bad\" instead of \"ok\" at `status`",
                "body has no value at `missing`",
            ],
        );
    }

    #[test]
    fn headers_and_bodies_can_be_expected_to_differ_or_to_be_absent() {
        let pattern = |text| Pattern(regex::Regex::new(text).unwrap());
        let header = |test| vec![("x-mode".to_owned(), test)];
        for (test, message) in [
            (TextMatch::Differs("test".to_owned()), None),
            (
                TextMatch::Differs("live".to_owned()),
                Some("header `x-mode` is `live`"),
            ),
            (
                TextMatch::Lacks("iv".to_owned()),
                Some("header `x-mode` contains `iv`"),
            ),
            (
                TextMatch::NoMatch(pattern("^l")),
                Some("header `x-mode` matches `^l`"),
            ),
            (TextMatch::NoMatch(pattern("^x")), None),
            (TextMatch::Exists(true), None),
            (TextMatch::Exists(false), Some("header `x-mode` is present")),
        ] {
            let expect = Expectations {
                headers: header(test),
                ..Expectations::default()
            };
            check_one(&expect, &observed(200, ""), message.as_slice());
        }
        // A missing header meets every negative condition.
        for (test, message) in [
            (TextMatch::Lacks("a".to_owned()), None),
            (TextMatch::Exists(false), None),
            (TextMatch::Exists(true), Some("header `x-none` is missing")),
        ] {
            let expect = Expectations {
                headers: vec![("x-none".to_owned(), test)],
                ..Expectations::default()
            };
            check_one(&expect, &observed(200, ""), message.as_slice());
        }
        for (test, message) in [
            (
                BodyMatch::Lacks("error".to_owned()),
                Some("body contains `error`"),
            ),
            (BodyMatch::Lacks("down".to_owned()), None),
            (
                BodyMatch::NoMatch(pattern("(?i)ERR")),
                Some("body matches `(?i)ERR`"),
            ),
            (BodyMatch::NoMatch(pattern("^ok")), None),
        ] {
            let expect = Expectations {
                body: vec![test],
                ..Expectations::default()
            };
            check_one(&expect, &observed(200, "an error"), message.as_slice());
        }
    }

    #[test]
    fn a_truncated_body_is_mentioned() {
        let expect = Expectations {
            body: vec![BodyMatch::Contains("end".to_owned())],
            ..Expectations::default()
        };
        let mut observation = observed(200, "begin");
        if let Some(response) = &mut observation.response {
            response.body_truncated = true;
        }
        check_one(
            &expect,
            &observation,
            &["body does not contain `end` (only the first 5 bytes of the body were checked)"],
        );
    }

    #[test]
    fn a_slow_response_and_an_expiring_certificate_only_degrade() {
        let expect = Expectations {
            slower_than: Some(Duration::from_secs(2)),
            certificate_days: Some(14),
            ..Expectations::default()
        };
        let mut observation = observed(200, "");
        observation.tls = Some(TlsFacts {
            version: None,
            chain: vec![Certificate {
                subject: String::new(),
                issuer: String::new(),
                serial: String::new(),
                names: Vec::new(),
                not_before: Timestamp::UNIX_EPOCH,
                not_after: Timestamp::from_second(3 * 86_400 + 5).unwrap(),
            }],
            path_expiry: None,
        });
        check_one(
            &expect,
            &observation,
            &[
                "the probe took 2.500 s, more than `slower_than` (2.000 s)",
                "the certificate chain of `x` expires in 3 days, less than 14 days",
            ],
        );
        assert!(
            check(&expect, &observation, Timestamp::UNIX_EPOCH)
                .iter()
                .all(|unmet| unmet.kind.degrades())
        );
        // The lag of this process (0.6 s) is larger than the excess over the limit (0.5 s).
        observation.own_lag = Duration::from_millis(600);
        let unmet = check(&expect, &observation, Timestamp::UNIX_EPOCH);
        assert!(unmet.iter().all(|unmet| unmet.kind != UnmetKind::TooSlow));
    }
}
