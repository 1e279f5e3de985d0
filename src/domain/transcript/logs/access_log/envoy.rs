//! Reads the lines of Envoy's access log: the default format, Istio's format, and formats with the
//! response flags as a named field.
//!
//! The flags and the details are listed in Envoy's documentation, "Access logging" and "Response
//! code details".

use std::sync::LazyLock;

use regex::Regex;

use super::fields::value;
use super::{Entry, Logged};
use crate::domain::transcript::command;
use crate::domain::transcript::exchange::settle::millis;
use crate::domain::transcript::fault::other_protocol;
use crate::domain::transcript::pattern::pattern;

/// Matches a line in the default format or in Istio's format. Captures the method, the path, the
/// status, the response flags and the rest of the line.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"\[\d{4}-\d\d-\d\dT[\d:.]+Z?\] "([A-Z]+|-) (\S+) [^"]*" (\d{1,3}) ([A-Z]{2,5}(?:,[A-Z]{2,5})*|-) (.*)$"#,
    )
});

/// Matches a line that lost its timestamp and states response flags. Captures the same parts as
/// [`LINE`].
static UNTIMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r#"^\W*?"([A-Z]{3,7}) (\S+) HTTP/[\d.]+" (\d{1,3}) ([A-Z]{2,5}(?:,[A-Z]{2,5})*) (.*)$"#)
});

/// Matches the rest of a line that [`LINE`] or [`UNTIMED`] captured. Captures the details before
/// the byte counts, the duration in milliseconds, and the authority.
static REST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r#"^(.{0,600}?)\b\d+ \d+ (\d+) (?:\d+|-) "[^"]*" "[^"]*" "[^"]*" "([^"]*)""#)
});

/// The fields of a line of Envoy's log that describe a request and its result.
#[derive(Clone, Debug, Default)]
pub(in crate::domain::transcript) struct Fields<'a> {
    pub(in crate::domain::transcript) status: u16,
    /// The response flags, separated by commas.
    pub(in crate::domain::transcript) flags: &'a str,
    /// The response code details, the reason of a failed connection to the upstream, or both.
    pub(in crate::domain::transcript) details: &'a str,
    pub(in crate::domain::transcript) method: Option<&'a str>,
    pub(in crate::domain::transcript) host: Option<&'a str>,
    pub(in crate::domain::transcript) path: Option<&'a str>,
    /// The duration of the request in milliseconds; `None` if the line does not state it.
    pub(in crate::domain::transcript) time: Option<f64>,
}

impl Fields<'_> {
    /// Returns what the line with these fields reports.
    pub(in crate::domain::transcript) fn read(&self) -> Logged {
        let error = error_of(self.flags, self.details);
        let is_client = self.flags.split(',').all(|flag| CLIENT.contains(&flag));
        if (error.is_none() && self.status < 500) || is_client {
            return Logged::Passed;
        }
        let url = self.host.and_then(|host| {
            let path = self.path.filter(|path| path.starts_with('/'));
            let scheme = if host.ends_with(":443") {
                "https"
            } else {
                "http"
            };
            command::url_of(&format!("{scheme}://{host}{}", path.unwrap_or("/")))
        });
        // Envoy logs the status 0 if it sent no response. If a gRPC call failed, the HTTP status is
        // still 200, so the failure is recorded as an unmet expectation about the body.
        let is_unknown = self.status == 0;
        let facts = if self.status < 400 && !is_unknown {
            vec![("phase", "expect"), ("unmet", "body")]
        } else {
            Vec::new()
        };
        Entry {
            status: if is_unknown { 503 } else { self.status },
            is_status_unknown: is_unknown,
            method: self.method.map(str::to_owned),
            url,
            time: self.time.and_then(millis),
            error,
            facts,
            ..Entry::default()
        }
        .failed()
    }
}

/// Flags of requests that the client ended: `DC` if it closed the connection, and `DR` if it reset
/// the stream.
const CLIENT: [&str; 2] = ["DC", "DR"];

/// Returns the value of the fact `proxy_log.error` for the flags and the details of a response;
/// `None` if no flag has such a value. The fact has no value for LR (a local reset), LH (Envoy's
/// own health check), FI and DI (injected faults), UAEX (external authorization), RLSE (the rate
/// limit service failed), NC (no cluster), SI, IH, DPE, OM, DO, RFCF and NFCF.
fn error_of(flags: &str, details: &str) -> Option<&'static str> {
    flags.split(',').find_map(|flag| {
        Some(match flag {
            "UH" => "unhealthy",
            "UF" => connection_error(details),
            "UC" | "UR" => "reset",
            "UT" | "UMSDR" => "timeout",
            "UO" => "overflow",
            "NR" => "no-route",
            "RL" => "rate-limited",
            "UPE" => "malformed",
            "DF" => "name-not-found",
            _ => return None,
        })
    })
}

/// Returns the value of the fact `proxy_log.error` for a failed connection, according to the
/// details.
fn connection_error(details: &str) -> &'static str {
    let details = details.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| details.contains(part));
    if says(&[
        "error:_111",
        "error: 111",
        "connection refused",
        "connection_refused",
    ]) {
        "refused"
    } else if says(&["timeout", "error:_110", "error: 110"]) {
        "timeout"
    } else if says(&["tls_error", "tls error"]) {
        "tls-failed"
    } else {
        "unreachable"
    }
}

/// Reads a line of Envoy's access log; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    default_format(line).or_else(|| named_fields(line))
}

fn default_format(line: &str) -> Option<Logged> {
    let found = if line.contains("] \"") {
        LINE.as_ref()?.captures(line)?
    } else if line.contains(" HTTP/") {
        UNTIMED.as_ref()?.captures(line)?
    } else {
        return None;
    };
    // A line about a TCP connection has a dash instead of each part of the request.
    if &found[1] == "-" && other_protocol::is_named(line) {
        return Some(Logged::Passed);
    }
    let rest = found.get(5)?.as_str();
    let parts = REST.as_ref()?.captures(rest)?;
    let host = parts.get(3).map(|host| host.as_str());
    let fields = Fields {
        status: found[3].parse().ok()?,
        flags: found.get(4)?.as_str(),
        details: parts.get(1)?.as_str(),
        method: found
            .get(1)
            .map(|method| method.as_str())
            .filter(|method| *method != "-"),
        host: host.filter(|host| *host != "-"),
        path: found.get(2).map(|path| path.as_str()),
        time: parts[2].parse().ok(),
    };
    Some(fields.read())
}

fn named_fields(line: &str) -> Option<Logged> {
    if !line.contains("response_flag") {
        return None;
    }
    let first = |names: &[&str]| names.iter().find_map(|name| value(line, name));
    let flags = first(&["response_flags", "response_flag"])?;
    let fields = Fields {
        status: first(&["response_code", "status", "code"])?.parse().ok()?,
        flags,
        details: first(&[
            "response_code_details",
            "status_details",
            "upstream_transport_failure_reason",
        ])
        .unwrap_or_default(),
        method: first(&["method"]),
        host: first(&["authority", "host"]),
        path: first(&["path", "request"]),
        time: first(&["duration", "duration_ms", "total_time_ms", "time_ms"])
            .and_then(|time| time.trim_end_matches("ms").parse().ok()),
    };
    Some(fields.read())
}
