//! Records the baselines of one target: the response times of healthy responses, of failures and of
//! requests that do not reach the target's Lambda function, and the properties of good responses.
//!
//! `history` holds the response times of healthy responses, and `good_responses` holds their
//! properties. A control request has a path that does not reach the Lambda function: `control`
//! decides which responses to such requests count, and `floor` derives the response time without
//! the function from these responses. `plateau` detects a timeout that failures have in common.
//! Data that is too old, too scattered or insufficient gives no value. The size of each baseline is
//! bounded, because a daemon may hold ten thousand baselines. The current time is passed as an
//! argument.

mod control;
mod floor;
pub mod good_responses;
mod history;
mod plateau;

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::context::Context;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::{Diagnosis, Outcome};
use crate::model::observation::Observation;

use self::floor::ControlSamples;
use self::good_responses::GoodResponses;
use self::history::History;
use self::plateau::FailingTimes;

/// The learned response times and properties of one target. A target with changed settings gets a
/// new baseline.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    healthy: History,
    controls: ControlSamples,
    failing: FailingTimes,
    good: GoodResponses,
}

/// The part of a baseline that is kept across restarts. Of the current run of failures, only the
/// first failure is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BaselineSnapshot {
    /// Response times and connect times of healthy responses, in microseconds, the oldest first. A
    /// connect time is `None` if the connection was reused.
    pub healthy: Vec<(u32, Option<u32>)>,
    /// The time when the newest healthy response was received; `None` if there is none.
    pub newest: Option<Timestamp>,
    /// For each control request, the oldest first: the time when its result was recorded, and its
    /// response time; `None` if the response does not count for the floor (the response time
    /// without the function).
    pub controls: Vec<(Timestamp, Option<Duration>)>,
    /// The time of the last control request with a response that the gateway did not generate;
    /// `None` if there was no such response.
    pub not_gateway_at: Option<Timestamp>,
    /// The properties of the last good responses.
    pub good: GoodResponses,
}

/// Upper bound (exclusive) of the prober's own lag in a probe whose response time counts for the
/// baseline. A larger lag could hide the difference between the response times of a denied call and
/// of a call that reaches the function, which may be as small as 25 ms.
const MAX_OWN_LAG: Duration = Duration::from_millis(25);

impl Baseline {
    /// Restores the baseline of a target whose settings have not changed since the snapshot.
    #[must_use]
    pub fn resumed(snapshot: &BaselineSnapshot) -> Self {
        Self {
            healthy: History::resumed(&snapshot.healthy, snapshot.newest),
            controls: ControlSamples::resumed(&snapshot.controls, snapshot.not_gateway_at),
            failing: FailingTimes::default(),
            good: snapshot.good.clone(),
        }
    }

    /// Returns the part of the baseline that is kept across restarts.
    #[must_use]
    pub fn snapshot(&self) -> BaselineSnapshot {
        let (healthy, newest) = self.healthy.snapshot();
        let (controls, not_gateway_at) = self.controls.snapshot();
        BaselineSnapshot {
            healthy,
            newest,
            controls,
            not_gateway_at,
            good: self.good.clone(),
        }
    }

    /// Adds the response time and the properties of one probe. Must be called after the probe is
    /// diagnosed, so that a response is not compared with itself. Returns whether the part of the
    /// baseline that is kept across restarts has changed.
    pub fn observe(
        &mut self,
        observation: &Observation,
        diagnosis: &Diagnosis,
        now: Timestamp,
    ) -> bool {
        let exact = observation.own_lag < MAX_OWN_LAG;
        match diagnosis.outcome {
            // A degraded response, such as a slow response, is also from the function, so it counts
            // as good.
            Outcome::Passed | Outcome::Degraded => {
                if exact {
                    self.healthy.add(observation, now);
                }
                self.failing.clear();
                self.good.observe_good(observation, now);
                true
            }
            Outcome::Failed => {
                if exact {
                    self.failing.add(observation);
                }
                self.good.observe_failure(observation)
            }
        }
    }

    /// Records that an incident of the daemon's previous run opened at `opened`, in case the first
    /// failure of the incident was not saved.
    pub fn resume_failure(&mut self, opened: Timestamp) {
        self.good.resume_failure(opened);
    }

    /// Returns the time at which the first failed probe since the last good response began; `None`
    /// if no failure since then is recorded.
    #[must_use]
    pub fn first_failure(&self) -> Option<Timestamp> {
        let first = self.good.first_failure.as_ref();
        first.map(|first| first.began)
    }

    /// Drops the record of the first failure since the last good response.
    pub fn forget_failure(&mut self) {
        self.good.first_failure = None;
    }

    /// Adds the differences from the last good responses to the facts of a probe that did not pass.
    /// Must be called before the probe is passed to `observe`.
    pub fn add_changes(&self, observation: &Observation, facts: &mut Facts) {
        if facts.text("phase").is_some() {
            facts.add_changes(&self.good.compare(observation));
        }
    }

    /// Adds the result of a control request to `host`. A response that the gateway did not generate
    /// discards all earlier measurements.
    pub fn observe_control(&mut self, observation: &Observation, host: &str, now: Timestamp) {
        self.controls.add(control::measure(observation, host), now);
    }

    /// Returns the time until the next control request; `None` if none is due before the next
    /// probe. Must be called after each probe and each response to a control request.
    ///
    /// `incident_open_since` is the time when the current incident opened; without an incident, no
    /// control request is needed. `failing` is whether the newest probe failed with a response;
    /// without a response, there is no response time to compare with the floor.
    #[must_use]
    pub fn next_control_request(
        &self,
        incident_open_since: Option<Timestamp>,
        failing: bool,
        now: Timestamp,
    ) -> Option<Duration> {
        let since = incident_open_since.filter(|_| failing)?;
        self.controls.next_request(since, self.fastest(now), now)
    }

    /// Returns the context for the diagnosis of the next response.
    #[must_use]
    pub fn context(&self, now: Timestamp) -> Context {
        Context {
            floor: self.controls.floor(self.fastest(now), now),
            healthy: self.healthy.times(now),
            learned: self.failing.learned(),
            ..Context::at(now)
        }
    }

    fn fastest(&self, now: Timestamp) -> Option<Duration> {
        self.healthy.times(now).map(|healthy| healthy.fastest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    use crate::model::observation::Response;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    /// Creates an observation of a response after `millis` of processing, with a round trip of 10
    /// ms.
    pub(super) fn observation(
        millis: u64,
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Observation {
        let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/a");
        observation.phases.connect = Some(Duration::from_millis(10));
        observation.phases.processing = Some(Duration::from_millis(millis));
        observation.response = Some(Response::of(status, headers, body));
        observation
    }

    /// Creates an observation of a response with the headers of an HTTP API.
    fn from_api(millis: u64, status: u16, body: &str) -> Observation {
        let headers = [
            ("content-type", "application/json"),
            ("apigw-requestid", "i="),
        ];
        observation(millis, status, &headers, body)
    }

    #[test]
    fn a_restored_baseline_equals_the_saved_one() {
        let mut baseline = Baseline::default();
        for second in 0..20 {
            let observation = from_api(60, 200, "{}");
            baseline.observe(&observation, &Diagnosis::passed(), at(second));
        }
        for second in 20..24 {
            let control = from_api(20, 404, r#"{"message":"Not Found"}"#);
            baseline.observe_control(&control, "x.example", at(second));
        }
        let snapshot = baseline.snapshot();
        assert_eq!((snapshot.healthy.len(), snapshot.controls.len()), (20, 4));
        let resumed = Baseline::resumed(&snapshot);
        assert_eq!(resumed.snapshot(), snapshot);
        let (before, after) = (baseline.context(at(30)), resumed.context(at(30)));
        assert!(before.floor.is_some());
        assert_eq!(before.floor, after.floor);
        assert_eq!(before.healthy, after.healthy);
    }

    fn failed() -> Diagnosis {
        Diagnosis {
            outcome: Outcome::Failed,
            ..Diagnosis::passed()
        }
    }

    /// Creates the baseline of a healthy target with response times of 60 to 79 ms.
    fn healthy() -> Baseline {
        let mut baseline = Baseline::default();
        for minute in 0..20 {
            let observation = from_api(60 + minute, 200, "ok");
            baseline.observe(&observation, &Diagnosis::passed(), at(0));
        }
        baseline
    }

    #[test]
    fn an_incident_measures_its_floor_with_three_control_requests() {
        let mut baseline = healthy();
        let opened = Some(at(100));
        let mut now = 100;
        let mut requests = 0;
        while let Some(after) = baseline.next_control_request(opened, true, at(now)) {
            now += i64::try_from(after.as_secs()).unwrap();
            let response = from_api(20 + requests, 404, r#"{"message":"Not Found"}"#);
            baseline.observe_control(&response, "x.example", at(now));
            requests += 1;
        }
        assert_eq!((requests, now), (3, 104));
        let floor = baseline.context(at(now)).floor.unwrap();
        assert_eq!(floor.from, "3 control requests");
        assert_eq!((floor.low.as_millis(), floor.high.as_millis()), (20, 22));
    }

    #[test]
    fn no_control_request_is_needed_without_an_incident_or_a_response() {
        let baseline = healthy();
        assert_eq!(baseline.next_control_request(None, true, at(1)), None);
        assert_eq!(
            baseline.next_control_request(Some(at(0)), false, at(1)),
            None
        );
        assert!(
            baseline
                .next_control_request(Some(at(0)), true, at(1))
                .is_some()
        );
    }

    #[test]
    fn a_timeout_is_learned_from_consecutive_failures_and_dropped_after_a_success() {
        let mut baseline = healthy();
        for _ in 0..4 {
            baseline.observe(&from_api(3010, 500, "no"), &failed(), at(1));
        }
        let learned = baseline.context(at(1)).learned;
        assert_eq!(learned, Some(Duration::from_millis(3010)));
        baseline.observe(&from_api(70, 200, "ok"), &Diagnosis::passed(), at(2));
        assert_eq!(baseline.context(at(2)).learned, None);
    }

    #[test]
    fn failures_do_not_count_as_healthy_responses() {
        let mut baseline = healthy();
        baseline.observe(&from_api(5, 500, "no"), &failed(), at(1));
        let fastest = baseline.context(at(1)).healthy.map(|times| times.fastest);
        assert_eq!(fastest, Some(Duration::from_millis(60)));
    }
}
