//! Formats the demo's output: the live table, log lines, the table of results and JSON Lines.
//!
//! Lines of the live table are shorter than 80 columns, since a wrapped line would break redrawing
//! in place.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::Row;
use super::plan::{INTEGRATION_TIMEOUT, RouteResult, SLOW_ROUTE};
use crate::cli::paint;
use crate::domain::health::HealthState;
use crate::io::json;
use crate::model::cause::Certainty;
use crate::model::observation::Phase;

/// Formats the live table of all targets, with a hint until the slow route's cause is named.
pub(super) fn table(rows: &[Row], elapsed: Duration, color: bool) -> String {
    let mut out = String::new();
    let (target, health, cause) = ("TARGET", "HEALTH", "PROBABLE CAUSE");
    let (certainty, processing) = ("CERTAINTY", "PROCESSING");
    line(
        &mut out,
        format_args!("{target:<15} {health:<9} {cause:<26} {certainty:<12} {processing:>10}"),
    );
    for row in rows {
        let no_cause = if row.probed { "-" } else { "(no result yet)" };
        let cause = row.cause.as_ref().map_or(no_cause, |cause| cause.as_str());
        let certainty = row.certainty.map_or("-", |certainty| certainty.as_str());
        let health = health_cell(row.health, color);
        line(
            &mut out,
            format_args!(
                "{:<15} {health} {cause:<26} {certainty:<12} {:>10}",
                row.target.as_str(),
                processing_text(row),
            ),
        );
    }
    out.push_str(&hint(rows, elapsed).unwrap_or_default());
    out
}

/// Returns the hint that the slow route responds only after the gateway's timeout; `None` if the
/// cause of this route is named or `rows` does not contain the route.
pub(super) fn hint(rows: &[Row], elapsed: Duration) -> Option<String> {
    let waiting = rows
        .iter()
        .any(|row| row.target.as_str() == SLOW_ROUTE && row.cause.is_none());
    waiting.then(|| {
        format!(
            "`{SLOW_ROUTE}` responds after the gateway's timeout of {} s; {} s elapsed\n",
            INTEGRATION_TIMEOUT.as_secs(),
            elapsed.as_secs()
        )
    })
}

/// Formats a changed row as a log line.
pub(super) fn change(row: &Row, elapsed: Duration) -> String {
    let mut out = format!(
        "{:>4} s  {} is {}",
        elapsed.as_secs(),
        row.target,
        row.health.as_str()
    );
    if let (Some(cause), Some(certainty)) = (&row.cause, row.certainty) {
        let _infallible = write!(out, ": {cause} ({certainty})");
    }
    out.push('\n');
    out
}

/// Formats the table of results, the number of correct causes, the number of proven causes, the
/// causes that were proven without an access log, and the problems.
pub(super) fn results(results: &[RouteResult<'_>], color: bool) -> String {
    let mut out = String::new();
    let (target, wrong, named) = ("TARGET", "WHAT IS WRONG", "NAMED");
    line(&mut out, format_args!("{target:<15} {wrong:<34} {named}"));
    for result in results {
        let cause = result.row.and_then(|row| row.cause.as_ref());
        let certainty = result.row.and_then(|row| row.certainty);
        let named = match (cause, certainty) {
            (Some(cause), Some(certainty)) => format!("{cause} ({certainty})"),
            _ => "-".to_owned(),
        };
        let (name, wrong) = (result.route.name, result.route.wrong);
        line(&mut out, format_args!("{name:<15} {wrong:<34} {named}"));
    }
    let failing: Vec<_> = results
        .iter()
        .filter(|result| !result.route.expected.is_empty())
        .collect();
    let named = failing
        .iter()
        .filter(|result| result.problem.is_none())
        .count();
    let passed = results.iter().all(|result| result.problem.is_none());
    let summary = format!(
        "correct cause named for {named} of {} failing routes",
        failing.len()
    );
    let code = if passed { GREEN } else { RED };
    line(&mut out, format_args!("\n{}", paint(&summary, code, color)));
    let proven = failing
        .iter()
        .filter(|result| result.row.and_then(|row| row.certainty) == Some(Certainty::Proven));
    line(&mut out, format_args!("causes proven: {}", proven.count()));
    for text in results.iter().filter_map(proof_without_log) {
        line(&mut out, format_args!("{text}"));
    }
    for result in results {
        if let Some(problem) = &result.problem {
            line(&mut out, format_args!("  {}: {problem}", result.route.name));
        }
    }
    out
}

/// Returns a line that says that the cause was proven without an access log, with the change that
/// fits the cause if there is one. Returns `None` if the cause was not proven or the route's stage
/// has an access log.
fn proof_without_log(result: &RouteResult<'_>) -> Option<String> {
    let is_proven = |row: &&Row| row.certainty == Some(Certainty::Proven);
    let row = result.row.filter(is_proven)?;
    let name = result.route.name;
    let text = format!("{name}: cause proven by the function's policy, without an access log");
    result.route.is_unlogged().then(|| match &row.change {
        Some(change) => format!("{text} ({change})"),
        None => text,
    })
}

/// Formats a changed row as JSON.
pub(super) fn change_json(row: &Row) -> Value {
    json!({
        "event": "change",
        "target": row.target.as_str(),
        "health": row.health.as_str(),
        "since": json::time(row.since),
        "cause": row.cause.as_ref().map(|cause| cause.as_str()),
        "certainty": row.certainty.map(|certainty| certainty.as_str()),
    })
}

/// Formats the result of a route as JSON.
pub(super) fn result_json(result: &RouteResult<'_>) -> Value {
    let cause = result.row.and_then(|row| row.cause.as_ref());
    let certainty = result.row.and_then(|row| row.certainty);
    json!({
        "event": "outcome",
        "target": result.route.name,
        "expected": result.route.expected,
        "cause": cause.map(|cause| cause.as_str()),
        "certainty": certainty.map(|certainty| certainty.as_str()),
        "change": result.row.and_then(|row| row.change.as_deref()),
        "success": result.problem.is_none(),
        "problem": result.problem,
    })
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const DIM: u8 = 2;

fn health_cell(health: HealthState, color: bool) -> String {
    let code = match health {
        HealthState::Up => GREEN,
        HealthState::Degraded => YELLOW,
        HealthState::Down => RED,
        HealthState::Unknown => DIM,
    };
    // The text is padded before it is colored, since escape codes have no width but would count
    // as characters.
    paint(&format!("{:<9}", health.as_str()), code, color)
}

fn processing_text(row: &Row) -> String {
    row.phases.get(Phase::Processing).map_or_else(
        || "-".to_owned(),
        |time| match time.as_millis() {
            millis @ 0..10_000 => format!("{millis} ms"),
            _ => format!("{:.1} s", time.as_secs_f64()),
        },
    )
}

/// Appends a line and removes its trailing spaces.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let start = out.len();
    let _infallible = out.write_fmt(text);
    let length = out.trim_end_matches(' ').len();
    out.truncate(length.max(start));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::plan::evaluate;
    use crate::cli::demo::tests::{row, rows};
    use crate::model::observation::Phases;

    #[test]
    fn the_live_table_shows_causes_and_fits_a_terminal() {
        let text = table(&rows(), Duration::from_secs(45), false);
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_early_table_explains_the_missing_result() {
        let mut early = [row("orders", ""), row(SLOW_ROUTE, "")];
        early[1].probed = false;
        early[1].health = HealthState::Unknown;
        early[1].phases = Phases::default();
        insta::assert_snapshot!(table(&early, Duration::from_secs(12), false));
    }

    #[test]
    fn only_the_health_is_colored() {
        let down = [row("refused", "connection-refused")];
        let text = table(&down, Duration::from_secs(45), true);
        assert!(text.contains("\u{1b}[31mdown     \u{1b}[0m"), "{text:?}");
        assert_eq!(text.matches('\u{1b}').count(), 2);
    }

    #[test]
    fn the_results_of_a_successful_demo() {
        let mut rows = rows();
        rows[3].certainty = Some(Certainty::Proven);
        rows[3].change = Some("RemovePermission by deploy-role 31 s before".to_owned());
        insta::assert_snapshot!(results(&evaluate(&rows, Duration::from_secs(45)), false));
    }

    #[test]
    fn the_results_of_a_demo_that_was_too_short() {
        let mut rows = rows();
        rows.retain(|row| row.target.as_str() != SLOW_ROUTE);
        rows.push(row(SLOW_ROUTE, ""));
        insta::assert_snapshot!(results(&evaluate(&rows, Duration::from_secs(20)), false));
    }

    #[test]
    fn a_change_is_one_line_or_one_json_object() {
        let row = row("refused", "connection-refused");
        insta::assert_snapshot!(change(&row, Duration::from_secs(3)));
        insta::assert_snapshot!(change_json(&row).to_string());
        let rows = [row];
        let results = evaluate(&rows, Duration::from_secs(9));
        insta::assert_snapshot!(result_json(&results[8]).to_string());
    }
}
