//! The series that CloudWatch would hold: minute by minute, in memory, bounded.
//!
//! A minute without a datapoint is absent, never zero, as in the real service. Delays
//! are removed: a datapoint can be read as soon as the request is over.

use std::collections::BTreeMap;

/// What names a series.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MetricKey {
    pub(super) namespace: String,
    pub(super) metric: String,
    /// By name, so that the order in which a question lists them does not matter.
    pub(super) dimensions: BTreeMap<String, String>,
}

/// A statistic that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    Sum,
    Average,
    Minimum,
    Maximum,
    SampleCount,
}

/// Every series. Times are seconds since 1970.
#[derive(Debug, Default)]
pub(super) struct MetricStore {
    series: BTreeMap<MetricKey, BTreeMap<i64, MinuteStatistics>>,
}

#[derive(Clone, Copy, Debug)]
struct MinuteStatistics {
    count: f64,
    sum: f64,
    min: f64,
    max: f64,
}

/// Seconds of a minute.
pub(super) const MINUTE: i64 = 60;

/// Minutes kept of a series: evidence looks back half an hour at max, and three hours
/// of every series of two APIs are some hundred kilobytes.
const MINUTES_KEPT: usize = 180;

impl Statistic {
    /// The statistic by its CloudWatch name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            "SampleCount" => Self::SampleCount,
            _ => return None,
        })
    }
}

impl MetricStore {
    /// Adds one value to the minute in which `at` lies.
    pub(super) fn add(&mut self, series: MetricKey, at: i64, value: f64) {
        let minutes = self.series.entry(series).or_default();
        minutes
            .entry(at.div_euclid(MINUTE) * MINUTE)
            .and_modify(|minute| minute.merge(MinuteStatistics::of(value)))
            .or_insert_with(|| MinuteStatistics::of(value));
        while minutes.len() > MINUTES_KEPT {
            minutes.pop_first();
        }
    }

    /// The datapoints of a series from `from` up to but without `to`, oldest first, in
    /// periods of `period` seconds aligned to 1970.
    pub(super) fn read(
        &self,
        series: &MetricKey,
        stat: Statistic,
        period: i64,
        (from, to): (i64, i64),
    ) -> Vec<(i64, f64)> {
        let Some(minutes) = self.series.get(series).filter(|_| from < to) else {
            return Vec::new();
        };
        let mut periods: BTreeMap<i64, MinuteStatistics> = BTreeMap::new();
        // A period counts with its first minute: CloudWatch rounds the start down too.
        let first = from.div_euclid(period) * period;
        for (at, minute) in minutes.range(first..to) {
            periods
                .entry(at.div_euclid(period) * period)
                .and_modify(|sum| sum.merge(*minute))
                .or_insert(*minute);
        }
        periods
            .into_iter()
            .map(|(at, minute)| (at, minute.stat(stat)))
            .collect()
    }
}

impl MinuteStatistics {
    const fn of(value: f64) -> Self {
        Self {
            count: 1.0,
            sum: value,
            min: value,
            max: value,
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    const fn stat(self, stat: Statistic) -> f64 {
        match stat {
            Statistic::Sum => self.sum,
            Statistic::Average => self.sum / self.count,
            Statistic::Minimum => self.min,
            Statistic::Maximum => self.max,
            Statistic::SampleCount => self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(metric: &str) -> MetricKey {
        MetricKey {
            metric: metric.to_owned(),
            ..MetricKey::default()
        }
    }

    fn check(stat: Statistic, period: i64, window: (i64, i64), expected: &[(i64, f64)]) {
        let mut store = MetricStore::default();
        for (at, value) in [(600, 1.0), (659, 3.0), (660, 8.0), (900, 2.0)] {
            store.add(series("a"), at, value);
        }
        let found = store.read(&series("a"), stat, period, window);
        assert_eq!(found, expected, "{stat:?} {period} {window:?}");
        assert!(store.read(&series("b"), stat, period, window).is_empty());
    }

    #[test]
    fn values_are_aggregated_per_minute_and_empty_minutes_stay_absent() {
        let all = [(600, 4.0), (660, 8.0), (900, 2.0)];
        check(Statistic::Sum, 60, (600, 960), &all);
        check(Statistic::Maximum, 60, (600, 660), &[(600, 3.0)]);
        check(Statistic::Minimum, 60, (600, 660), &[(600, 1.0)]);
        check(Statistic::Average, 60, (600, 660), &[(600, 2.0)]);
        check(Statistic::SampleCount, 60, (600, 660), &[(600, 2.0)]);
    }

    #[test]
    fn the_end_is_exclusive_and_the_start_is_rounded_down() {
        check(Statistic::Sum, 60, (630, 660), &[(600, 4.0)]);
        check(Statistic::Sum, 60, (660, 660), &[]);
    }

    #[test]
    fn longer_periods_aggregate_minutes() {
        check(Statistic::Sum, 300, (600, 960), &[(600, 12.0), (900, 2.0)]);
    }

    #[test]
    fn old_minutes_are_dropped() {
        let mut store = MetricStore::default();
        for minute in 0..1000 {
            store.add(series("a"), minute * MINUTE, 1.0);
        }
        let all = store.read(&series("a"), Statistic::Sum, 60, (0, 1000 * MINUTE));
        assert_eq!(all.len(), MINUTES_KEPT);
        assert_eq!(all[0].0, (1000 - 180) * MINUTE);
    }
}
