//! Reads metrics from CloudWatch with GetMetricData, for several lookups in one call.
//!
//! Datapoints have a period of one minute, so one read of a longer time range contains the
//! datapoints of every window in that range. A series that CloudWatch could not read completely is
//! left out, because its sum would be too low.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use jiff::Timestamp;

use crate::io::aws::CallError;
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::operation::Operation;
use crate::io::evidence::scope::AwsScope;
use crate::io::evidence::series::{MetricSeries, SeriesValues};

/// Maximum number of metric series in one call: CloudWatch's limit on queries
/// (API_GetMetricData).
pub(super) const MAX_SERIES: usize = 500;

/// The period of the datapoints in seconds. Lambda and API Gateway publish metrics once a minute.
const PERIOD: i32 = 60;

/// Maximum number of pages read per response. 500 series over an hour have 30,000 values, less than
/// a third of CloudWatch's page size, so a response with more pages is not valid.
const MAX_PAGES: usize = 5;

/// Reads the values of all series from `from` (inclusive) to `to` (exclusive). Leaves out series
/// that CloudWatch could not read completely.
pub(super) async fn read(
    clients: &ClientCache,
    scope: &AwsScope,
    series: &[MetricSeries],
    from: Timestamp,
    to: Timestamp,
) -> Result<SeriesValues, CallError> {
    let client = clients.get(scope).await?.metrics;
    let queries: Vec<MetricDataQuery> = series
        .iter()
        .enumerate()
        .map(|(index, series)| query(index, series))
        .collect();
    let mut values = SeriesValues::new();
    let mut partial = Vec::new();
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let request = client
            .get_metric_data()
            .set_metric_data_queries(Some(queries.clone()))
            .start_time(DateTime::from_secs(from.as_second()))
            .end_time(DateTime::from_secs(to.as_second()))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(token.take());
        let result = request.send().await;
        let response = clients.record_outcome(scope, Operation::GetMetricData, result)?;
        for result in response.metric_data_results() {
            if let Some(index) = add_result(result, series, &mut values) {
                partial.push(index);
            }
        }
        token = response.next_token;
        if token.is_none() {
            break;
        }
    }
    for (index, series) in series.iter().enumerate() {
        if token.is_some() || partial.contains(&index) {
            values.remove(series);
        }
    }
    Ok(values)
}

fn query(index: usize, series: &MetricSeries) -> MetricDataQuery {
    let dimensions = series
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(*name).value(value).build())
        .collect();
    let metric = Metric::builder()
        .namespace(series.metric.namespace())
        .metric_name(series.metric.name())
        .set_dimensions(Some(dimensions))
        .build();
    let statistic = if series.metric.is_maximum() {
        "Maximum"
    } else {
        "Sum"
    };
    let stat = MetricStat::builder()
        .metric(metric)
        .period(PERIOD)
        .stat(statistic)
        .build();
    MetricDataQuery::builder()
        .id(format!("m{index}"))
        .metric_stat(stat)
        .return_data(true)
        .build()
}

/// Adds the values of one result to `values`. Returns the index of the series if CloudWatch could
/// not read it completely, otherwise `None`.
fn add_result(
    result: &MetricDataResult,
    series: &[MetricSeries],
    values: &mut SeriesValues,
) -> Option<usize> {
    let index: usize = result.id()?.strip_prefix('m')?.parse().ok()?;
    let points = values.entry(series.get(index)?.clone()).or_default();
    for (moment, value) in result.timestamps().iter().zip(result.values()) {
        if let Ok(minute) = Timestamp::from_second(moment.secs())
            && value.is_finite()
        {
            points.insert(minute, *value);
        }
    }
    // `PartialData` only means that more pages follow, which the page token shows as well.
    let incomplete = matches!(
        result.status_code(),
        Some(StatusCode::InternalError | StatusCode::Forbidden)
    );
    incomplete.then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::evidence::series;
    use crate::model::target::AwsDeclarations;

    fn series() -> Vec<MetricSeries> {
        series::declared_series(&AwsDeclarations {
            function: Some("orders".to_owned()),
            ..AwsDeclarations::default()
        })
    }

    /// Adds a result of the third series, and checks the values and whether they are complete.
    #[track_caller]
    fn check(status: StatusCode, seconds: &[i64], expected: &[f64], complete: bool) {
        let result = MetricDataResult::builder()
            .id("m2")
            .status_code(status)
            .set_timestamps(Some(
                seconds.iter().map(|s| DateTime::from_secs(*s)).collect(),
            ))
            .set_values(Some(vec![1.0; seconds.len()]))
            .build();
        let (series, mut values) = (series(), SeriesValues::new());
        let partial = add_result(&result, &series, &mut values);
        let points: Vec<f64> = values[&series[2]].values().copied().collect();
        assert_eq!(points, expected);
        assert_eq!(partial.is_none(), complete);
    }

    #[test]
    fn a_series_without_datapoints_is_present_and_empty() {
        check(StatusCode::Complete, &[], &[], true);
        check(StatusCode::Complete, &[60, 120], &[1.0, 1.0], true);
    }

    #[test]
    fn a_series_that_cloudwatch_could_not_read_completely_is_reported() {
        check(StatusCode::InternalError, &[60], &[1.0], false);
        check(StatusCode::Forbidden, &[], &[], false);
    }

    #[test]
    fn counts_are_queried_as_sums_and_times_as_maxima() {
        let query = |index: usize| query(index, &series()[index]);
        let stat = |index| query(index).metric_stat.and_then(|stat| stat.stat);
        assert_eq!(stat(0).as_deref(), Some("Sum"));
        assert_eq!(stat(3).as_deref(), Some("Maximum"));
    }
}
