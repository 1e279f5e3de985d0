//! Searches a CloudWatch log group for the lines of one request, by its request id.
//!
//! The lines are returned to the caller and never logged, because they may contain the message of
//! an exception. The id comes from a response header, so an id that CloudWatch could interpret as a
//! pattern is not searched for.

use std::time::Duration;

use jiff::Timestamp;

use crate::io::aws::CallError;
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::operation::Operation;
use crate::io::evidence::scope::AwsScope;
use crate::model::observation::is_request_id;

/// A search of one log group for the lines of one request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogQuery {
    /// The name or ARN of the log group.
    pub(super) group: String,
    /// The request id, which must be searchable (see [`is_searchable`]).
    pub(super) id: String,
    /// The start of the time range of the search, inclusive.
    pub(super) from: Timestamp,
    /// The end of the time range of the search, inclusive.
    pub(super) to: Timestamp,
}

/// Maximum number of pages read per search of a log. CloudWatch Logs can return empty pages before
/// it has searched the whole time range, but only a few for a time range of minutes.
const MAX_PAGES: usize = 10;

/// Maximum number of lines returned by one log search. A full execution log of a REST API has about
/// thirty lines per request.
const MAX_LINES: usize = 200;

/// Minimum length in bytes of a request id that is searched for. A shorter id could match lines of
/// other requests. The ids of API Gateway have 16 characters or more.
const MIN_ID_LENGTH: usize = 8;

/// Returns whether an id can be searched for safely. The id must be long enough and pass
/// [`is_request_id`], which accepts only the characters of UUIDs and base64. These characters can
/// neither close the quotes around the id in the filter pattern nor act as a pattern.
pub(super) fn is_searchable(id: &str) -> bool {
    id.len() >= MIN_ID_LENGTH && is_request_id(id)
}

/// Searches a log group and returns the first lines that contain the id, at most [`MAX_LINES`],
/// ordered by time. `interval` is the delay before each page after the first.
pub(super) async fn search(
    clients: &ClientCache,
    scope: &AwsScope,
    query: &LogQuery,
    interval: Duration,
) -> Result<Vec<String>, CallError> {
    let client = clients.get(scope).await?.logs;
    let mut lines = Vec::new();
    let mut token = None;
    for page in 0..MAX_PAGES {
        if page > 0 {
            tokio::time::sleep(interval).await;
        }
        let request = client
            .filter_log_events()
            .filter_pattern(format!("\"{}\"", query.id))
            .start_time(query.from.as_millisecond())
            .end_time(query.to.as_millisecond())
            .set_next_token(token.take());
        // CloudWatch Logs accepts a log group of another account only by its ARN.
        let request = if query.group.starts_with("arn:") {
            request.log_group_identifier(query.group.trim_end_matches(":*"))
        } else {
            request.log_group_name(&query.group)
        };
        let result = request.send().await;
        let response = clients.record_outcome(scope, Operation::FilterLogEvents, result)?;
        let events = response.events.unwrap_or_default();
        lines.extend(events.into_iter().filter_map(|event| event.message));
        token = response.next_token;
        if token.is_none() || lines.len() >= MAX_LINES {
            break;
        }
    }
    lines.truncate(MAX_LINES);
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, searchable: bool) {
        assert_eq!(is_searchable(id), searchable, "{id:?}");
    }

    #[test]
    fn request_ids_of_aws_are_searchable() {
        check("K2ZEDjwtIAMEcig=", true);
        check("8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55", true);
    }

    #[test]
    fn an_id_that_could_act_as_a_pattern_is_not_searchable() {
        check("", false);
        check("a", false);
        check("x\" ?\"ERROR", false);
        check("{ $.status = 500 }", false);
        check("%regular.*expression%", false);
        check(&"a".repeat(129), false);
    }
}
