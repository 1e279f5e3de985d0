//! Computes the facts of one observation.
//!
//! Rules have no arithmetic, so everything that they test about an observation is computed here or
//! in the modules called from here. The callers add the facts that need more than the observation
//! and its context: `changed.*`, `layer.*`, `asked.*` and the health of the prober. Facts state
//! what was observed, declared, or derived; the rules name the cause.

mod aws_error;
mod body;
pub(in crate::domain) mod markup;
mod platform_error;
pub(in crate::domain) mod proxy_status;
mod squid;
mod stated_reason;
mod stream_error;

use crate::domain::diagnosis::answered_by::AnsweredBy;
use crate::domain::diagnosis::context::Context;
use crate::domain::diagnosis::error_page;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::gateway_made::GatewayMade;
use crate::domain::expectation::{self, Unmet};
use crate::model::observation::{Observation, Phase, Response};
use crate::model::target::{Authorizer, AwsDeclarations, Integration, Target};

/// Maximum length in characters of a fact's text that is copied from a response, except
/// `body.text`. Rules test only short values, so longer values are truncated.
const MAX_TEXT: usize = 256;

/// Maximum number of response headers that are read to set facts; further headers are ignored.
const MAX_HEADERS: usize = 64;

/// Maximum number of unmet expectations that the text of an error describes; the others are
/// counted.
const MAX_UNMET: usize = 4;

/// Names of headers that may contain secrets; these headers never become facts.
const SECRET_HEADERS: &[&str] = &["set-cookie", "authorization", "proxy-authorization"];

impl Facts {
    /// Computes the facts that depend only on the target, the observation and its context. A fact
    /// that cannot be computed is absent or has its default value. A probe that passed has only
    /// default facts, declared facts, and facts about its connections.
    #[must_use]
    pub fn gather(target: &Target, observation: &Observation, context: &Context) -> Self {
        let mut facts = Self::defaults();
        facts.add_declarations(&target.aws);
        facts.add_failure(target, observation, context);
        facts.add_connections(observation);
        // A probe that passed needs no explanation, so its response is not examined.
        if facts.get("phase").is_none() {
            return facts;
        }
        facts.add_phase_times(observation);
        let host = host_of(target, observation);
        facts.set_text("host", &host);
        facts.set_text("method", &target.request.method);
        if let Some(days) = expectation::certificate_days(observation, context.now) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "certificates expire in far fewer than 2^52 days"
            )]
            facts.set_number("certificate_days", days as f64);
        }
        let door = observation
            .response
            .as_ref()
            .map_or(FrontDoor::Unknown, |response| {
                let door = FrontDoor::recognize(response, &host);
                facts.add_response(response, door);
                // A response to HEAD has no body, even if it announces the length of the body for
                // GET.
                if target.request.method == "HEAD" {
                    facts.set_text("body.seen", "missing");
                }
                door
            });
        // A cached response was generated for an earlier request, so the response time does not
        // include the time of the function.
        if facts.get("age").is_none() {
            facts.add_timing(target, observation, context, door);
        }
        if let Some(evidence) = &context.aws {
            facts.add_aws_evidence(&target.aws, evidence);
        }
        facts
    }

    /// Adds the facts about the declared integration and authorizer.
    pub(super) fn add_declarations(&mut self, aws: &AwsDeclarations) {
        if let Some(integration) = aws.integration {
            let word = match integration {
                Integration::Lambda => "lambda",
                Integration::Http => "http",
                Integration::VpcLink => "vpc-link",
            };
            self.set_text("integration", word);
        }
        if let Some(authorizer) = aws.authorizer {
            let word = match authorizer {
                Authorizer::None => "none",
                Authorizer::Lambda => "lambda",
                Authorizer::Jwt => "jwt",
                Authorizer::Iam => "iam",
            };
            self.set_text("authorizer", word);
        }
    }

    /// Adds the facts about the fault or, without a fault, about the most severe unmet expectation.
    /// Also sets `error`.
    fn add_failure(&mut self, target: &Target, observation: &Observation, context: &Context) {
        if let Some(fault) = &observation.fault {
            self.set_text("phase", fault.phase.as_str());
            self.set_text("fault", fault.kind.as_str());
            self.add_stream_error(fault);
            self.error = Some(fault.detail.clone());
            return;
        }
        let unmet = expectation::check(&target.expect, observation, context.now);
        if let Some(most_severe) = unmet.iter().min_by_key(|unmet| unmet.kind) {
            let phase = if most_severe.kind.degrades() {
                "degraded"
            } else {
                "expect"
            };
            self.set_text("phase", phase);
            self.set_text("unmet", most_severe.kind.as_str());
            self.error = Some(error_of(&unmet));
        }
    }

    fn add_phase_times(&mut self, observation: &Observation) {
        for phase in Phase::ALL {
            if let Some(time) = observation.phases.get(phase) {
                self.set_number(&format!("phase.{}", phase.as_str()), time.as_secs_f64());
            }
        }
        // The duration of an observation from a transcript is zero if the transcript does not state
        // how long the request took.
        if !observation.duration.is_zero() {
            self.set_number("duration", observation.duration.as_secs_f64());
        }
        self.set_number("redirects", f64::from(observation.redirects));
    }

    fn add_response(&mut self, response: &Response, door: FrontDoor) {
        self.set_number("status", f64::from(response.status));
        self.set_text("http_version", response.version.as_str());
        self.set_text("front_door", door.as_str());
        let made = GatewayMade::judge(door, response);
        self.set_text("gateway_made", made.as_str());
        for (name, value) in response.headers.iter().take(MAX_HEADERS) {
            let fact = format!("header.{name}");
            if !name.is_empty()
                && !SECRET_HEADERS.contains(&name.as_str())
                && self.get(&fact).is_none()
            {
                self.set_text(&fact, &truncate(value));
            }
        }
        let age = response
            .header("age")
            .and_then(|age| age.trim().parse::<u32>().ok());
        if let Some(age) = age.filter(|age| *age > 0) {
            self.set_number("age", f64::from(age));
        }
        if let Some(reason) = &response.reason {
            self.set_text("reason", &truncate(reason));
        }
        if let Some(author) = error_page::author(response) {
            self.set_text("error_page", author.as_str());
        }
        self.add_proxy_status(response);
        self.add_body(response);
        self.add_aws_error();
        self.add_stated_reason();
        self.add_platform_error(response);
        let is_object = self.text("body.json") == Some("object");
        let answered_by = if self
            .get("platform_error")
            .or(self.get("cloudflare.error"))
            .is_some()
        {
            AnsweredBy::Proxy
        } else {
            AnsweredBy::judge(door, made, response, is_object)
        };
        self.set_text("answered_by", answered_by.as_str());
    }
}

fn host_of(target: &Target, observation: &Observation) -> String {
    url::Url::parse(&observation.final_url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .or_else(|| target.url.host_str().map(str::to_owned))
        .unwrap_or_default()
}

fn truncate(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// Returns the error in one line: the details of at most [`MAX_UNMET`] unmet expectations, most
/// severe first, and the number of the others.
fn error_of(unmet: &[Unmet]) -> String {
    let shown = unmet.iter().take(MAX_UNMET);
    let mut parts: Vec<&str> = shown.map(|unmet| unmet.detail.as_str()).collect();
    let more = unmet.len().saturating_sub(MAX_UNMET);
    let rest = format!("further unmet expectations: {more}");
    if more > 0 {
        parts.push(&rest);
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use jiff::Timestamp;

    use crate::model::observation::{Fault, FaultKind};
    use crate::model::target::BodyMatch;

    fn target() -> Target {
        Target::with_defaults("t", url::Url::parse("https://x.example/a").unwrap())
    }

    fn response_after(status: u16, processing: f64) -> Observation {
        let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/a");
        observation.duration = Duration::from_secs_f64(processing + 0.001);
        observation.phases.connect = Some(Duration::from_micros(100));
        observation.phases.processing = Some(Duration::from_secs_f64(processing));
        observation.response = Some(Response::of(
            status,
            &[("apigw-requestid", "K="), ("set-cookie", "secret")],
            r#"{"message":"hi"}"#,
        ));
        observation
    }

    fn check(observation: &Observation, target: &Target, expected: &[(&str, Option<&str>)]) {
        let facts = Facts::gather(target, observation, &Context::at(Timestamp::UNIX_EPOCH));
        for (name, value) in expected {
            let found = facts.get(name).map(ToString::to_string);
            assert_eq!(found.as_deref(), *value, "{name}");
        }
    }

    #[test]
    fn a_response_has_its_facts_without_cookies() {
        check(
            &response_after(500, 0.0003),
            &target(),
            &[
                ("phase", Some("expect")),
                ("unmet", Some("status")),
                ("method", Some("GET")),
                ("status", Some("500")),
                ("front_door", Some("http-api")),
                ("gateway_made", Some("no")),
                ("body.message", Some("hi")),
                ("header.set-cookie", None),
                ("invoked", Some("no")),
                ("authorizer", Some("unknown")),
                ("plateau", Some("none")),
            ],
        );
    }

    #[test]
    fn invoked_depends_on_the_excess_and_is_unclear_in_between() {
        check(
            &response_after(500, 0.2),
            &target(),
            &[("invoked", Some("yes"))],
        );
        check(
            &response_after(500, 0.1),
            &target(),
            &[("invoked", Some("unclear"))],
        );
    }

    #[test]
    fn a_declared_authorizer_or_an_unknown_connect_time_makes_invoked_unclear() {
        let mut with_authorizer = target();
        with_authorizer.aws.authorizer = Some(Authorizer::Jwt);
        check(
            &response_after(500, 0.2),
            &with_authorizer,
            &[("invoked", Some("unclear"))],
        );
        let mut reused = response_after(500, 0.2);
        reused.phases.connect = None;
        check(
            &reused,
            &target(),
            &[("invoked", Some("unclear")), ("floor", None)],
        );
    }

    #[test]
    fn a_slow_response_is_degraded_and_a_good_one_has_no_phase() {
        let mut slow = target();
        slow.expect.slower_than = Some(Duration::from_millis(10));
        check(
            &response_after(200, 0.1),
            &slow,
            &[("phase", Some("degraded")), ("unmet", Some("too-slow"))],
        );
        check(
            &response_after(200, 0.1),
            &target(),
            &[("phase", None), ("unmet", None)],
        );
    }

    #[test]
    fn the_error_names_each_unmet_expectation_up_to_a_limit() {
        let mut target = target();
        let body = (1..=5).map(|number| BodyMatch::Contains(format!("part {number}")));
        target.expect.body = body.collect();
        let seen = response_after(500, 0.1);
        let facts = Facts::gather(&target, &seen, &Context::at(Timestamp::UNIX_EPOCH));
        assert_eq!(
            facts.error.as_deref(),
            Some(
                "status 500 instead of 200-299; body does not contain `part 1`; body does not \
                 contain `part 2`; body does not contain `part 3`; further unmet expectations: 2"
            )
        );
    }

    #[test]
    fn the_response_of_a_passing_probe_is_not_read() {
        let facts = |status| {
            let seen = response_after(status, 0.1);
            let facts = Facts::gather(&target(), &seen, &Context::at(Timestamp::UNIX_EPOCH));
            let read = facts.iter().map(|(name, _)| name.to_owned());
            read.filter(|name| name.starts_with("body.") || name.starts_with("header."))
                .count()
        };
        assert_eq!(facts(200), 0);
        assert!(facts(500) > 0);
    }

    #[test]
    fn a_fault_sets_the_phase_and_the_probers_timeout_the_plateau() {
        let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/");
        observation.duration = Duration::from_secs(35);
        observation.fault = Some(Fault {
            phase: Phase::Processing,
            kind: FaultKind::Timeout,
            detail: "deadline".to_owned(),
        });
        check(
            &observation,
            &target(),
            &[
                ("phase", Some("processing")),
                ("fault", Some("timeout")),
                ("plateau", Some("client")),
                ("status", None),
            ],
        );
    }

    #[test]
    fn a_cached_response_has_an_age_and_no_response_time() {
        let mut cached = response_after(503, 30.1);
        check(
            &cached,
            &target(),
            &[("age", None), ("plateau", Some("integration"))],
        );
        for (age, expected) in [("0", None), ("7", Some("7")), ("x", None)] {
            let response = cached.response.as_mut().unwrap();
            response.headers.retain(|(name, _)| name != "age");
            response.headers.push(("age".to_owned(), age.to_owned()));
            check(&cached, &target(), &[("age", expected)]);
        }
        let response = cached.response.as_mut().unwrap();
        response.headers.retain(|(name, _)| name != "age");
        response.headers.push(("age".to_owned(), "7".to_owned()));
        check(
            &cached,
            &target(),
            &[("answer_time", None), ("plateau", Some("none"))],
        );
    }
}
