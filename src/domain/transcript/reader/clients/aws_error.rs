//! Records the errors of AWS services that `clients::aws_error` reads.

use crate::domain::transcript::clients::aws_error::{self, AwsError};
use crate::domain::transcript::clients::{message, source_code};
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::{Exchange, Source};
use crate::domain::transcript::reader::Reader;
use crate::domain::transcript::reader::pages::text_fact;

/// Maximum distance in lines between an error and the status that a later line of the same message
/// states.
const MAX_DISTANCE: usize = 12;

impl Reader {
    /// Reads a line with an error of an AWS service. Returns whether the line was recognized.
    pub(in crate::domain::transcript::reader) fn aws_error(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        let Some(error) = aws_error::read(line).filter(|_| !source_code::is_source(line)) else {
            return false;
        };
        let status = self.current.response.as_ref().map(|it| it.status);
        let is_open = self.current.source != Source::Wire && status == Some(error.status);
        if self.current.is_answered() && !self.current.is_weak && !is_open {
            return false;
        }
        let key = vec![text_fact("aws_error", &error.code)];
        let is_known = self.vendor_facts.contains(&key);
        if is_open && self.add_aws_body(&error) {
            return true;
        }
        if is_known {
            self.unused.add_line(number);
            return true;
        }
        self.vendor_facts.push(key);
        let mut exchange = Exchange {
            is_weak: !error.is_status_stated,
            is_status_unknown: !error.is_status_known,
            ..Exchange::stated(error.status, number)
        };
        exchange.request.url = message::url(line);
        if let Some(response) = &mut exchange.response {
            response.is_inferred = !error.is_status_stated;
            add_body(response, &error);
        }
        if error.is_s3 {
            exchange.facts = vec![text_fact("front_door", "s3")];
        }
        self.next(exchange);
        self.message_line = number;
        true
    }

    /// Adds the error to the current response if this response has no body. Returns whether the
    /// error was added.
    fn add_aws_body(&mut self, error: &AwsError) -> bool {
        let response = self.current.response.as_mut();
        let Some(response) = response.filter(|response| response.body.is_empty()) else {
            return false;
        };
        add_body(response, error);
        true
    }

    /// Replaces the inferred status of the current response with the status that a later line of
    /// the same message states. Returns whether the status was replaced.
    pub(in crate::domain::transcript::reader) fn adopt_status(
        &mut self,
        status: u16,
        number: usize,
    ) -> bool {
        let is_near = number <= self.message_line + MAX_DISTANCE;
        let is_last = self.current.line == self.message_line && self.current.is_weak;
        let response = self.current.response.as_mut();
        let Some(response) = response.filter(|it| it.is_inferred && is_last && is_near) else {
            return false;
        };
        response.status = status;
        response.is_inferred = false;
        self.current.is_status_unknown = false;
        self.current.is_weak = false;
        true
    }
}

/// Sets the body of the response to the error, in S3's XML format or, for other services, in the
/// format of AWS's JSON protocols. Sets no body if `error.code` is a status, as for a response to
/// `HEAD`, which has no body.
fn add_body(response: &mut RawResponse, error: &AwsError) {
    let code = &error.code;
    if code.starts_with(|first: char| first.is_ascii_digit()) {
        return;
    }
    response.raw_body(&if error.is_s3 {
        format!("<Error><Code>{code}</Code></Error>")
    } else {
        format!("{{\"__type\":\"{code}\"}}")
    });
}
