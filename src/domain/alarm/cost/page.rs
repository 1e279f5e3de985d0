//! Computes the longest time from the start of an outage to the page: the notification that the
//! alarm sends.
//!
//! The time is computed from the probe schedule, the health thresholds and the alarm's periods.
//! Targets with equal times are printed as one line, so that thousands of targets do not print
//! thousands of lines.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::domain::alarm::cost::format_count;
use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::{AlarmKey, AlarmSpec};
use crate::model::target::{Target, TargetName};

/// The longest time from the start of an outage to the page, for each target with an alarm, in the
/// order of the configuration.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct PageTimes(pub Vec<(TargetName, Duration)>);

/// Maximum time from the end of a period until CloudWatch evaluates a standard alarm, because
/// CloudWatch evaluates standard alarms once a minute.
const EVALUATION: Duration = Duration::from_secs(60);

/// Maximum time from the end of a period until CloudWatch evaluates a high-resolution alarm,
/// because CloudWatch evaluates high-resolution alarms every 10 s.
const FAST_EVALUATION: Duration = Duration::from_secs(10);

/// Maximum number of distinct times to page that are printed, longest first, so that the output
/// fits on a screen. Use `--json` for the full list.
const MOST_TIMES: usize = 10;

/// Maximum number of target names that are printed for each time to page, so that the names fit on
/// one line. Further targets are only counted.
const MOST_NAMES: usize = 3;

impl PageTimes {
    /// Computes the longest time to page for each target with an alarm in a destination. `alarms`
    /// are the alarms of the destination.
    #[must_use]
    pub fn new(view: &DestinationView, alarms: &[AlarmSpec]) -> Self {
        let targets = view.targets.iter();
        let targets: BTreeMap<_, _> = targets.map(|target| (&target.name, target)).collect();
        let times = alarms.iter().filter_map(|spec| match &spec.key {
            AlarmKey::Target(name) => {
                let target = targets.get(name)?;
                Some((name.clone(), time_to_page(target, spec)))
            }
            // These alarms are skipped, because the heartbeat alarm belongs to no target, and a
            // per-cause alarm never fires before the target's alarm.
            AlarmKey::Heartbeat | AlarmKey::Cause { .. } => None,
        });
        Self(times.collect())
    }
}

impl fmt::Display for PageTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_time: BTreeMap<Reverse<Duration>, Vec<&TargetName>> = BTreeMap::new();
        for (target, time) in &self.0 {
            by_time.entry(Reverse(*time)).or_default().push(target);
        }
        for (Reverse(time), targets) in by_time.iter().take(MOST_TIMES) {
            let names = targets.iter().take(MOST_NAMES);
            let names: Vec<_> = names.map(|name| name.as_str()).collect();
            let names = names.join(", ");
            write!(
                f,
                "paged at most {} s after an outage begins: ",
                time.as_secs()
            )?;
            match targets.len().saturating_sub(MOST_NAMES) {
                0 => writeln!(f, "{names}")?,
                more => writeln!(f, "{names} and {} more targets", format_count(more))?,
            }
        }
        let rest = by_time.iter().skip(MOST_TIMES);
        match rest.map(|(_, targets)| targets.len()).sum() {
            0 => Ok(()),
            rest => writeln!(f, "paged sooner: {} more targets", format_count(rest)),
        }
    }
}

/// Returns the longest time to page, for an outage that begins right after a successful probe. The
/// time is the sum of the time until the next probe, the failing probes with full timeouts, the
/// delays between these probes, the alarm's periods, and CloudWatch's evaluation.
fn time_to_page(target: &Target, spec: &AlarmSpec) -> Duration {
    let failures = target.health.consecutive_failures;
    let confirm = match target.confirm_after {
        Duration::ZERO => target.interval,
        soon => soon.min(target.interval),
    };
    let mut down = target.interval + target.timeout;
    if failures > 1 {
        down += confirm + target.timeout;
    }
    // Only the second probe, which confirms the failure, runs early. Later probes follow the
    // schedule.
    down += target.interval.max(target.timeout) * failures.saturating_sub(2);
    let period = Duration::from_secs(u64::from(spec.period));
    let evaluation = if spec.is_high_resolution() {
        FAST_EVALUATION
    } else {
        EVALUATION
    };
    down + period * spec.datapoints_to_alarm + evaluation
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::alarm::alarms_of;
    use crate::model::settings::Settings;

    /// Formats the times to page of groups of targets. A group is a number of targets and their
    /// probe interval in minutes.
    fn check(groups: &[(usize, u64)]) -> String {
        let mut settings = Settings::default();
        settings.cloudwatch.enabled = true;
        for (count, minutes) in groups {
            for index in 0..*count {
                let name = format!("every{minutes}-{index}");
                let url = "https://orders.example/".parse().unwrap();
                let mut target = Target::with_defaults(&name, url);
                target.interval = Duration::from_secs(60 * minutes);
                settings.targets.push(Arc::new(target));
            }
        }
        let view = DestinationView::of_all(&settings);
        PageTimes::new(&view, &alarms_of(&view)).to_string()
    }

    #[test]
    fn equal_times_are_printed_once_and_the_slowest_first() {
        insta::assert_snapshot!(check(&[(3, 1), (9_997, 2), (1, 10)]), @"
        paged at most 1340 s after an outage begins: every10-0
        paged at most 380 s after an outage begins: every2-0, every2-1, every2-2 and 9,994 more targets
        paged at most 260 s after an outage begins: every1-0, every1-1, every1-2
        ");
    }

    #[test]
    fn only_the_longest_times_are_printed() {
        let groups: Vec<_> = (1..=15).map(|minutes| (2, minutes)).collect();
        let text = check(&groups);
        assert_eq!(text.lines().count(), 11, "{text}");
        assert!(text.ends_with("paged sooner: 10 more targets\n"), "{text}");
    }
}
