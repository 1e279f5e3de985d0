//! The page of all causes: where the links of alerts lead, one part for each.
//!
//! It says what `probecause explain CAUSE` says first: what the cause means, who acts, what
//! to do next; and which targets show it now. How it is told from others is left to the
//! terminal and to the rules' own documentation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use crate::domain::report::CauseInfo;
use crate::model::cause::Owner;

use super::board::{Board, TargetView};
use super::parts;

/// Targets named with the cause that they show: in a wide outage the list of all targets
/// says more.
const NAMED: usize = 10;

/// The page of all causes as HTML: each has its id as its anchor.
#[must_use]
pub fn causes(board: &Board, now: Timestamp) -> String {
    let causes = board.causes();
    let targets = board.targets();
    let mut showing: BTreeMap<&str, Vec<&TargetView>> = BTreeMap::new();
    for view in &targets {
        if let Some(verdict) = view.showing() {
            showing
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
            code { "probecause explain CAUSE" }
            " also says how it is told from its rivals."
        }
        @for owner in Owner::ALL {
            @let of_owner = causes.iter().filter(|info| info.owner == owner);
            @let of_owner: Vec<_> = of_owner.collect();
            @if !of_owner.is_empty() {
                h2 { "Who acts: " (owner) }
                @for info in of_owner {
                    (part(info, showing.get(info.cause.as_str()).map_or(&[], Vec::as_slice)))
                }
            }
        }
    };
    parts::frame("Causes · Probecause", &board.location(), now, &main).into_string()
}

fn part(info: &CauseInfo, showing: &[&TargetView]) -> Markup {
    html! {
        section.entry id=(info.cause) {
            h3 { a href={ "#" (info.cause) } { (info.cause) } }
            p { (info.title) }
            @if !showing.is_empty() {
                p {
                    "Shown now by "
                    @for (index, view) in showing.iter().take(NAMED).enumerate() {
                        @if index > 0 { ", " }
                        a href=(parts::address(view.target.name.as_str())) { (view.target.name) }
                    }
                    @if showing.len() > NAMED { " and " (showing.len() - NAMED) " more" }
                }
            }
            ol { @for step in &info.next { li { (step) } } }
            // Rules of one's own may name anything; only an address becomes a link.
            @if info.see.starts_with("https://") {
                p { a href=(info.see) rel="noreferrer" { (info.see) } }
            } @else {
                p { (info.see) }
            }
        }
    }
}
