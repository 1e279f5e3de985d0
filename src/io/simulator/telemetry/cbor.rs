//! GetMetricData on the wire: the CBOR of the protocol `rpcv2Cbor`, both ways.
//!
//! By the SDK's own codec, so that it cannot drift from what the SDK sends. Unknown
//! members are skipped, as the protocol asks of a server.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use aws_smithy_types::DateTime;

use super::metrics::Series;
use super::query::{Found, Query, Question};

/// Reads a question.
///
/// # Errors
/// The codec's own words on what is no such question.
pub(super) fn question(body: &[u8]) -> Result<Question, DeserializeError> {
    let mut question = Question::default();
    members(&mut Decoder::new(body), |name, from| {
        match name {
            "MetricDataQueries" => items(from, |from| {
                question.queries.push(query(from)?);
                Ok(())
            })?,
            // Whole seconds: what comes before the second does not move a minute.
            "StartTime" => question.start = Some(from.timestamp()?.secs()),
            "EndTime" => question.end = Some(from.timestamp()?.secs()),
            "ScanBy" => question.oldest_first = from.str()? == "TimestampAscending",
            _ => from.skip()?,
        }
        Ok(())
    })?;
    Ok(question)
}

/// Writes an answer.
pub(super) fn answer(found: &[Found]) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    out.map(2).str("Messages").array(0);
    out.str("MetricDataResults").array(found.len());
    for one in found {
        out.map(5).str("Id").str(&one.id);
        out.str("Label").str(&one.label);
        out.str("StatusCode").str("Complete");
        out.str("Timestamps").array(one.points.len());
        for (at, _) in &one.points {
            out.timestamp(&DateTime::from_secs(*at));
        }
        out.str("Values").array(one.points.len());
        for (_, value) in &one.points {
            out.double(*value);
        }
    }
    out.into_writer()
}

/// Writes a refusal.
pub(super) fn refusal(code: &str, message: &str) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    out.map(2).str("__type").str(code);
    out.str("message").str(message);
    out.into_writer()
}

fn query(from: &mut Decoder<'_>) -> Result<Query, DeserializeError> {
    let mut query = Query::default();
    members(from, |name, from| {
        match name {
            "Id" => query.id = from.string()?,
            "Label" => query.label = Some(from.string()?),
            "ReturnData" => query.hidden = !from.boolean()?,
            "MetricStat" => stat(from, &mut query)?,
            "Expression" => {
                query.expression = true;
                from.skip()?;
            }
            _ => from.skip()?,
        }
        Ok(())
    })?;
    Ok(query)
}

fn stat(from: &mut Decoder<'_>, query: &mut Query) -> Result<(), DeserializeError> {
    members(from, |name, from| {
        match name {
            "Metric" => query.series = series(from)?,
            "Period" => query.period = from.integer()?.into(),
            "Stat" => query.stat = from.string()?,
            _ => from.skip()?,
        }
        Ok(())
    })
}

fn series(from: &mut Decoder<'_>) -> Result<Series, DeserializeError> {
    let mut series = Series::default();
    members(from, |name, from| {
        match name {
            "Namespace" => series.namespace = from.string()?,
            "MetricName" => series.metric = from.string()?,
            "Dimensions" => items(from, |from| {
                let (name, value) = dimension(from)?;
                series.dimensions.insert(name, value);
                Ok(())
            })?,
            _ => from.skip()?,
        }
        Ok(())
    })?;
    Ok(series)
}

fn dimension(from: &mut Decoder<'_>) -> Result<(String, String), DeserializeError> {
    let (mut name, mut value) = (String::new(), String::new());
    members(from, |member, from| {
        match member {
            "Name" => name = from.string()?,
            "Value" => value = from.string()?,
            _ => from.skip()?,
        }
        Ok(())
    })?;
    Ok((name, value))
}

/// Reads a map, member by member. A null member counts as absent.
fn members<'b>(
    from: &mut Decoder<'b>,
    mut member: impl FnMut(&str, &mut Decoder<'b>) -> Result<(), DeserializeError>,
) -> Result<(), DeserializeError> {
    let mut left = from.map()?;
    while more(from, &mut left)? {
        let name = from.str()?;
        if from.datatype()? == Type::Null {
            from.null()?;
        } else {
            member(&name, from)?;
        }
    }
    Ok(())
}

/// Reads a list, item by item.
fn items<'b>(
    from: &mut Decoder<'b>,
    mut item: impl FnMut(&mut Decoder<'b>) -> Result<(), DeserializeError>,
) -> Result<(), DeserializeError> {
    let mut left = from.list()?;
    while more(from, &mut left)? {
        item(from)?;
    }
    Ok(())
}

/// Whether a map or list goes on: by its count, or, without one, until a break.
fn more(from: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, DeserializeError> {
    match left {
        Some(0) => Ok(false),
        Some(count) => {
            *count -= 1;
            Ok(true)
        }
        None if from.datatype()? == Type::Break => {
            from.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_whether_its_maps_are_counted_or_not() {
        for counted in [false, true] {
            let mut out = Encoder::new(Vec::new());
            let open = |out: &mut Encoder, members| {
                if counted {
                    out.map(members);
                } else {
                    out.begin_map();
                }
            };
            let close = |out: &mut Encoder| {
                if !counted {
                    out.end();
                }
            };
            open(&mut out, 4);
            out.str("StartTime").timestamp(&DateTime::from_secs(60));
            out.str("LabelOptions").map(0);
            out.str("NextToken").null();
            out.str("MetricDataQueries").array(1);
            open(&mut out, 2);
            out.str("Id").str("a").str("MetricStat");
            open(&mut out, 3);
            out.str("Period").integer(60).str("Stat").str("Sum");
            out.str("Metric");
            open(&mut out, 2);
            out.str("MetricName").str("5xx").str("Dimensions").array(1);
            open(&mut out, 2);
            out.str("Name").str("ApiId").str("Value").str("abc");
            (0..5).for_each(|_| close(&mut out));
            let read = question(&out.into_writer()).unwrap();
            assert_eq!((read.start, read.end), (Some(60), None));
            let query = &read.queries[0];
            assert_eq!((query.id.as_str(), query.period), ("a", 60));
            assert_eq!(query.series.dimensions["ApiId"], "abc");
        }
    }

    #[test]
    fn what_is_no_question_is_an_error() {
        assert!(question(b"").is_err());
        assert!(question(b"{}").is_err());
        assert!(question(&[0xbf]).is_err());
    }
}
