//! Formats which evidence each target can get from AWS, as text or as lines of JSON.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::{Terminal, progress};
use crate::domain::evidence_sources::SourceReport;
use crate::io::evidence::check::{Progress, TargetEvidence, check};
use crate::model::settings::Settings;

/// Makes the AWS calls that show which evidence can be read, and returns the output of the command:
/// lines of JSON if `as_json` is set, otherwise text. Shows each call on standard error.
///
/// # Errors
/// Returns an error if the calls cannot be prepared.
pub(super) async fn report(
    settings: &Settings,
    terminal: Terminal,
    as_json: bool,
) -> Result<String, String> {
    let mut show = |call: &Progress| progress::show(&progress_line(call), terminal);
    let found = Box::pin(check(settings, None, &mut show)).await;
    progress::clear(terminal);
    let found = found?;
    Ok(if as_json {
        json_lines(&found)
    } else {
        text(&found)
    })
}

fn progress_line(progress: &Progress) -> String {
    let Progress {
        number,
        total,
        call,
    } = progress;
    format!("AWS call {number} of {total}: {call}")
}

fn text(found: &[TargetEvidence]) -> String {
    let mut text = String::new();
    for target in found {
        let _ = writeln!(text, "\n{} ({})", target.target, target.scope);
        for source in &target.report.sources {
            let _ = writeln!(text, "  {:<14} {}", source.source.as_str(), state(source));
        }
        let step = target.report.next_step.as_deref();
        let _ = writeln!(
            text,
            "  next step: {}",
            step.unwrap_or("nothing is missing")
        );
    }
    text
}

/// Formats the state of an evidence source, such as `log missing: enable the log`. The text after
/// the colon is optional.
fn state(source: &SourceReport) -> String {
    let state = source.state.as_str().replace('-', " ");
    match &source.text {
        Some(text) => format!("{state}: {text}"),
        None => state,
    }
}

fn json_lines(found: &[TargetEvidence]) -> String {
    let lines = found.iter().map(|target| {
        let sources = target.report.sources.iter().map(|source| {
            json!({
                "source": source.source.as_str(),
                "state": source.state.as_str(),
                "text": source.text,
            })
        });
        let line = json!({
            "target": target.target.as_str(),
            "scope": target.scope,
            "sources": sources.collect::<Vec<_>>(),
            "next_step": target.report.next_step,
        });
        format!("{line}\n")
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evidence_sources::{Source, State, TargetReport};
    use crate::model::target::TargetName;

    fn found() -> [TargetEvidence; 1] {
        let sources = vec![
            SourceReport {
                source: Source::AccessLog,
                state: State::LogMissing,
                text: Some("enable the log".to_owned()),
            },
            SourceReport {
                source: Source::Configuration,
                state: State::Available,
                text: None,
            },
        ];
        [TargetEvidence {
            target: TargetName::new("orders"),
            scope: "eu-west-1".to_owned(),
            report: TargetReport {
                sources,
                next_step: Some("enable the log".to_owned()),
            },
        }]
    }

    #[test]
    fn the_text_shows_each_source_and_the_next_step() {
        assert_eq!(
            text(&found()),
            "\norders (eu-west-1)\n  \
             access-log     log missing: enable the log\n  \
             configuration  available\n  \
             next step: enable the log\n"
        );
    }

    #[test]
    fn the_json_contains_the_same() {
        assert_eq!(
            json_lines(&found()),
            "{\"target\":\"orders\",\"scope\":\"eu-west-1\",\"sources\":[{\"source\":\"access-log\",\
             \"state\":\"log-missing\",\"text\":\"enable the log\"},{\"source\":\"configuration\",\
             \"state\":\"available\",\"text\":null}],\"next_step\":\"enable the log\"}\n"
        );
    }

    #[test]
    fn the_progress_names_the_call() {
        let progress = Progress {
            number: 2,
            total: 9,
            call: "logs:FilterLogEvents on x".to_owned(),
        };
        let line = progress_line(&progress);
        assert_eq!(line, "AWS call 2 of 9: logs:FilterLogEvents on x");
    }
}
