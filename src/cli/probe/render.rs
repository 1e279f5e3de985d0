//! Formats the result of one probe as text for a terminal.

use std::time::Duration;

use crate::cli::paint;
use crate::domain::diagnosis::{Candidate, Diagnosis, Outcome, Verdict};
use crate::model::observation::{Observation, Phase};
use crate::model::target::Target;

/// Length of the bar that represents the whole duration of a probe, in columns.
const BAR: usize = 40;

/// Formats the result of a probe as lines of text.
pub(super) fn render(
    target: &Target,
    observation: &Observation,
    diagnosis: &Diagnosis,
    color: bool,
) -> String {
    let mut lines = vec![
        headline(target, observation, diagnosis, color),
        String::new(),
    ];
    lines.extend(connection(observation));
    lines.extend(bars(observation));
    if let Some(error) = &diagnosis.error {
        lines.extend([String::new(), format!("  {}", clean(error))]);
    }
    if let Some(verdict) = &diagnosis.verdict {
        lines.extend(cause(verdict, color));
    }
    let informative = diagnosis.evidence.iter().filter(|it| it.is_informative());
    let evidence: Vec<String> = informative
        .map(|it| format!("    {} = {}", it.fact, clean(&it.value.to_string())))
        .collect();
    if !evidence.is_empty() {
        lines.extend([String::new(), "  evidence".to_owned()]);
        lines.extend(evidence);
    }
    if let Some(verdict) = diagnosis.verdict.as_ref().filter(|it| !it.next.is_empty()) {
        lines.extend([String::new(), "  next".to_owned()]);
        lines.extend(verdict.next.iter().map(|step| format!("    - {step}")));
    }
    if let Some(id) = observation.request_id() {
        lines.extend([String::new(), format!("  request id {}", clean(id))]);
    }
    lines.push(String::new());
    lines.join("\n")
}

fn headline(
    target: &Target,
    observation: &Observation,
    diagnosis: &Diagnosis,
    color: bool,
) -> String {
    let (word, code) = match diagnosis.outcome {
        Outcome::Passed => ("passed", 32),
        Outcome::Degraded => ("degraded", 33),
        Outcome::Failed => ("FAILED", 31),
    };
    let status = observation
        .response
        .as_ref()
        .map(|it| it.status.to_string());
    let status = status.unwrap_or_else(|| "no response".to_owned());
    let (word, time) = (paint(word, code, color), time(observation.duration));
    format!("{word}  {}  {status}  {time}", clean(target.name.as_str()))
}

/// Returns a line with the address of the last connection and the versions of TLS and HTTP, as far
/// as they are known. If the probe followed a redirect, a line with the final URL follows.
fn connection(observation: &Observation) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(observation.remote.map(|address| address.to_string()));
    let tls = observation.tls.as_ref().and_then(|tls| tls.version.clone());
    parts.extend(tls);
    let response = observation.response.as_ref();
    parts.extend(response.map(|response| format!("HTTP/{}", response.version)));
    let mut lines = Vec::new();
    if !parts.is_empty() {
        lines.push(format!("  {:<11}{}", "address", clean(&parts.join(", "))));
    }
    if observation.redirects > 0 {
        let url = clean(&observation.final_url);
        lines.push(format!("  {:<11}{url}", "final URL"));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

fn bars(observation: &Observation) -> Vec<String> {
    let total = observation.duration.as_secs_f64().max(f64::EPSILON);
    let bar = |phase: Phase| {
        let spent = observation.phases.get(phase)?;
        let share = spent.as_secs_f64() / total;
        let cells = (1..=BAR).filter(|cell| (*cell as f64 - 0.5) / BAR as f64 <= share);
        let cells = "█".repeat(cells.count().max(1));
        Some(format!(
            "  {:<11}{:>10}  {cells}",
            phase.as_str(),
            time(spent)
        ))
    };
    Phase::ALL.into_iter().filter_map(bar).collect()
}

fn cause(verdict: &Verdict, color: bool) -> Vec<String> {
    let name = paint(verdict.cause.as_str(), 1, color);
    let hop = verdict.hop.map(|hop| format!(", hop: {hop}"));
    let hop = hop.unwrap_or_default();
    let mut lines = vec![
        String::new(),
        format!(
            "  {name} ({}), owner: {}{hop}",
            verdict.certainty, verdict.owner
        ),
        format!("  {}", verdict.title),
    ];
    if verdict.candidates.len() > 1 {
        lines.extend([String::new(), "  candidates".to_owned()]);
        let line = |candidate: &Candidate| {
            format!(
                "    {:>3.0} %  {}",
                candidate.share * 100.0,
                candidate.cause
            )
        };
        lines.extend(verdict.candidates.iter().map(line));
    }
    lines
}

pub(super) fn time(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{:.1} ms", time.as_secs_f64() * 1000.0)
    } else {
        format!("{:.3} s", time.as_secs_f64())
    }
}

/// Removes control characters from text of a configuration or a server, since a terminal would
/// interpret them.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::diagnosis::Evidence;
    use crate::domain::diagnosis::fact::FactValue;
    use crate::model::cause::{CauseId, Certainty, Owner};

    #[test]
    fn a_failed_probe_shows_result_phases_cause_and_next_steps() {
        let target = Target::with_defaults("orders", "https://a.test/".parse().unwrap());
        let mut observation = Observation::begun(jiff::Timestamp::UNIX_EPOCH, "https://a.test/");
        observation.duration = Duration::from_millis(400);
        observation.remote = Some("192.0.2.7:443".parse().unwrap());
        observation.redirects = 1;
        let phases = &mut observation.phases;
        phases.add(Phase::Connect, Duration::from_millis(100));
        phases.add(Phase::Processing, Duration::from_millis(300));
        let candidate = |id: &str, share| Candidate {
            cause: CauseId::new(id).unwrap(),
            share,
        };
        let diagnosis = Diagnosis {
            outcome: Outcome::Failed,
            verdict: Some(Arc::new(Verdict {
                cause: CauseId::new("lambda-function-error").unwrap(),
                title: "The function failed".to_owned(),
                owner: Owner::Service,
                hop: None,
                certainty: Certainty::Possible,
                candidates: vec![
                    candidate("lambda-function-error", 0.6),
                    candidate("lambda-malformed-response", 0.4),
                ],
                next: vec!["Read the function's log.".to_owned()],
            })),
            evidence: vec![
                Evidence {
                    fact: "unmet".to_owned(),
                    value: FactValue::Text("status".to_owned()),
                },
                Evidence {
                    fact: "status".to_owned(),
                    value: FactValue::Number(500.0),
                },
            ],
            error: Some("expected status 200".to_owned()),
        };
        insta::assert_snapshot!(render(&target, &observation, &diagnosis, false));
    }
}
