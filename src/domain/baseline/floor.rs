//! The interval that control requests measured, and when another one is wanted.
//!
//! Three answers make a floor, close together and every one quicker than the function has
//! answered while the target was well. The last is what tells a gateway from a route
//! whose function returns the gateway's very bytes: bytes can be copied, but a function
//! cannot be quicker than itself. Without healthy answers to compare, there is no floor.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::baseline::control::Worth;
use crate::domain::diagnosis::context::Floor;

/// The control requests of late, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct ControlSamples {
    attempts: VecDeque<Attempt>,
    /// When the path was last seen to lead to something else than the gateway.
    elsewhere: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    at: Timestamp,
    time: Option<Duration>,
}

/// Fewer say nothing of their own spread.
const ENOUGH: usize = 3;

/// While an incident is young: three, and two more where one was lost to the network or
/// the three were scattered. Each costs the user a request and shows in the API's 4xx.
const WHILE_YOUNG: usize = 5;

/// All that take part in a floor, so that it follows the network.
const KEPT: usize = WHILE_YOUNG;

/// Between two controls: long enough that one burst of loss does not meet both, short
/// enough that three share the network's state with the failing probe before them.
const SPACING: Duration = Duration::from_secs(2);

/// Later in an incident a control an hour follows the network's drift: a target that
/// fails for a week has cost 170 requests and not ten thousand.
const LATER_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// ControlSamples older than this no longer share the network with an answer: three of the
/// hourly ones and one that was lost.
const FRESH: SignedDuration = SignedDuration::from_hours(4);

/// A path that leads elsewhere may carry each control to production: after one such
/// answer there is none for a day, by which time a route may have been taken away.
const REST: SignedDuration = SignedDuration::from_hours(24);

/// How far a floor's answers may lie apart. Uninvoked answers lie 5 ms (HTTP API) and
/// 2 ms (REST) apart in the captures; five times that is a restless network, on which
/// the 25 ms that separate `no` from `unclear` could not be seen any more, or a function.
const TIGHT: Duration = Duration::from_millis(25);

impl ControlSamples {
    pub(super) fn resumed(
        attempts: &[(Timestamp, Option<Duration>)],
        elsewhere: Option<Timestamp>,
    ) -> Self {
        let attempt = |&(at, time): &(Timestamp, Option<Duration>)| Attempt { at, time };
        let surplus = attempts.len().saturating_sub(KEPT);
        Self {
            attempts: attempts.iter().skip(surplus).map(attempt).collect(),
            elsewhere,
        }
    }

    pub(super) fn remembered(&self) -> (Vec<(Timestamp, Option<Duration>)>, Option<Timestamp>) {
        let attempts = self.attempts.iter();
        let pairs = attempts.map(|attempt| (attempt.at, attempt.time));
        (pairs.collect(), self.elsewhere)
    }

    pub(super) fn add(&mut self, worth: Worth, now: Timestamp) {
        let time = match worth {
            Worth::Counts(time) => Some(time),
            Worth::Nothing => None,
            Worth::Elsewhere => {
                // What it answered before may have been no gateway's either.
                self.attempts.clear();
                self.elsewhere = Some(now);
                return;
            }
        };
        if self.attempts.len() == KEPT {
            self.attempts.pop_front();
        }
        self.attempts.push_back(Attempt { at: now, time });
    }

    /// The measured floor; `healthy` is the quickest answer while the target was well.
    pub(super) fn floor(&self, healthy: Option<Duration>, now: Timestamp) -> Option<Floor> {
        let (low, high, count) = self.interval(now)?;
        healthy.filter(|quickest| high < *quickest)?;
        Some(Floor {
            low,
            high,
            from: format!("{count} control requests"),
        })
    }

    /// How soon another control is wanted in an incident that opened at `since`.
    pub(super) fn wants(
        &self,
        since: Timestamp,
        healthy: Option<Duration>,
        now: Timestamp,
    ) -> Option<Duration> {
        if self.rests(now) {
            return None;
        }
        let newest = self.attempts.back().map(|attempt| attempt.at);
        let age = newest.map(|newest| now.duration_since(newest));
        let own = self.attempts.iter().filter(|attempt| attempt.at >= since);
        let own = own.count();
        let is_young = own < ENOUGH || (own < WHILE_YOUNG && self.interval(now).is_none());
        if is_young {
            let age = age.and_then(|age| Duration::try_from(age).ok());
            return Some(age.map_or(Duration::ZERO, |age| SPACING.saturating_sub(age)));
        }
        // Where the young ones made no floor, further ones only cost.
        self.floor(healthy, now)?;
        age.is_none_or(|age| age >= LATER_EVERY)
            .then_some(Duration::ZERO)
    }

    /// Low, high and how many answers: the quicker two thirds, no fewer than three, so
    /// that a lost packet of one does not cost the floor.
    fn interval(&self, now: Timestamp) -> Option<(Duration, Duration, usize)> {
        let is_fresh = |attempt: &&Attempt| now.duration_since(attempt.at) <= FRESH;
        let fresh = self.attempts.iter().filter(is_fresh);
        let mut times: Vec<Duration> = fresh.filter_map(|attempt| attempt.time).collect();
        if times.len() < ENOUGH {
            return None;
        }
        times.sort_unstable();
        times.truncate((times.len() * 2).div_ceil(3).max(ENOUGH));
        let (low, high) = (*times.first()?, *times.last()?);
        (high - low <= TIGHT).then_some((low, high, times.len()))
    }

    fn rests(&self, now: Timestamp) -> bool {
        self.elsewhere
            .is_some_and(|seen| now.duration_since(seen) < REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    const HEALTHY: Option<Duration> = Some(Duration::from_millis(60));

    fn counted(millis: u64) -> Worth {
        Worth::Counts(Duration::from_millis(millis))
    }

    /// One answer every two seconds from nought on.
    fn controls(answers: &[Worth]) -> ControlSamples {
        let mut controls = ControlSamples::default();
        for (second, worth) in (0..).step_by(2).zip(answers) {
            controls.add(*worth, at(second));
        }
        controls
    }

    /// The floor in milliseconds a minute later, where healthy answers take 60 ms.
    #[track_caller]
    fn check(answers: &[Worth], expected: Option<(u128, u128)>) {
        let floor = controls(answers).floor(HEALTHY, at(60));
        let told = floor.map(|floor| (floor.low.as_millis(), floor.high.as_millis()));
        assert_eq!(told, expected);
    }

    #[test]
    fn three_answers_close_together_are_a_floor() {
        check(&[20, 24, 21].map(counted), Some((20, 24)));
        check(&[20, 24].map(counted), None);
        check(&[counted(20), Worth::Nothing, counted(21)], None);
    }

    #[test]
    fn scattered_answers_are_none_but_one_late_one_is_forgiven() {
        check(&[20, 24, 46].map(counted), None);
        check(&[20, 24, 46, 22].map(counted), Some((20, 24)));
        check(&[20, 24, 46, 22, 50].map(counted), None);
    }

    #[test]
    fn a_floor_lies_below_everything_the_function_ever_took() {
        // A `$default` route whose function returns the gateway's very bytes.
        check(&[55, 58, 61].map(counted), None);
        check(&[55, 58, 60].map(counted), None);
        check(&[55, 58, 59].map(counted), Some((55, 59)));
    }

    #[test]
    fn without_healthy_answers_to_compare_there_is_no_floor() {
        let measured = controls(&[20, 24, 21].map(counted));
        assert_eq!(measured.floor(None, at(60)), None);
    }

    #[test]
    fn one_answer_from_elsewhere_discards_what_was_measured() {
        let found_out = [counted(20), counted(21), counted(22), Worth::Elsewhere];
        check(&found_out, None);
        let mut controls = controls(&found_out);
        assert_eq!(controls.wants(at(0), HEALTHY, at(3600)), None);
        assert_eq!(
            controls.wants(at(0), HEALTHY, at(90_000)),
            Some(Duration::ZERO)
        );
        for second in [90_000, 90_002, 90_004] {
            controls.add(counted(20), at(second));
        }
        assert!(controls.floor(HEALTHY, at(90_010)).is_some());
    }

    #[test]
    fn an_old_floor_is_forgotten() {
        let measured = controls(&[20, 24, 21].map(counted));
        assert!(measured.floor(HEALTHY, at(4 * 3600)).is_some());
        assert_eq!(measured.floor(HEALTHY, at(4 * 3600 + 3)), None);
    }

    #[test]
    fn a_young_incident_wants_three_spaced_and_then_one_an_hour() {
        let mut controls = ControlSamples::default();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(controls.wants(at(0), HEALTHY, at(0)), seconds(0));
        controls.add(counted(20), at(1));
        assert_eq!(controls.wants(at(0), HEALTHY, at(1)), seconds(2));
        assert_eq!(controls.wants(at(0), HEALTHY, at(60)), seconds(0));
        controls.add(counted(21), at(3));
        controls.add(counted(22), at(5));
        assert_eq!(controls.wants(at(0), HEALTHY, at(6)), None);
        assert_eq!(controls.wants(at(0), HEALTHY, at(3604)), None);
        assert_eq!(controls.wants(at(0), HEALTHY, at(3605)), seconds(0));
        assert_eq!(
            controls.wants(at(0), None, at(3605)),
            None,
            "no floor, no more"
        );
        // A new incident pairs its own, the old floor notwithstanding.
        assert_eq!(controls.wants(at(60), HEALTHY, at(60)), seconds(0));
    }

    #[test]
    fn where_three_made_no_floor_two_more_are_wanted_and_no_others() {
        let mut controls = controls(&[counted(20), Worth::Nothing, counted(46)]);
        assert!(controls.wants(at(0), HEALTHY, at(60)).is_some());
        controls.add(Worth::Nothing, at(60));
        controls.add(Worth::Nothing, at(62));
        assert_eq!(controls.wants(at(0), HEALTHY, at(120)), None);
    }
}
