//! Keeps the most exact of the durations that a text states for one request.

use std::time::Duration;

/// The most exact known duration of one request, and the timestamps of the request and the response
/// in seconds since midnight.
#[derive(Clone, Debug, Default)]
pub(in crate::domain::transcript) struct Times {
    best: Option<(Clock, Duration)>,
    started: Option<f64>,
    answered: Option<f64>,
}

/// The sources of a duration, from the least to the most exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain::transcript) enum Clock {
    /// Timestamps at the start of the lines.
    Stamps,
    /// curl's progress meter or wget's timestamps, in whole seconds.
    Meter,
    /// The duration in an error message.
    Message,
    /// A `time` program, whose duration includes the start of the client.
    Shell,
    /// The HTTP client itself.
    Client,
}

/// Number of seconds per day.
const DAY: f64 = 86_400.0;

/// Minimum difference in seconds between two timestamps that curl did not write. A smaller
/// difference is not used as a duration, because a log often receives all lines of a program at
/// once.
const MIN_STAMPS: f64 = 0.01;

impl Times {
    /// Records a duration, unless it is zero or a duration from a more exact clock is known.
    /// Replaces an earlier duration from the same or a less exact clock.
    pub(in crate::domain::transcript) fn set(&mut self, clock: Clock, time: Duration) {
        if self.best.is_none_or(|(best, _)| clock >= best) && !time.is_zero() {
            self.best = Some((clock, time));
        }
    }

    pub(in crate::domain::transcript) fn get(&self) -> Option<Duration> {
        self.best.map(|(_, time)| time)
    }

    /// Records the time of day, in seconds since midnight, at which the request started if
    /// `started` is true, or at which the response arrived otherwise. If both times are known and
    /// their difference is plausible, records the difference as a duration. Does nothing if `at` is
    /// `None`. `is_exact` is whether curl itself wrote the timestamps.
    pub(in crate::domain::transcript) fn stamp(
        &mut self,
        at: Option<f64>,
        started: bool,
        is_exact: bool,
    ) {
        let Some(at) = at else { return };
        if started {
            self.started = self.started.or(Some(at));
            return;
        }
        self.answered = Some(at);
        if let Some(started) = self.started {
            let difference = (at - started).rem_euclid(DAY);
            let least = if is_exact {
                f64::MIN_POSITIVE
            } else {
                MIN_STAMPS
            };
            if (least..DAY / 2.0).contains(&difference)
                && let Ok(time) = Duration::try_from_secs_f64(difference)
            {
                self.set(Clock::Stamps, time);
            }
        }
    }
}
