//! Prints the output of `probecause alarms` as text or JSON Lines.
//!
//! If there are several destinations, the text has a heading for each destination, and `plan`
//! prints the cost of each destination and then the total. Each line of JSON about one destination
//! contains its name, or `null` for the main destination.

use std::io::Write;

use serde_json::{Value, json};

use super::destinations::DestinationState;
use crate::domain::alarm;
use crate::domain::alarm::cost::Estimate;
use crate::domain::alarm::plan::{Plan, Step};
use crate::model::settings::EvidenceSettings;

/// Prints the output of one destination.
pub(super) struct Printer<'a> {
    state: &'a DestinationState,
    evidence: &'a EvidenceSettings,
    several: bool,
    pub(super) json: bool,
    out: &'a mut (dyn Write + Send),
}

impl<'a> Printer<'a> {
    pub(super) fn new(
        (state, evidence): (&'a DestinationState, &'a EvidenceSettings),
        several: bool,
        json: bool,
        out: &'a mut (dyn Write + Send),
    ) -> Self {
        Self {
            state,
            evidence,
            several,
            json,
            out,
        }
    }

    /// Prints the destination's name, region and role if there are several destinations and the
    /// output is text.
    pub(super) fn heading(&mut self) -> Result<(), String> {
        if self.several {
            let view = &self.state.view;
            let space = if view.name.is_some() { "\n" } else { "" };
            let title = view.title();
            self.text(&format!("{space}destination {title}:\n"))?;
        }
        Ok(())
    }

    /// Prints the error of a destination if there are several destinations. With a single
    /// destination, the caller reports the error.
    pub(super) fn failed(&mut self, error: &str) -> Result<(), String> {
        if self.several {
            self.text(&format!("failed: {error}\n"))?;
            self.line(json!({"action": "failed", "error": error}))?;
        }
        Ok(())
    }

    /// Prints a plan and an estimate for the destination. If there are several destinations, the
    /// text contains only the cost of the alarms, because [`total`] prints the other estimates.
    pub(super) fn plan(&mut self, plan: &Plan) -> Result<(), String> {
        let estimate = Estimate::new(&self.state.view, self.evidence);
        if self.several {
            self.text(&format!("{plan}{}", estimate.of_alarms()))?;
        } else {
            self.text(&format!("{plan}{estimate}"))?;
        }
        for step in &plan.steps {
            self.line(step_json(step))?;
        }
        self.line(costs(Some(plan.changes().count()), &estimate))
    }

    /// Prints the number of alarms and the estimate for a destination whose account could not be
    /// read. Both are known, because they depend only on the configuration.
    pub(super) fn cost(&mut self) -> Result<(), String> {
        let estimate = Estimate::new(&self.state.view, self.evidence);
        let alarms = alarm::alarms_of(&self.state.view).len();
        let unknown = format!(
            "{alarms} alarms are configured; the changes are unknown, because the account could \
             not be read\n"
        );
        if self.several {
            self.text(&format!("{unknown}{}", estimate.of_alarms()))?;
        } else {
            self.text(&format!("{unknown}{estimate}"))?;
        }
        self.line(costs(None, &estimate))
    }

    /// Prints a step that was applied.
    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        self.text(&format!("{} {}\n", step.action(), step.name()))?;
        self.line(step_json(step))
    }

    /// Prints text, unless the output is JSON.
    pub(super) fn text(&mut self, text: &str) -> Result<(), String> {
        if self.json {
            Ok(())
        } else {
            print(self.out, text)
        }
    }

    /// Prints a line of JSON if the output is JSON.
    pub(super) fn line(&mut self, mut value: Value) -> Result<(), String> {
        if !self.json {
            return Ok(());
        }
        value["destination"] = json!(self.state.view.name);
        print(self.out, &format!("{value}\n"))
    }
}

/// Prints the total cost of all destinations, and each target's time from a failure to a page.
pub(super) fn total(
    states: &[DestinationState],
    estimate: &Estimate,
    json: bool,
    out: &mut (dyn Write + Send),
) -> Result<(), String> {
    if !json {
        return print(out, &format!("\nall destinations:\n{estimate}"));
    }
    let plans = states.iter().filter_map(|state| state.found.as_ref().ok());
    let changes = plans.map(|found| found.plan.changes().count()).sum();
    let mut value = costs(Some(changes), estimate);
    let names = states.iter().map(|state| &state.view.name);
    value["destinations"] = json!(names.collect::<Vec<_>>());
    print(out, &format!("{value}\n"))
}

/// Formats an estimate as JSON. `changes` is the number of alarms to create or update, which the
/// JSON also contains; `None` if this number is unknown.
fn costs(changes: Option<usize>, estimate: &Estimate) -> Value {
    let pages = estimate.time_to_page.0.iter();
    let pages: Vec<_> = pages
        .map(|(target, time)| json!({"target": target.as_str(), "seconds": time.as_secs()}))
        .collect();
    let traffic = &estimate.traffic;
    let (least, most) = traffic.dollars();
    let api_requests = traffic.http_api + traffic.rest_api + traffic.untyped_api;
    json!({
        "changes": changes,
        "dollars_per_month": estimate.dollars,
        "standard_alarms": estimate.standard_alarms,
        "high_resolution_alarms": estimate.high_resolution_alarms,
        "cause_alarms": estimate.cause_alarms,
        "series": estimate.series,
        "metric_requests_per_month": estimate.requests.round(),
        "evidence_dollars_per_month_at_most": estimate.evidence,
        "probes_per_month": traffic.probes.round(),
        "api_gateway_requests_per_month": api_requests.round(),
        "lambda_invocations_per_month": traffic.lambda.round(),
        "api_dollars_per_month": [least, most],
        "time_to_page": pages,
    })
}

fn step_json(step: &Step) -> Value {
    let changes: Vec<_> = match step {
        Step::Update { changes, .. } | Step::Drift { changes, .. } => changes
            .iter()
            .map(|change| json!({"field": change.field, "from": change.from, "to": change.to}))
            .collect(),
        _ => Vec::new(),
    };
    json!({
        "action": step.action(),
        "alarm": step.name(),
        "changes": changes,
        "changed_by_hand": step.drift().is_some(),
    })
}

fn print(out: &mut (dyn Write + Send), text: &str) -> Result<(), String> {
    out.write_all(text.as_bytes())
        .map_err(|error| format!("cannot write to standard output: {error}"))
}
