//! Whether a target is up, and when that changed: consecutive thresholds, nothing else.
//!
//! Pure: `now` is an argument. A single failed probe never changes the health of a
//! target that has been up, and a single good one never ends an outage, so a health
//! cannot flap inside its thresholds. It refuses to know why a probe failed.

use jiff::Timestamp;

use crate::domain::diagnosis::Outcome;
use crate::model::target::HealthSettings;
use crate::model::text_enum::text_enum;

text_enum! {
    /// The health of a target, after its thresholds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum HealthState {
        /// It answers as expected.
        Up = "up",
        /// It answers, but slowly, or its certificate runs out.
        Degraded = "degraded",
        /// It fails.
        Down = "down",
        /// Not known: not probed yet, or too few results since start.
        Unknown = "unknown",
    }
}

/// A change of health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state left.
    pub from: HealthState,
    /// The state entered.
    pub to: HealthState,
    /// When, which is when the deciding probe ended.
    pub at: Timestamp,
}

/// The running health of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    settings: HealthSettings,
    state: HealthState,
    since: Timestamp,
    /// The outcome that the newest results share, and how many they are.
    streak: Option<(Outcome, u32)>,
    /// How many of the newest results were not plainly good, whatever their kind.
    not_passed: u32,
}

impl Health {
    /// The health of a target that has not been probed.
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

    /// The health of a target that is known from before a restart.
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

    /// The present state.
    #[must_use]
    pub const fn state(&self) -> HealthState {
        self.state
    }

    /// Since when the state holds.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// How many of the newest results failed in a row.
    #[must_use]
    pub const fn consecutive_failures(&self) -> u32 {
        match self.streak {
            Some((Outcome::Failed, count)) => count,
            _ => 0,
        }
    }

    /// Whether the newest result is the first bad one after good ones, or the first of
    /// all: the moment to look again soon.
    #[must_use]
    pub const fn wants_confirmation(&self) -> bool {
        self.not_passed == 1 && self.settings.consecutive_failures > 1
    }

    /// Changed thresholds take effect with the next result.
    pub const fn configure(&mut self, settings: HealthSettings) {
        self.settings = settings;
    }

    /// Takes one result and says whether the health changed.
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
            at: now,
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
            // Results that alternate between failed and degraded are not good either:
            // after enough of them the target is at least degraded.
            Outcome::Failed | Outcome::Degraded
                if self.state != HealthState::Down && self.not_passed >= failures =>
            {
                HealthState::Degraded
            }
            // Leaving an outage takes as many results as being up again would.
            Outcome::Degraded if self.state == HealthState::Down && count >= successes => {
                HealthState::Degraded
            }
            // Nothing is known against a target whose first result is good.
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

    /// Feeds outcomes written as letters (p, d, f) and returns the states after each.
    fn check(failures: u32, successes: u32, outcomes: &str, states: &str) {
        let settings = HealthSettings {
            consecutive_failures: failures,
            consecutive_successes: successes,
        };
        let mut health = Health::new(settings, at(0));
        let mut seen = String::new();
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
            seen.push(match health.state() {
                HealthState::Up => 'U',
                HealthState::Degraded => 'G',
                HealthState::Down => 'D',
                HealthState::Unknown => '?',
            });
        }
        assert_eq!(seen, states, "for {outcomes}");
    }

    #[test]
    fn a_first_good_result_is_enough_to_be_up() {
        check(2, 2, "p", "U");
    }

    #[test]
    fn a_first_failure_alone_leaves_the_health_unknown() {
        check(2, 2, "ff", "?D");
    }

    #[test]
    fn a_single_blip_changes_nothing() {
        check(2, 2, "ppfppfp", "UUUUUUU");
    }

    #[test]
    fn alternating_results_do_not_flap_an_outage() {
        check(2, 2, "pffpfpfpp", "UUDDDDDDU");
    }

    #[test]
    fn slow_answers_degrade_and_failures_take_it_down() {
        check(2, 2, "pddffpp", "UUGGDDU");
    }

    #[test]
    fn an_outage_ends_in_degraded_when_answers_stay_slow() {
        check(2, 2, "ffdd", "?DDG");
    }

    #[test]
    fn alternating_bad_and_slow_is_degraded_not_up() {
        check(3, 2, "pfdfdp", "UUUGGG");
    }

    #[test]
    fn confirmation_is_wanted_once_per_streak() {
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
