//! Looks for one request's lines in a log group, by the id that the front door gave it.
//!
//! The text goes to the reader and nowhere else: it may hold an exception's words. An id
//! is whatever a server put into a header, so one that could be more than a search term
//! is not asked about.

use std::time::Duration;

use jiff::Timestamp;

use crate::io::aws::CallError;
use crate::io::evidence::clients::{Clients, Operation};
use crate::io::evidence::place::Place;
use crate::model::observation::is_request_id;

/// One search.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Search {
    /// Name or ARN of the log group.
    pub(super) group: String,
    /// The request's id, already found to be one.
    pub(super) id: String,
    /// First moment of events, inclusive.
    pub(super) from: Timestamp,
    /// Last moment of events.
    pub(super) to: Timestamp,
}

/// Pages of one search. CloudWatch Logs answers with empty pages while it searches; the
/// range is minutes, so an id that is not found by then is not there.
const MAX_PAGES: usize = 10;

/// Lines of one request: a REST API's full execution log has about thirty.
const MAX_LINES: usize = 200;

/// Shorter ids would be found in the lines of others. API Gateway's have sixteen.
const SHORTEST_ID: usize = 8;

/// Whether an id can be searched for: the alphabet of UUIDs and base64, so that it can
/// neither end the quoted term nor be read as a pattern.
pub(super) fn is_searchable(id: &str) -> bool {
    id.len() >= SHORTEST_ID && is_request_id(id)
}

/// The lines that hold the id, in the order of time. `gap`: time between two pages.
pub(super) async fn find(
    clients: &Clients,
    place: &Place,
    search: &Search,
    gap: Duration,
) -> Result<Vec<String>, CallError> {
    let account = clients.account(place).await?;
    let mut lines = Vec::new();
    let mut token = None;
    for page in 0..MAX_PAGES {
        if page > 0 {
            tokio::time::sleep(gap).await;
        }
        let request = account
            .logs
            .filter_log_events()
            .filter_pattern(format!("\"{}\"", search.id))
            .start_time(search.from.as_millisecond())
            .end_time(search.to.as_millisecond())
            .set_next_token(token.take());
        // A group of another account can only be named by its ARN.
        let request = if search.group.starts_with("arn:") {
            request.log_group_identifier(search.group.trim_end_matches(":*"))
        } else {
            request.log_group_name(&search.group)
        };
        let answer = clients.settle(place, Operation::FilterLogEvents, request.send().await)?;
        let events = answer.events.unwrap_or_default();
        lines.extend(events.into_iter().filter_map(|event| event.message));
        token = answer.next_token;
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
    fn ids_of_aws_are_searched_for() {
        check("K2ZEDjwtIAMEcig=", true);
        check("8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55", true);
    }

    #[test]
    fn an_id_that_could_be_more_than_a_term_is_not_asked_about() {
        check("", false);
        check("a", false);
        check("x\" ?\"ERROR", false);
        check("{ $.status = 500 }", false);
        check("%regular.*expression%", false);
        check(&"a".repeat(129), false);
    }
}
