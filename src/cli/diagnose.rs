//! `probecause diagnose`: names the cause of answers in curl's text.
//!
//! Reads files or standard input, prints one paragraph or one JSON line an answer. It
//! sends nothing anywhere. Every file is looked at even when one cannot be read.

use std::fmt::Write as _;
use std::io::Read as _;

use super::rules::RulesArgs;
use super::{Exit, Terminal, print};
use crate::domain::diagnosis::Diagnosis;
use crate::domain::transcript::{self, Transcript, judge};
use crate::io::json;

/// Arguments of `diagnose`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files with `curl -v` or `curl -i` text, alone or inside Markdown; `-`: standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// One JSON object a line instead of text for people.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Carries the command out: 0 if every answer was read, whatever its cause.
///
/// # Errors
/// Which file cannot be read, or holds no answer.
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
                        human(transcript, diagnosis)
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
            "no answer found in {name}: expected the text of `curl -v` or `curl -i`, with a line such as `< HTTP/2 503` or `curl: (7) …`"
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

fn human(transcript: &Transcript, diagnosis: &Diagnosis) -> String {
    let seen = &transcript.observation;
    let mut text = format!("{} (line {})\n", url(transcript), transcript.line);
    let answer = seen.response.as_ref().map_or_else(
        || "no answer".to_owned(),
        |response| format!("status {}", response.status),
    );
    let time = if transcript.timed {
        format!(" after {:.3} s", seen.duration.as_secs_f64())
    } else {
        String::new()
    };
    let _ = writeln!(text, "  {answer}{time}");
    let Some(verdict) = &diagnosis.verdict else {
        text.push_str("  as expected\n");
        return text;
    };
    if let Some(error) = &diagnosis.error {
        let _ = writeln!(text, "  error:      {error}");
    }
    let _ = writeln!(
        text,
        "  cause:      {} ({}), {} acts\n              {}",
        verdict.cause, verdict.certainty, verdict.owner, verdict.title
    );
    if verdict.candidates.len() > 1 {
        let shares: Vec<String> = verdict
            .candidates
            .iter()
            .map(|candidate| format!("{} {:.0} %", candidate.cause, candidate.share * 100.0))
            .collect();
        let _ = writeln!(text, "  candidates: {}", shares.join(", "));
    }
    for evidence in &diagnosis.evidence {
        let _ = writeln!(text, "  evidence:   {} = {}", evidence.fact, evidence.value);
    }
    for step in &verdict.next {
        let _ = writeln!(text, "  next:       {step}");
    }
    text
}

fn url(transcript: &Transcript) -> &str {
    transcript
        .url
        .as_ref()
        .map_or("(unknown URL)", url::Url::as_str)
}
