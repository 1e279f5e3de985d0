//! HTML components shared by all pages: frame, states, causes, durations, timestamps, diagrams.
//!
//! Color is never the only signal: every state also has a word and a symbol.

use std::time::Duration;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use crate::domain::diagnosis::{Outcome, Verdict};
use crate::domain::health::HealthState;
use crate::model::observation::{Phase, Phases};

/// Renders the frame of a page around its `main` element.
pub(super) fn frame(title: &str, location: &str, now: Timestamp, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" type="image/svg+xml" href="/-/icon.svg";
                link rel="stylesheet" href="/-/style.css";
                script src="/-/script.js" defer {}
            }
            body {
                header {
                    a.brand href="/" { img src="/-/icon.svg" alt="" width="22" height="22"; "Probecause" }
                    span.quiet { "at " (location) }
                    span #live .quiet role="status" { "as of " (timestamp(now)) }
                }
                main { (main) }
                footer.quiet {
                    a href="/metrics" { "metrics" } " · "
                    a href="/api/v1/targets" { "targets" } " · "
                    a href="/api/v1/incidents" { "incidents" } " · "
                    a href="/causes" { "causes" } " · "
                    "version " (env!("CARGO_PKG_VERSION"))
                }
            }
        }
    }
}

/// Renders a health state as a symbol and a word.
pub(super) fn state(health: HealthState) -> Markup {
    let sign = match health {
        HealthState::Up => "✓",
        HealthState::Degraded => "!",
        HealthState::Down => "✕",
        HealthState::Unknown => "?",
    };
    html! {
        span class={ "state " (health.as_str()) } {
            span.sign aria-hidden="true" { (sign) } (health.as_str())
        }
    }
}

/// Returns the CSS class of an outcome, which is also the displayed word.
pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Degraded => "degraded",
        Outcome::Failed => "failed",
    }
}

/// Renders a cause with its certainty, its owner and, if known, its hop.
pub(super) fn cause(verdict: &Verdict) -> Markup {
    html! {
        a.cause href={ "/causes#" (verdict.cause) } title=(verdict.title) { (verdict.cause) }
        " "
        span.quiet.sure {
            (verdict.certainty) " · owner: " (verdict.owner)
            @if let Some(hop) = verdict.hop { " · hop: " (hop) }
        }
    }
}

/// Returns the URL path of a target's page.
pub(super) fn target_path(name: &str) -> String {
    use std::fmt::Write as _;
    let mut out = "/targets/".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Dots are encoded too, because clients resolve the path segment `..`. Browsers
            // resolve even `%2E%2E`, so the page of a target named `..` cannot be opened in a
            // browser.
            //
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Renders the phases of one probe as an inline SVG diagram. `total` is the probe's duration, and
/// `height` is the height of the diagram in its own units. The diagram uses presentation
/// attributes, because the content security policy forbids inline styles.
pub(super) fn waterfall(phases: &Phases, total: Duration, height: u32) -> Markup {
    const WIDTH: f64 = 200.0;
    // Minimum width of a bar in units of the diagram. Narrower bars would be invisible.
    const MIN_WIDTH: f64 = 0.8;
    let known: f64 = Phase::ALL
        .into_iter()
        .filter_map(|phase| phases.get(phase))
        .map(|time| time.as_secs_f64())
        .sum();
    let whole = total.as_secs_f64().max(known).max(f64::EPSILON);
    let mut start = 0.0;
    let bars: Vec<_> = Phase::ALL
        .into_iter()
        .filter_map(|phase| {
            let time = phases.get(phase)?;
            let width = WIDTH * time.as_secs_f64() / whole;
            let bar = (phase, time, start, width.max(MIN_WIDTH));
            start += width;
            Some(bar)
        })
        .collect();
    let description = bars
        .iter()
        .map(|(phase, time, ..)| format!("{} {}", phase.as_str(), duration(*time)))
        .collect::<Vec<_>>()
        .join(", ");
    html! {
        svg.waterfall viewBox={ "0 0 " (WIDTH) " " (height) } preserveAspectRatio="none"
            role="img" aria-label=(description) {
            title { (description) }
            rect.track width=(WIDTH) height=(height) {}
            @for (phase, _, start, width) in bars {
                rect class={ "p-" (phase.as_str()) } x=(format!("{start:.2}"))
                    width=(format!("{width:.2}")) height=(height) {}
            }
        }
    }
}

/// Renders the legend of the phase colors.
pub(super) fn legend() -> Markup {
    html! {
        span.legend {
            @for phase in Phase::ALL {
                span {
                    svg viewBox="0 0 10 10" aria-hidden="true" {
                        rect class={ "p-" (phase.as_str()) } width="10" height="10" {}
                    }
                    (phase.as_str())
                }
            }
        }
    }
}

/// Formats a duration in milliseconds or seconds, with about three digits.
pub(super) fn duration(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        m if m < 1.0 => format!("{m:.2} ms"),
        m if m < 10.0 => format!("{m:.1} ms"),
        m if m < 1000.0 => format!("{m:.0} ms"),
        m if m < 10_000.0 => format!("{:.2} s", m / 1000.0),
        m => format!("{:.1} s", m / 1000.0),
    }
}

/// Formats the time since `at` in one or two units, such as `5 min` or `2 h 10 min`.
pub(super) fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Renders the time since `at`, with `at` in UTC as the tooltip.
pub(super) fn since(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(format!("{at:.3}")) title=(timestamp(at)) { (age(at, now)) } }
}

/// Formats a time in UTC.
pub(super) fn timestamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
