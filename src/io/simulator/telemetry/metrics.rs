//! Stores metrics per minute, as CloudWatch does, in limited memory.
//!
//! A minute without a datapoint is absent and not zero, as in the real service. A datapoint is
//! readable as soon as the request has ended.

use std::collections::BTreeMap;

/// The identity of a metric in CloudWatch: namespace, name and dimensions.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MetricKey {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The dimensions, sorted by name so that the order in a request does not matter.
    pub(super) dimensions: BTreeMap<String, String>,
}

/// A function that computes a statistic of a period.
pub(super) type Statistic = fn(&PeriodStatistics) -> f64;

/// The stored metrics. Times are Unix seconds.
#[derive(Debug, Default)]
pub(super) struct MetricStore {
    metrics: BTreeMap<MetricKey, BTreeMap<i64, PeriodStatistics>>,
}

/// The statistics of a metric's values in one minute or period.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeriodStatistics {
    count: f64,
    sum: f64,
    min: f64,
    max: f64,
}

/// The number of seconds in a minute.
pub(super) const MINUTE: i64 = 60;

/// Maximum number of minutes kept per metric. The evidence collector reads roughly the last half
/// hour. With this limit, the metrics of both APIs take only a few hundred kilobytes.
const MINUTES_KEPT: usize = 180;

/// Returns the statistic with this CloudWatch name, or `None` if it is not supported.
pub(super) fn statistic(name: &str) -> Option<Statistic> {
    Some(match name {
        "Sum" => |period| period.sum,
        "Average" => |period| period.sum / period.count,
        "Minimum" => |period| period.min,
        "Maximum" => |period| period.max,
        "SampleCount" => |period| period.count,
        _ => return None,
    })
}

impl MetricStore {
    /// Adds one value of a metric to the minute that contains `at`. Drops the oldest minutes beyond
    /// [`MINUTES_KEPT`].
    pub(super) fn add(&mut self, metric: MetricKey, at: i64, value: f64) {
        let minutes = self.metrics.entry(metric).or_default();
        minutes
            .entry(at.div_euclid(MINUTE) * MINUTE)
            .and_modify(|minute| minute.merge(PeriodStatistics::of(value)))
            .or_insert_with(|| PeriodStatistics::of(value));
        while minutes.len() > MINUTES_KEPT {
            minutes.pop_first();
        }
    }

    /// Returns the datapoints of a metric from the period that contains `from` to `to` (exclusive),
    /// oldest first. Periods last `period` seconds and are aligned to the Unix epoch. A datapoint
    /// consists of the start of its period and the value of the statistic.
    pub(super) fn read(
        &self,
        metric: &MetricKey,
        statistic: Statistic,
        period: i64,
        (from, to): (i64, i64),
    ) -> Vec<(i64, f64)> {
        let Some(minutes) = self.metrics.get(metric).filter(|_| from < to) else {
            return Vec::new();
        };
        let mut periods: BTreeMap<i64, PeriodStatistics> = BTreeMap::new();
        // CloudWatch rounds the start time down to a whole period.
        let first = from.div_euclid(period) * period;
        for (at, minute) in minutes.range(first..to) {
            periods
                .entry(at.div_euclid(period) * period)
                .and_modify(|sum| sum.merge(*minute))
                .or_insert(*minute);
        }
        periods
            .into_iter()
            .map(|(at, period)| (at, statistic(&period)))
            .collect()
    }
}

impl PeriodStatistics {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> MetricKey {
        MetricKey {
            name: name.to_owned(),
            ..MetricKey::default()
        }
    }

    fn check(name: &str, period: i64, window: (i64, i64), expected: &[(i64, f64)]) {
        let statistic = statistic(name).unwrap();
        let mut store = MetricStore::default();
        for (at, value) in [(600, 1.0), (659, 3.0), (660, 8.0), (900, 2.0)] {
            store.add(metric("a"), at, value);
        }
        let found = store.read(&metric("a"), statistic, period, window);
        assert_eq!(found, expected, "{name} {period} {window:?}");
        assert!(
            store
                .read(&metric("b"), statistic, period, window)
                .is_empty()
        );
    }

    #[test]
    fn values_are_aggregated_per_minute_and_empty_minutes_stay_absent() {
        let all = [(600, 4.0), (660, 8.0), (900, 2.0)];
        check("Sum", 60, (600, 960), &all);
        check("Maximum", 60, (600, 660), &[(600, 3.0)]);
        check("Minimum", 60, (600, 660), &[(600, 1.0)]);
        check("Average", 60, (600, 660), &[(600, 2.0)]);
        check("SampleCount", 60, (600, 660), &[(600, 2.0)]);
    }

    #[test]
    fn the_end_is_exclusive_and_the_start_is_rounded_down() {
        check("Sum", 60, (630, 660), &[(600, 4.0)]);
        check("Sum", 60, (660, 660), &[]);
    }

    #[test]
    fn longer_periods_aggregate_minutes() {
        check("Sum", 300, (600, 960), &[(600, 12.0), (900, 2.0)]);
    }

    #[test]
    fn old_minutes_are_dropped() {
        let mut store = MetricStore::default();
        for minute in 0..1000 {
            store.add(metric("a"), minute * MINUTE, 1.0);
        }
        let all = store.read(
            &metric("a"),
            statistic("Sum").unwrap(),
            60,
            (0, 1000 * MINUTE),
        );
        assert_eq!(all.len(), MINUTES_KEPT);
        assert_eq!(all[0].0, (1000 - 180) * MINUTE);
    }
}
