//! How quickly a target answers while it is well.
//!
//! Only answers from behind the front door count: not the gateway's own, not a cached
//! one, not the sum of several hops. The history keeps times and no contents.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::domain::diagnosis::context::HealthyTimes;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::gateway_made::GatewayMade;
use crate::model::observation::{Observation, Response};

/// Healthy answer times of late, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    answers: VecDeque<Answer>,
    newest: Option<Timestamp>,
}

/// In microseconds, which reach 71 minutes: half the memory of two durations.
#[derive(Clone, Copy, Debug)]
struct Answer {
    processing: u32,
    connect: Option<u32>,
}

/// Answers kept: an hour of them at the default interval, so that the quickest is not a
/// single lucky one of last week, and under 1 KB a target.
const KEPT: usize = 64;

/// Fewer answers say too little. Were controls answered by a function as quick as this
/// one, three of them would all be quicker than sixteen of its answers by a chance of
/// one in 969 (3! 16! / 19!): few enough to take the comparison for evidence.
const ENOUGH: usize = 16;

/// A history that ended this long ago is of another deployment and another network.
const OUTDATED: SignedDuration = SignedDuration::from_hours(7 * 24);

impl History {
    pub(super) fn resumed(answers: &[(u32, Option<u32>)], newest: Option<Timestamp>) -> Self {
        let answer = |&(processing, connect): &(u32, Option<u32>)| Answer {
            processing,
            connect,
        };
        let surplus = answers.len().saturating_sub(KEPT);
        Self {
            answers: answers.iter().skip(surplus).map(answer).collect(),
            newest,
        }
    }

    pub(super) fn remembered(&self) -> (Vec<(u32, Option<u32>)>, Option<Timestamp>) {
        let answers = self.answers.iter();
        let pairs = answers.map(|answer| (answer.processing, answer.connect));
        (pairs.collect(), self.newest)
    }

    pub(super) fn add(&mut self, observation: &Observation, now: Timestamp) {
        let Some(processing) = observation.phases.processing else {
            return;
        };
        let counts = observation
            .response
            .as_ref()
            .is_some_and(|answer| observation.redirects == 0 && !is_short_cut(answer, observation));
        if !counts {
            return;
        }
        if self.is_outdated(now) {
            self.answers.clear();
        }
        if self.answers.len() == KEPT {
            self.answers.pop_front();
        }
        self.answers.push_back(Answer {
            processing: micros(processing),
            connect: observation.phases.connect.map(micros),
        });
        self.newest = Some(now);
    }

    /// Absent: too few answers, or too old ones.
    pub(super) fn times(&self, now: Timestamp) -> Option<HealthyTimes> {
        if self.answers.len() < ENOUGH || self.is_outdated(now) {
            return None;
        }
        let quickest = self.answers.iter().map(|answer| answer.processing).min()?;
        let mut connects: Vec<u32> = self.answers.iter().filter_map(|a| a.connect).collect();
        connects.sort_unstable();
        Some(HealthyTimes {
            quickest: duration(quickest),
            connect: connects.get(connects.len() / 2).copied().map(duration),
        })
    }

    fn is_outdated(&self, now: Timestamp) -> bool {
        self.newest
            .is_some_and(|newest| now.duration_since(newest) > OUTDATED)
    }
}

/// Whether somebody before the function may have answered: the gateway itself (a target
/// that expects its 401, say) or a cache.
fn is_short_cut(answer: &Response, observation: &Observation) -> bool {
    let url = Url::parse(&observation.final_url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let door = FrontDoor::recognize(answer, host);
    is_cached(answer) || GatewayMade::judge(door, answer) == GatewayMade::Yes
}

/// Whether a cache answered, by the headers that caches leave: `age` (RFC 9111) and
/// CloudFront's `x-cache: Hit from cloudfront` or `RefreshHit`.
pub(super) fn is_cached(answer: &Response) -> bool {
    let hit = |word: &str| word.to_ascii_lowercase().contains("hit");
    answer.header("age").is_some() || answer.header("x-cache").is_some_and(hit)
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn duration(micros: u32) -> Duration {
    Duration::from_micros(micros.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::HttpVersion;

    fn answered(millis: u64, status: u16, headers: &[(&str, &str)], body: &str) -> Observation {
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/a");
        seen.phases.connect = Some(Duration::from_millis(10));
        seen.phases.processing = Some(Duration::from_millis(millis));
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        seen.response = Some(Response {
            status,
            version: HttpVersion::Http2,
            headers: headers.iter().map(pair).collect(),
            body: body.as_bytes().to_vec(),
            body_truncated: false,
            body_bytes: body.len() as u64,
            content_length: None,
        });
        seen
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    /// Sixteen answers of 40 ms and up, then this one: how quick is the quickest, in ms.
    #[track_caller]
    fn check(last: &Observation, expected: u128) {
        let mut history = History::default();
        for millis in 40..56 {
            history.add(&answered(millis, 200, &[], "ok"), at(0));
        }
        history.add(last, at(0));
        let times = history.times(at(1)).unwrap();
        assert_eq!(times.quickest.as_millis(), expected);
        assert_eq!(times.connect, Some(Duration::from_millis(10)));
    }

    #[test]
    fn the_quickest_answer_from_behind_the_door_counts() {
        check(&answered(30, 200, &[], "ok"), 30);
        check(&answered(90, 200, &[], "ok"), 40);
    }

    #[test]
    fn cached_led_and_gateway_made_answers_do_not_count() {
        check(&answered(5, 200, &[("age", "3")], "ok"), 40);
        check(
            &answered(5, 200, &[("x-cache", "RefreshHit from cloudfront")], "ok"),
            40,
        );
        check(
            &answered(
                5,
                401,
                &[("apigw-requestid", "i")],
                r#"{"message":"Unauthorized"}"#,
            ),
            40,
        );
        let mut led = answered(5, 200, &[], "ok");
        led.redirects = 1;
        check(&led, 40);
        let missed = ("x-cache", "Miss from cloudfront");
        check(&answered(5, 200, &[missed], "ok"), 5);
    }

    #[test]
    fn few_old_or_forgotten_answers_say_nothing() {
        let mut history = History::default();
        for _ in 1..ENOUGH {
            history.add(&answered(5, 200, &[], "ok"), at(0));
        }
        assert_eq!(history.times(at(0)), None);
        history.add(&answered(5, 200, &[], "ok"), at(0));
        assert!(history.times(at(100)).is_some());
        assert_eq!(history.times(at(200)), None);
        history.add(&answered(5, 200, &[], "ok"), at(200));
        assert_eq!(history.times(at(200)), None, "a new history begins");
    }

    #[test]
    fn no_more_is_kept_than_an_hour_of_answers() {
        let mut history = History::default();
        history.add(&answered(5, 200, &[], "ok"), at(0));
        for _ in 0..KEPT {
            history.add(&answered(50, 200, &[], "ok"), at(0));
        }
        assert_eq!(history.answers.len(), KEPT);
        let quickest = history.times(at(0)).map(|times| times.quickest.as_millis());
        assert_eq!(quickest, Some(50));
    }
}
