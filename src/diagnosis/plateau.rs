//! Which time limit an answer's time sits on.
//!
//! A limit fires at its value and the answer arrives a little later; never before. Two
//! captures show how much later, connection set-up included: 30.163 s against HTTP API's
//! 30 s, 29.230 s against REST API's 29 s. This file knows declared limits and the
//! documented defaults; it refuses to guess others.

use std::time::Duration;

use crate::diagnosis::front_door::FrontDoor;
use crate::target::AwsDeclarations;

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

impl Plateau {
    /// The limit as the fact `plateau`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integration => "integration",
            Self::Function => "function",
            Self::CloudFront => "cloudfront",
            Self::Client => "client",
            Self::None => "none",
        }
    }

    /// Finds the limit that an answer's time sits on; the outermost limit wins where two
    /// overlap, since the status tells them apart better than the time does.
    #[must_use]
    pub fn find(door: FrontDoor, declared: &AwsDeclarations, answer: AnswerTime) -> Self {
        if answer.gave_up {
            return Self::Client;
        }
        let integration = declared.integration_timeout.or(match door {
            FrontDoor::HttpApi => Some(HTTP_API_LIMIT),
            FrontDoor::RestApi => Some(REST_API_LIMIT),
            _ => None,
        });
        let cloudfront = (door == FrontDoor::CloudFront).then_some(CLOUDFRONT_LIMIT);
        [
            (Self::Integration, integration),
            (Self::Function, declared.function_timeout),
            (Self::CloudFront, cloudfront),
        ]
        .into_iter()
        .find(|(_, limit)| limit.is_some_and(|limit| sits_on(limit, answer)))
        .map_or(Self::None, |(plateau, _)| plateau)
    }
}

fn sits_on(limit: Duration, answer: AnswerTime) -> bool {
    let late = (limit / 10).clamp(LATE_AT_LEAST, LATE) + answer.network;
    (limit.saturating_sub(EARLY)..=limit + late).contains(&answer.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(door: FrontDoor, declared: &AwsDeclarations, seconds: f64, expected: Plateau) {
        let answer = AnswerTime {
            time: Duration::from_secs_f64(seconds),
            network: Duration::ZERO,
            gave_up: false,
        };
        assert_eq!(
            Plateau::find(door, declared, answer),
            expected,
            "{seconds} s"
        );
    }

    #[test]
    fn the_captured_timeouts_sit_on_the_default_limits() {
        let none = AwsDeclarations::default();
        check(FrontDoor::HttpApi, &none, 30.163, Plateau::Integration);
        check(FrontDoor::HttpApi, &none, 30.002, Plateau::Integration);
        check(FrontDoor::RestApi, &none, 29.230, Plateau::Integration);
        check(FrontDoor::HttpApi, &none, 29.230, Plateau::None);
        check(FrontDoor::HttpApi, &none, 31.2, Plateau::None);
        check(FrontDoor::Unknown, &none, 30.1, Plateau::None);
    }

    #[test]
    fn a_declared_limit_replaces_the_default() {
        let declared = AwsDeclarations {
            integration_timeout: Some(Duration::from_millis(6500)),
            function_timeout: Some(Duration::from_secs(3)),
            ..AwsDeclarations::default()
        };
        check(FrontDoor::HttpApi, &declared, 6.6, Plateau::Integration);
        check(FrontDoor::HttpApi, &declared, 3.1, Plateau::Function);
        check(FrontDoor::HttpApi, &declared, 30.1, Plateau::None);
        check(FrontDoor::HttpApi, &declared, 0.2, Plateau::None);
    }
}
