//! Decodes requests and encodes responses of GetMetricData in the `rpcv2Cbor` protocol.
//!
//! Uses the codec of the SDK, so that the encoding cannot differ from that of the SDK. Skips
//! unknown members, as the protocol requires of a server.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use aws_smithy_types::DateTime;

use super::metrics::MetricKey;
use super::query::{MetricDataQuery, MetricDataRequest, MetricDataResult};

/// Decodes a GetMetricData request.
///
/// # Errors
/// Returns the error of the codec if the body is not a valid request.
pub(super) fn read_request(body: &[u8]) -> Result<MetricDataRequest, DeserializeError> {
    let mut request = MetricDataRequest::default();
    members(&mut Decoder::new(body), |name, decoder| {
        match name {
            "MetricDataQueries" => items(decoder, |decoder| {
                request.queries.push(query(decoder)?);
                Ok(())
            })?,
            // Metrics are stored per minute, so fractions of a second are ignored.
            "StartTime" => request.start = Some(decoder.timestamp()?.secs()),
            "EndTime" => request.end = Some(decoder.timestamp()?.secs()),
            "ScanBy" => request.oldest_first = decoder.str()? == "TimestampAscending",
            _ => decoder.skip()?,
        }
        Ok(())
    })?;
    Ok(request)
}

/// Encodes the results of a GetMetricData request as the body of a response.
pub(super) fn write_results(results: &[MetricDataResult]) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    out.map(2).str("Messages").array(0);
    out.str("MetricDataResults").array(results.len());
    for result in results {
        out.map(5).str("Id").str(&result.id);
        out.str("Label").str(&result.label);
        out.str("StatusCode").str("Complete");
        out.str("Timestamps").array(result.points.len());
        for (at, _) in &result.points {
            out.timestamp(&DateTime::from_secs(*at));
        }
        out.str("Values").array(result.points.len());
        for (_, value) in &result.points {
            out.double(*value);
        }
    }
    out.into_writer()
}

/// Encodes an error as the body of a response.
pub(super) fn write_error(code: &str, message: &str) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    out.map(2).str("__type").str(code);
    out.str("message").str(message);
    out.into_writer()
}

fn query(decoder: &mut Decoder<'_>) -> Result<MetricDataQuery, DeserializeError> {
    let mut query = MetricDataQuery::default();
    members(decoder, |name, decoder| {
        match name {
            "Id" => query.id = decoder.string()?,
            "Label" => query.label = Some(decoder.string()?),
            "ReturnData" => query.hidden = !decoder.boolean()?,
            "MetricStat" => stat(decoder, &mut query)?,
            "Expression" => {
                query.expression = true;
                decoder.skip()?;
            }
            _ => decoder.skip()?,
        }
        Ok(())
    })?;
    Ok(query)
}

fn stat(decoder: &mut Decoder<'_>, query: &mut MetricDataQuery) -> Result<(), DeserializeError> {
    members(decoder, |name, decoder| {
        match name {
            "Metric" => query.metric = metric(decoder)?,
            "Period" => query.period = decoder.integer()?.into(),
            "Stat" => query.stat = decoder.string()?,
            _ => decoder.skip()?,
        }
        Ok(())
    })
}

fn metric(decoder: &mut Decoder<'_>) -> Result<MetricKey, DeserializeError> {
    let mut metric = MetricKey::default();
    members(decoder, |name, decoder| {
        match name {
            "Namespace" => metric.namespace = decoder.string()?,
            "MetricName" => metric.name = decoder.string()?,
            "Dimensions" => items(decoder, |decoder| {
                let (name, value) = dimension(decoder)?;
                metric.dimensions.insert(name, value);
                Ok(())
            })?,
            _ => decoder.skip()?,
        }
        Ok(())
    })?;
    Ok(metric)
}

fn dimension(decoder: &mut Decoder<'_>) -> Result<(String, String), DeserializeError> {
    let (mut name, mut value) = (String::new(), String::new());
    members(decoder, |member, decoder| {
        match member {
            "Name" => name = decoder.string()?,
            "Value" => value = decoder.string()?,
            _ => decoder.skip()?,
        }
        Ok(())
    })?;
    Ok((name, value))
}

/// Decodes a map. Skips members with the value null, and calls `member` with the name of each other
/// member. The callback must decode the value of the member.
fn members<'b>(
    decoder: &mut Decoder<'b>,
    mut member: impl FnMut(&str, &mut Decoder<'b>) -> Result<(), DeserializeError>,
) -> Result<(), DeserializeError> {
    let mut left = decoder.map()?;
    while more(decoder, &mut left)? {
        let name = decoder.str()?;
        if decoder.datatype()? == Type::Null {
            decoder.null()?;
        } else {
            member(&name, decoder)?;
        }
    }
    Ok(())
}

/// Decodes a list. Calls `item` for each item. The callback must decode the item.
fn items<'b>(
    decoder: &mut Decoder<'b>,
    mut item: impl FnMut(&mut Decoder<'b>) -> Result<(), DeserializeError>,
) -> Result<(), DeserializeError> {
    let mut left = decoder.list()?;
    while more(decoder, &mut left)? {
        item(decoder)?;
    }
    Ok(())
}

/// Returns whether a map or list has another element. `left` is the number of remaining elements,
/// and is decremented. `left` is `None` for a map or list of unknown length, which ends with a
/// break code; the break code is skipped.
fn more(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, DeserializeError> {
    match left {
        Some(0) => Ok(false),
        Some(count) => {
            *count -= 1;
            Ok(true)
        }
        None if decoder.datatype()? == Type::Break => {
            decoder.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_with_definite_or_indefinite_maps_is_read() {
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
            let read = read_request(&out.into_writer()).unwrap();
            assert_eq!((read.start, read.end), (Some(60), None));
            let query = &read.queries[0];
            assert_eq!((query.id.as_str(), query.period), ("a", 60));
            assert_eq!(query.metric.dimensions["ApiId"], "abc");
        }
    }

    #[test]
    fn an_invalid_request_is_an_error() {
        assert!(read_request(b"").is_err());
        assert!(read_request(b"{}").is_err());
        assert!(read_request(&[0xbf]).is_err());
    }
}
