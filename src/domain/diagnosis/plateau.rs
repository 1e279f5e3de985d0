//! Finds the time limit that a response time matches.
//!
//! When a component reaches its time limit, the response arrives a little later. Two captures show
//! this delay, including connection setup: 30.163 s for the 30 s limit of HTTP APIs, and 29.230 s
//! for the 29 s limit of REST APIs. The candidates are the declared limits, the documented
//! defaults, and a limit that `baseline::plateau` learned from the target's failures. The response
//! time alone does not show which component has a learned limit.

use std::time::Duration;

use crate::domain::diagnosis::front_door::FrontDoor;
use crate::model::target::{AwsDeclarations, Integration};
use crate::model::text_enum::text_enum;

text_enum! {
    /// The limits that a response time can match.
    ///
    /// The texts are the values of the fact `plateau`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Plateau {
        /// The API's integration timeout.
        Integration = "integration",
        /// The function's own timeout.
        Function = "function",
        /// CloudFront's origin response timeout.
        CloudFront = "cloudfront",
        /// The prober's own timeout.
        Client = "client",
        /// An undeclared limit that the response times of repeated failures match.
        Learned = "learned",
        /// The response time matches no known limit.
        None = "none",
    }
}

/// A response time to compare with the limits, with the properties of the response that affect this
/// comparison.
#[derive(Clone, Copy, Debug)]
pub struct ResponseTime {
    /// The response time, as measured by the prober.
    pub time: Duration,
    /// The network time that `time` includes besides the wait for the response: one round trip, or
    /// zero if unknown.
    pub network: Duration,
    /// Whether the prober's own timeout ended the request.
    pub prober_timed_out: bool,
    /// The status of the response; `None` without a response.
    pub status: Option<u16>,
    /// An undeclared time limit that the response times of earlier failures match; `None` if there
    /// is none.
    pub learned: Option<Duration>,
}

/// The default integration timeout of HTTP APIs; the timeout can only be lowered (AWS quota page).
pub(super) const HTTP_API_LIMIT: Duration = Duration::from_secs(30);
/// The default integration timeout of REST APIs (AWS quota page).
pub(super) const REST_API_LIMIT: Duration = Duration::from_secs(29);
/// The default origin response timeout of CloudFront.
const CLOUDFRONT_LIMIT: Duration = Duration::from_secs(30);
/// Maximum time by which a response that hits a limit may arrive before the limit. The prober
/// measures from the time when the whole request is written, but the gateway may measure from the
/// first byte of the request.
const EARLY: Duration = Duration::from_millis(20);
/// Upper bound of the delay by which a response may arrive after the limit that it hits, not
/// counting [`ResponseTime::network`]. The bound is about four times the largest delay in captured
/// responses (230 ms), and covers name resolution and handshakes on a link with a latency of 250
/// ms.
const LATE: Duration = Duration::from_secs(1);
/// Lower bound of the tolerated delay after a limit: the largest delay in captured responses (230
/// ms) plus jitter. Between this bound and [`LATE`], the tolerated delay is a tenth of the limit,
/// so that not every response matches a short limit.
const LATE_AT_LEAST: Duration = Duration::from_millis(300);

/// Constant part of the maximum difference between the response times of requests that hit the same
/// limit. This part covers the jitter of a round trip and the granularity of the timer.
const SPREAD: Duration = Duration::from_millis(50);
/// Divisor of a limit. The quotient is added to [`SPREAD`]; the sum is the maximum difference
/// between the response times of requests that hit this limit. Response times around 30 s may
/// differ by 200 ms in total, which covers connection setup and retries inside the front door.
const SPREAD_DIVISOR: u32 = 200;

impl Plateau {
    /// Finds the limit that a response time matches; [`Plateau::Client`] if the prober's own
    /// timeout ended the request.
    ///
    /// If several limits match, the status decides first: an API that times out returns another
    /// status than an API that relays a function timeout. Among the remaining limits, the highest
    /// one wins, because limits do not fire early and the delay after the highest limit is the
    /// shortest. Of equal limits, the outer one wins, because its timer started first. A learned
    /// limit matches only if no other limit does, because it is known which component enforces the
    /// other limits.
    #[must_use]
    pub fn find(door: FrontDoor, declared: &AwsDeclarations, response: ResponseTime) -> Self {
        if response.prober_timed_out {
            return Self::Client;
        }
        let known = [
            (Self::Function, function_limit(door, declared, response)),
            (
                Self::Integration,
                integration_limit(door, declared, response),
            ),
            (Self::CloudFront, cloudfront_limit(door)),
        ];
        known
            .into_iter()
            .filter_map(|(plateau, limit)| Some((plateau, limit?)))
            .filter(|(_, limit)| matches_limit(*limit, response))
            // Of equal limits, `max_by_key` returns the last one; the array is ordered from inner
            // to outer.
            .max_by_key(|(_, limit)| *limit)
            .map(|(plateau, _)| plateau)
            .or_else(|| response.matches_learned().then_some(Self::Learned))
            .unwrap_or(Self::None)
    }
}

impl ResponseTime {
    fn matches_learned(self) -> bool {
        let close = |limit: Duration| self.time.abs_diff(limit) <= max_spread(limit);
        self.learned.is_some_and(close)
    }
}

/// Returns the maximum difference between the response times of requests that hit the same `limit`.
#[must_use]
pub fn max_spread(limit: Duration) -> Duration {
    SPREAD + limit / SPREAD_DIVISOR
}

/// Returns the API's integration timeout. `None` if the timeout is unknown, or if it cannot have
/// caused the response. HTTP APIs time out with 503 and REST APIs with 504 (both captured), so a
/// 500 or 502 is not a timeout of the API. Error pages of CloudFront and responses of function URLs
/// are not from an API.
fn integration_limit(
    door: FrontDoor,
    declared: &AwsDeclarations,
    response: ResponseTime,
) -> Option<Duration> {
    match (door, response.status) {
        (FrontDoor::CloudFront | FrontDoor::FunctionUrl, _)
        | (FrontDoor::HttpApi | FrontDoor::RestApi, Some(500 | 502)) => None,
        (FrontDoor::HttpApi, _) => Some(declared.integration_timeout.unwrap_or(HTTP_API_LIMIT)),
        (FrontDoor::RestApi, _) => Some(declared.integration_timeout.unwrap_or(REST_API_LIMIT)),
        _ => declared.integration_timeout,
    }
}

/// Returns the function's own timeout. `None` if it is not declared, if there is no function, or
/// if, according to the response, the API timed out or CloudFront generated the response.
fn function_limit(
    door: FrontDoor,
    declared: &AwsDeclarations,
    response: ResponseTime,
) -> Option<Duration> {
    let no_function = matches!(
        declared.integration,
        Some(Integration::Http | Integration::VpcLink)
    );
    let api_timed_out = matches!(
        (door, response.status),
        (FrontDoor::HttpApi, Some(503)) | (FrontDoor::RestApi, Some(504))
    );
    let applies = door != FrontDoor::CloudFront && !no_function && !api_timed_out;
    declared.function_timeout.filter(|_| applies)
}

/// Returns CloudFront's origin response timeout; `None` if CloudFront did not generate the
/// response.
fn cloudfront_limit(door: FrontDoor) -> Option<Duration> {
    (door == FrontDoor::CloudFront).then_some(CLOUDFRONT_LIMIT)
}

fn matches_limit(limit: Duration, response: ResponseTime) -> bool {
    let late = (limit / 10).clamp(LATE_AT_LEAST, LATE) + response.network;
    (limit.saturating_sub(EARLY)..=limit + late).contains(&response.time)
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
        let response = ResponseTime {
            time: Duration::from_secs_f64(seconds),
            network: Duration::ZERO,
            prober_timed_out: false,
            status: Some(status),
            learned: Some(Duration::from_secs_f64(2.5)),
        };
        assert_eq!(
            Plateau::find(door, declared, response),
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
    fn the_captured_timeouts_match_the_default_limits() {
        let none = AwsDeclarations::default();
        check(HTTP_503, &none, 30.163, Plateau::Integration);
        check(HTTP_503, &none, 30.002, Plateau::Integration);
        check(REST_504, &none, 29.230, Plateau::Integration);
        check(HTTP_503, &none, 29.230, Plateau::None);
        check(HTTP_503, &none, 31.2, Plateau::None);
        check((FrontDoor::Unknown, 503), &none, 30.1, Plateau::None);
    }

    #[test]
    fn a_declared_limit_replaces_the_default() {
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
    fn the_status_decides_between_equal_limits() {
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
    fn the_highest_of_several_close_limits_wins() {
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
    fn a_cloudfront_page_matches_no_inner_limit() {
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
    fn a_function_url_has_only_the_functions_limit() {
        let url = declared(Some(3.0), 3.0);
        check((FrontDoor::FunctionUrl, 502), &url, 3.05, Plateau::Function);
    }

    #[test]
    fn a_function_timeout_is_ignored_without_a_function() {
        let mut http = declared(None, 3.0);
        http.integration = Some(Integration::Http);
        check(HTTP_500, &http, 3.05, Plateau::None);
    }

    #[test]
    fn a_learned_limit_comes_after_every_declared_limit() {
        let none = AwsDeclarations::default();
        check(HTTP_500, &none, 2.55, Plateau::Learned);
        check(HTTP_500, &none, 2.45, Plateau::Learned);
        check(HTTP_500, &none, 2.6, Plateau::None);
        check(HTTP_500, &declared(None, 2.5), 2.55, Plateau::Function);
    }

    #[test]
    fn the_probers_own_timeout_takes_precedence() {
        let response = ResponseTime {
            time: Duration::from_secs(30),
            network: Duration::ZERO,
            prober_timed_out: true,
            status: None,
            learned: None,
        };
        let none = AwsDeclarations::default();
        assert_eq!(
            Plateau::find(FrontDoor::HttpApi, &none, response),
            Plateau::Client
        );
    }
}
