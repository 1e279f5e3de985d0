//! Renders the page of one target: diagnosis, recent results, last probe, evidence, proof, layers,
//! changes in the AWS account and incidents.

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};

use crate::domain::diagnosis::{Evidence, Verdict};
use crate::domain::incident::{AccountChanges, Incident, Proof};
use crate::domain::layers::LayerFindings;
use crate::domain::report::{MissedReason, Report};
use crate::model::host_port::FRONT;
use crate::model::observation::Phase;
use crate::model::target::shown_url;

use super::components;
use super::status_board::{ProbeSample, StatusBoard, TargetView};

/// Maximum number of incidents shown on the page, newest first. The API returns all incidents.
const MAX_INCIDENTS: usize = 10;

/// Renders the page of the target `name` as HTML. Returns `None` if no target of this name is
/// configured.
#[must_use]
pub fn detail(board: &StatusBoard, name: &str, now: Timestamp) -> Option<String> {
    let (view, recent) = board.target(name)?;
    let incidents: Vec<_> = board
        .incidents()
        .into_iter()
        .filter(|incident| incident.scope.target() == Some(&view.target.name))
        .take(MAX_INCIDENTS)
        .collect();
    let main = html! {
        p.back { a href="/" { "← all targets" } }
        (head(&view, now))
        @if let Some(report) = view.report.as_deref() {
            @if let Some(verdict) = &report.showing { (diagnosis(verdict, report.diagnosis.error.as_deref())) }
            (recent_results(&recent))
            div.columns {
                (probe(report, now))
                @let items = shown_evidence(report);
                @if items.iter().any(Evidence::is_informative) { (evidence(items)) }
                @if let Some(incident) = open_incident(report) {
                    @if let Some(found) = &incident.proof { (proof(found)) }
                    @if let Some(findings) = incident.layers.as_deref() { (layers(findings)) }
                }
            }
            @if let Some(incident) = open_incident(report) { (changes(&incident.changes)) }
        } @else {
            @if let Some(kept) = &view.resumed { (diagnosis(&kept.incident.verdict, None)) }
            p { @if view.resumed.is_some() { "Not probed since the prober restarted." } @else { "Not probed yet." } }
        }
        @if !incidents.is_empty() { (history(&incidents, now)) }
        (missed(&view))
    };
    let title = format!("{name} – Probecause");
    Some(components::frame(&title, &board.location(), now, &main).into_string())
}

fn head(view: &TargetView, now: Timestamp) -> Markup {
    let target = &view.target;
    let report = view.report.as_deref();
    html! {
        div.head {
            h1 { (target.name) }
            (components::state(view.health()))
            @if let Some(since) = view.since() { span.quiet { "for " (components::since(since, now)) } }
            @if report.is_some_and(|report| report.maintenance) { span.tag { "maintenance" } }
        }
        p.quiet.url {
            (target.request.method) " " (shown_url(&target.url)) " · every " (humantime::format_duration(target.interval))
            @if target.tls.accept_any_certificate { " " span.tag { "certificate not verified" } }
            @for (name, value) in &target.labels { " " span.tag { (name) "=" (value) } }
        }
    }
}

fn diagnosis(verdict: &Verdict, error: Option<&str>) -> Markup {
    html! {
        section.verdict aria-labelledby="cause" {
            h2 #cause { (verdict.title) }
            p { (components::cause(verdict)) }
            @if let Some(error) = error { p.error { (error) } }
            @if verdict.candidates.len() > 1 {
                h3 { "Candidates" }
                table.shares { tbody { @for candidate in &verdict.candidates {
                    tr {
                        td { (candidate.cause) }
                        td { (share(candidate.share)) }
                        td.number { (format!("{:.0} %", candidate.share * 100.0)) }
                    }
                } } }
            }
            @if !verdict.next.is_empty() {
                h3 { "Next steps" }
                ol { @for step in &verdict.next { li { (step) } } }
            }
        }
    }
}

fn share(share: f64) -> Markup {
    html! {
        svg.share viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect.track width="100" height="8" {}
            rect.fill width=(format!("{:.1}", share.clamp(0.0, 1.0) * 100.0)) height="8" {}
        }
    }
}

fn recent_results(recent: &[ProbeSample]) -> Markup {
    html! {
        section aria-labelledby="recent" {
            h2 #recent { @match recent.len() { 1 => "Last result", many => { "Last " (many) " results" } } }
            ol.strip {
                @for sample in recent {
                    @let word = components::outcome(sample.outcome);
                    li class=(word) title=(describe(sample)) {
                        span.unseen { (describe(sample)) }
                    }
                }
            }
            p.quiet { "Oldest on the left, newest on the right. Bar height: tall = failed, medium = degraded, short = passed." }
        }
    }
}

fn describe(sample: &ProbeSample) -> String {
    let mut text = format!(
        "{}: {} in {}",
        components::timestamp(sample.at),
        components::outcome(sample.outcome),
        components::duration(sample.duration)
    );
    if let Some(status) = sample.status {
        text.push_str(&format!(", status {status}"));
    }
    if let Some(cause) = &sample.cause {
        text.push_str(&format!(", {cause}"));
    }
    text
}

fn probe(report: &Report, now: Timestamp) -> Markup {
    let seen = &report.observation;
    html! {
        section aria-labelledby="probe" {
            h2 #probe { "Last probe" }
            (components::waterfall(&seen.phases, seen.duration, 14))
            (components::legend())
            table.facts { tbody {
                @for phase in Phase::ALL {
                    tr { th { (phase.as_str()) } td { @match seen.phases.get(phase) {
                        Some(time) => (components::duration(time)),
                        None => span.quiet { "–" },
                    } } }
                }
                tr { th { "total" } td { (components::duration(seen.duration)) } }
                tr { th { "ended" } td { (components::timestamp(report.at)) span.quiet { " (" (components::age(report.at, now)) " ago)" } } }
                tr { th { "result" } td { (components::outcome(report.diagnosis.outcome)) } }
                @if let Some(own) = deviating_verdict(report) {
                    tr { th { "cause" } td { (components::cause(own)) } }
                }
                @if let Some(response) = &seen.response {
                    tr { th { "status" } td { (response.status) span.quiet { " HTTP/" (response.version.as_str()) } } }
                }
                @if let Some(remote) = seen.remote { tr { th { "address" } td { (remote) } } }
                @if let Some(id) = seen.request_id() { tr { th { "request id" } td { code { (id) } } } }
                @if let Some(expiry) = seen.earliest_expiry() {
                    tr { th { "certificate" } td { "until " (components::timestamp(expiry)) } }
                }
                @if !seen.own_lag.is_zero() {
                    tr { th { "prober delay" } td { "measured durations may be up to " (components::duration(seen.own_lag)) " too long" } }
                }
                @if let Some(error) = &report.diagnosis.error { tr { th { "error" } td.error { (error) } } }
            } }
        }
    }
}

/// Returns the verdict of the last probe if its cause or its certainty differs from the displayed
/// ones; otherwise `None`.
fn deviating_verdict(report: &Report) -> Option<&Verdict> {
    let own = report.diagnosis.verdict.as_deref()?;
    let is_shown = report
        .showing
        .as_deref()
        .is_some_and(|shown| shown.cause == own.cause && shown.certainty == own.certainty);
    (!is_shown).then_some(own)
}

/// Returns the evidence for the displayed cause: the evidence of the open incident. If no incident
/// is open, or the open incident has no evidence, returns the evidence of the last probe.
fn shown_evidence(report: &Report) -> &[Evidence] {
    match &report.incident {
        Some(incident) if incident.resolved.is_none() && !incident.evidence.is_empty() => {
            &incident.evidence
        }
        _ => &report.diagnosis.evidence,
    }
}

fn evidence(evidence: &[Evidence]) -> Markup {
    html! {
        section aria-labelledby="evidence" {
            h2 #evidence { "Evidence" }
            table.facts { tbody { @for item in evidence.iter().filter(|item| item.is_informative()) {
                tr { th { code { (item.fact) } } td { (item.value) } }
            } } }
        }
    }
}

/// Renders what proved the cause of the incident. The failed probe may be older than the last one.
fn proof(proof: &Proof) -> Markup {
    html! {
        section aria-labelledby="proof" {
            h2 #proof { "Proof" }
            table.facts { tbody {
                @if !proof.statement.is_empty() { tr { th { "statement" } td { (proof.statement) } } }
                tr { th { "source" } td { (proof.source) } }
                tr { th { "probe began" } td { (components::timestamp(proof.time)) } }
                @if let Some(id) = &proof.request_id { tr { th { "request id" } td { code { (id) } } } }
            } }
        }
    }
}

/// Returns the open incident; `None` if no incident is open.
fn open_incident(report: &Report) -> Option<&Incident> {
    let incident = report.incident.as_deref();
    incident.filter(|incident| incident.resolved.is_none())
}

fn layers(findings: &LayerFindings) -> Markup {
    let broken = findings.broken().map(|broken| broken.name);
    html! {
        section aria-labelledby="layers" {
            h2 #layers { "Layers" }
            table.facts { tbody { @for layer in &findings.results {
                tr {
                    th { (layer.name) }
                    td { (layer.state) @if broken == Some(layer.name.as_str()) { " " b { "← fails here" } } }
                    td.quiet { (layer.detail) }
                }
            } } }
            p.quiet {
                "Each layer was requested " (if findings.repeated { "twice" } else { "once" })
                "; the last request ended at " (components::timestamp(findings.at)) ". "
                code { (FRONT) } " is the target's own URL."
            }
        }
    }
}

fn changes(changes: &AccountChanges) -> Markup {
    let changes = changes.as_slice();
    html! {
        @if !changes.is_empty() {
            section aria-labelledby="changes" {
                h2 #changes { "Changes in the account" }
                table.facts { tbody { @for change in changes {
                    tr {
                        th { (components::timestamp(change.time)) }
                        td { (change.summary()) }
                        td.quiet { (change.resource) }
                    }
                } } }
                p.quiet {
                    "The times are relative to the first failure. A change is a lead, not a proof."
                }
            }
        }
    }
}

fn history(incidents: &[Arc<Incident>], now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="history" {
            h2 #history { "Incidents" }
            @for incident in incidents {
                details open[incident.resolved.is_none()] {
                    summary {
                        (components::timestamp(incident.opened)) " · " (incident.verdict.cause) " · "
                        @match incident.resolved {
                            Some(resolved) => { "lasted " (components::age(incident.opened, resolved)) },
                            None => b { "open for " (components::age(incident.opened, now)) },
                        }
                    }
                    table.facts { tbody { @for revision in &incident.history {
                        tr {
                            th { (components::timestamp(revision.at)) }
                            td { (revision.note) }
                            td.quiet { (revision.cause) ", " (revision.certainty) }
                        }
                    } } }
                    @if !incident.also.is_empty() {
                        p.quiet { "Other causes of recent failures:"
                            @for cause in &incident.also { " " code { (cause) } } }
                    }
                    p.quiet { "incident " code { (incident.id) } }
                }
            }
        }
    }
}

fn missed(view: &TargetView) -> Markup {
    let counts: Vec<_> = MissedReason::ALL
        .into_iter()
        .zip(view.missed)
        .filter(|(_, count)| *count > 0)
        .collect();
    html! {
        @if !counts.is_empty() {
            p.quiet {
                "Missed probe slots:"
                @for (reason, count) in counts { " " (count) " " (reason.as_str()) }
            }
        }
    }
}
