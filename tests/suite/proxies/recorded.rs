//! Turns an observation into a capture: without what differs from run to run.

use jiff::Timestamp;
use probecause::model::observation::{Observation, Response};

use crate::corpus::capture::{Capture, Failed, Received, Truth};
use crate::proxies::faults::{Fault, Protocol};
use crate::proxies::process::Ports;

/// Replaces every `date`.
const DATE: &str = "Sun, 29 Nov 2026 12:00:00 GMT";

/// The time limits of the proxies are whole seconds, and other answers come at once. An answer
/// after less than this did not wait for a limit.
const LIMIT_SECONDS: f64 = 0.95;

/// Replace the ports of a proxy. Chosen ports have five digits, too.
const PORTS: [&str; 3] = ["10080", "10443", "10444"];

/// The capture of an observation.
pub(crate) fn record(
    fault: &Fault,
    protocol: Protocol,
    seen: &Observation,
    ports: Ports,
    software: &str,
) -> Capture {
    let text = |text: &&str| (*text).to_owned();
    let scheme = match protocol {
        Protocol::Http11 => "http",
        Protocol::Http2 => "https",
    };
    Capture {
        door: String::new(),
        id: String::new(),
        fault: fault.title.to_owned(),
        software: software.to_owned(),
        source: "captured by tests/suite/proxies".to_owned(),
        date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
        truth: Truth {
            causes: fault.causes.iter().map(text).collect(),
            hops: fault.hops.iter().map(text).collect(),
        },
        url: format!("{scheme}://proxy.example/{}", fault.id),
        waited: waited(seen),
        response: seen
            .response
            .as_ref()
            .map(|response| received(response, ports)),
        error: seen.fault.as_ref().map(|error| Failed {
            phase: error.phase.as_str().to_owned(),
            kind: error.kind.as_str().to_owned(),
        }),
    }
}

/// The proxy's time limit that passed; 0 if none did.
fn waited(seen: &Observation) -> f64 {
    let seconds = seen.phases.processing.unwrap_or_default().as_secs_f64();
    if seconds < LIMIT_SECONDS { 0.0 } else { 1.0 }
}

fn received(response: &Response, ports: Ports) -> Received {
    let body = String::from_utf8(response.body.clone()).expect("a body in UTF-8");
    let replaced = |text: &str| {
        let chosen = [ports.http, ports.https, ports.mutual];
        let pairs = chosen.iter().zip(PORTS);
        let text = pairs.fold(text.to_owned(), |text, (port, fixed)| {
            text.replace(&port.to_string(), fixed)
        });
        without_transaction_id(&text)
    };
    let fixed = replaced(&body);
    let lengths = (body.len().to_string(), fixed.len().to_string());
    let headers = response.headers.iter().map(|(name, value)| {
        let value = match name.as_str() {
            "date" => DATE.to_owned(),
            "x-varnish" => "2".to_owned(),
            "content-length" if *value == lengths.0 => lengths.1.clone(),
            _ => replaced(value),
        };
        format!("{name}: {value}")
    });
    let mut headers: Vec<String> = headers.collect();
    headers.sort();
    Received {
        version: response.version.as_str().to_owned(),
        status: response.status,
        reason: response.reason.clone(),
        headers,
        body: fixed,
    }
}

/// Replaces the number in Varnish's line `<p>XID: 32770</p>`.
fn without_transaction_id(text: &str) -> String {
    const BEFORE: &str = "<p>XID: ";
    let Some((before, rest)) = text.split_once(BEFORE) else {
        return text.to_owned();
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}{BEFORE}2{rest}")
}

/// A new capture as it would be with the version and on the date of a recorded one.
pub(crate) fn as_recorded(new: &Capture, recorded: &Capture) -> Capture {
    let version = |capture: &Capture| {
        let (_, version) = capture.software.split_once(' ').unwrap();
        version.to_owned()
    };
    let (theirs, ours) = (version(new), version(recorded));
    let mut same = new.clone();
    same.software.clone_from(&recorded.software);
    same.date.clone_from(&recorded.date);
    same.door.clone_from(&recorded.door);
    same.id.clone_from(&recorded.id);
    if recorded.waited == 0.0 {
        // On a busy machine, an answer without a limit may take as long.
        same.waited = 0.0;
    }
    if let Some(response) = &mut same.response {
        let length = response.body.len().to_string();
        response.body = response.body.replace(&theirs, &ours);
        for header in &mut response.headers {
            *header = match *header == format!("content-length: {length}") {
                true => format!("content-length: {}", response.body.len()),
                false => header.replace(&theirs, &ours),
            };
        }
    }
    same
}
