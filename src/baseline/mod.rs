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

use crate::diagnosis::context::Context;
use crate::diagnosis::{Diagnosis, Outcome};
use crate::observation::Observation;

use self::floor::Controls;
use self::history::History;
use self::plateau::FailingTimes;

/// What is remembered of one target. A target whose settings changed starts a new one.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    healthy: History,
    controls: Controls,
    failing: FailingTimes,
}

impl Baseline {
    /// Remembers what one probe says about the target's times. Called after the probe was
    /// diagnosed, so that no answer is judged by itself.
    pub fn observe(&mut self, observation: &Observation, diagnosis: &Diagnosis, now: Timestamp) {
        match diagnosis.outcome {
            // A late answer, or one whose certificate runs out, came from the function too.
            Outcome::Passed | Outcome::Degraded => {
                self.healthy.add(observation, now);
                self.failing.clear();
            }
            Outcome::Failed => self.failing.add(observation),
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
