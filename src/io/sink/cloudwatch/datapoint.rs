//! Datapoints and the series that they belong to.
//!
//! This module converts a datapoint to a CloudWatch `MetricDatum`, and to and from a row of the
//! spool in the state directory.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{MetricDatum, StandardUnit};
use jiff::Timestamp;

use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::{HEARTBEAT_METRIC, heartbeat_dimensions};
use crate::io::alarms::account::dimension;
use crate::io::store::SpoolRow;
use crate::model::cause::CauseId;
use crate::model::target::{CloudWatchMetric, TargetName};

/// One datapoint of a series, with one or more values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Datapoint {
    /// The row id in the state directory, unique across restarts.
    pub(super) row: u64,
    pub(super) series: Series,
    pub(super) at: Timestamp,
    /// The distinct values, each with its count; at least one.
    pub(super) values: Vec<(f64, f64)>,
    /// Whether CloudWatch may already have the datapoint, because the response to an earlier
    /// request that contained the datapoint was lost.
    pub(super) maybe_arrived: bool,
    /// Whether the state directory has a copy with the same values.
    pub(super) saved: Saved,
}

/// The state of a datapoint's copy in the state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saved {
    No,
    /// The copy is being written.
    Pending,
    Yes,
}

/// A metric series that the daemon publishes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Series {
    Heartbeat,
    Target(TargetName, CloudWatchMetric),
    Failures(TargetName, CauseId),
    /// The metric `Down` with the dimension `Cause`, which a per-cause alarm evaluates.
    DownBy(TargetName, CauseId),
}

impl Series {
    const fn metric(&self) -> &'static str {
        match self {
            Self::Heartbeat => HEARTBEAT_METRIC,
            Self::Target(_, metric) => metric.as_str(),
            Self::Failures(..) => CloudWatchMetric::Failures.as_str(),
            Self::DownBy(..) => CloudWatchMetric::Down.as_str(),
        }
    }

    /// Returns the target of the series; `None` for the heartbeat.
    pub(super) const fn target(&self) -> Option<&TargetName> {
        match self {
            Self::Heartbeat => None,
            Self::Target(target, _) | Self::Failures(target, _) | Self::DownBy(target, _) => {
                Some(target)
            }
        }
    }

    const fn cause(&self) -> Option<&CauseId> {
        match self {
            Self::Heartbeat | Self::Target(..) => None,
            Self::Failures(_, cause) | Self::DownBy(_, cause) => Some(cause),
        }
    }

    /// Serializes the series as a JSON array of metric, target and cause. A series without a target
    /// or a cause has `null` instead.
    fn encode(&self) -> String {
        let target = self.target().map(TargetName::as_str);
        let cause = self.cause().map(CauseId::as_str);
        serde_json::json!([self.metric(), target, cause]).to_string()
    }

    /// Parses the output of [`Series::encode`]. Returns `None` if the text is invalid or this
    /// release does not support the series.
    fn decode(text: &str) -> Option<Self> {
        let (metric, target, cause): (String, Option<String>, Option<String>) =
            serde_json::from_str(text).ok()?;
        let Some(target) = target.map(|name| TargetName::new(&name)) else {
            return (metric == HEARTBEAT_METRIC).then_some(Self::Heartbeat);
        };
        let mut known = CloudWatchMetric::ALL.into_iter();
        let metric = known.find(|known| known.as_str() == metric)?;
        match (metric, cause) {
            (metric, None) => Some(Self::Target(target, metric)),
            (CloudWatchMetric::Failures, Some(cause)) => {
                Some(Self::Failures(target, CauseId::new(&cause).ok()?))
            }
            (CloudWatchMetric::Down, Some(cause)) => {
                Some(Self::DownBy(target, CauseId::new(&cause).ok()?))
            }
            _ => None,
        }
    }

    const fn unit(&self) -> StandardUnit {
        match self {
            Self::Failures(..) => StandardUnit::Count,
            Self::Target(_, CloudWatchMetric::Duration | CloudWatchMetric::Processing) => {
                StandardUnit::Seconds
            }
            _ => StandardUnit::None,
        }
    }
}

impl Saved {
    /// Records whether the pending write of the copy succeeded.
    pub(super) const fn settle(&mut self, saved: bool) {
        if matches!(self, Self::Pending) {
            *self = if saved { Self::Yes } else { Self::No };
        }
    }
}

impl Datapoint {
    /// Creates a datapoint with one value.
    pub(super) fn new(row: u64, series: Series, at: Timestamp, value: f64) -> Self {
        Self {
            row,
            series,
            at,
            values: vec![(value, 1.0)],
            maybe_arrived: false,
            saved: Saved::No,
        }
    }

    /// Converts the datapoint to a row of a destination's spool.
    pub(super) fn to_row(&self, destination: &Arc<str>) -> SpoolRow {
        SpoolRow {
            id: self.row,
            destination: Arc::clone(destination),
            series: self.series.encode(),
            at: self.at,
            values: self.values.clone(),
            maybe_arrived: self.maybe_arrived,
        }
    }

    /// Converts a row of the spool to a datapoint. Returns `None` if this release cannot decode the
    /// series, or the row has no values.
    pub(super) fn from_row(row: &SpoolRow) -> Option<Self> {
        Some(Self {
            row: row.id,
            series: Series::decode(&row.series)?,
            at: row.at,
            values: row.values.clone(),
            maybe_arrived: row.maybe_arrived,
            saved: Saved::Yes,
        })
        .filter(|datapoint| !datapoint.values.is_empty())
    }

    /// Returns the estimated maximum size of the datapoint in a request, in bytes.
    pub(super) fn size(&self, location: &str) -> usize {
        let target = self.series.target().map_or(0, |name| name.as_str().len());
        let cause = self.series.cause().map_or(0, |cause| cause.as_str().len());
        // A datum with three dimensions has at most 300 bytes of field names and framing. Each
        // value takes 18 bytes, for the CBOR doubles of the value and its count.
        300 + target + cause + location.len() + 18 * self.values.len()
    }

    /// Converts the datapoint to a `MetricDatum`, the form that `PutMetricData` accepts.
    pub(super) fn datum(&self, settings: &DestinationView) -> MetricDatum {
        let (location, resolution) = (&settings.location, settings.cloudwatch.resolution);
        let mut datum = MetricDatum::builder()
            .metric_name(self.series.metric())
            .unit(self.series.unit())
            .timestamp(DateTime::from_millis(self.at.as_millisecond()))
            .storage_resolution(if resolution < Duration::from_secs(60) {
                1
            } else {
                60
            });
        if let Some(target) = self.series.target() {
            datum = datum.dimensions(dimension("Target", target.as_str()));
        }
        if self.series == Series::Heartbeat {
            let shard = settings.shards.own.unwrap_or(0);
            for (key, value) in heartbeat_dimensions(location, shard) {
                datum = datum.dimensions(dimension(&key, &value));
            }
        } else {
            datum = datum.dimensions(dimension("Location", location));
        }
        if let Some(cause) = self.series.cause() {
            datum = datum.dimensions(dimension("Cause", cause.as_str()));
        }
        match self.values[..] {
            [(value, 1.0)] => datum.value(value).build(),
            _ => datum
                .set_values(Some(self.values.iter().map(|(value, _)| *value).collect()))
                .set_counts(Some(self.values.iter().map(|(_, count)| *count).collect()))
                .build(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::settings::Settings;

    #[test]
    fn only_shards_after_the_first_have_a_shard_dimension_on_the_heartbeat() {
        let check = |own, expected: &[(&str, &str)]| {
            let mut settings = Settings::default();
            settings.shards.own = own;
            let heartbeat = Datapoint::new(1, Series::Heartbeat, Timestamp::UNIX_EPOCH, 1.0);
            let datum = heartbeat.datum(&DestinationView::of_all(&settings));
            let dimensions = datum.dimensions().iter();
            let dimensions: Vec<_> = dimensions
                .map(|dimension| (dimension.name().unwrap(), dimension.value().unwrap()))
                .collect();
            assert_eq!(dimensions, expected);
        };
        check(None, &[("Location", "local")]);
        check(Some(0), &[("Location", "local")]);
        check(Some(2), &[("Location", "local"), ("Shard", "2")]);
    }

    #[test]
    fn every_series_survives_encoding_and_decoding() {
        let target = || TargetName::new("a \"quoted\", name");
        let cause = || CauseId::new("lambda-throttled").unwrap();
        let mut all = vec![
            Series::Heartbeat,
            Series::Failures(target(), cause()),
            Series::DownBy(target(), cause()),
        ];
        all.extend(CloudWatchMetric::ALL.map(|metric| Series::Target(target(), metric)));
        for series in all {
            assert_eq!(Series::decode(&series.encode()), Some(series));
        }
        for text in [
            "",
            "[]",
            r#"["Nonsense","a",null]"#,
            r#"["Duration","a","b-c"]"#,
        ] {
            assert_eq!(Series::decode(text), None, "{text}");
        }
    }
}
