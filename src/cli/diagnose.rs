//! `probecause diagnose`: names the cause of failed responses in the output of curl.
//!
//! The command reads files or standard input and prints a paragraph, or a line of JSON, per
//! response. It sends no requests. If a file cannot be read, the other files are still processed.

use std::fmt::Write as _;
use std::io::Read as _;

use super::rules::RulesArgs;
use super::{Exit, Terminal, candidate_shares, print};
use crate::domain::diagnosis::{Diagnosis, Verdict};
use crate::domain::transcript::{self, Transcript, judge};
use crate::io::json;

/// Arguments of `diagnose`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files with output of `curl -v` or `curl -i`, also inside Markdown; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Print each result as a line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Runs `probecause diagnose`. Returns [`Exit::Usage`] if a file cannot be read or contains no
/// response, and otherwise [`Exit::Fine`], whatever the causes.
///
/// # Errors
/// Returns an error if the custom rules are invalid or standard output cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let rulebook = args.rules.rulebook()?;
    let mut exit = Exit::Fine;
    for file in &args.files {
        match read(file) {
            Ok(transcripts) => {
                let diagnoses = judge::judge(&transcripts, &rulebook);
                for (transcript, diagnosis) in transcripts.iter().zip(&diagnoses) {
                    let text = if args.json {
                        json(transcript, diagnosis).to_string()
                    } else {
                        text(transcript, diagnosis)
                    };
                    print(&format!("{text}\n"))?;
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

fn read(file: &str) -> Result<Vec<Transcript>, String> {
    let mut bytes = Vec::new();
    let (name, outcome) = if file == "-" {
        let outcome = std::io::stdin().read_to_end(&mut bytes);
        ("standard input", outcome)
    } else {
        let outcome = std::fs::File::open(file).and_then(|mut open| open.read_to_end(&mut bytes));
        (file, outcome)
    };
    outcome.map_err(|error| format!("cannot read {name}: {error}"))?;
    let transcripts = transcript::read(&String::from_utf8_lossy(&bytes));
    if transcripts.is_empty() {
        return Err(format!(
            "no response found in {name}: expected output of `curl -v` or `curl -i`, \
             with a line such as `< HTTP/2 503` or `curl: (7) …`"
        ));
    }
    Ok(transcripts)
}

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
    value
}

fn text(transcript: &Transcript, diagnosis: &Diagnosis) -> String {
    let observation = &transcript.observation;
    let mut text = format!("{} (line {})\n", url(transcript), transcript.line);
    let status = observation.response.as_ref().map_or_else(
        || "no response".to_owned(),
        |response| format!("status {}", response.status),
    );
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
        let _ = writeln!(text, "  error:      {error}");
    }
    let _ = writeln!(
        text,
        "  cause:      {} ({}), owner: {}{}\n              {}",
        verdict.cause,
        verdict.certainty,
        verdict.owner,
        hop(verdict),
        verdict.title
    );
    if verdict.candidates.len() > 1 {
        let shares = candidate_shares(&verdict.candidates);
        let _ = writeln!(text, "  candidates: {shares}");
    }
    for evidence in &diagnosis.evidence {
        let _ = writeln!(text, "  evidence:   {} = {}", evidence.fact, evidence.value);
    }
    for step in &verdict.next {
        let _ = writeln!(text, "  next:       {step}");
    }
    text
}

/// The hop at which the request failed, as a continuation of the line that names the cause.
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
