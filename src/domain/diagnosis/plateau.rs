//! Which time limit an answer's time sits on.
//!
//! A limit fires at its value and the answer arrives a little later; never before. Two
//! captures show how much later, connection set-up included: 30.163 s against HTTP API's
//! 30 s, 29.230 s against REST API's 29 s. This file knows declared limits, the
//! documented defaults, and one limit learned from the target's own failures, which it
//! names last and only as `learned`: whose limit that is, time cannot tell.

use std::time::Duration;

use crate::domain::diagnosis::front_door::FrontDoor;
use crate::model::target::{AwsDeclarations, Integration};

/// Names of limits, as the fact `plateau` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plateau {
    /// The API's integration timeout.
    Integration,
    /// The function's own timeout.
    Function,
    /// CloudFront's origin response timeout.
    CloudFront,
    /// Our own deadline.
    Client,
    /// Some limit that repeated failures sit on, though nobody declared it.
    Learned,
    /// No limit we know.
    None,
}

/// What is known of an answer's time.
#[derive(Clone, Copy, Debug)]
pub struct AnswerTime {
    /// How long it took.
    pub time: Duration,
    /// What the clock holds besides the wait for the answer (connection set-up), or one
    /// round trip where only processing is timed; zero when unknown.
    pub network: Duration,
    /// Our own deadline ended it.
    pub gave_up: bool,
    /// The status that came; absent when none did.
    pub status: Option<u16>,
    /// A limit learned from failures before this one.
    pub learned: Option<Duration>,
}

/// HTTP API's integration timeout unless lowered; it cannot be raised (quota page).
const HTTP_API_LIMIT: Duration = Duration::from_secs(30);
/// REST API's integration timeout unless changed.
const REST_API_LIMIT: Duration = Duration::from_secs(29);
/// CloudFront's origin response timeout unless changed.
const CLOUDFRONT_LIMIT: Duration = Duration::from_secs(30);
/// An answer may seem this much early: our clock starts once the request is written,
/// the gateway's may start with its first byte.
const EARLY: Duration = Duration::from_millis(20);
/// An answer may come this much late: four times the 230 ms of the later capture covers
/// its name resolution and handshakes on a link of 250 ms.
const LATE: Duration = Duration::from_secs(1);
/// A short limit needs a tighter interval, or any answer would sit on it: a tenth of the
/// limit, but no less than the later capture plus jitter.
const LATE_AT_LEAST: Duration = Duration::from_millis(300);

/// Answers that sit on one limit lie this close together: one round trip's jitter and the
/// granularity of the timer that fires.
const TOGETHER: Duration = Duration::from_millis(50);
/// And this part of the limit more: one in 200, so that 30 s may scatter by 200 ms in all,
/// which is what connection set-up and retries inside the front door add to it.
const TOGETHER_PART: u32 = 200;

impl Plateau {
    /// The limit as the fact `plateau`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integration => "integration",
            Self::Function => "function",
            Self::CloudFront => "cloudfront",
            Self::Client => "client",
            Self::Learned => "learned",
            Self::None => "none",
        }
    }

    /// Finds the limit that an answer's time sits on.
    ///
    /// Where several would do, first the status decides: an API that gives up waiting
    /// answers otherwise than one that relays a function's own timeout. Then the highest
    /// limit wins, since none fires early and the answer is least late for it; of equal
    /// ones the outer, whose clock started first. A learned limit comes last: a declared
    /// one explains the same time and says whose it is.
    #[must_use]
    pub fn find(door: FrontDoor, declared: &AwsDeclarations, answer: AnswerTime) -> Self {
        if answer.gave_up {
            return Self::Client;
        }
        let known = [
            (Self::Function, function_limit(door, declared, answer)),
            (Self::Integration, integration_limit(door, declared, answer)),
            (Self::CloudFront, cloudfront_limit(door)),
        ];
        known
            .into_iter()
            .filter_map(|(plateau, limit)| Some((plateau, limit?)))
            .filter(|(_, limit)| sits_on(*limit, answer))
            // The last of equal ones: the array goes from the inside out.
            .max_by_key(|(_, limit)| *limit)
            .map(|(plateau, _)| plateau)
            .or_else(|| answer.sits_on_learned().then_some(Self::Learned))
            .unwrap_or(Self::None)
    }
}

impl AnswerTime {
    fn sits_on_learned(self) -> bool {
        let close = |limit: Duration| self.time.abs_diff(limit) <= together(limit);
        self.learned.is_some_and(close)
    }
}

/// How far apart answers may lie that sit on one limit of about this length.
#[must_use]
pub fn together(limit: Duration) -> Duration {
    TOGETHER + limit / TOGETHER_PART
}

/// The API's limit, unless the answer cannot come from it: HTTP API gives up with 503
/// and REST API with 504 (both captured), so a 500 or 502 is not theirs.
fn integration_limit(
    door: FrontDoor,
    declared: &AwsDeclarations,
    answer: AnswerTime,
) -> Option<Duration> {
    match (door, answer.status) {
        (FrontDoor::CloudFront | FrontDoor::FunctionUrl, _)
        | (FrontDoor::HttpApi | FrontDoor::RestApi, Some(500 | 502)) => None,
        (FrontDoor::HttpApi, _) => Some(declared.integration_timeout.unwrap_or(HTTP_API_LIMIT)),
        (FrontDoor::RestApi, _) => Some(declared.integration_timeout.unwrap_or(REST_API_LIMIT)),
        (FrontDoor::Alb | FrontDoor::Unknown, _) => declared.integration_timeout,
    }
}

/// The function's own limit, unless no function stands there or the answer is the one
/// with which the API itself gives up waiting.
fn function_limit(
    door: FrontDoor,
    declared: &AwsDeclarations,
    answer: AnswerTime,
) -> Option<Duration> {
    let elsewhere = matches!(
        declared.integration,
        Some(Integration::Http | Integration::VpcLink)
    );
    let gave_up = matches!(
        (door, answer.status),
        (FrontDoor::HttpApi, Some(503)) | (FrontDoor::RestApi, Some(504))
    );
    let here = door != FrontDoor::CloudFront && !elsewhere && !gave_up;
    declared.function_timeout.filter(|_| here)
}

/// CloudFront's limit, where CloudFront made the answer: whatever lies behind it has not
/// answered, so that no inner limit can be the one.
fn cloudfront_limit(door: FrontDoor) -> Option<Duration> {
    (door == FrontDoor::CloudFront).then_some(CLOUDFRONT_LIMIT)
}

fn sits_on(limit: Duration, answer: AnswerTime) -> bool {
    let late = (limit / 10).clamp(LATE_AT_LEAST, LATE) + answer.network;
    (limit.saturating_sub(EARLY)..=limit + late).contains(&answer.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        (door, status): (FrontDoor, u16),
        declared: &AwsDeclarations,
        seconds: f64,
        expected: Plateau,
    ) {
        let answer = AnswerTime {
            time: Duration::from_secs_f64(seconds),
            network: Duration::ZERO,
            gave_up: false,
            status: Some(status),
            learned: Some(Duration::from_secs_f64(2.5)),
        };
        assert_eq!(
            Plateau::find(door, declared, answer),
            expected,
            "{seconds} s"
        );
    }

    const HTTP_503: (FrontDoor, u16) = (FrontDoor::HttpApi, 503);
    const HTTP_500: (FrontDoor, u16) = (FrontDoor::HttpApi, 500);
    const REST_504: (FrontDoor, u16) = (FrontDoor::RestApi, 504);
    const REST_502: (FrontDoor, u16) = (FrontDoor::RestApi, 502);

    fn declared(integration: Option<f64>, function: f64) -> AwsDeclarations {
        AwsDeclarations {
            integration_timeout: integration.map(Duration::from_secs_f64),
            function_timeout: Some(Duration::from_secs_f64(function)),
            ..AwsDeclarations::default()
        }
    }

    #[test]
    fn the_captured_timeouts_sit_on_the_default_limits() {
        let none = AwsDeclarations::default();
        check(HTTP_503, &none, 30.163, Plateau::Integration);
        check(HTTP_503, &none, 30.002, Plateau::Integration);
        check(REST_504, &none, 29.230, Plateau::Integration);
        check(HTTP_503, &none, 29.230, Plateau::None);
        check(HTTP_503, &none, 31.2, Plateau::None);
        check((FrontDoor::Unknown, 503), &none, 30.1, Plateau::None);
    }

    #[test]
    fn a_declared_limit_of_any_value_replaces_the_default() {
        let declared = declared(Some(6.5), 3.0);
        check(HTTP_503, &declared, 6.6, Plateau::Integration);
        check(HTTP_500, &declared, 3.1, Plateau::Function);
        check(HTTP_503, &declared, 30.1, Plateau::None);
        check(HTTP_503, &declared, 0.2, Plateau::None);
        let raised = self::declared(Some(120.0), 3.0);
        check(REST_504, &raised, 120.3, Plateau::Integration);
        check(REST_504, &raised, 29.2, Plateau::None);
    }

    #[test]
    fn of_equal_limits_the_status_tells_whose_it_is() {
        let equal = declared(Some(10.0), 10.0);
        check(HTTP_503, &equal, 10.1, Plateau::Integration);
        check(HTTP_500, &equal, 10.1, Plateau::Function);
        check(REST_504, &equal, 10.1, Plateau::Integration);
        check(REST_502, &equal, 10.1, Plateau::Function);
        check(
            (FrontDoor::Unknown, 500),
            &equal,
            10.1,
            Plateau::Integration,
        );
    }

    #[test]
    fn of_near_limits_the_one_that_fired_last_wins() {
        let near = declared(Some(30.0), 29.5);
        check(
            (FrontDoor::HttpApi, 504),
            &near,
            30.05,
            Plateau::Integration,
        );
        check((FrontDoor::HttpApi, 504), &near, 29.6, Plateau::Function);
    }

    #[test]
    fn a_page_of_cloudfront_sits_on_no_inner_limit() {
        let inner = declared(Some(30.0), 30.0);
        check(
            (FrontDoor::CloudFront, 504),
            &inner,
            30.1,
            Plateau::CloudFront,
        );
        check((FrontDoor::CloudFront, 504), &inner, 10.1, Plateau::None);
    }

    #[test]
    fn a_function_url_knows_the_functions_limit_alone() {
        let url = declared(Some(3.0), 3.0);
        check((FrontDoor::FunctionUrl, 502), &url, 3.05, Plateau::Function);
    }

    #[test]
    fn without_a_function_its_limit_is_nobodys() {
        let mut http = declared(None, 3.0);
        http.integration = Some(Integration::Http);
        check(HTTP_500, &http, 3.05, Plateau::None);
    }

    #[test]
    fn a_learned_limit_comes_after_every_declared_one() {
        let none = AwsDeclarations::default();
        check(HTTP_500, &none, 2.55, Plateau::Learned);
        check(HTTP_500, &none, 2.45, Plateau::Learned);
        check(HTTP_500, &none, 2.6, Plateau::None);
        check(HTTP_500, &declared(None, 2.5), 2.55, Plateau::Function);
    }

    #[test]
    fn our_own_deadline_is_the_limit_whatever_else_would_do() {
        let answer = AnswerTime {
            time: Duration::from_secs(30),
            network: Duration::ZERO,
            gave_up: true,
            status: None,
            learned: None,
        };
        let none = AwsDeclarations::default();
        assert_eq!(
            Plateau::find(FrontDoor::HttpApi, &none, answer),
            Plateau::Client
        );
    }
}
