//! The log lines of every group, oldest first, and the answer to FilterLogEvents.
//!
//! JSON in, JSON out, as the protocol `awsJson1_1` has them; HTTP is the service's
//! affair. Lines beyond the limit drop out at the old end.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::door::Door;
use super::pattern::Pattern;

/// A refusal: AWS's own error code, and a message.
pub(super) type Refused = (&'static str, String);

/// Every line that is kept.
#[derive(Debug, Default)]
pub(super) struct Events {
    lines: VecDeque<Event>,
    written: u64,
}

#[derive(Debug)]
struct Event {
    group: &'static str,
    /// Milliseconds since 1970.
    at: i64,
    number: u64,
    message: String,
}

/// Lines kept: half an hour of the demo at half a kilobyte a line.
const KEPT: usize = 5_000;

/// Events of one answer, by AWS's documentation, unless fewer are asked for.
const PAGE: usize = 10_000;

impl Events {
    /// Adds a line.
    pub(super) fn add(&mut self, group: &'static str, at: Timestamp, message: String) {
        self.written += 1;
        self.lines.push_back(Event {
            group,
            at: at.as_millisecond(),
            number: self.written,
            message,
        });
        while self.lines.len() > KEPT {
            self.lines.pop_front();
        }
    }

    /// Answers one FilterLogEvents.
    ///
    /// # Errors
    /// An unknown group, a pattern or parameter that is not simulated.
    pub(super) fn filter(&self, question: &Value) -> Result<Value, Refused> {
        let text = |key: &str| question.get(key).and_then(Value::as_str);
        let number = |key: &str| question.get(key).and_then(Value::as_i64);
        let group = text("logGroupName").or_else(|| text("logGroupIdentifier"));
        let group = group.ok_or_else(|| invalid("logGroupName is missing"))?;
        if !Door::ALL.iter().any(|door| door.log_group() == group) {
            let message = "The specified log group does not exist.".to_owned();
            return Err(("ResourceNotFoundException", message));
        }
        let pattern = Pattern::parse(text("filterPattern").unwrap_or_default());
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
        let limit = limit.unwrap_or(PAGE).clamp(1, PAGE);
        let mut fitting = self.lines.iter().filter(|event| {
            event.group == group
                && event.number > after
                && (from..=to).contains(&event.at)
                && pattern.fits(&event.message)
        });
        let page: Vec<&Event> = fitting.by_ref().take(limit).collect();
        let mut answer = json!({
            "events": page.iter().map(|event| event.json()).collect::<Vec<_>>(),
            "searchedLogStreams": [],
        });
        if let (Some(last), Some(_)) = (page.last(), fitting.next()) {
            answer["nextToken"] = last.number.to_string().into();
        }
        Ok(answer)
    }
}

impl Event {
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

fn invalid(message: &str) -> Refused {
    ("InvalidParameterException", message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = Door::HttpApi.log_group();

    /// Asks four lines, written at 1 to 4 s, for those that fit.
    fn check(question: &Value, expected: Result<&[&str], &str>) -> Option<Value> {
        let mut events = Events::default();
        for (second, message) in (1..).zip(["one a", "two b", "three a", "four a"]) {
            let at = Timestamp::from_second(second).unwrap();
            events.add(GROUP, at, message.to_owned());
        }
        let answer = events.filter(question);
        let told = answer.as_ref().map(|answer| {
            let events = answer["events"].as_array().unwrap().iter();
            events
                .map(|event| event["message"].as_str().unwrap())
                .collect::<Vec<_>>()
        });
        let expected = expected.map(<[&str]>::to_vec);
        assert_eq!(told.map_err(|(code, _)| *code), expected, "{question}");
        answer.ok()
    }

    #[test]
    fn lines_are_chosen_by_group_time_and_pattern() {
        let question = json!({"logGroupName": GROUP, "filterPattern": "a"});
        check(&question, Ok(&["one a", "three a", "four a"]));
        let question = json!({"logGroupName": GROUP, "startTime": 2000, "endTime": 3000});
        check(&question, Ok(&["two b", "three a"]));
        let other = Door::RestApi.log_group();
        check(&json!({ "logGroupName": other }), Ok(&[]));
    }

    #[test]
    fn a_limited_answer_is_continued_by_its_token() {
        let mut question = json!({"logGroupName": GROUP, "filterPattern": "a", "limit": 2});
        let first = check(&question, Ok(&["one a", "three a"])).unwrap();
        question["nextToken"] = first["nextToken"].clone();
        let last = check(&question, Ok(&["four a"])).unwrap();
        assert_eq!(last.get("nextToken"), None);
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_the_real_error_code() {
        check(&json!({}), Err("InvalidParameterException"));
        check(
            &json!({"logGroupName": "x"}),
            Err("ResourceNotFoundException"),
        );
        let pattern = json!({"logGroupName": GROUP, "filterPattern": "{ $.a > 1 }"});
        check(&pattern, Err("InvalidParameterException"));
    }

    #[test]
    fn old_lines_make_room() {
        let mut events = Events::default();
        for number in 0..KEPT + 10 {
            events.add(GROUP, Timestamp::UNIX_EPOCH, number.to_string());
        }
        assert_eq!(events.lines.len(), KEPT);
        assert_eq!(events.lines[0].message, "10");
    }
}
