//! What is normal for one target: its healthy times, its floor, the limit it fails at.
//!
//! Reading order: `history` (how quickly it answers while it is well), `control` (which
//! answer to a control request counts), `floor` (the interval that controls measured,
//! and when another one is wanted), `plateau` (a limit that failures sit on). Everything
//! is bounded and small, since a daemon holds ten thousand of these, and `now` is an
//! argument. It refuses to guess: too little, too old or too scattered is nothing at all.

mod control;
mod floor;
mod history;
mod plateau;

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::context::Context;
use crate::domain::diagnosis::{Diagnosis, Outcome};
use crate::model::observation::Observation;

use self::floor::ControlSamples;
use self::history::History;
use self::plateau::FailingTimes;

/// What is remembered of one target. A target whose settings changed starts a new one.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    healthy: History,
    controls: ControlSamples,
    failing: FailingTimes,
}

/// What of a baseline outlives a restart; the present run of failures does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// Healthy answers, oldest first: processing and connect times in microseconds.
    pub healthy: Vec<(u32, Option<u32>)>,
    /// When the newest of them came.
    pub newest: Option<Timestamp>,
    /// Control requests, oldest first, with the times of those that count.
    pub controls: Vec<(Timestamp, Option<Duration>)>,
    /// When the control path was last seen to lead to something else than the gateway.
    pub elsewhere: Option<Timestamp>,
}

/// Where we were as late ourselves, times are nobody's normal ones: a denied call and one that
/// reached the function lie no further apart.
const BLURRED: Duration = Duration::from_millis(25);

impl Baseline {
    /// Takes up what was remembered of the same target with the same settings.
    #[must_use]
    pub fn resumed(remembered: &Remembered) -> Self {
        Self {
            healthy: History::resumed(&remembered.healthy, remembered.newest),
            controls: ControlSamples::resumed(&remembered.controls, remembered.elsewhere),
            failing: FailingTimes::default(),
        }
    }

    /// What is worth remembering over a restart.
    #[must_use]
    pub fn remembered(&self) -> Remembered {
        let (healthy, newest) = self.healthy.remembered();
        let (controls, elsewhere) = self.controls.remembered();
        Remembered {
            healthy,
            newest,
            controls,
            elsewhere,
        }
    }

    /// Remembers what one probe says about the target's times. Called after the probe was
    /// diagnosed, so that no answer is judged by itself.
    pub fn observe(&mut self, observation: &Observation, diagnosis: &Diagnosis, now: Timestamp) {
        let sharp = observation.own_lag < BLURRED;
        match diagnosis.outcome {
            // A late answer, or one whose certificate runs out, came from the function too.
            Outcome::Passed | Outcome::Degraded => {
                if sharp {
                    self.healthy.add(observation, now);
                }
                self.failing.clear();
            }
            Outcome::Failed if sharp => self.failing.add(observation),
            Outcome::Failed => {}
        }
    }

    /// Judges the answer to one control request to `host` and remembers it where it
    /// counts; an answer that shows the path to reach something else than the gateway
    /// discards what was measured on it.
    pub fn control(&mut self, observation: &Observation, host: &str, now: Timestamp) {
        self.controls.add(control::judge(observation, host), now);
    }

    /// Whether, and how soon, another control request is wanted. To be asked after each
    /// probe and each control answer.
    ///
    /// `incident_open_since` is when the present incident opened; without one nothing is
    /// wanted. `failing` says that the newest probe failed *with an answer*: there is
    /// nothing to compare a floor with where no answer came.
    #[must_use]
    pub fn wants_control(
        &self,
        incident_open_since: Option<Timestamp>,
        failing: bool,
        now: Timestamp,
    ) -> Option<Duration> {
        let since = incident_open_since.filter(|_| failing)?;
        self.controls.wants(since, self.quickest(now), now)
    }

    /// What the next answer is to be judged by, as far as this target is known.
    #[must_use]
    pub fn context(&self, now: Timestamp) -> Context {
        Context {
            floor: self.controls.floor(self.quickest(now), now),
            healthy: self.healthy.times(now),
            learned: self.failing.learned(),
            ..Context::at(now)
        }
    }

    fn quickest(&self, now: Timestamp) -> Option<Duration> {
        self.healthy.times(now).map(|healthy| healthy.quickest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    use crate::model::observation::{HttpVersion, Response};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn answered(millis: u64, status: u16, body: &str) -> Observation {
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/a");
        seen.phases.connect = Some(Duration::from_millis(10));
        seen.phases.processing = Some(Duration::from_millis(millis));
        let headers = [
            ("content-type", "application/json"),
            ("apigw-requestid", "i="),
        ];
        seen.response = Some(Response {
            status,
            version: HttpVersion::Http2,
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
            body: body.as_bytes().to_vec(),
            body_truncated: false,
            body_bytes: body.len() as u64,
            content_length: None,
        });
        seen
    }

    #[test]
    fn what_is_remembered_is_the_same_after_a_restart() {
        let mut baseline = Baseline::default();
        for second in 0..20 {
            let seen = answered(60, 200, "{}");
            baseline.observe(&seen, &Diagnosis::passed(), at(second));
        }
        for second in 20..24 {
            let control = answered(20, 404, r#"{"message":"Not Found"}"#);
            baseline.control(&control, "x.example", at(second));
        }
        let remembered = baseline.remembered();
        assert_eq!(
            (remembered.healthy.len(), remembered.controls.len()),
            (20, 4)
        );
        let resumed = Baseline::resumed(&remembered);
        assert_eq!(resumed.remembered(), remembered);
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

    /// Well for a while, with answers of 60 ms and more.
    fn healthy() -> Baseline {
        let mut baseline = Baseline::default();
        for minute in 0..20 {
            let seen = answered(60 + minute, 200, "ok");
            baseline.observe(&seen, &Diagnosis::passed(), at(0));
        }
        baseline
    }

    #[test]
    fn an_incident_measures_its_floor_with_the_controls_it_asked_for() {
        let mut baseline = healthy();
        let opened = Some(at(100));
        let mut now = 100;
        let mut asked = 0;
        while let Some(after) = baseline.wants_control(opened, true, at(now)) {
            now += i64::try_from(after.as_secs()).unwrap();
            let refusal = answered(20 + asked, 404, r#"{"message":"Not Found"}"#);
            baseline.control(&refusal, "x.example", at(now));
            asked += 1;
        }
        assert_eq!((asked, now), (3, 104));
        let floor = baseline.context(at(now)).floor.unwrap();
        assert_eq!(floor.from, "3 control requests");
        assert_eq!((floor.low.as_millis(), floor.high.as_millis()), (20, 22));
    }

    #[test]
    fn nothing_is_wanted_without_an_incident_or_without_an_answer_to_compare() {
        let baseline = healthy();
        assert_eq!(baseline.wants_control(None, true, at(1)), None);
        assert_eq!(baseline.wants_control(Some(at(0)), false, at(1)), None);
        assert!(baseline.wants_control(Some(at(0)), true, at(1)).is_some());
    }

    #[test]
    fn a_limit_is_learned_from_failures_in_a_row_and_forgotten_when_one_passes() {
        let mut baseline = healthy();
        for _ in 0..4 {
            baseline.observe(&answered(3010, 500, "no"), &failed(), at(1));
        }
        let learned = baseline.context(at(1)).learned;
        assert_eq!(learned, Some(Duration::from_millis(3010)));
        baseline.observe(&answered(70, 200, "ok"), &Diagnosis::passed(), at(2));
        assert_eq!(baseline.context(at(2)).learned, None);
    }

    #[test]
    fn failures_are_no_part_of_the_healthy_history() {
        let mut baseline = healthy();
        baseline.observe(&answered(5, 500, "no"), &failed(), at(1));
        let quickest = baseline.context(at(1)).healthy.map(|times| times.quickest);
        assert_eq!(quickest, Some(Duration::from_millis(60)));
    }
}
