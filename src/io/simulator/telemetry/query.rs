//! GetMetricData's question and answer as plain data, and how one follows from the other.
//!
//! Only statistics of single series: an expression, a percentile, or a period that is
//! no whole number of minutes is refused rather than answered approximately.

use super::metrics::{MINUTE, Series, Stat, Store};

/// A question. Times are seconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Question {
    pub(super) queries: Vec<Query>,
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    /// `ScanBy` is `TimestampAscending`; the newest come first otherwise.
    pub(super) oldest_first: bool,
}

/// One series that is asked for.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) id: String,
    pub(super) label: Option<String>,
    pub(super) series: Series,
    pub(super) stat: String,
    pub(super) period: i64,
    pub(super) expression: bool,
    /// `ReturnData` is false: only other queries' expressions would use it.
    pub(super) hidden: bool,
}

/// One series of the answer.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) label: String,
    /// Seconds since 1970, and values.
    pub(super) points: Vec<(i64, f64)>,
}

/// Queries of one call, by the operation's documentation.
const MOST_QUERIES: usize = 500;

/// Answers a question.
///
/// # Errors
/// What is wrong with it, or not simulated.
pub(super) fn answer(question: &Question, store: &Store) -> Result<Vec<Found>, String> {
    let (Some(start), Some(end)) = (question.start, question.end) else {
        return Err("StartTime and EndTime are required".to_owned());
    };
    if start >= end {
        return Err("StartTime must be before EndTime".to_owned());
    }
    if question.queries.is_empty() || question.queries.len() > MOST_QUERIES {
        return Err(format!(
            "between 1 and {MOST_QUERIES} MetricDataQueries are required"
        ));
    }
    let found: Result<Vec<_>, String> = question
        .queries
        .iter()
        .filter(|query| !query.hidden)
        .map(|query| {
            let mut points = read(query, store, (start, end))?;
            if !question.oldest_first {
                points.reverse();
            }
            let label = query.label.as_ref().unwrap_or(&query.series.metric);
            Ok(Found {
                id: query.id.clone(),
                label: label.clone(),
                points,
            })
        })
        .collect();
    found
}

fn read(query: &Query, store: &Store, window: (i64, i64)) -> Result<Vec<(i64, f64)>, String> {
    let Query { id, stat, .. } = query;
    if query.expression {
        return Err(format!("{id}: expressions are not simulated"));
    }
    let known = Stat::named(stat);
    let known = known.ok_or_else(|| format!("{id}: the statistic {stat:?} is not simulated"))?;
    if query.period < MINUTE || query.period % MINUTE != 0 {
        return Err(format!("{id}: Period must be a multiple of 60"));
    }
    Ok(store.read(&query.series, known, query.period, window))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        let query = Query {
            id: "a".to_owned(),
            stat: "Sum".to_owned(),
            period: 60,
            ..Query::default()
        };
        Question {
            queries: vec![query],
            start: Some(0),
            end: Some(600),
            oldest_first: false,
        }
    }

    fn check(change: impl FnOnce(&mut Question), expected: Result<&[(i64, f64)], &str>) {
        let mut store = Store::default();
        store.add(Series::default(), 60, 1.0);
        store.add(Series::default(), 120, 2.0);
        let mut question = question();
        change(&mut question);
        let found = answer(&question, &store).map(|found| found[0].points.clone());
        let expected = expected.map(<[_]>::to_vec).map_err(str::to_owned);
        assert_eq!(found, expected);
    }

    #[test]
    fn the_newest_come_first_unless_asked_otherwise() {
        check(|_| {}, Ok(&[(120, 2.0), (60, 1.0)]));
        check(|q| q.oldest_first = true, Ok(&[(60, 1.0), (120, 2.0)]));
    }

    #[test]
    fn what_is_not_simulated_is_refused() {
        check(
            |q| q.queries[0].stat = "p99".to_owned(),
            Err("a: the statistic \"p99\" is not simulated"),
        );
        check(
            |q| q.queries[0].expression = true,
            Err("a: expressions are not simulated"),
        );
        check(
            |q| q.queries[0].period = 10,
            Err("a: Period must be a multiple of 60"),
        );
        check(|q| q.end = Some(0), Err("StartTime must be before EndTime"));
        check(|q| q.end = None, Err("StartTime and EndTime are required"));
    }
}
