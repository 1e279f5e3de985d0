//! Defines AWS calls as values, and combines the metric reads of several lookups into one call.
//!
//! This module does no I/O: `worker` makes the calls. Metric reads with the same region and role
//! share a call, in which each series appears once.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::{LogFinding, LogSource};
use crate::io::evidence::backoff::OperationKey;
use crate::io::evidence::configuration::{ConfigurationQuery, Reading};
use crate::io::evidence::logs::LogQuery;
use crate::io::evidence::lookup::Lookup;
use crate::io::evidence::metrics::MAX_SERIES;
use crate::io::evidence::operation::Operation;
use crate::io::evidence::scope::AwsScope;
use crate::io::evidence::series::{MetricSeries, SeriesValues};
use crate::model::target::TargetName;

/// The id of a lookup: the name of the target and the time when the probe began.
pub(super) type LookupId = (TargetName, Timestamp);

/// An AWS call with the ids of the lookups that need its output.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AwsCall {
    pub(super) scope: AwsScope,
    pub(super) query: Query,
    /// The ids of the lookups that need the output of the call.
    pub(super) lookups: Vec<LookupId>,
}

/// The data that an AWS call reads: metrics, a log, or a configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Query {
    Metrics {
        series: Vec<MetricSeries>,
        /// Start of the time range, inclusive.
        from: Timestamp,
        /// End of the time range, exclusive.
        to: Timestamp,
    },
    Log(LogSource, LogQuery),
    /// Several reads, of which each may fail on its own.
    Configuration(ConfigurationQuery),
}

/// The data that a successful AWS call returned.
pub(super) enum CallOutput {
    Metrics(SeriesValues),
    /// The log that was searched, and the finding about the request. `None` if no line belongs to
    /// the request.
    Log(LogSource, Option<LogFinding>),
    /// The configuration, without the parts that could not be read.
    Configuration(Reading),
}

/// Maximum time range in seconds of a metric read that several lookups share. The datapoints of 500
/// series over an hour fit on one page of a response.
const MAX_RANGE: i64 = 3600;

impl AwsCall {
    /// Returns whether the call reads a configuration.
    pub(super) const fn reads_configuration(&self) -> bool {
        matches!(self.query, Query::Configuration(_))
    }

    /// Returns the key under which the backoff and the logged failures of this call are stored.
    pub(super) fn operation_key(&self) -> OperationKey {
        let (operation, resource) = match &self.query {
            Query::Metrics { .. } => (Operation::GetMetricData, None),
            Query::Log(_, query) => (Operation::FilterLogEvents, Some(query.group.clone())),
            Query::Configuration(_) => (Operation::ReadConfiguration, None),
        };
        OperationKey {
            scope: self.scope.clone(),
            operation,
            resource,
        }
    }
}

/// Metric reads of several lookups that are combined into one call.
#[derive(Default)]
pub(super) struct MetricBatch {
    series: BTreeSet<MetricSeries>,
    lookups: Vec<LookupId>,
    range: Option<(Timestamp, Timestamp)>,
}

impl MetricBatch {
    /// Returns whether the batch stays within [`MAX_SERIES`] and [`MAX_RANGE`] with one more
    /// lookup. An empty batch has room for any lookup.
    pub(super) fn has_room_for(&self, lookup: &Lookup) -> bool {
        let Some((from, to)) = self.range else {
            return true;
        };
        let is_new = |series: &&MetricSeries| !self.series.contains(*series);
        let added = lookup.series.iter().filter(is_new).count();
        let range = lookup.window.1.max(to).as_second() - lookup.window.0.min(from).as_second();
        self.series.len() + added <= MAX_SERIES && range <= MAX_RANGE
    }

    /// Adds a lookup to the batch and marks its metrics as in flight.
    pub(super) fn add(&mut self, lookup: &mut Lookup) {
        lookup.metrics = lookup.metrics.started();
        self.series.extend(lookup.series.iter().cloned());
        let name = lookup.request.target.name.clone();
        self.lookups.push((name, lookup.request.began));
        let (from, to) = self.range.unwrap_or(lookup.window);
        self.range = Some((from.min(lookup.window.0), to.max(lookup.window.1)));
    }

    /// Returns the call for this batch, or `None` if the batch is empty.
    pub(super) fn into_call(self, scope: &AwsScope) -> Option<AwsCall> {
        let (from, to) = self.range?;
        let series = self.series.into_iter().collect();
        Some(AwsCall {
            scope: scope.clone(),
            query: Query::Metrics { series, from, to },
            lookups: self.lookups,
        })
    }
}
