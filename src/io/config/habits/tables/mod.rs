//! Lists the keys of other tools, and what to write instead.
//!
//! The tools are blackbox_exporter, Prometheus, Gatus, Uptime Kuma, Checkly, Telegraf, Heartbeat,
//! the Datadog agent, Kubernetes probes and curl. The lists also contain common guesses of users.

mod answer;
mod daemon;
mod request;

use serde_json::Value as Json;

pub(super) use answer::ANSWER;
pub(super) use daemon::{OF_DAEMON, OF_ROOT};
pub(super) use request::REQUEST;

/// The names of a key in other tools, with advice on what to write instead.
pub(super) struct Habit {
    /// The names in lower case, separated by spaces and without `_`, `-` and `.`.
    pub(super) names: &'static str,
    pub(super) advice: Advice,
}

/// Advice on what to write instead of a key of another tool.
pub(super) enum Advice {
    /// Write a key in a table of the target or of `[defaults]`. An empty `table` means the target
    /// or `[defaults]` itself.
    Key {
        table: &'static str,
        key: &'static str,
        /// Returns the value to write instead of the given value.
        value: fn(&Json) -> String,
    },
    /// Write one or more keys of `expect`. The function takes the value of the other tool's key and
    /// the name of the `expect` table, and returns the instruction.
    Expectations(fn(&Json, &str) -> String),
    /// An instruction. `{t}` is replaced by `target` or `defaults`.
    Text(&'static str),
    /// An instruction for a key that is a table in other tools. Each key in that table is then
    /// reported with its own advice. `{t}` is replaced as in [`Advice::Text`].
    Table(&'static str),
}

const fn key(
    names: &'static str,
    table: &'static str,
    key: &'static str,
    value: fn(&Json) -> String,
) -> Habit {
    let advice = Advice::Key { table, key, value };
    Habit { names, advice }
}

const fn text(names: &'static str, text: &'static str) -> Habit {
    let advice = Advice::Text(text);
    Habit { names, advice }
}

const fn table(names: &'static str, text: &'static str) -> Habit {
    let advice = Advice::Table(text);
    Habit { names, advice }
}
