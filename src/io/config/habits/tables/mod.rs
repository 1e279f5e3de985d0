//! The keys of other tools, and what to write here instead.
//!
//! The tools are blackbox_exporter, Prometheus, Gatus, Uptime Kuma, Checkly, Telegraf, Heartbeat,
//! the Datadog agent, Kubernetes probes, curl, and the words that people try first.

mod answer;
mod daemon;
mod request;

use serde_json::Value as Json;

pub(super) use answer::ANSWER;
pub(super) use daemon::{OF_DAEMON, OF_ROOT};
pub(super) use request::REQUEST;

/// Names of a key in other tools, and what to write here.
pub(super) struct Habit {
    /// The names in lower case, separated by spaces and without `_`, `-` and `.`.
    pub(super) names: &'static str,
    pub(super) advice: Advice,
}

/// What to write instead of a key.
pub(super) enum Advice {
    /// A key in a table of the target; the empty name is the target itself.
    Key {
        table: &'static str,
        key: &'static str,
        /// Returns the value to write for the value that was written.
        value: fn(&Json) -> String,
    },
    /// Several keys of `expect`, as a function of the value that was written.
    Expectations(fn(&Json) -> String),
    /// What to do, as text. `{t}` stands for `target` or `defaults`.
    Text(&'static str),
    /// What to do with a table, as text. Its keys have advice of their own.
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
