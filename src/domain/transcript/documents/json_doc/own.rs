//! Reads this program's own output, as `probe --json` and `diagnose --json` print it.

use serde_json::Value;

use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::command;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::{Exchange, FoundFault};
use crate::domain::transcript::fault::Found;
use crate::domain::transcript::time::{self, clocks::Clock};
use crate::model::observation::{FaultKind, Phase};

/// Reads a result of this program, as `probe --json` and `diagnose --json` print it; `None` if the
/// value is not such a result, or has neither a status nor a fault.
pub(super) fn read(value: &Value) -> Option<Exchange> {
    let evidence = value.get("evidence")?.as_array()?;
    value.get("certainty")?;
    let phases = value.get("phases")?;
    let mut exchange = Exchange::default();
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    exchange.request.url = text("url")
        .or_else(|| text("target"))
        .and_then(command::url_of);
    if let Some(time) = value.get("duration_seconds").and_then(Value::as_f64) {
        exchange.times.set(Clock::Client, time::seconds(time)?);
    }
    for phase in Phase::ALL {
        let time = phases.get(phase.as_str()).and_then(Value::as_f64);
        if let Some(time) = time.and_then(time::seconds) {
            exchange.phases.add(phase, time);
        }
    }
    let facts = evidence.iter().filter_map(|one| {
        let value = match one.get("value")? {
            Value::String(text) => FactValue::Text(text.clone()),
            Value::Number(number) => FactValue::Number(number.as_f64()?),
            _ => return None,
        };
        Some((one.get("fact")?.as_str()?.to_owned(), value))
    });
    exchange.facts = facts.take(MAX_FACTS).collect();
    let fact = |name: &str| {
        let found = exchange.facts.iter().find(|(fact, _)| fact == name);
        match found {
            Some((_, FactValue::Text(text))) => Some(text.clone()),
            _ => None,
        }
    };
    let kind = fact("fault").and_then(|kind| FaultKind::parse(&kind));
    let phase = fact("phase").and_then(|phase| Phase::parse(&phase));
    if let (Some(kind), Some(phase)) = (kind, phase) {
        let message = text("error").unwrap_or_default().to_owned();
        let found = Found {
            phase,
            kind,
            is_stated: true,
            is_vague: false,
            rank: 0,
        };
        exchange.fault = Some(FoundFault { found, message });
    }
    let code = value.get("status").and_then(Value::as_u64);
    if let Some(status) = code.and_then(|code| u16::try_from(code).ok()) {
        let mut response = RawResponse::of_status(status, None);
        response.is_cut = true;
        for (name, value) in &exchange.facts {
            if let (Some(name), FactValue::Text(value)) = (name.strip_prefix("header."), value) {
                response.push(name.to_owned(), value);
            }
        }
        exchange.response = Some(response);
    }
    exchange.is_answered().then_some(exchange)
}

/// Maximum number of facts read from one result.
const MAX_FACTS: usize = 100;
