//! Reads series from CloudWatch: one GetMetricData for the series of many questions.
//!
//! Values come by the minute, so one range serves every window within it. A series that
//! CloudWatch could not read whole is left out: half a sum would be taken for a low one.

use std::collections::HashMap;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use jiff::Timestamp;

use crate::io::aws::CallError;
use crate::io::evidence::clients::{Clients, Operation};
use crate::io::evidence::place::Place;
use crate::io::evidence::series::{Points, Series};

/// What was read: a series without datapoints is there and empty.
pub(super) type Values = HashMap<Series, Points>;

/// Queries of one call: CloudWatch's limit (API_GetMetricData).
pub(super) const MAX_SERIES: usize = 500;

/// Seconds; both services publish by the minute.
const PERIOD: i32 = 60;

/// Pages of one answer. 500 series of an hour are 30,000 values, under a third of what
/// CloudWatch puts into one page; more pages than this is no answer to our question.
const MAX_PAGES: usize = 5;

/// Reads every series from `from` until before `to`.
pub(super) async fn read(
    clients: &Clients,
    place: &Place,
    series: &[Series],
    from: Timestamp,
    to: Timestamp,
) -> Result<Values, CallError> {
    let account = clients.account(place).await?;
    let queries: Vec<MetricDataQuery> = series
        .iter()
        .enumerate()
        .map(|(index, series)| query(index, series))
        .collect();
    let mut values = Values::new();
    let mut partial = Vec::new();
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let request = account
            .metrics
            .get_metric_data()
            .set_metric_data_queries(Some(queries.clone()))
            .start_time(DateTime::from_secs(from.as_second()))
            .end_time(DateTime::from_secs(to.as_second()))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(token.take());
        let answer = clients.settle(place, Operation::GetMetricData, request.send().await)?;
        for result in answer.metric_data_results() {
            if let Some(index) = take(result, series, &mut values) {
                partial.push(index);
            }
        }
        token = answer.next_token;
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

fn query(index: usize, series: &Series) -> MetricDataQuery {
    let dimensions = series
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(*name).value(value).build())
        .collect();
    let metric = Metric::builder()
        .namespace(series.meaning.namespace())
        .metric_name(series.meaning.metric())
        .set_dimensions(Some(dimensions))
        .build();
    let statistic = if series.meaning.is_maximum() {
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

/// Adds one result's values; gives the series' number where its values are not whole.
fn take(result: &MetricDataResult, series: &[Series], values: &mut Values) -> Option<usize> {
    let index: usize = result.id()?.strip_prefix('m')?.parse().ok()?;
    let points = values.entry(series.get(index)?.clone()).or_default();
    for (moment, value) in result.timestamps().iter().zip(result.values()) {
        if let Ok(minute) = Timestamp::from_second(moment.secs())
            && value.is_finite()
        {
            points.insert(minute, *value);
        }
    }
    // `PartialData` says that more pages follow, which the token says as well.
    let broken = matches!(
        result.status_code(),
        Some(StatusCode::InternalError | StatusCode::Forbidden)
    );
    broken.then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::evidence::series;
    use crate::model::target::AwsDeclarations;

    fn series() -> Vec<Series> {
        series::of(&AwsDeclarations {
            function: Some("orders".to_owned()),
            ..AwsDeclarations::default()
        })
    }

    /// What one result of the third series comes to: its values, and whether it is whole.
    #[track_caller]
    fn check(status: StatusCode, seconds: &[i64], expected: &[f64], whole: bool) {
        let result = MetricDataResult::builder()
            .id("m2")
            .status_code(status)
            .set_timestamps(Some(
                seconds.iter().map(|s| DateTime::from_secs(*s)).collect(),
            ))
            .set_values(Some(vec![1.0; seconds.len()]))
            .build();
        let (series, mut values) = (series(), Values::new());
        let partial = take(&result, &series, &mut values);
        let points: Vec<f64> = values[&series[2]].values().copied().collect();
        assert_eq!(points, expected);
        assert_eq!(partial.is_none(), whole);
    }

    #[test]
    fn a_series_without_datapoints_was_read_all_the_same() {
        check(StatusCode::Complete, &[], &[], true);
        check(StatusCode::Complete, &[60, 120], &[1.0, 1.0], true);
    }

    #[test]
    fn a_series_that_cloudwatch_could_not_read_whole_is_not_taken_for_a_low_one() {
        check(StatusCode::InternalError, &[60], &[1.0], false);
        check(StatusCode::Forbidden, &[], &[], false);
    }

    #[test]
    fn a_query_names_the_statistic_that_tells() {
        let query = |index: usize| query(index, &series()[index]);
        let stat = |index| query(index).metric_stat.and_then(|stat| stat.stat);
        assert_eq!(stat(0).as_deref(), Some("Sum"));
        assert_eq!(stat(3).as_deref(), Some("Maximum"));
    }
}
