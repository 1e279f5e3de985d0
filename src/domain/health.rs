//! Determines the health of a target from the outcomes of its probes.
//!
//! Except from unknown to up, the health changes only after a configured number of consecutive
//! results, so that it does not flap. The functions are pure: the current time is an argument.
//! `diagnosis` determines why a probe failed.

use jiff::Timestamp;

use crate::domain::diagnosis::Outcome;
use crate::model::target::HealthSettings;
use crate::model::text_enum::text_enum;

text_enum! {
    /// The health of a target. It changes only after a configured number of consecutive results,
    /// except from unknown to up, for which one result is enough.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum HealthState {
        /// The target responds as expected.
        Up = "up",
        /// The target responds slowly, its certificate expires soon, or failed and degraded results
        /// alternate.
        Degraded = "degraded",
        /// Probes of the target fail.
        Down = "down",
        /// The target has not been probed yet, or too few results are known to decide.
        Unknown = "unknown",
    }
}

/// A change of a target's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The health before the change.
    pub from: HealthState,
    /// The health after the change.
    pub to: HealthState,
}

/// Tracks the health of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    settings: HealthSettings,
    state: HealthState,
    since: Timestamp,
    /// The outcome of the newest result, and the number of consecutive results with this outcome.
    /// `None` before the first result.
    streak: Option<(Outcome, u32)>,
    /// Number of consecutive degraded or failed results up to the newest result.
    not_passed: u32,
}

impl Health {
    /// Creates the health of a target that has not been probed: [`HealthState::Unknown`].
    #[must_use]
    pub const fn new(settings: HealthSettings, now: Timestamp) -> Self {
        Self {
            settings,
            state: HealthState::Unknown,
            since: now,
            streak: None,
            not_passed: 0,
        }
    }

    /// Restores the health that a target had before a restart.
    #[must_use]
    pub const fn resumed(settings: HealthSettings, state: HealthState, since: Timestamp) -> Self {
        Self {
            settings,
            state,
            since,
            streak: None,
            not_passed: 0,
        }
    }

    /// Returns the target's current health.
    #[must_use]
    pub const fn state(&self) -> HealthState {
        self.state
    }

    /// Returns the time at which the current health began.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Returns the number of consecutive failed probes up to the newest result.
    #[must_use]
    pub const fn consecutive_failures(&self) -> u32 {
        match self.streak {
            Some((Outcome::Failed, count)) => count,
            _ => 0,
        }
    }

    /// Returns whether a probe is needed to confirm the newest result: it is the first degraded or
    /// failed result in a row, and one such result does not change the health.
    #[must_use]
    pub const fn wants_confirmation(&self) -> bool {
        self.not_passed == 1 && self.settings.consecutive_failures > 1
    }

    /// Changes the thresholds. The new thresholds apply from the next result on.
    pub const fn configure(&mut self, settings: HealthSettings) {
        self.settings = settings;
    }

    /// Applies the outcome of one probe. Returns the change of the target's health, if any.
    pub fn observe(&mut self, outcome: Outcome, now: Timestamp) -> Option<Transition> {
        let count = match self.streak {
            Some((same, count)) if same == outcome => count.saturating_add(1),
            _ => 1,
        };
        self.streak = Some((outcome, count));
        self.not_passed = match outcome {
            Outcome::Passed => 0,
            Outcome::Degraded | Outcome::Failed => self.not_passed.saturating_add(1),
        };
        let next = self.next_state(outcome, count);
        if next == self.state {
            return None;
        }
        let transition = Transition {
            from: self.state,
            to: next,
        };
        self.state = next;
        self.since = now;
        Some(transition)
    }

    fn next_state(&self, outcome: Outcome, count: u32) -> HealthState {
        let failures = self.settings.consecutive_failures;
        let successes = self.settings.consecutive_successes;
        match outcome {
            Outcome::Failed if count >= failures => HealthState::Down,
            // Failed and degraded results are counted together, because results that alternate
            // between failed and degraded never reach the threshold of consecutive failures.
            Outcome::Failed | Outcome::Degraded
                if self.state != HealthState::Down && self.not_passed >= failures =>
            {
                HealthState::Degraded
            }
            // A change from `down` to `degraded` requires as many consecutive results as a change
            // from `down` to `up`.
            Outcome::Degraded if self.state == HealthState::Down && count >= successes => {
                HealthState::Degraded
            }
            // A single passed result is enough if the health is unknown.
            Outcome::Passed if self.state == HealthState::Unknown || count >= successes => {
                HealthState::Up
            }
            _ => self.state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Applies outcomes written as letters (`p` passed, `d` degraded, `f` failed), and compares the
    /// health after each outcome with the expected letters.
    fn check(failures: u32, successes: u32, outcomes: &str, states: &str) {
        let settings = HealthSettings {
            consecutive_failures: failures,
            consecutive_successes: successes,
        };
        let mut health = Health::new(settings, at(0));
        let mut found = String::new();
        for (second, letter) in (1..).zip(outcomes.chars()) {
            let outcome = match letter {
                'p' => Outcome::Passed,
                'd' => Outcome::Degraded,
                _ => Outcome::Failed,
            };
            let before = health.state();
            let transition = health.observe(outcome, at(second));
            assert_eq!(transition.is_some(), before != health.state());
            if let Some(change) = transition {
                assert_eq!((change.from, change.to), (before, health.state()));
                assert_eq!(health.since(), at(second));
            }
            found.push(match health.state() {
                HealthState::Up => 'U',
                HealthState::Degraded => 'G',
                HealthState::Down => 'D',
                HealthState::Unknown => '?',
            });
        }
        assert_eq!(found, states, "for {outcomes}");
    }

    #[test]
    fn one_good_result_makes_a_new_target_up() {
        check(2, 2, "p", "U");
    }

    #[test]
    fn one_failure_leaves_a_new_target_unknown() {
        check(2, 2, "ff", "?D");
    }

    #[test]
    fn a_single_failure_changes_nothing() {
        check(2, 2, "ppfppfp", "UUUUUUU");
    }

    #[test]
    fn alternating_results_do_not_end_an_outage() {
        check(2, 2, "pffpfpfpp", "UUDDDDDDU");
    }

    #[test]
    fn slow_responses_degrade_a_target_and_failures_take_it_down() {
        check(2, 2, "pddffpp", "UUGGDDU");
    }

    #[test]
    fn an_outage_ends_as_degraded_if_responses_are_slow() {
        check(2, 2, "ffdd", "?DDG");
    }

    #[test]
    fn alternating_failed_and_slow_results_are_degraded() {
        check(3, 2, "pfdfdp", "UUUGGG");
    }

    #[test]
    fn a_confirmation_is_wanted_once_per_run_of_bad_results() {
        let settings = HealthSettings {
            consecutive_failures: 3,
            consecutive_successes: 1,
        };
        let mut health = Health::new(settings, at(0));
        let wants: Vec<bool> = [
            Outcome::Failed,
            Outcome::Failed,
            Outcome::Passed,
            Outcome::Failed,
        ]
        .into_iter()
        .map(|outcome| {
            health.observe(outcome, at(1));
            health.wants_confirmation()
        })
        .collect();
        assert_eq!(wants, [true, false, false, true]);
    }
}
