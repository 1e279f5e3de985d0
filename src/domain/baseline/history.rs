//! Records the response times and connect times of a target's healthy responses.
//!
//! Only responses from behind the gateway count. Responses that the gateway itself generated,
//! cached responses and responses after redirects do not count. Only the durations are stored, not
//! the contents.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::domain::diagnosis::context::HealthyTimes;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::gateway_made::GatewayMade;
use crate::model::observation::{Observation, Response};

/// The response times and connect times of a target's most recent healthy responses.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The response times and connect times, the oldest first.
    samples: VecDeque<Sample>,
    /// The time when the newest sample was added; `None` if there is no sample.
    newest: Option<Timestamp>,
}

/// The response time and connect time of one response, in microseconds; the connect time is `None`
/// if the connection was reused. A `u32` holds up to 71 minutes and takes less memory than a
/// `Duration`.
#[derive(Clone, Copy, Debug)]
struct Sample {
    processing: u32,
    connect: Option<u32>,
}

/// Maximum number of samples per target: the samples of about an hour at the default interval, in
/// less than 1 KB. With more samples, the fastest one could be an old outlier.
const MAX_SAMPLES: usize = 64;

/// Minimum number of samples for a comparison with control requests. If control requests reached
/// the function too, three of them would all be faster than sixteen healthy responses with a
/// probability of only 1 in 969 (3! 16! / 19!).
const MIN_SAMPLES: usize = 16;

/// Maximum age of the newest sample. If the newest sample is older, no sample is used, because all
/// samples may be from another deployment or network.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

impl History {
    pub(super) fn resumed(samples: &[(u32, Option<u32>)], newest: Option<Timestamp>) -> Self {
        let sample = |&(processing, connect): &(u32, Option<u32>)| Sample {
            processing,
            connect,
        };
        let surplus = samples.len().saturating_sub(MAX_SAMPLES);
        Self {
            samples: samples.iter().skip(surplus).map(sample).collect(),
            newest,
        }
    }

    pub(super) fn snapshot(&self) -> (Vec<(u32, Option<u32>)>, Option<Timestamp>) {
        let samples = self.samples.iter();
        let pairs = samples.map(|sample| (sample.processing, sample.connect));
        (pairs.collect(), self.newest)
    }

    pub(super) fn add(&mut self, observation: &Observation, now: Timestamp) {
        let Some(processing) = observation.phases.processing else {
            return;
        };
        let counts = observation.response.as_ref().is_some_and(|response| {
            observation.redirects == 0 && !bypasses_function(response, observation)
        });
        if !counts {
            return;
        }
        if self.is_outdated(now) {
            self.samples.clear();
        }
        if self.samples.len() == MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            processing: micros(processing),
            connect: observation.phases.connect.map(micros),
        });
        self.newest = Some(now);
    }

    /// Returns the shortest response time and the median connect time (`None` if all connections
    /// were reused). Returns `None` if there are too few samples, or if the newest sample is too
    /// old.
    pub(super) fn times(&self, now: Timestamp) -> Option<HealthyTimes> {
        if self.samples.len() < MIN_SAMPLES || self.is_outdated(now) {
            return None;
        }
        let fastest = self.samples.iter().map(|sample| sample.processing).min()?;
        let mut connects: Vec<u32> = self
            .samples
            .iter()
            .filter_map(|sample| sample.connect)
            .collect();
        connects.sort_unstable();
        Some(HealthyTimes {
            fastest: duration(fastest),
            connect: connects.get(connects.len() / 2).copied().map(duration),
        })
    }

    fn is_outdated(&self, now: Timestamp) -> bool {
        self.newest
            .is_some_and(|newest| now.duration_since(newest) > MAX_AGE)
    }
}

/// Returns whether the gateway itself or a cache generated the response. A response of the gateway
/// itself can be healthy, for example if the target expects a 401.
fn bypasses_function(response: &Response, observation: &Observation) -> bool {
    let url = Url::parse(&observation.final_url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let door = FrontDoor::of_aws(response, host);
    is_cached(response) || GatewayMade::judge(door, response) == GatewayMade::Yes
}

/// Returns whether a cache responded: the response has the header `age` (RFC 9111), or its header
/// `x-cache` contains `hit`, as in `Hit from cloudfront` and `RefreshHit from cloudfront`.
pub(super) fn is_cached(response: &Response) -> bool {
    let hit = |word: &str| word.to_ascii_lowercase().contains("hit");
    response.header("age").is_some() || response.header("x-cache").is_some_and(hit)
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
    use crate::domain::baseline::tests::observation;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    /// Adds sixteen responses of 40 to 55 ms, and then `last`. Compares the fastest time with
    /// `expected`, in milliseconds.
    #[track_caller]
    fn check(last: &Observation, expected: u128) {
        let mut history = History::default();
        for millis in 40..56 {
            history.add(&observation(millis, 200, &[], "ok"), at(0));
        }
        history.add(last, at(0));
        let times = history.times(at(1)).unwrap();
        assert_eq!(times.fastest.as_millis(), expected);
        assert_eq!(times.connect, Some(Duration::from_millis(10)));
    }

    #[test]
    fn the_fastest_response_from_behind_the_front_door_counts() {
        check(&observation(30, 200, &[], "ok"), 30);
        check(&observation(90, 200, &[], "ok"), 40);
    }

    #[test]
    fn cached_redirected_and_gateway_responses_do_not_count() {
        check(&observation(5, 200, &[("age", "3")], "ok"), 40);
        check(
            &observation(5, 200, &[("x-cache", "RefreshHit from cloudfront")], "ok"),
            40,
        );
        check(
            &observation(
                5,
                401,
                &[("apigw-requestid", "i")],
                r#"{"message":"Unauthorized"}"#,
            ),
            40,
        );
        let mut redirected = observation(5, 200, &[], "ok");
        redirected.redirects = 1;
        check(&redirected, 40);
        let missed = ("x-cache", "Miss from cloudfront");
        check(&observation(5, 200, &[missed], "ok"), 5);
    }

    #[test]
    fn too_few_or_too_old_responses_give_no_times() {
        let mut history = History::default();
        for _ in 1..MIN_SAMPLES {
            history.add(&observation(5, 200, &[], "ok"), at(0));
        }
        assert_eq!(history.times(at(0)), None);
        history.add(&observation(5, 200, &[], "ok"), at(0));
        assert!(history.times(at(100)).is_some());
        assert_eq!(history.times(at(200)), None);
        history.add(&observation(5, 200, &[], "ok"), at(200));
        assert_eq!(history.times(at(200)), None, "the old samples were dropped");
    }

    #[test]
    fn the_number_of_samples_is_bounded() {
        let mut history = History::default();
        history.add(&observation(5, 200, &[], "ok"), at(0));
        for _ in 0..MAX_SAMPLES {
            history.add(&observation(50, 200, &[], "ok"), at(0));
        }
        assert_eq!(history.samples.len(), MAX_SAMPLES);
        let fastest = history.times(at(0)).map(|times| times.fastest.as_millis());
        assert_eq!(fastest, Some(50));
    }
}
