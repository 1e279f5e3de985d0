//! Parses a JSON access log line into fields with normalized names.
//!
//! Users define the log format: dotted `$context` names, camel case, `_` instead of dots, or nested
//! objects. All names are converted to lowercase without `$context.`, and each `_` is replaced with
//! a dot. Dots are kept, because `integration.status` and `integrationStatus` are different
//! variables. Values are stored as text.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

/// Maximum nesting depth of the objects in a line; deeper fields are ignored. Log formats in
/// practice are less deep.
const MAX_DEPTH: usize = 4;

/// The text that AWS writes for an unset variable.
const UNSET: &str = "-";

/// The fields of an access log line, by name.
pub(super) struct Fields {
    /// The field values by normalized name; `None` if the field is logged but unset.
    values: BTreeMap<String, Option<String>>,
}

impl Fields {
    /// Parses an access log line; `None` if the line is not a JSON object.
    pub(super) fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text.trim()).ok()?;
        value.as_object()?;
        let mut fields = Self {
            values: BTreeMap::new(),
        };
        fields.flatten("", &value, 0);
        Some(fields)
    }

    /// Returns the value of the first of the fields `names` that is set; `None` if no field is set.
    pub(super) fn text(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.values.get(*name)?.as_deref())
    }

    /// Returns whether any field in `names` is set; `None` if the log format contains none of these
    /// fields.
    pub(super) fn logged(&self, names: &[&str]) -> Option<bool> {
        let mut known = names.iter().filter_map(|name| self.values.get(*name));
        let first = known.next()?.is_some();
        Some(first || known.any(Option::is_some))
    }

    /// Returns the HTTP status in the first of the fields `names` that is set; `None` if no field
    /// is set or the value is not a valid status.
    pub(super) fn status(&self, names: &[&str]) -> Option<u16> {
        let status = self.text(names)?.parse().ok()?;
        (100..600).contains(&status).then_some(status)
    }

    /// Returns the duration in the first of the fields `names` that is set. The value must be a
    /// whole number of milliseconds. Returns `None` if no field is set or the value is invalid.
    pub(super) fn milliseconds(&self, names: &[&str]) -> Option<Duration> {
        self.text(names)?.parse().ok().map(Duration::from_millis)
    }

    fn flatten(&mut self, name: &str, value: &Value, depth: usize) {
        match value {
            Value::Object(inner) if depth < MAX_DEPTH => {
                for (key, value) in inner {
                    let key = key.trim_start_matches('$').to_ascii_lowercase();
                    let key = key.replace('_', ".");
                    let name = match name {
                        "" | "context" => key,
                        name => format!("{name}.{key}"),
                    };
                    let name = name.strip_prefix("context.").unwrap_or(&name);
                    self.flatten(name, value, depth + 1);
                }
            }
            Value::String(text) => {
                let text = text.trim();
                let set = !text.is_empty() && text != UNSET;
                self.put(name, set.then(|| text.to_owned()));
            }
            Value::Number(number) => self.put(name, Some(number.to_string())),
            Value::Null => self.put(name, None),
            Value::Object(_) | Value::Array(_) | Value::Bool(_) => {}
        }
    }

    /// Stores the value of a field. If two fields have the same name, the first value that is set
    /// is kept.
    fn put(&mut self, name: &str, value: Option<String>) {
        let kept = self.values.entry(name.to_owned()).or_default();
        if kept.is_none() {
            *kept = value;
        }
    }
}
