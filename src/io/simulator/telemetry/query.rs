//! Handles GetMetricData requests with the stored metrics.
//!
//! Supports statistics of single metrics. Rejects expressions, percentiles and periods that are not
//! a whole number of minutes.

use super::metrics::{self, MINUTE, MetricKey, MetricStore};

/// A GetMetricData request. Times are Unix seconds.
#[derive(Debug, Default)]
pub(super) struct MetricDataRequest {
    pub(super) queries: Vec<MetricDataQuery>,
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    /// Whether `ScanBy` is `TimestampAscending`. Otherwise, the newest datapoints are returned
    /// first.
    pub(super) oldest_first: bool,
}

/// One query of a GetMetricData request: a statistic of a metric for periods of `period` seconds,
/// or an expression if `expression` is true.
#[derive(Debug, Default)]
pub(super) struct MetricDataQuery {
    pub(super) id: String,
    pub(super) label: Option<String>,
    pub(super) metric: MetricKey,
    pub(super) stat: String,
    pub(super) period: i64,
    pub(super) expression: bool,
    /// Whether `ReturnData` is false, which means that the query is only an input of expressions.
    pub(super) hidden: bool,
}

/// The result of one query of a GetMetricData request.
#[derive(Debug, PartialEq)]
pub(super) struct MetricDataResult {
    pub(super) id: String,
    pub(super) label: String,
    /// The datapoints, each with the start of its period in Unix seconds and its value.
    pub(super) points: Vec<(i64, f64)>,
}

/// Maximum number of queries per GetMetricData request, from AWS's documentation.
const MAX_QUERIES: usize = 500;

/// Handles a GetMetricData request. Returns one result for each query that is not hidden.
///
/// # Errors
/// Returns a message that states what is invalid or not supported.
pub(super) fn run(
    request: &MetricDataRequest,
    store: &MetricStore,
) -> Result<Vec<MetricDataResult>, String> {
    let (Some(start), Some(end)) = (request.start, request.end) else {
        return Err("StartTime and EndTime are required".to_owned());
    };
    if start >= end {
        return Err("StartTime must be before EndTime".to_owned());
    }
    if request.queries.is_empty() || request.queries.len() > MAX_QUERIES {
        return Err(format!(
            "between 1 and {MAX_QUERIES} MetricDataQueries are required"
        ));
    }
    let found: Result<Vec<_>, String> = request
        .queries
        .iter()
        .filter(|query| !query.hidden)
        .map(|query| {
            let mut points = read(query, store, (start, end))?;
            if !request.oldest_first {
                points.reverse();
            }
            let label = query.label.as_ref().unwrap_or(&query.metric.name);
            Ok(MetricDataResult {
                id: query.id.clone(),
                label: label.clone(),
                points,
            })
        })
        .collect();
    found
}

fn read(
    query: &MetricDataQuery,
    store: &MetricStore,
    window: (i64, i64),
) -> Result<Vec<(i64, f64)>, String> {
    let MetricDataQuery { id, stat, .. } = query;
    if query.expression {
        return Err(format!(
            "{id}: expressions are not supported; use MetricStat"
        ));
    }
    let statistic = metrics::statistic(stat);
    let statistic = statistic.ok_or_else(|| {
        format!(
            "{id}: the statistic {stat:?} is not supported; use Sum, Average, Minimum, Maximum or \
             SampleCount"
        )
    })?;
    if query.period < MINUTE || query.period % MINUTE != 0 {
        return Err(format!("{id}: Period must be a positive multiple of 60 s"));
    }
    Ok(store.read(&query.metric, statistic, query.period, window))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> MetricDataRequest {
        let query = MetricDataQuery {
            id: "a".to_owned(),
            stat: "Sum".to_owned(),
            period: 60,
            ..MetricDataQuery::default()
        };
        MetricDataRequest {
            queries: vec![query],
            start: Some(0),
            end: Some(600),
            oldest_first: false,
        }
    }

    fn check(change: impl FnOnce(&mut MetricDataRequest), expected: Result<&[(i64, f64)], &str>) {
        let mut store = MetricStore::default();
        store.add(MetricKey::default(), 60, 1.0);
        store.add(MetricKey::default(), 120, 2.0);
        let mut request = request();
        change(&mut request);
        let found = run(&request, &store).map(|results| results[0].points.clone());
        let expected = expected.map(<[_]>::to_vec).map_err(str::to_owned);
        assert_eq!(found, expected);
    }

    #[test]
    fn datapoints_are_newest_first_unless_scan_by_says_otherwise() {
        check(|_| {}, Ok(&[(120, 2.0), (60, 1.0)]));
        check(|q| q.oldest_first = true, Ok(&[(60, 1.0), (120, 2.0)]));
    }

    #[test]
    fn an_invalid_or_unsupported_request_is_refused() {
        check(
            |q| q.queries[0].stat = "p99".to_owned(),
            Err(
                "a: the statistic \"p99\" is not supported; use Sum, Average, Minimum, Maximum or \
                 SampleCount",
            ),
        );
        check(
            |q| q.queries[0].expression = true,
            Err("a: expressions are not supported; use MetricStat"),
        );
        check(
            |q| q.queries[0].period = 10,
            Err("a: Period must be a positive multiple of 60 s"),
        );
        check(|q| q.end = Some(0), Err("StartTime must be before EndTime"));
        check(|q| q.end = None, Err("StartTime and EndTime are required"));
    }
}
