//! Renders the page of all causes, which the links in alerts point to.
//!
//! Each cause is shown with its meaning, its owner, the next steps and the targets that currently
//! have this cause. `config/rules/README.md` and `probecause explain --verbose CAUSE` describe how
//! a cause is distinguished from other causes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use crate::domain::report::CauseInfo;
use crate::model::cause::Owner;

use super::components;
use super::status_board::{StatusBoard, TargetView};

/// Maximum number of targets listed per cause. The page of all targets lists every target.
const MAX_TARGETS: usize = 10;

/// Renders the page of all causes as HTML. The anchor of a cause is its id.
#[must_use]
pub fn causes(board: &StatusBoard, now: Timestamp) -> String {
    let causes = board.causes();
    let targets = board.targets();
    let mut by_cause: BTreeMap<&str, Vec<&TargetView>> = BTreeMap::new();
    for view in &targets {
        if let Some(verdict) = view.probable_cause() {
            by_cause
                .entry(verdict.cause.as_str())
                .or_default()
                .push(view);
        }
    }
    let main = html! {
        p.back { a href="/" { "← all targets" } }
        h1 { "Causes" }
        p.quiet {
            "What each probable cause means and what to do about it. "
            code { "probecause explain --verbose CAUSE" }
            " also shows how the cause is distinguished from similar causes."
        }
        @for owner in Owner::ALL {
            @let of_owner = causes.iter().filter(|info| info.owner == owner);
            @let of_owner: Vec<_> = of_owner.collect();
            @if !of_owner.is_empty() {
                h2 { "Owner: " (owner) }
                @for info in of_owner {
                    (entry(info, by_cause.get(info.cause.as_str()).map_or(&[], Vec::as_slice)))
                }
            }
        }
    };
    components::frame("Causes · Probecause", &board.location(), now, &main).into_string()
}

fn entry(info: &CauseInfo, targets: &[&TargetView]) -> Markup {
    html! {
        section.entry id=(info.cause) {
            h3 { a href={ "#" (info.cause) } { (info.cause) } }
            p { (info.title) }
            @if let Some(hop) = info.hop { p.quiet { "Hop: " (hop) } }
            @if !targets.is_empty() {
                p {
                    "Targets with this cause: "
                    @for (index, view) in targets.iter().take(MAX_TARGETS).enumerate() {
                        @if index > 0 { ", " }
                        a href=(components::target_path(view.target.name.as_str())) { (view.target.name) }
                    }
                    @if targets.len() > MAX_TARGETS { " and " (targets.len() - MAX_TARGETS) " more" }
                }
            }
            ol { @for step in &info.next { li { (step) } } }
            // A custom rule may contain any text here, such as a `javascript:` URL, so only an
            // `https` URL becomes a link.
            @if info.see.starts_with("https://") {
                p { a href=(info.see) rel="noreferrer" { (info.see) } }
            } @else {
                p { (info.see) }
            }
        }
    }
}
