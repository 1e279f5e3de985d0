//! Turns the lines about one request, which `exchange` has collected, into a transcript.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::response::RawResponse;
use super::{Exchange, FoundFault, MAX_DETAIL};
use crate::domain::diagnosis::gather::proxy_status;
use crate::domain::transcript::Transcript;
use crate::domain::transcript::body::{self, Announced, Body, known_text};
use crate::domain::transcript::command;
use crate::domain::transcript::fault::{self, Found};
use crate::domain::transcript::time::clocks::Clock;
use crate::model::observation::{Fault, FaultKind, Observation, Phase, Response};

impl Exchange {
    /// Returns the exchange as a transcript; `None` if it has neither a response nor a fault.
    pub(in crate::domain::transcript) fn finish(mut self) -> Option<Transcript> {
        if !self.is_answered() {
            self.read_loose_output();
        }
        self.judge_proxy();
        self.doubt_address();
        self.doubt_proxy();
        self.doubt_request();
        self.doubt_protocol();
        self.note_grpc_status();
        let method = self.method().to_owned();
        let settled = self.response.take().map(|response| {
            let format = self.command.as_ref().and_then(|it| it.write_out.as_deref());
            let body = find_body(&response, announced(&response, &method, format));
            (response, body)
        });
        if let Some(time) = settled.as_ref().and_then(|(_, body)| body.trailer.time) {
            self.times.set(Clock::Client, time);
        }
        self.judge_unconnected();
        self.infer_fault(settled.as_ref().map(|(_, body)| body));
        if settled.is_none() && self.fault.is_none() {
            return None;
        }
        let url = self.url();
        let headers_known = settled
            .as_ref()
            .is_none_or(|(response, _)| !response.headers.is_empty() && !response.is_cut);
        let body_exact = settled.as_ref().is_none_or(|(_, body)| body.is_exact);
        let status_stated = settled.as_ref().is_none_or(|(it, _)| !it.is_inferred);
        let response = settled.map(|(response, body)| into_response(response, body));
        let date = response.as_ref().and_then(date_of);
        let date = date.or_else(|| stated_time(&self.fault.as_ref()?.message));
        let started = date.unwrap_or(Timestamp::UNIX_EPOCH);
        let shown = self.final_url().or_else(|| url.clone());
        let shown = shown.as_ref().map_or("", Url::as_str);
        let mut observation = Observation::begun(started, shown);
        let duration = self.times.get();
        observation.duration = duration.unwrap_or_default();
        observation.phases = self.phases;
        observation.response = response;
        observation.redirects = self.redirects;
        let fault_stated = self
            .fault
            .as_ref()
            .is_none_or(|fault| fault.found.is_stated);
        observation.fault = self.fault.take().map(FoundFault::into_fault);
        Some(Transcript {
            url,
            method,
            observation,
            dated: date.is_some(),
            timed: duration.is_some(),
            line: self.line.max(1),
            body_exact,
            headers_known,
            fault_stated,
            status_stated,
            is_doubtful: self.is_doubtful,
            facts: std::mem::take(&mut self.facts),
            log: self.log.take(),
            status_known: !self.is_status_unknown,
        })
    }

    /// Returns the method of the request; `GET` if the text does not show it.
    pub(in crate::domain::transcript) fn method(&self) -> &str {
        let by_command = || self.command.as_ref()?.method.as_deref();
        let sent = self.request.method.as_deref();
        sent.filter(|method| *method != "CONNECT")
            .or_else(by_command)
            .unwrap_or("GET")
    }

    /// Turns a proxy's error response to `CONNECT` into a fault, because the endpoint was not
    /// reached. If the response names a failure behind the proxy, keeps the response and removes a
    /// fault of the proxy instead. Also removes an interim response if there is a fault.
    fn judge_proxy(&mut self) {
        let Some(response) = &self.response else {
            return;
        };
        if response.is_connect && response.status >= 300 && names_upstream(response) {
            let by_proxy = |fault: &FoundFault| fault.found.kind == FaultKind::Proxy;
            self.fault = self.fault.take().filter(|fault| !by_proxy(fault));
        } else if response.is_connect && response.status >= 300 {
            let message = format!(
                "the proxy responded to CONNECT with status {}",
                response.status
            );
            self.fault = self
                .fault
                .take()
                .or_else(|| program_fault(Phase::Connect, FaultKind::Proxy, message));
            self.response = None;
        } else if response.is_interim && self.fault.is_some() {
            self.response = None;
        }
    }

    /// Marks a fault of the proxy as inferred if the message contains a status that a proxy also
    /// sends when it cannot reach the endpoint.
    fn doubt_proxy(&mut self) {
        if let Some(fault) = &mut self.fault
            && fault.found.kind == FaultKind::Proxy
        {
            let mut numbers = fault.message.split(|c: char| !c.is_ascii_digit());
            let is_gateway = numbers.any(|number| matches!(number, "502" | "503" | "504"));
            fault.found.is_stated &= !is_gateway;
        }
    }

    /// Determines from the duration why a connection failed, if no message states the reason.
    fn judge_unconnected(&mut self) {
        let progress = self.progress();
        if let Some(fault) = &mut self.fault
            && fault.found.is_vague
        {
            fault.found = progress.unconnected(fault.found.rank);
        }
    }

    /// Infers the fault if no error message names it: from curl's information lines if the body is
    /// missing or truncated, or from received data without headers (HTTP/0.9).
    fn infer_fault(&mut self, body: Option<&Body>) {
        if body.is_none() && self.fault.is_none() && self.progress.is_bare {
            let message = "the response has no status line (HTTP/0.9)".to_owned();
            self.fault = program_fault(Phase::Processing, FaultKind::Protocol, message);
            self.line = self.line.max(1);
        }
        let is_cut = body.is_none_or(|body| body.is_truncated);
        if self.fault.is_some() || self.reasons.is_empty() || !is_cut {
            return;
        }
        let progress = fault::Progress {
            is_answered: body.is_some(),
            ..self.progress()
        };
        let lines = self.reasons.lines();
        self.fault = lines
            .filter_map(|line| Some((fault::of_message(line, &progress)?, line)))
            .min_by_key(|(found, _)| found.rank)
            .map(|(found, line)| FoundFault {
                found,
                message: line.chars().take(MAX_DETAIL).collect(),
            });
    }

    /// Returns the requested URL. In order of precedence, its source is a URL in the text, the
    /// command, the request line with the `Host` header, or the host that curl's messages name.
    /// Returns `None` if the text shows none of these.
    pub(in crate::domain::transcript) fn url(&self) -> Option<Url> {
        let by_command = || self.command.as_ref()?.url.clone();
        let own = self.request.url.clone();
        own.or_else(by_command)
            .or_else(|| self.sent_url())
            .or_else(|| self.request.reached.clone())
    }

    /// Returns the URL after the last redirect; `None` if there was no redirect or the URL is
    /// unknown.
    fn final_url(&self) -> Option<Url> {
        (self.redirects > 0).then(|| self.sent_url()).flatten()
    }

    /// Returns the URL that the request line and the `Host` header form; `None` without a host.
    fn sent_url(&self) -> Option<Url> {
        let host = self.request.host.as_ref()?;
        let is_tunnel = self.request.method.as_deref() == Some("CONNECT");
        let scheme = if self.progress.uses_tls || is_tunnel {
            "https"
        } else {
            "http"
        };
        let path = self
            .request
            .path
            .as_deref()
            .filter(|path| path.starts_with('/'));
        command::url_of(&format!("{scheme}://{host}{}", path.unwrap_or("/")))
    }
}

impl FoundFault {
    fn into_fault(self) -> Fault {
        Fault {
            phase: self.found.phase,
            kind: self.found.kind,
            detail: self.message,
        }
    }
}

/// Prefixes of the values of Squid's header `X-Squid-Error` that report a failed connection to the
/// endpoint. A rule tests for each of them. The numbers are system errors: 111 (Linux) and 61 (BSD)
/// for a refused connection, 110 (Linux) and 60 (BSD) for a timeout.
const SQUID_UPSTREAM: [&str; 10] = [
    "ERR_CONNECT_FAIL 111",
    "ERR_CONNECT_FAIL 61",
    "ERR_CONNECT_FAIL 110",
    "ERR_CONNECT_FAIL 60",
    "ERR_READ_TIMEOUT",
    "ERR_ZERO_SIZE_OBJECT",
    "ERR_READ_ERROR",
    "ERR_WRITE_ERROR",
    "ERR_DNS_FAIL",
    "ERR_SECURE_CONNECT_FAIL",
];

/// Prefixes of the error types in the header `Proxy-Status` (RFC 9209) that report a failed
/// connection to the endpoint. Other error types concern the proxy itself or its configuration.
const STANDARD_UPSTREAM: [&str; 11] = [
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "connection_read_timeout",
    "connection_write_timeout",
    "destination_unavailable",
    "destination_ip_unroutable",
    "dns_",
    "tls_",
    "http_response_",
    "http_protocol_error",
];

/// Returns whether a proxy's response to `CONNECT` names a failure behind the proxy.
fn names_upstream(response: &RawResponse) -> bool {
    let squid = response.value("x-squid-error").unwrap_or_default();
    let is_squid = SQUID_UPSTREAM.iter().any(|start| squid.starts_with(start));
    let values = response.headers.iter();
    let mut values = values.filter(|(name, _)| name == "proxy-status");
    let error = values.find_map(|(_, value)| proxy_status::error(value));
    let is_standard = error.is_some_and(|(_, error, _)| {
        STANDARD_UPSTREAM
            .iter()
            .any(|start| error.starts_with(start))
    });
    is_squid || is_standard
}

/// Returns a fault for which the text has no error message. `message` is this program's own text;
/// the fault counts as stated. Always returns `Some`.
fn program_fault(phase: Phase, kind: FaultKind, message: String) -> Option<FoundFault> {
    Some(FoundFault {
        found: Found {
            phase,
            kind,
            is_stated: true,
            is_vague: false,
            rank: 0,
        },
        message,
    })
}

/// Returns the body of a response. Envoy's text in a JSON body takes the place of the JSON, because
/// the rules test the text.
fn find_body(response: &RawResponse, announced: Announced<'_>) -> Body {
    let mut body = body::settle(&response.body, announced);
    if let Some(text) = known_text::envoy_text(&body.text) {
        body.text = text;
    }
    body
}

fn date_of(response: &Response) -> Option<Timestamp> {
    let date = response.header("date")?;
    Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp())
}

/// Returns the current time that Go states in an error about the validity period of a certificate;
/// `None` for other messages.
fn stated_time(message: &str) -> Option<Timestamp> {
    let (_, rest) = message.split_once("current time ")?;
    rest.split([' ', ',', '"']).next()?.parse().ok()
}

fn announced<'a>(
    response: &RawResponse,
    method: &str,
    write_out: Option<&'a str>,
) -> Announced<'a> {
    Announced {
        length: response.announced_length(),
        is_empty: response.is_without_body(method),
        is_cut: response.is_cut,
        is_reformatted: response.is_reformatted,
        write_out,
    }
}

fn into_response(raw: RawResponse, body: Body) -> Response {
    let content_length = raw.content_length();
    Response {
        status: raw.status,
        reason: raw.reason,
        version: raw.version,
        headers: raw.headers,
        body_bytes: body.text.len() as u64,
        body: body.text.into_bytes(),
        body_truncated: body.is_truncated,
        content_length,
    }
}

/// Converts a duration in milliseconds, as in a HAR file; `None` if it is out of range.
pub(in crate::domain::transcript) fn millis(value: f64) -> Option<Duration> {
    crate::domain::transcript::time::seconds(value / 1000.0)
}
