//! Formats two results side by side for `probecause probe --compare A --compare B`.
//!
//! A and B are URLs, or addresses (HOST:PORT) through which the specified URL or target was
//! requested. The caller sends the requests.

use std::time::Duration;

use serde_json::{Value, json};

use super::render::{clean, time};
use crate::cli::{Terminal, paint};
use crate::domain::diagnosis::{Diagnosis, Outcome};
use crate::io::json;
use crate::model::observation::{Observation, Phase, Response};
use crate::model::target::Target;

/// One of the two compared requests and its result.
pub(super) struct Side {
    /// The target that was requested.
    pub(super) target: Target,
    /// The observation of the request.
    pub(super) observation: Observation,
    /// The diagnosis of the observation.
    pub(super) diagnosis: Diagnosis,
}

/// A row of the comparison: one property of both results.
struct Row {
    name: String,
    values: [String; 2],
    /// Whether the values, such as those of a `date` header, may differ even between two equal
    /// requests. Such values are not marked as different.
    varies: bool,
}

/// Width of the columns with values, in characters; longer values are truncated.
const WIDTH: usize = 44;

/// Width of the column with names, in characters; longer names are truncated.
const NAME_WIDTH: usize = 22;

/// Headers whose values are not shown, since they may contain secrets.
const HIDDEN: [&str; 1] = ["set-cookie"];

/// Headers whose values usually differ between responses, so a difference is not marked.
const VARYING: [&str; 11] = [
    "date",
    "age",
    "expires",
    "set-cookie",
    "x-request-id",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-amz-cf-id",
    "apigw-requestid",
    "cf-ray",
    "x-azure-ref",
];

/// Smallest difference between two durations that is marked. The longer duration must also be at
/// least twice the shorter.
const NOTABLE_DIFFERENCE: Duration = Duration::from_secs(1);

/// Maximum length of the excerpt of a body, in characters.
const MAX_EXCERPT: usize = 200;

/// Formats two results as text, with one property per line. Properties that differ are marked
/// with `≠`, unless they vary even between equal requests.
pub(super) fn text(sides: &[Side; 2], terminal: Terminal) -> String {
    let rows = rows(sides);
    let [a, b] = sides
        .each_ref()
        .map(|side| clean(side.target.name.as_str()));
    let mut lines = vec![line(" ", "", [&a, &b]), String::new()];
    for row in &rows {
        let differs = row.differs();
        let mark = if differs { "≠" } else { " " };
        let values = row.values.each_ref().map(String::as_str);
        let line = line(mark, &row.name, values);
        lines.push(paint(
            &line,
            if differs { 33 } else { 0 },
            terminal.color && differs,
        ));
    }
    let count = rows.iter().filter(|row| row.differs()).count();
    let plural = if count == 1 {
        "y differs"
    } else {
        "ies differ"
    };
    lines.extend([
        String::new(),
        format!("{count} propert{plural}"),
        String::new(),
    ]);
    lines.join("\n")
}

/// Formats two results and the properties that differ as one line of JSON.
pub(super) fn to_json(sides: &[Side; 2]) -> String {
    let result = |side: &Side| {
        json::result(json::ResultParts {
            target: side.target.name.as_str(),
            location: None,
            observation: &side.observation,
            dated: true,
            diagnosis: &side.diagnosis,
            incident_id: None,
        })
    };
    let rows = rows(sides);
    let differences = rows.iter().filter(|row| row.differs()).map(|row| {
        let [a, b] = &row.values;
        json!({ "property": row.name, "a": a, "b": b })
    });
    let object = json!({
        "a": result(&sides[0]),
        "b": result(&sides[1]),
        "differences": differences.collect::<Vec<Value>>(),
    });
    format!("{object}\n")
}

impl Row {
    fn differs(&self) -> bool {
        !self.varies && self.values[0] != self.values[1]
    }
}

fn line(mark: &str, name: &str, values: [&str; 2]) -> String {
    let [a, b] = values.map(|value| cut(value, WIDTH));
    let name = cut(name, NAME_WIDTH);
    let text = format!("{mark} {name:<NAME_WIDTH$}  {a:<WIDTH$}  {b}");
    text.trim_end().to_owned()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width - 1).collect();
    format!("{kept}…")
}

fn rows(sides: &[Side; 2]) -> Vec<Row> {
    let mut rows = vec![
        row(sides, "result", |side| {
            outcome(side.diagnosis.outcome).to_owned()
        }),
        row(sides, "cause", |side| {
            let verdict = side.diagnosis.verdict.as_ref();
            verdict.map_or_else(none, |it| format!("{} ({})", it.cause, it.certainty))
        }),
        row(sides, "error", |side| {
            side.diagnosis.error.clone().unwrap_or_else(none)
        }),
        row(sides, "address", |side| {
            let remote = side.observation.remote;
            remote.map_or_else(none, |address| address.to_string())
        }),
        row(sides, "status", |side| {
            response(side).map_or_else(none, |response| response.status.to_string())
        }),
        row(sides, "protocol", |side| {
            response(side).map_or_else(none, |response| format!("HTTP/{}", response.version))
        }),
        row(sides, "redirects", |side| {
            side.observation.redirects.to_string()
        }),
        row(sides, "final URL", |side| {
            side.observation.final_url.clone()
        }),
    ];
    rows.extend(certificate_rows(sides));
    rows.extend(header_rows(sides));
    rows.extend(body_rows(sides));
    rows.extend(time_rows(sides));
    rows
}

fn row(sides: &[Side; 2], name: &str, value: impl Fn(&Side) -> String) -> Row {
    Row {
        name: name.to_owned(),
        values: sides.each_ref().map(|side| clean(&value(side))),
        varies: false,
    }
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Degraded => "degraded",
        Outcome::Failed => "failed",
    }
}

fn none() -> String {
    "–".to_owned()
}

const fn response(side: &Side) -> Option<&Response> {
    side.observation.response.as_ref()
}

fn certificate_rows(sides: &[Side; 2]) -> Vec<Row> {
    let leaf = |side: &Side| side.observation.tls.as_ref()?.chain.first().cloned();
    if sides.iter().all(|side| leaf(side).is_none()) {
        return Vec::new();
    }
    let version = |side: &Side| side.observation.tls.as_ref()?.version.clone();
    vec![
        row(sides, "TLS version", |side| {
            version(side).unwrap_or_else(none)
        }),
        row(sides, "certificate", |side| {
            leaf(side).map_or_else(none, |it| it.subject)
        }),
        row(sides, "  names", |side| {
            leaf(side).map_or_else(none, |it| it.names.join(", "))
        }),
        row(sides, "  issuer", |side| {
            leaf(side).map_or_else(none, |it| it.issuer)
        }),
        row(sides, "  serial", |side| {
            leaf(side).map_or_else(none, |it| it.serial)
        }),
        row(sides, "  valid until", |side| {
            leaf(side).map_or_else(none, |it| it.not_after.to_string())
        }),
    ]
}

/// Returns one row per header name, in the order of the first response and then of the second.
fn header_rows(sides: &[Side; 2]) -> Vec<Row> {
    let mut names: Vec<&str> = Vec::new();
    for response in sides.iter().filter_map(response) {
        for (name, _) in &response.headers {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    let value = |side: &Side, name: &str| {
        let headers = response(side).map(|response| response.headers.as_slice());
        let values = headers
            .into_iter()
            .flatten()
            .filter(|header| header.0 == name);
        let values: Vec<_> = values.map(|header| header.1.as_str()).collect();
        match values.as_slice() {
            [] => none(),
            values if HIDDEN.contains(&name) => format!("{} not shown", values.len()),
            values => values.join(", "),
        }
    };
    let rows = names.iter().map(|name| {
        let mut row = row(sides, name, |side| value(side, name));
        row.varies = VARYING.contains(name);
        row
    });
    rows.collect()
}

/// Returns a row with the sizes of the bodies and, if the bodies differ, a row with excerpts that
/// start at the first different byte.
fn body_rows(sides: &[Side; 2]) -> Vec<Row> {
    let mut rows = vec![row(sides, "body size", |side| {
        response(side).map_or_else(none, |response| format!("{} bytes", response.body_bytes))
    })];
    let bodies = sides
        .each_ref()
        .map(|side| response(side).map(|it| it.body.as_slice()));
    if let [Some(a), Some(b)] = bodies
        && a != b
    {
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let excerpt = |side: &Side| {
            let rest = response(side).and_then(|response| response.body.get(same..));
            let text = String::from_utf8_lossy(rest.unwrap_or_default()).into_owned();
            text.chars().take(MAX_EXCERPT).collect::<String>()
        };
        rows.push(row(sides, &format!("body from byte {same}"), excerpt));
    }
    rows
}

/// Returns one row per phase and one for the total duration. Durations vary between equal requests,
/// so only a large difference is marked.
fn time_rows(sides: &[Side; 2]) -> Vec<Row> {
    let of_phase = |phase: Phase| {
        let times = sides
            .each_ref()
            .map(|side| side.observation.phases.get(phase));
        time_row(phase.as_str(), times)
    };
    let totals = sides.each_ref().map(|side| Some(side.observation.duration));
    let total = time_row("total", totals);
    Phase::ALL
        .into_iter()
        .map(of_phase)
        .chain([total])
        .collect()
}

fn time_row(name: &str, times: [Option<Duration>; 2]) -> Row {
    let differs = match times {
        [Some(a), Some(b)] => {
            let (short, long) = (a.min(b), a.max(b));
            long >= short.saturating_mul(2) && long - short >= NOTABLE_DIFFERENCE
        }
        _ => false,
    };
    Row {
        name: name.to_owned(),
        values: times.map(|spent| spent.map_or_else(none, time)),
        varies: !differs,
    }
}
