//! Stores the events of all log groups and handles FilterLogEvents.
//!
//! Requests and responses are JSON values of the `awsJson1_1` protocol. `service` handles HTTP.
//! Only the newest events are kept.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::api::ApiType;
use super::filter_pattern::FilterPattern;

/// The error of an API request: the error code of AWS and a message.
pub(super) type ApiError = (&'static str, String);

/// The stored events of all log groups, oldest first. `written` is the number of events that were
/// ever added, including dropped events.
#[derive(Debug, Default)]
pub(super) struct LogEvents {
    events: VecDeque<LogEvent>,
    written: u64,
}

#[derive(Debug)]
struct LogEvent {
    group: &'static str,
    /// The time of the event, in Unix milliseconds.
    at: i64,
    number: u64,
    message: String,
}

/// Maximum number of log events kept: more than the demo writes in half an hour. At about half a
/// kilobyte per event, this is 2.5 MB.
const EVENTS_KEPT: usize = 5_000;

/// Maximum and default number of log events per page of a response, from AWS's documentation.
const MAX_PAGE: usize = 10_000;

impl LogEvents {
    /// Adds an event to a log group. Drops the oldest events beyond [`EVENTS_KEPT`].
    pub(super) fn add(&mut self, group: &'static str, at: Timestamp, message: String) {
        self.written += 1;
        self.events.push_back(LogEvent {
            group,
            at: at.as_millisecond(),
            number: self.written,
            message,
        });
        while self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
    }

    /// Handles one FilterLogEvents request and returns the response.
    ///
    /// # Errors
    /// Returns an error if the log group is unknown, or the pattern or a parameter is not valid.
    pub(super) fn filter(&self, request: &Value) -> Result<Value, ApiError> {
        let text = |key: &str| request.get(key).and_then(Value::as_str);
        let number = |key: &str| request.get(key).and_then(Value::as_i64);
        let group = text("logGroupName").or_else(|| text("logGroupIdentifier"));
        let group = group.ok_or_else(|| invalid("logGroupName is missing"))?;
        if !ApiType::ALL.iter().any(|api| api.log_group() == group) {
            let message = "The specified log group does not exist.".to_owned();
            return Err(("ResourceNotFoundException", message));
        }
        let pattern = FilterPattern::parse(text("filterPattern").unwrap_or_default());
        let pattern = pattern.map_err(|problem| invalid(&problem))?;
        let from = number("startTime").unwrap_or(i64::MIN);
        let to = number("endTime").unwrap_or(i64::MAX);
        let after: u64 = match text("nextToken") {
            None => 0,
            Some(token) => {
                let token = token.parse();
                token.map_err(|_| invalid("The specified nextToken is invalid."))?
            }
        };
        let limit = number("limit").and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let mut matching = self.events.iter().filter(|event| {
            event.group == group
                && event.number > after
                && (from..=to).contains(&event.at)
                && pattern.matches(&event.message)
        });
        let page: Vec<&LogEvent> = matching.by_ref().take(limit).collect();
        let mut response = json!({
            "events": page.iter().map(|event| event.json()).collect::<Vec<_>>(),
            "searchedLogStreams": [],
        });
        if let (Some(last), Some(_)) = (page.last(), matching.next()) {
            response["nextToken"] = last.number.to_string().into();
        }
        Ok(response)
    }
}

impl LogEvent {
    fn json(&self) -> Value {
        json!({
            "logStreamName": "simulated",
            "timestamp": self.at,
            "message": self.message,
            "ingestionTime": self.at,
            "eventId": self.number.to_string(),
        })
    }
}

fn invalid(message: &str) -> ApiError {
    ("InvalidParameterException", message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = ApiType::HttpApi.log_group();

    /// Filters four events, written at 1, 2, 3 and 4 s, and checks the messages found or the error
    /// code. Returns the response; `None` if the request failed.
    fn check(request: &Value, expected: Result<&[&str], &str>) -> Option<Value> {
        let mut events = LogEvents::default();
        for (second, message) in (1..).zip(["one a", "two b", "three a", "four a"]) {
            let at = Timestamp::from_second(second).unwrap();
            events.add(GROUP, at, message.to_owned());
        }
        let response = events.filter(request);
        let messages = response.as_ref().map(|response| {
            let events = response["events"].as_array().unwrap().iter();
            events
                .map(|event| event["message"].as_str().unwrap())
                .collect::<Vec<_>>()
        });
        let expected = expected.map(<[&str]>::to_vec);
        assert_eq!(messages.map_err(|(code, _)| *code), expected, "{request}");
        response.ok()
    }

    #[test]
    fn events_are_filtered_by_group_time_and_pattern() {
        let request = json!({"logGroupName": GROUP, "filterPattern": "a"});
        check(&request, Ok(&["one a", "three a", "four a"]));
        let request = json!({"logGroupName": GROUP, "startTime": 2000, "endTime": 3000});
        check(&request, Ok(&["two b", "three a"]));
        let other = ApiType::RestApi.log_group();
        check(&json!({ "logGroupName": other }), Ok(&[]));
    }

    #[test]
    fn a_page_is_continued_with_its_token() {
        let mut request = json!({"logGroupName": GROUP, "filterPattern": "a", "limit": 2});
        let first = check(&request, Ok(&["one a", "three a"])).unwrap();
        request["nextToken"] = first["nextToken"].clone();
        let last = check(&request, Ok(&["four a"])).unwrap();
        assert_eq!(last.get("nextToken"), None);
    }

    #[test]
    fn an_invalid_request_gets_the_real_error_code() {
        check(&json!({}), Err("InvalidParameterException"));
        check(
            &json!({"logGroupName": "x"}),
            Err("ResourceNotFoundException"),
        );
        let pattern = json!({"logGroupName": GROUP, "filterPattern": "{ $.a > 1 }"});
        check(&pattern, Err("InvalidParameterException"));
    }

    #[test]
    fn old_events_are_dropped() {
        let mut events = LogEvents::default();
        for number in 0..EVENTS_KEPT + 10 {
            events.add(GROUP, Timestamp::UNIX_EPOCH, number.to_string());
        }
        assert_eq!(events.events.len(), EVENTS_KEPT);
        assert_eq!(events.events[0].message, "10");
    }
}
