//! Reads the lines of the logs of load balancers, proxies and platforms.
//!
//! Each line is the result of one request: its status, often its URL and its duration, and in some
//! formats a code for the failure of the upstream.

mod alb;
mod apache;
pub(super) mod envoy;
mod fields;
mod haproxy;
mod heroku;
mod ingress;
mod traefik;

use std::time::Duration;

use url::Url;

pub(super) use self::traefik::upstream_error;
use super::exchange::{Exchange, Section, Source};
use super::response::RawResponse;
use super::time::clocks::Clock;
use crate::domain::diagnosis::fact::FactValue;

/// Maximum length of a line that is examined, in bytes.
const MAX_LINE: usize = 8_192;

/// What a line of a log reports.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Logged {
    Failed(Box<Entry>),
    /// The request succeeded, or the client ended it.
    Passed,
}

/// A failed request in a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) status: u16,
    pub(super) method: Option<String>,
    pub(super) url: Option<Url>,
    pub(super) time: Option<Duration>,
    /// The value of the fact `proxy_log.error`.
    pub(super) error: Option<&'static str>,
    /// Further facts, with their names.
    pub(super) facts: Vec<(&'static str, &'static str)>,
    /// Whether the log contains no status, so that `status` is assumed.
    pub(super) is_status_unknown: bool,
    /// The process that wrote the line. The lines of one process that follow each other are about
    /// one request.
    pub(super) process: Option<String>,
    /// Whether the end of the line is missing, so that the failure is uncertain.
    pub(super) is_cut: bool,
}

impl Entry {
    /// Returns the entry as a result.
    fn failed(self) -> Logged {
        Logged::Failed(Box::new(self))
    }

    /// Returns the exchange of the request.
    pub(super) fn exchange(self, number: usize) -> Exchange {
        let mut response = RawResponse::of_status(self.status, None);
        response.is_cut = true;
        let mut exchange = Exchange {
            line: number,
            source: Source::Message,
            section: Section::After,
            response: Some(response),
            is_doubtful: self.is_cut,
            is_status_unknown: self.is_status_unknown,
            ..Exchange::default()
        };
        exchange.request.url = self.url;
        exchange.request.method = self.method;
        if let Some(time) = self.time {
            exchange.times.set(Clock::Client, time);
        }
        let error = self.error.map(|error| ("proxy_log.error", error));
        let facts = self.facts.into_iter().chain(error);
        let text = |value: &str| FactValue::Text(value.to_owned());
        exchange.facts = facts
            .map(|(name, value)| (name.to_owned(), text(value)))
            .collect();
        exchange
    }
}

/// Reads a line of a log; `None` if the line has no known format.
pub(super) fn read(line: &str) -> Option<Logged> {
    if line.len() > MAX_LINE {
        return None;
    }
    heroku::read(line)
        .or_else(|| alb::read(line))
        .or_else(|| envoy::read(line))
        .or_else(|| haproxy::read(line))
        .or_else(|| apache::read(line))
        .or_else(|| ingress::read(line))
        .or_else(|| traefik::read(line))
}

#[cfg(test)]
mod tests;
