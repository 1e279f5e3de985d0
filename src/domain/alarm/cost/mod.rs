//! Estimates the monthly cost of alarms and metric series, the amount that the owner of a probed
//! API pays for the probes (`traffic`), and the time from an outage to the page (`page`).
//!
//! The estimate is computed from the settings alone. Prices are from third-party summaries of AWS's
//! price list, without volume discounts or the free tier. The output names this source.

mod page;
mod traffic;

use std::fmt;
use std::time::Duration;

use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::{self, AlarmKey};
use crate::model::settings::{EvidenceSettings, Settings};
use crate::model::target::{CloudWatchMetric, Target};

pub use page::PageTimes;
pub use traffic::Traffic;

/// An estimate for one destination, or for all destinations of a configuration: the monthly costs,
/// the numbers from which the costs are computed, and the times to page.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Number of alarms with periods of a minute or more, including per-cause alarms.
    pub standard_alarms: usize,
    /// Number of alarms with periods of less than a minute, including per-cause alarms.
    pub high_resolution_alarms: usize,
    /// Number of per-cause alarms.
    pub cause_alarms: usize,
    /// Number of metric series that always have datapoints, including heartbeats.
    pub series: usize,
    /// Number of targets that have an additional series for each cause while the cause occurs.
    pub targets_with_causes: usize,
    /// Number of PutMetricData requests a month, without the additional request for each state
    /// change of a target.
    pub requests: f64,
    /// Cost of alarms, series and requests in dollars a month, without per-cause series.
    pub dollars: f64,
    /// Maximum cost of evidence requests to AWS, in dollars a month.
    pub evidence: f64,
    /// Number of probes a month, in total and by the AWS service that is called.
    pub traffic: Traffic,
    /// The longest time from the start of an outage to the page, for each target with an alarm.
    pub time_to_page: PageTimes,
}

/// The length of a month in the estimate: thirty days.
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Number of days in [`MONTH`].
const DAYS: f64 = 30.0;

/// Price of an alarm with periods of a minute or more, in dollars a month.
const STANDARD_ALARM: f64 = 0.10;
/// Price of an alarm with periods of less than a minute, in dollars a month.
const HIGH_RESOLUTION_ALARM: f64 = 0.30;
/// Price of a metric series in dollars a month, in the tier of the first 10,000 custom metrics.
const SERIES: f64 = 0.30;
/// Price of one PutMetricData request, in dollars.
const REQUEST: f64 = 0.01 / 1000.0;

/// Maximum number of series in one PutMetricData request (CloudWatch's limit).
const SERIES_PER_REQUEST: usize = 1000;

impl Estimate {
    /// Creates the estimate for one destination. An inactive destination has no alarms and no
    /// series.
    #[must_use]
    pub fn new(view: &DestinationView, evidence: &EvidenceSettings) -> Self {
        let alarms = alarm::alarms_of(view);
        let fast = alarms.iter().filter(|alarm| alarm.is_high_resolution());
        let high_resolution_alarms = fast.count();
        let standard_alarms = alarms.len() - high_resolution_alarms;
        let of_cause = |subject: &AlarmKey| matches!(subject, AlarmKey::Cause { .. });
        let cause_alarms = alarms.iter().filter(|alarm| of_cause(&alarm.key));
        let series = series(view);
        let requests = requests(view, series);
        Self {
            standard_alarms,
            high_resolution_alarms,
            cause_alarms: cause_alarms.count(),
            series,
            targets_with_causes: published_targets(view).filter(|t| has_causes(t)).count(),
            requests,
            dollars: count(standard_alarms) * STANDARD_ALARM
                + count(high_resolution_alarms) * HIGH_RESOLUTION_ALARM
                + count(series) * SERIES
                + requests * REQUEST,
            evidence: evidence_dollars(view, evidence),
            traffic: Traffic::new(view),
            time_to_page: PageTimes::new(view, &alarms),
        }
    }

    /// Creates the estimate for all destinations of a configuration. Evidence and probes are
    /// counted once, because neither depends on the destinations.
    #[must_use]
    pub fn total(settings: &Settings, views: &[DestinationView]) -> Self {
        let evidence = &settings.evidence;
        let mut total = Self::new(&DestinationView::of_all(settings), evidence);
        let parts = views.iter().map(|view| Self::new(view, evidence));
        let parts: Vec<_> = parts.collect();
        let sum = |number: fn(&Self) -> usize| parts.iter().map(number).sum();
        total.standard_alarms = sum(|part| part.standard_alarms);
        total.high_resolution_alarms = sum(|part| part.high_resolution_alarms);
        total.cause_alarms = sum(|part| part.cause_alarms);
        total.series = sum(|part| part.series);
        total.targets_with_causes = sum(|part| part.targets_with_causes);
        total.requests = parts.iter().map(|part| part.requests).sum();
        total.dollars = parts.iter().map(|part| part.dollars).sum();
        total
    }

    /// Formats the cost of alarms, series and requests as text, without the cost of evidence and
    /// probes.
    #[must_use]
    pub fn of_alarms(&self) -> String {
        let mut text = format!(
            "about {} a month: {} standard and {} high-resolution alarms (including {} per-cause \
             alarms), {} metric series, {} PutMetricData requests plus one for each state change \
             of a target\n",
            dollars_text(self.dollars),
            format_count(self.standard_alarms),
            format_count(self.high_resolution_alarms),
            format_count(self.cause_alarms),
            format_count(self.series),
            format_number(self.requests),
        );
        if self.targets_with_causes > 0 {
            text.push_str(&format!(
                "  plus up to {} a month for each per-cause series of {} targets, billed by the \
                 hour while the cause occurs\n",
                dollars_text(SERIES),
                format_count(self.targets_with_causes)
            ));
        }
        text
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of_alarms())?;
        if self.evidence > 0.0 {
            writeln!(
                f,
                "  plus at most {} a month for evidence requests to AWS (limited by \
                 `evidence.max_daily_cost`)",
                dollars_text(self.evidence)
            )?;
        }
        self.traffic.fmt(f)?;
        writeln!(
            f,
            "prices are from third-party summaries of AWS's price list, without volume discounts \
             or the free tier; check AWS's pricing page"
        )?;
        self.time_to_page.fmt(f)
    }
}

fn published_targets(view: &DestinationView) -> impl Iterator<Item = &Target> {
    let targets = view.targets.iter().map(AsRef::as_ref);
    targets.filter(|target: &&Target| view.active && target.cloudwatch.enabled)
}

fn has_causes(target: &Target) -> bool {
    let failures = &CloudWatchMetric::Failures;
    let alarms = alarm::has_alarm(target) && !target.alarm.causes.is_empty();
    alarms || target.cloudwatch.metrics.contains(failures)
}

fn series(view: &DestinationView) -> usize {
    let always = |target: &Target| {
        let metrics = target.cloudwatch.metrics.iter();
        metrics
            .filter(|metric| **metric != CloudWatchMetric::Failures)
            .count()
    };
    let heartbeats = view.shards.total * u32::from(view.active);
    heartbeats as usize + published_targets(view).map(always).sum::<usize>()
}

/// Returns the number of PutMetricData requests a month. Every series has one datapoint per period
/// of the metric resolution, and a request contains up to [`SERIES_PER_REQUEST`] series. Each shard
/// sends its own requests. Every shard that probes a target sends the series of the target.
fn requests(view: &DestinationView, series: usize) -> f64 {
    let windows = MONTH.as_secs_f64() / view.cloudwatch.resolution.as_secs_f64().max(1.0);
    let shards = view.shards;
    let shares = (shards.total as usize).max(1);
    let sent = series * shards.replicas_per_target as usize;
    let of_each = sent.div_ceil(shares).div_ceil(SERIES_PER_REQUEST);
    windows * count(of_each * shares)
}

fn evidence_dollars(view: &DestinationView, evidence: &EvidenceSettings) -> f64 {
    let mut targets = view.targets.iter();
    if evidence.enabled && targets.any(|target| target.aws.names_evidence()) {
        evidence.max_daily_cost * DAYS
    } else {
        0.0
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn dollars_text(dollars: f64) -> String {
    let cents = format!("{dollars:.2}");
    let (whole, fraction) = cents.split_once('.').unwrap_or((&cents, "00"));
    format!("${}.{fraction}", insert_commas(whole))
}

fn format_number(number: f64) -> String {
    insert_commas(&format!("{number:.0}"))
}

fn format_count(number: usize) -> String {
    insert_commas(&number.to_string())
}

/// Inserts commas between groups of three digits, counted from the end: `1,234,567`.
fn insert_commas(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::alarm::plan::tests::settings;
    use crate::model::cause::{CauseId, Owner};
    use crate::model::target::CauseAlarm;

    fn check(change: impl FnOnce(&mut Settings, &mut Target)) -> String {
        let settings = settings(change);
        let view = DestinationView::of_all(&settings);
        Estimate::new(&view, &settings.evidence).to_string()
    }

    #[test]
    fn a_default_target_costs_an_alarm_and_a_series() {
        assert_snapshot!(check(|_, _| {}), @"
        about $1.23 a month: 2 standard and 0 high-resolution alarms (including 0 per-cause alarms), 2 metric series, 43,200 PutMetricData requests plus one for each state change of a target
        43,200 probes a month
        prices are from third-party summaries of AWS's price list, without volume discounts or the free tier; check AWS's pricing page
        paged at most 260 s after an outage begins: orders
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
        }), @"
        about $3.79 a month: 0 standard and 2 high-resolution alarms (including 0 per-cause alarms), 2 metric series, 259,200 PutMetricData requests plus one for each state change of a target
          plus up to $0.30 a month for each per-cause series of 1 targets, billed by the hour while the cause occurs
        518,400 probes a month
        prices are from third-party summaries of AWS's price list, without volume discounts or the free tier; check AWS's pricing page
        paged at most 36 s after an outage begins: orders
        ");
    }

    #[test]
    fn alarms_of_causes_and_evidence_are_included() {
        assert_snapshot!(check(|_, target| {
            target.aws.function = Some("orders".to_owned());
            target.alarm.causes = ["lambda-throttled", "forbidden"]
                .map(|id| CauseAlarm {
                    cause: CauseId::new(id).unwrap(),
                    owner: Owner::Platform,
                    actions: Vec::new(),
                })
                .into();
        }), @"
        about $1.43 a month: 4 standard and 0 high-resolution alarms (including 2 per-cause alarms), 2 metric series, 43,200 PutMetricData requests plus one for each state change of a target
          plus up to $0.30 a month for each per-cause series of 1 targets, billed by the hour while the cause occurs
          plus at most $30.00 a month for evidence requests to AWS (limited by `evidence.max_daily_cost`)
        43,200 probes a month
          billed to the owner of the API: about $0.01 for 0 requests to API Gateway and 43,200 known invocations of Lambda, plus the run time of the functions
        prices are from third-party summaries of AWS's price list, without volume discounts or the free tier; check AWS's pricing page
        paged at most 260 s after an outage begins: orders
        ");
    }

    #[test]
    fn evidence_that_is_switched_off_costs_nothing() {
        let text = check(|settings, target| {
            target.aws.function = Some("orders".to_owned());
            settings.evidence.enabled = false;
        });
        assert!(!text.contains("max_daily_cost"), "{text}");
    }

    #[test]
    fn an_unpublished_target_costs_nothing() {
        let text = check(|_, target| target.cloudwatch.enabled = false);
        assert!(
            text.contains(
                "1 standard and 0 high-resolution alarms (including 0 per-cause alarms), \
                 1 metric series"
            ),
            "{text}"
        );
        assert!(!text.contains("paged"), "{text}");
    }

    #[test]
    fn long_numbers_have_commas() {
        for (digits, text) in [
            ("1", "1"),
            ("999", "999"),
            ("1000", "1,000"),
            ("1234567", "1,234,567"),
        ] {
            assert_eq!(insert_commas(digits), text);
        }
        assert_eq!(dollars_text(12345.678), "$12,345.68");
    }
}
