//! Reads the lines that load balancers, proxies and platforms log about requests.
//!
//! Most formats have one line per request. The line states the status of the response, often the
//! URL and the duration, and in some formats why the upstream failed.

mod alb;
mod apache;
mod caddy;
pub(in crate::domain::transcript) mod envoy;
mod fields;
mod haproxy;
pub(in crate::domain::transcript) mod heroku;
mod iis;
mod ingress;
pub(in crate::domain::transcript) mod reverse_proxy;
mod squid;
mod traefik;

use std::time::Duration;

use url::Url;

pub(in crate::domain::transcript) use self::traefik::upstream_error;
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::{Exchange, Section, Source};
use crate::domain::transcript::pattern::MAX_LINE;
use crate::domain::transcript::time::clocks::Clock;

/// Maximum number of seconds between two adjacent lines of one process that count as lines about
/// one request.
const TOGETHER: f64 = 1.0;

/// What a line of a log reports about a request.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::domain::transcript) enum Logged {
    /// The request failed.
    Failed(Box<Entry>),
    /// The request succeeded, or its failure was caused by the client.
    Passed,
}

/// A failed request in a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::domain::transcript) struct Entry {
    pub(in crate::domain::transcript) status: u16,
    pub(in crate::domain::transcript) method: Option<String>,
    pub(in crate::domain::transcript) url: Option<Url>,
    /// The duration of the request; `None` if the line does not state it.
    pub(in crate::domain::transcript) time: Option<Duration>,
    /// The value of the fact `proxy_log.error`; `None` if the line shows no such error.
    pub(in crate::domain::transcript) error: Option<&'static str>,
    /// The names and values of further facts.
    pub(in crate::domain::transcript) facts: Vec<(&'static str, &'static str)>,
    /// The process that wrote the line, or a text that stands for the process. Adjacent lines with
    /// the same value may be about the same request (see [`Entry::continues`]). `None` in formats
    /// with one line per request, and in lines of Apache that do not name the process.
    pub(in crate::domain::transcript) process: Option<String>,
    /// The date of the line, and its time of day in seconds since midnight. `None` if the line has
    /// no time, or if the reader of its log format does not read the time.
    pub(in crate::domain::transcript) time_of_line: Option<(String, f64)>,
    /// The address of the client or, in a line that `reverse_proxy` reads, the destination; `None`
    /// if neither was read from the line.
    pub(in crate::domain::transcript) client: Option<String>,
    /// Whether the line does not state the status of the response; `status` is then a placeholder.
    pub(in crate::domain::transcript) is_status_unknown: bool,
    /// Whether the end of the line is missing. The failure is then uncertain.
    pub(in crate::domain::transcript) is_cut: bool,
}

impl Entry {
    /// Wraps the entry in [`Logged::Failed`].
    fn failed(self) -> Logged {
        Logged::Failed(Box::new(self))
    }

    /// Returns whether this line is about the same request as the line of `last`: both have the
    /// same `process`, their times differ by at most [`TOGETHER`], and `client` does not differ. A
    /// time or client that one line lacks is not compared. The process alone does not identify the
    /// request, because a process handles many requests.
    pub(in crate::domain::transcript) fn continues(&self, last: &Self) -> bool {
        let is_near = match (&self.time_of_line, &last.time_of_line) {
            (Some((day, at)), Some((last_day, last_at))) => {
                day == last_day && (at - last_at).abs() <= TOGETHER
            }
            _ => true,
        };
        let is_other_client =
            self.client.is_some() && last.client.is_some() && self.client != last.client;
        self.process.is_some() && self.process == last.process && is_near && !is_other_client
    }

    /// Returns the exchange of the request. `number` is the number of the line in the text.
    pub(in crate::domain::transcript) fn exchange(self, number: usize) -> Exchange {
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

/// Reads a line of a log; `None` if the line has none of the formats that the submodules read, or
/// is longer than [`MAX_LINE`].
pub(in crate::domain::transcript) fn read(line: &str) -> Option<Logged> {
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
        .or_else(|| caddy::read(line))
        .or_else(|| iis::read(line))
        .or_else(|| squid::read(line))
        .or_else(|| reverse_proxy::read(line))
}

#[cfg(test)]
mod tests;
