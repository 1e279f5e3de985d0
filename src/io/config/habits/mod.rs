//! Suggests how to correct a key or value that is written in the syntax of another tool.
//!
//! Users often copy the configuration of another monitoring tool. `tables` lists the keys of other
//! tools; `form`, `urls`, `times`, `status`, `header` and `condition` convert their values. A
//! message names the key and the value to write. It repeats a value only if the value cannot be a
//! secret.

mod condition;
mod form;
mod header;
mod placeholder;
mod section;
mod status;
mod tables;
mod times;
mod urls;
mod values;

use serde_json::Value as Json;

use super::schema;
use super::wording::alternatives;
use crate::domain::diagnosis::nearest::nearest;

pub(super) use form::{ip_version, label_name, quoted};
pub(super) use status::statuses;
pub(super) use times::{duration, shown};
pub(super) use urls::{url, urls};
pub(super) use values::{as_list, as_table, replaced_nowhere, retyped};

use section::as_target;
use tables::{Advice, Habit};

/// An instruction for correcting an unknown key.
pub(super) struct Remedy {
    /// The text of the instruction, such as ``write `timeout = "30s"` in [defaults]``.
    pub(super) text: String,
    /// Whether the unknown key is a table whose keys must be moved. Each of these keys then needs a
    /// separate remedy.
    pub(super) is_table: bool,
}

/// A key of a configuration file, with its table and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    /// The path of the table, such as `target.request` or `server`. Empty for the top level.
    pub(super) section: &'a str,
    /// The key as it was written.
    pub(super) key: &'a str,
    /// The value of the key.
    pub(super) value: &'a Json,
}

impl Written<'_> {
    /// Returns `target` if the table belongs to a target, otherwise `defaults`.
    fn owner(&self) -> &'static str {
        if self.section.starts_with("target") {
            "target"
        } else {
            "defaults"
        }
    }

    /// Returns whether the key is at the top level, in a target, in `[defaults]`, or in a table of
    /// a target or of `[defaults]`.
    fn is_of_target(&self) -> bool {
        let first = self.section.split('.').next().unwrap_or_default();
        ["", "target", "defaults"].contains(&first)
    }

    /// Formats the name of a table of the target or of `[defaults]`, such as `[target.request]` for
    /// `request`. An empty name means the target or `[defaults]` itself.
    fn table(&self, name: &str) -> String {
        match (self.owner(), name) {
            ("target", "") => "[[target]]".to_owned(),
            (owner, "") => format!("[{owner}]"),
            (owner, name) => format!("[{owner}.{name}]"),
        }
    }

    /// Formats an instruction to write this key in TOML, in the same table.
    pub(super) fn instruction_here(&self) -> String {
        let value = match self.key {
            "url" | "proxy" => url(self.value),
            "urls" => urls(self.value),
            "status" => status::list(self.value),
            "headers" if self.section.contains("request") => header::table(self.value),
            "headers" => header::tests(self.value),
            "labels" => form::labels(self.value),
            "body" if self.section.contains("request") => form::body(self.value),
            key if is_secret_name(key) => "{ env = \"NAME\" }".to_owned(),
            key if is_duration(key) => times::seconds(self.value),
            _ => form::same(self.value),
        };
        let table = match self.section {
            "" => "at the top of the file".to_owned(),
            "target" => "in [[target]]".to_owned(),
            section => format!("in [{section}]"),
        };
        format!("write `{} = {value}` {table}", self.key)
    }

    /// Formats an instruction to write `key = value` in a table of the target or of `[defaults]`.
    /// An empty `table` means the target or `[defaults]` itself. Names the table unless the key was
    /// written in this table.
    fn instruction(&self, table: &str, key: &str, value: &str) -> String {
        // `[defaults]` cannot contain a name or a URL.
        let owner = if ["name", "url", "urls"].contains(&key) && table.is_empty() {
            "[[target]]".to_owned()
        } else {
            self.table(table)
        };
        let here = if table.is_empty() {
            self.owner().to_owned()
        } else {
            format!("{}.{table}", self.owner())
        };
        if self.section == here && owner != "[[target]]"
            || self.section == "target" && table.is_empty()
        {
            format!("write `{key} = {value}`")
        } else {
            format!("write `{key} = {value}` in {owner}")
        }
    }
}

/// Keys that other tools use instead of `connect_to`, the address of a layer.
const LAYER_ADDRESSES: [&str; 5] = ["url", "address", "host", "endpoint", "target"];

/// Returns the remedy for a key of another tool or of another table, or `None` for any other key.
pub(super) fn remedy(written: Written<'_>) -> Option<Remedy> {
    let section = as_target(written.section);
    let written = Written {
        section: &section,
        ..written
    };
    let name = normal(written.key);
    if written.section == "target.layer" && LAYER_ADDRESSES.contains(&name.as_str()) {
        let text = "write `connect_to = \"HOST:PORT\"`; the Host header, TLS server name and path \
             are those of the target";
        return Some(Remedy {
            text: text.to_owned(),
            is_table: false,
        });
    }
    if let Some(habits) = tables::OF_DAEMON
        .iter()
        .find(|(table, _)| *table == written.section)
        && let Some(habit) = find(habits.1, &name)
    {
        return Some(apply(habit, written));
    }
    if written.section.is_empty()
        && let Some(habit) = find(tables::OF_ROOT, &name)
    {
        return Some(apply(habit, written));
    }
    if let Some(text) = misplaced(written) {
        let is_table = false;
        return Some(Remedy { text, is_table });
    }
    if !written.is_of_target() {
        return None;
    }
    let habit = find(tables::REQUEST, &name).or_else(|| find(tables::ANSWER, &name))?;
    if matches!(habit.advice, Advice::Key { key: "urls", .. }) && contains_tables(written.value) {
        return None;
    }
    Some(apply(habit, written))
}

/// Returns whether the value is a list that contains at least one table, such as a list of targets
/// with names and URLs.
fn contains_tables(value: &Json) -> bool {
    let items = value.as_array();
    items.is_some_and(|items| items.iter().any(Json::is_object))
}

/// Returns whether the value of a key with this name may be a secret.
pub(super) fn is_secret_name(key: &str) -> bool {
    let words = [
        "auth",
        "bearer",
        "cookie",
        "credential",
        "key",
        "pass",
        "pwd",
        "secret",
        "signature",
        "token",
        "user",
    ];
    let name = normal(key);
    words.iter().any(|word| name.contains(word))
}

/// Returns whether a top-level key is another tool's name for the list of targets.
pub(super) fn names_targets(key: &str) -> bool {
    let first = tables::OF_ROOT.first();
    first.is_some_and(|habit| has_name(habit, &normal(key)))
}

/// Returns the error message about an unknown key. `known` are the valid keys of its table. The
/// message contains the instruction of `remedy` if there is one.
pub(super) fn unknown_key(written: Written<'_>, known: &[&str], remedy: Option<&Remedy>) -> String {
    let key = written.key;
    if let Some(remedy) = remedy {
        return format!("unknown key `{key}`; {}", remedy.text);
    }
    if known.is_empty() {
        return format!("unknown key `{key}`; remove it");
    }
    if let Some(guess) = nearest(key, known.iter().copied()) {
        return format!("unknown key `{key}`; write `{guess}`");
    }
    let names = alternatives(known.iter().map(|key| format!("`{key}`")));
    format!("unknown key `{key}`; remove it or write one of {names}")
}

fn find<'a>(habits: &'a [Habit], name: &str) -> Option<&'a Habit> {
    habits.iter().find(|habit| has_name(habit, name))
}

fn is_duration(key: &str) -> bool {
    let keys = [
        "interval",
        "timeout",
        "confirm_after",
        "slower_than",
        "shutdown_grace",
        "lasting",
    ];
    keys.contains(&key)
}

fn has_name(habit: &Habit, name: &str) -> bool {
    habit.names.split_whitespace().any(|other| other == name)
}

/// Converts a key to lower case and removes separators, because tools write `maxRedirects`,
/// `max-redirects` and `max_redirects`.
fn normal(key: &str) -> String {
    let kept = key.chars().filter(|c| !['_', '-', '.', ' '].contains(c));
    kept.collect::<String>().to_ascii_lowercase()
}

fn apply(habit: &Habit, written: Written<'_>) -> Remedy {
    let text = match &habit.advice {
        Advice::Key { table, key, value } => written.instruction(table, key, &value(written.value)),
        Advice::Expectations(instruction) => instruction(written.value, &written.table("expect")),
        Advice::Text(text) | Advice::Table(text) => text.replace("{t}", written.owner()),
    };
    let is_table = matches!(habit.advice, Advice::Table(_)) && written.value.is_object();
    Remedy { text, is_table }
}

/// Returns an instruction to move a key to the table in which it is valid. Returns `None` if no
/// such table is found, or if the value is a table of another tool.
fn misplaced(written: Written<'_>) -> Option<String> {
    let has = |keys: &[&str]| keys.contains(&written.key);
    if written.is_of_target() {
        let tables = schema::OF_TARGET.iter().filter(|(_, keys)| has(keys));
        let mut tables: Vec<&str> = tables.map(|(table, _)| *table).collect();
        // The keys of these tables are too general to identify the right table.
        tables.retain(|table| {
            !["aws", "alarm", "cloudwatch", "auth.sigv4", "auth.basic"].contains(table)
        });
        match tables.as_slice() {
            [] => {}
            // The value is a table of another tool that has the same name as a key in this
            // configuration.
            [table] if is_other_table(written, table) => return None,
            [table] => return Some(moved(written, table)),
            _ if ["headers", "body"].contains(&written.key) => {
                let value = if written.key == "body" {
                    form::body(written.value)
                } else {
                    header::table(written.value)
                };
                return Some(format!(
                    "{} to send it, or move it to {} to check the response",
                    written.instruction("request", written.key, &value),
                    written.table("expect")
                ));
            }
            tables => {
                let tables = tables.iter().map(|table| written.table(table));
                return Some(format!("move it to {}", alternatives(tables)));
            }
        }
    }
    let tables = schema::OF_DAEMON.iter().filter(|(_, keys)| has(keys));
    let tables: Vec<String> = tables.map(|(table, _)| format!("[{table}]")).collect();
    let is_of_daemon = written.section.is_empty() || !written.is_of_target();
    (is_of_daemon && !tables.is_empty())
        .then(|| format!("move it to {}", alternatives(tables.into_iter())))
}

/// Returns an instruction to move a key to another table of the target or of `[defaults]`. Repeats
/// the value only if it cannot be a secret.
fn moved(written: Written<'_>, table: &str) -> String {
    if written.key == "url" {
        return written.instruction(table, "url", &url(written.value));
    }
    if written.key == "layer" {
        return "write each layer as a table [[target.layer]] below its [[target]]".to_owned();
    }
    let path = [written.owner(), table, written.key];
    let path: Vec<&str> = path.into_iter().filter(|part| !part.is_empty()).collect();
    let path = path.join(".");
    if schema::keys(&path).is_some() {
        return format!("write the table [{path}]");
    }
    let is_shown = match written.value {
        Json::Object(_) => false,
        Json::String(_) => is_public(written.key),
        Json::Array(_) => ["status", "resolver"].contains(&written.key),
        _ => true,
    };
    if is_shown {
        written.instruction(table, written.key, &form::same(written.value))
    } else {
        format!("move it to {}", written.table(table))
    }
}

/// Returns whether the value is a table of another tool that has the same name as a key in this
/// configuration.
fn is_other_table(written: Written<'_>, table: &str) -> bool {
    let key = written.key;
    let is_table_here = schema::OF_TARGET
        .iter()
        .any(|(name, _)| *name == key && table.is_empty());
    if is_table_here || !written.value.is_object() {
        return false;
    }
    let habit = find(tables::REQUEST, &normal(key)).or_else(|| find(tables::ANSWER, &normal(key)));
    habit.is_some_and(|habit| matches!(habit.advice, Advice::Table(_)))
}

/// Returns whether the value of a key with this name is never a secret.
fn is_public(key: &str) -> bool {
    let others = [
        "method",
        "ip",
        "body_limit",
        "connect_to",
        "host",
        "server_name",
        "http",
        "name",
    ];
    is_duration(key) || others.contains(&key)
}
