//! What the alarms and series of a configuration cost a month, and how long an outage
//! can last before somebody is paged.
//!
//! Pure arithmetic over settings. The prices are third-party figures of the first tier,
//! without free tier; AWS's own price page decides, and the text says so.

use std::fmt;
use std::time::Duration;

use crate::alarm::{self, AlarmSpec};
use crate::settings::Settings;
use crate::target::{CloudWatchMetric, Target, TargetName};

/// An estimate for one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Alarms with periods of a minute or more.
    pub standard_alarms: usize,
    /// Alarms with shorter periods.
    pub high_resolution_alarms: usize,
    /// Metric series sent always, the heartbeat's included.
    pub series: usize,
    /// Targets that send one more series per cause while it occurs.
    pub targets_with_causes: usize,
    /// Dollars a month, without series per cause.
    pub dollars: f64,
    /// The longest time from the outage to the page, per target with an alarm.
    pub time_to_page: Vec<(TargetName, Duration)>,
}

/// Dollars a month for an alarm with standard resolution.
const STANDARD_ALARM: f64 = 0.10;
/// Dollars a month for an alarm with periods under a minute.
const HIGH_RESOLUTION_ALARM: f64 = 0.30;
/// Dollars a month for a custom metric, of the first ten thousand.
const SERIES: f64 = 0.30;

/// What CloudWatch takes to evaluate and notify once a period has ended: it evaluates
/// standard alarms each minute, others each 10 s.
const EVALUATION: Duration = Duration::from_secs(60);
const FAST_EVALUATION: Duration = Duration::from_secs(10);

impl Estimate {
    /// Sums up a configuration; all zero when CloudWatch is off.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let alarms = alarm::desired(settings);
        let high_resolution_alarms = alarms
            .iter()
            .filter(|alarm| alarm.is_high_resolution())
            .count();
        let standard_alarms = alarms.len() - high_resolution_alarms;
        let published: Vec<_> = settings
            .targets
            .iter()
            .filter(|target| settings.cloudwatch.enabled && target.cloudwatch.enabled)
            .collect();
        let has_causes = |target: &Target| {
            target
                .cloudwatch
                .metrics
                .contains(&CloudWatchMetric::Failures)
        };
        let always =
            |target: &Target| target.cloudwatch.metrics.len() - usize::from(has_causes(target));
        let heartbeat = usize::from(settings.cloudwatch.enabled);
        let series = heartbeat + published.iter().map(|target| always(target)).sum::<usize>();
        Self {
            standard_alarms,
            high_resolution_alarms,
            series,
            targets_with_causes: published.iter().filter(|target| has_causes(target)).count(),
            dollars: count(standard_alarms) * STANDARD_ALARM
                + count(high_resolution_alarms) * HIGH_RESOLUTION_ALARM
                + count(series) * SERIES,
            time_to_page: settings
                .targets
                .iter()
                .filter(|target| alarm::has_alarm(target))
                // Behind the heartbeat, alarms stand in the order of their targets.
                .zip(alarms.iter().skip(1))
                .map(|(target, spec)| (target.name.clone(), time_to_page(target, spec)))
                .collect(),
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "about ${:.2} a month: {} alarms, {} high-resolution alarms, {} metric series",
            self.dollars, self.standard_alarms, self.high_resolution_alarms, self.series
        )?;
        if self.targets_with_causes > 0 {
            writeln!(
                f,
                "  and ${SERIES:.2} for each cause of {} targets with `Failures`, for the hours in which it occurs",
                self.targets_with_causes
            )?;
        }
        writeln!(
            f,
            "  third-party figures without requests and free tier: check AWS's price page"
        )?;
        for (target, time) in &self.time_to_page {
            writeln!(
                f,
                "{target}: paged at most {} s into an outage",
                time.as_secs()
            )?;
        }
        Ok(())
    }
}

/// An outage that begins right after a good probe: the wait for the next slot, the
/// failing probes at their full timeout with the wait between them, then the alarm's
/// own datapoints and CloudWatch's evaluation.
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
    // Only the second look comes soon; the others keep to the schedule.
    down += target.interval.max(target.timeout) * failures.saturating_sub(2);
    let period = Duration::from_secs(u64::from(spec.period));
    let evaluation = if spec.is_high_resolution() {
        FAST_EVALUATION
    } else {
        EVALUATION
    };
    down + period * spec.datapoints_to_alarm + evaluation
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use insta::assert_snapshot;

    use super::*;

    fn check(change: impl FnOnce(&mut Settings, &mut Target)) -> String {
        let url = "https://orders.example/".parse().unwrap();
        let mut target = Target::with_defaults("orders", url);
        let mut settings = Settings::default();
        settings.cloudwatch.enabled = true;
        change(&mut settings, &mut target);
        settings.targets.push(Arc::new(target));
        Estimate::new(&settings).to_string()
    }

    #[test]
    fn a_default_target_costs_an_alarm_and_a_series() {
        assert_snapshot!(check(|_, _| {}), @r"
        about $0.80 a month: 2 alarms, 0 high-resolution alarms, 2 metric series
          third-party figures without requests and free tier: check AWS's price page
        orders: paged at most 260 s into an outage
        ");
    }

    #[test]
    fn high_resolution_costs_more_and_pages_sooner() {
        assert_snapshot!(check(|settings, target| {
            settings.cloudwatch.resolution = Duration::from_secs(10);
            target.interval = Duration::from_secs(5);
            target.timeout = Duration::from_secs(5);
            target.confirm_after = Duration::from_secs(1);
            target.cloudwatch.metrics.insert(CloudWatchMetric::Failures);
        }), @r"
        about $1.20 a month: 0 alarms, 2 high-resolution alarms, 2 metric series
          and $0.30 for each cause of 1 targets with `Failures`, for the hours in which it occurs
          third-party figures without requests and free tier: check AWS's price page
        orders: paged at most 36 s into an outage
        ");
    }

    #[test]
    fn an_unpublished_target_costs_nothing() {
        let text = check(|_, target| target.cloudwatch.enabled = false);
        assert!(
            text.contains("1 alarms, 0 high-resolution alarms, 1 metric series"),
            "{text}"
        );
        assert!(!text.contains("paged"), "{text}");
    }
}
