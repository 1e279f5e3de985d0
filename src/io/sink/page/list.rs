//! Renders the page of all targets, failing targets first.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};

use crate::domain::health::HealthState;
use crate::domain::incident::Incident;
use crate::model::scope::Scope;

use super::components;
use super::status_board::{StatusBoard, TargetView};

/// Maximum number of open incidents shown above the table, so that the table stays in view.
const MAX_OPEN: usize = 12;

/// Renders the page of all targets as HTML.
#[must_use]
pub fn list(board: &StatusBoard, now: Timestamp) -> String {
    let mut targets = board.targets();
    targets.sort_by_cached_key(|view| (urgency(view), view.target.name.clone()));
    let open: Vec<_> = board
        .incidents()
        .into_iter()
        .filter(|incident| incident.resolved.is_none())
        .collect();
    let main = html! {
        (counts(&targets, open.len()))
        @if !open.is_empty() { (incidents(&open, now)) }
        (table(&targets, now))
    };
    let failing = count(&targets, HealthState::Down);
    let title = match failing {
        0 => "Probecause".to_owned(),
        _ => format!("({failing} down) Probecause"),
    };
    components::frame(&title, &board.location(), now, &main).into_string()
}

/// Returns the sort key of a target. The order of targets is: down, degraded, failing but not yet
/// down, unknown, up.
fn urgency(view: &TargetView) -> u8 {
    match view.health() {
        HealthState::Down => 0,
        HealthState::Degraded => 1,
        _ if view.probable_cause().is_some() => 2,
        HealthState::Unknown => 3,
        HealthState::Up => 4,
    }
}

fn count(targets: &[TargetView], state: HealthState) -> usize {
    targets.iter().filter(|view| view.health() == state).count()
}

fn counts(targets: &[TargetView], open: usize) -> Markup {
    html! {
        h1.unseen { "Targets" }
        ul.counts {
            @for state in [HealthState::Down, HealthState::Degraded, HealthState::Unknown, HealthState::Up] {
                @let number = count(targets, state);
                li.none[number == 0] { b { (number) } " " (components::state(state)) }
            }
            li.none[open == 0] { b { (open) } " open " (if open == 1 { "incident" } else { "incidents" }) }
        }
    }
}

fn incidents(open: &[Arc<Incident>], now: Timestamp) -> Markup {
    let mut open: Vec<_> = open.iter().collect();
    open.sort_by_key(|incident| Reverse(incident.opened));
    html! {
        section aria-labelledby="open" {
            h2 #open { "Open incidents" }
            ul.incidents {
                @for incident in open.iter().take(MAX_OPEN) {
                    li {
                        (subject(incident))
                        " " (components::cause(&incident.verdict))
                        " " span.title { (incident.verdict.title) }
                        " " span.quiet { "for " (components::since(incident.opened, now)) }
                    }
                }
                @if let Some(more @ 1..) = open.len().checked_sub(MAX_OPEN) {
                    li { "and " (more) " more; the table below lists failing targets first" }
                }
            }
        }
    }
}

/// Returns the text shown in place of the last probe of a target that has not been probed.
const fn unprobed(view: &TargetView) -> &'static str {
    if view.resumed.is_some() {
        "not probed since the prober restarted"
    } else {
        "not probed yet"
    }
}

/// Renders the subject of an incident: a link to the target, or text for the prober and for groups,
/// which have no page.
fn subject(incident: &Incident) -> Markup {
    html! {
        @match &incident.scope {
            Scope::Target(name) => a href=(components::target_path(name.as_str())) { (name) },
            Scope::Group => b { "many targets at once" },
            Scope::Prober => b { "this prober" },
        }
    }
}

fn table(targets: &[TargetView], now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="all" {
            div.bar {
                h2 #all { "All targets" }
                (components::legend())
            }
            @if targets.is_empty() {
                p { "No targets are configured." }
            } @else {
                table.targets {
                    thead { tr {
                        th { "Target" } th { "State" } th { "Probable cause" } th { "Since" }
                        th.wide { "Last probe" } th.number { "Duration" }
                    } }
                    tbody { @for view in targets { (row(view, now)) } }
                }
            }
        }
    }
}

fn row(view: &TargetView, now: Timestamp) -> Markup {
    let name = &view.target.name;
    let report = view.report.as_deref();
    html! {
        tr {
            td.name { a href=(components::target_path(name.as_str())) { (name) } }
            td {
                (components::state(view.health()))
                @if report.is_some_and(|report| report.maintenance) { " " span.tag { "maintenance" } }
            }
            td { @if let Some(verdict) = view.probable_cause() {
                (components::cause(verdict))
                @if let Some(error) = report.and_then(|report| report.diagnosis.error.as_deref()) {
                    div.why title=(error) { (error) }
                }
            } }
            td.since { @if let Some(since) = view.since() { (components::since(since, now)) } }
            td.wide { @match report {
                Some(report) => (components::waterfall(&report.observation.phases, report.observation.duration, 8)),
                None => span.quiet { (unprobed(view)) },
            } }
            td.number { @if let Some(report) = report { (components::duration(report.observation.duration)) } }
        }
    }
}
