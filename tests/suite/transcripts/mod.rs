//! Reads pasted texts with `probecause diagnose` and with the library below it.

mod captures;
mod causes;
mod clients;
mod field;
mod forms;
mod hostile;
mod wrapped;

use std::path::PathBuf;

use probecause::domain::transcript::Transcript;

/// A folder of texts.
fn folder(name: &str) -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/transcripts");
    PathBuf::from(root).join(name)
}

/// A transcript in one line: URL without scheme, status or fault, seconds, body.
fn summary(transcript: &Transcript) -> String {
    let observation = &transcript.observation;
    let url = transcript.url.as_ref().map_or("-", |url| url.as_str());
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let url = url.strip_suffix('/').unwrap_or(url);
    let time = if transcript.timed {
        format!("{:.3}", observation.duration.as_secs_f64())
    } else {
        "-".to_owned()
    };
    match (&observation.fault, &observation.response) {
        (Some(fault), _) => {
            let doubt = if transcript.fault_stated { "" } else { "?" };
            format!("{url} {} {}{doubt} {time}", fault.phase, fault.kind)
        }
        (None, Some(response)) => {
            let body = String::from_utf8_lossy(&response.body);
            let status = if transcript.status_known {
                response.status.to_string()
            } else {
                "unknown".to_owned()
            };
            format!("{url} {status} {time} {body}")
        }
        (None, None) => "nothing".to_owned(),
    }
}
