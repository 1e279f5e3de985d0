//! Decides whether a target is in a maintenance window at a given time.
//!
//! During a window, no incident of the target opens, and the target's failures do not page. Probes
//! continue, so that the status page shows when the target works again. The functions are pure: the
//! current time is an argument.

use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use wildmatch::WildMatch;

use crate::model::settings::{MaintenanceTime, MaintenanceWindow};
use crate::model::target::TargetName;

/// The maintenance windows of a configuration, with compiled globs of target names.
#[derive(Clone, Debug, Default)]
pub struct Maintenance {
    windows: Vec<(Vec<WildMatch>, MaintenanceWindow)>,
}

/// Maximum number of days since the start of an open weekly window. A weekly window lasts at most
/// seven days.
const DAYS_IN_A_WEEK: i64 = 7;

impl Maintenance {
    /// Compiles the globs of a configuration's maintenance windows.
    #[must_use]
    pub fn new(windows: &[MaintenanceWindow]) -> Self {
        let compile = |window: &MaintenanceWindow| {
            let globs = window.targets.iter().map(|glob| WildMatch::new(glob));
            (globs.collect(), window.clone())
        };
        Self {
            windows: windows.iter().map(compile).collect(),
        }
    }

    /// Returns the first open window that covers the target; `None` if no open window covers it. A
    /// window without globs covers all targets.
    #[must_use]
    pub fn covering(&self, target: &TargetName, now: Timestamp) -> Option<&MaintenanceWindow> {
        self.windows
            .iter()
            .filter(|(globs, _)| {
                globs.is_empty() || globs.iter().any(|glob| glob.matches(target.as_str()))
            })
            .map(|(_, window)| window)
            .find(|window| is_open(&window.when, now))
    }
}

fn is_open(when: &MaintenanceTime, now: Timestamp) -> bool {
    match when {
        MaintenanceTime::Once { from, until } => (*from..*until).contains(&now),
        MaintenanceTime::Weekly {
            days,
            at,
            lasting,
            zone,
        } => weekly_is_open(days, *at, *lasting, zone, now),
    }
}

/// Returns whether a weekly window is open at `now`. Each start is computed in the window's time
/// zone, so that the window follows changes to and from daylight saving time.
fn weekly_is_open(
    days: &[Weekday],
    at: Time,
    lasting: Duration,
    zone: &TimeZone,
    now: Timestamp,
) -> bool {
    let today = now.to_zoned(zone.clone()).date();
    (0..=DAYS_IN_A_WEEK).any(|back| {
        let Ok(date) = today.checked_sub(SignedDuration::from_hours(24 * back)) else {
            return false;
        };
        let Ok(start) = date.to_datetime(at).to_zoned(zone.clone()) else {
            return false;
        };
        let elapsed = now.duration_since(start.timestamp());
        days.contains(&date.weekday()) && !elapsed.is_negative() && elapsed.unsigned_abs() < lasting
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(days: &[Weekday], hours: u64, zone: &str) -> MaintenanceTime {
        MaintenanceTime::Weekly {
            days: days.to_vec(),
            at: Time::constant(22, 0, 0, 0),
            lasting: Duration::from_secs(3600 * hours),
            zone: TimeZone::get(zone).unwrap(),
        }
    }

    fn check(targets: &[&str], when: MaintenanceTime, target: &str, now: &str) -> bool {
        let maintenance = Maintenance::new(&[MaintenanceWindow {
            name: "window".to_owned(),
            targets: targets.iter().map(|&glob| glob.to_owned()).collect(),
            when,
        }]);
        let now = now.parse().unwrap();
        maintenance
            .covering(&TargetName::new(target), now)
            .is_some()
    }

    #[test]
    fn a_window_covers_the_targets_that_match_its_globs() {
        let once = || MaintenanceTime::Once {
            from: "2026-01-01T00:00:00Z".parse().unwrap(),
            until: "2026-01-02T00:00:00Z".parse().unwrap(),
        };
        let noon = "2026-01-01T12:00:00Z";
        assert!(check(&[], once(), "orders", noon));
        assert!(check(&["ord*"], once(), "orders", noon));
        assert!(!check(&["pay*"], once(), "orders", noon));
        assert!(check(&[], once(), "orders", "2026-01-01T00:00:00Z"));
        assert!(!check(&[], once(), "orders", "2026-01-02T00:00:00Z"));
    }

    #[test]
    fn a_weekly_window_may_end_after_midnight() {
        // 2026-01-03 is a Saturday.
        let saturday = || weekly(&[Weekday::Saturday], 4, "UTC");
        assert!(!check(&[], saturday(), "orders", "2026-01-03T21:59:59Z"));
        assert!(check(&[], saturday(), "orders", "2026-01-03T22:00:00Z"));
        assert!(check(&[], saturday(), "orders", "2026-01-04T01:59:59Z"));
        assert!(!check(&[], saturday(), "orders", "2026-01-04T02:00:00Z"));
        assert!(!check(&[], saturday(), "orders", "2026-01-04T22:00:00Z"));
    }

    #[test]
    fn a_weekly_window_follows_daylight_saving_time() {
        let friday = || weekly(&[Weekday::Friday], 1, "Europe/Paris");
        // 22:30 in Paris is 21:30 UTC in winter and 20:30 UTC in summer.
        assert!(check(&[], friday(), "orders", "2026-01-02T21:30:00Z"));
        assert!(check(&[], friday(), "orders", "2026-07-03T20:30:00Z"));
        assert!(!check(&[], friday(), "orders", "2026-07-03T21:30:00Z"));
    }

    #[test]
    fn a_window_of_seven_days_is_always_open() {
        let always = || weekly(&[Weekday::Monday], 24 * 7, "UTC");
        assert!(check(&[], always(), "orders", "2026-01-05T21:59:59Z"));
        assert!(check(&[], always(), "orders", "2026-01-05T22:00:00Z"));
    }
}
