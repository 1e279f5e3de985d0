//! `probecause diagnose`: names the causes of failures in pasted client output, errors and logs.
//!
//! The command reads files or standard input and prints a paragraph, or a line of JSON, for each
//! response and each failed request. It sends no requests. If a file cannot be read, the other
//! files are still processed.
//! Control characters in the input are printed as escape sequences.

use std::fmt::Write as _;
use std::io::Read;

use super::rules::RulesArgs;
use super::{Exit, Terminal, candidate_shares, print};
use crate::domain::diagnosis::{Diagnosis, Verdict};
use crate::domain::transcript::text::decode::decode;
use crate::domain::transcript::{self, Reading, Transcript, Unused, judge};
use crate::io::json;
use crate::model::printable::{printable, printable_json};

/// Maximum number of bytes that are read from a file or from standard input.
const MAX_BYTES: u64 = 32 << 20;

/// Arguments of `diagnose`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files that contain output of an HTTP client (curl, wget, HTTPie or `PowerShell`), error
    /// messages, HAR, or logs (of API Gateway, a load balancer or a proxy). This text may be
    /// embedded in Markdown. Use `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Print each result as a line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Runs `probecause diagnose`. Returns [`Exit::Usage`] if a file cannot be read or contains nothing
/// to diagnose, and otherwise [`Exit::Fine`], even if a file contains failures.
///
/// # Errors
/// Returns an error if the custom rules are invalid or standard output cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let rulebook = args.rules.rulebook()?;
    let mut exit = Exit::Fine;
    for file in &args.files {
        match read(file) {
            Ok(reading) => {
                let transcripts = &reading.transcripts;
                let diagnoses = judge::judge(transcripts, &rulebook);
                for (transcript, diagnosis) in transcripts.iter().zip(&diagnoses) {
                    let text = if args.json {
                        printable_json(&json(transcript, diagnosis).to_string()).into_owned()
                    } else {
                        text(transcript, diagnosis)
                    };
                    print(&format!("{text}\n"))?;
                }
                note_unused(file, reading.unused);
                if reading.left_out > 0 {
                    let (all, left_out) = (transcripts.len(), reading.left_out);
                    eprintln!(
                        "note: {}: only the first {all} results are shown; results left out: \
                         {left_out}; split the input to see them",
                        printable(file)
                    );
                }
            }
            Err(message) => {
                eprintln!("error: {message}");
                exit = Exit::Usage;
            }
        }
    }
    Ok(exit)
}

/// Prints a note if a file has lines that belong neither to a response nor to a failed request.
fn note_unused(file: &str, unused: Unused) {
    let Unused { lines, first } = unused;
    let file = printable(file);
    match lines {
        0 => {}
        1 => eprintln!(
            "note: {file}: line {first} belongs neither to a response nor to a failed request"
        ),
        _ => eprintln!(
            "note: {file}: {lines} lines belong neither to a response nor to a failed request; the \
             first is line {first}"
        ),
    }
}

fn read(file: &str) -> Result<Reading, String> {
    let is_input = file == "-";
    let name = if is_input {
        "standard input".into()
    } else {
        printable(file)
    };
    let bytes = if is_input {
        first_bytes(std::io::stdin())
    } else {
        std::fs::File::open(file).and_then(first_bytes)
    };
    let bytes = bytes.map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() as u64 == MAX_BYTES {
        eprintln!(
            "note: {name}: only the first {} MiB are read",
            MAX_BYTES >> 20
        );
    }
    let reading = transcript::read(&decode(&bytes));
    if reading.transcripts.is_empty() && reading.passed > 0 {
        let passed = reading.passed;
        let lines = match passed {
            1 => "1 log line reports a request".to_owned(),
            lines => format!("{lines} log lines report requests"),
        };
        return Err(format!(
            "no failed request found in {name}: {lines} that did not fail"
        ));
    }
    if reading.transcripts.is_empty() {
        return Err(format!(
            "no response or failed request found in {name}: {LOOKED_FOR}"
        ));
    }
    Ok(reading)
}

fn first_bytes(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The end of the error message "no response or failed request found": what was searched for, and
/// how to create suitable input.
const LOOKED_FOR: &str = "\
looked for a status line (`< HTTP/2 503`, `HTTP/1.1 503`); an error of curl \
(`curl: (7) \u{2026}`), wget or PowerShell; an exception of a program; a log of API Gateway, a \
load balancer or a proxy; and a HAR file.
Run one of these commands and use its complete output as the input:
  curl -sv -w '\\ntime_total: %{time_total}\\n' URL 2>&1 | probecause diagnose -
  curl.exe -sv -w \"\\ntime_total: %{time_total}\\n\" URL   (Windows, also in PowerShell)
  wget -S -O - URL                                        (without curl)";

fn json(transcript: &Transcript, diagnosis: &Diagnosis) -> serde_json::Value {
    let mut value = json::result(json::ResultParts {
        target: url(transcript),
        location: None,
        observation: &transcript.observation,
        dated: transcript.dated,
        diagnosis,
        incident_id: None,
    });
    if !transcript.timed {
        value["duration_seconds"] = serde_json::Value::Null;
    }
    if !transcript.status_known {
        value["status"] = serde_json::Value::Null;
    }
    value
}

fn text(transcript: &Transcript, diagnosis: &Diagnosis) -> String {
    let observation = &transcript.observation;
    let mut text = format!(
        "{} (line {})\n",
        printable(url(transcript)),
        transcript.line
    );
    let status = match &observation.response {
        None => "no response".to_owned(),
        Some(_) if !transcript.status_known => "status unknown".to_owned(),
        Some(response) => format!("status {}", response.status),
    };
    let time = if transcript.timed {
        format!(" after {:.3} s", observation.duration.as_secs_f64())
    } else {
        String::new()
    };
    let _ = writeln!(text, "  {status}{time}");
    let Some(verdict) = &diagnosis.verdict else {
        text.push_str("  as expected\n");
        return text;
    };
    if let Some(error) = &diagnosis.error {
        let _ = writeln!(text, "  error:      {}", printable(error));
    }
    let _ = writeln!(
        text,
        "  cause:      {} ({}), owner: {}{}\n              {}",
        verdict.cause,
        verdict.certainty,
        verdict.owner,
        hop(verdict),
        printable(&verdict.title)
    );
    if verdict.candidates.len() > 1 {
        let shares = candidate_shares(&verdict.candidates);
        let _ = writeln!(text, "  candidates: {shares}");
    }
    for evidence in diagnosis.evidence.iter().filter(|it| it.is_informative()) {
        let value = evidence.value.to_string();
        let fact = printable(&evidence.fact);
        let _ = writeln!(text, "  evidence:   {fact} = {}", printable(&value));
    }
    for step in &verdict.next {
        let _ = writeln!(text, "  next:       {}", printable(step));
    }
    text
}

/// Formats the hop (the part of the request's path) at which the request failed, as the end of the
/// line that names the cause. The text is empty if the hop is unknown.
fn hop(verdict: &Verdict) -> String {
    let hop = verdict.hop.map(|hop| format!(", hop: {hop}"));
    hop.unwrap_or_default()
}

fn url(transcript: &Transcript) -> &str {
    transcript
        .url
        .as_ref()
        .map_or("(unknown URL)", url::Url::as_str)
}
