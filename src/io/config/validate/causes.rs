//! Reads the settings of per-cause alarms: the causes that have an alarm, and the actions of each
//! alarm.
//!
//! The rulebook, including the custom rules, defines the causes and their owners. Several targets
//! can inherit `cause_actions` and `owner_actions` from `[defaults]`, so the entries that no alarm
//! uses are reported only after all targets have been read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::alarm::alarm_table;
use super::topics::{actions, check_region};
use crate::domain::alarm::{self, AlarmKey};
use crate::domain::diagnosis::nearest::nearest;
use crate::domain::diagnosis::rulebook::{Rulebook, unexplained};
use crate::io::config::document::KeyLocation;
use crate::io::config::problem::Problem;
use crate::io::config::table::{Table, Value};
use crate::io::config::wording::alternatives;
use crate::model::cause::{CauseId, Owner};
use crate::model::settings::Settings;
use crate::model::target::{CauseAlarm, Target};

/// The causes of a rulebook and their owners, by cause id.
#[derive(Debug)]
pub(in crate::io::config) struct KnownCauses(BTreeMap<String, Owner>);

/// The entries of all `cause_actions` and `owner_actions` tables. Each entry records whether an
/// alarm uses it.
#[derive(Debug, Default)]
pub(super) struct Routes<'a> {
    /// The entries of `cause_actions` and `owner_actions`, by file and key path.
    entries: BTreeMap<(PathBuf, String), Route<'a>>,
}

#[derive(Debug)]
struct Route<'a> {
    place: KeyLocation<'a>,
    /// The warning to report if no alarm uses the entry.
    unused: Problem,
    used: bool,
}

/// One entry of `cause_actions` or `owner_actions`.
struct ActionEntry<'a> {
    list: Value<'a>,
    actions: Vec<String>,
    /// The key of the entry in [`Routes::entries`].
    route: (PathBuf, String),
}

/// The text appended to the warning about an unused entry of `owner_actions`. It explains why the
/// entry may be unused although `causes` contains a cause of the owner.
const UNUSED_OWNER_HINT: &str =
    " (a cause in `cause_actions` does not use the actions of its owner)";

impl KnownCauses {
    /// Collects the causes of a rulebook, including the cause of unexplained failures, which has no
    /// rule.
    pub(in crate::io::config) fn of(rulebook: &Rulebook) -> Self {
        let mut known: BTreeMap<_, _> = rulebook
            .causes()
            .map(|cause| (cause.id.as_str().to_owned(), cause.owner))
            .collect();
        let last = unexplained();
        known.insert(last.cause.as_str().to_owned(), last.owner);
        Self(known)
    }

    fn owner(&self, word: &str) -> Result<(CauseId, Owner), String> {
        let known = self.0.get(word).copied();
        if let (Some(owner), Ok(cause)) = (known, CauseId::new(word)) {
            return Ok((cause, owner));
        }
        let guess = nearest(word, self.0.keys().map(String::as_str));
        let guess = guess.map_or_else(String::new, |guess| format!("{guess:?} or "));
        Err(format!(
            "unknown cause {word:?}; write {guess}a cause listed by `probecause explain`"
        ))
    }
}

impl<'a> Routes<'a> {
    /// Reads the per-cause alarms of a target, with their actions, into `target`. `region` is the
    /// region of the alarms, or `None` if the configuration does not contain it.
    pub(super) fn read(
        &mut self,
        table: &Table<'a>,
        known: &KnownCauses,
        target: &mut Target,
        region: Option<&str>,
    ) {
        let table = alarm_table(table);
        let is_cause = |word: &str| known.owner(word).map(drop);
        let by_cause = self.entries(&table, "cause_actions", is_cause);
        let by_owner = self.entries(&table, "owner_actions", check_owner);
        for (cause, owner) in causes(&table, known) {
            let entry = by_cause.get(cause.as_str());
            let entry = entry.or_else(|| by_owner.get(owner.as_str()));
            if let Some(entry) = entry {
                check_region(&entry.list, region);
                if let Some(route) = self.entries.get_mut(&entry.route) {
                    route.used = true;
                }
            }
            target.alarm.causes.push(CauseAlarm {
                actions: entry.map_or_else(Vec::new, |entry| entry.actions.clone()),
                cause,
                owner,
            });
        }
    }

    /// Warns about the entries of action tables that no alarm uses.
    pub(super) fn report_unused(self) {
        let unused = self.entries.into_values().filter(|route| !route.used);
        for route in unused {
            route.place.problems().warn(route.unused);
        }
    }

    /// Returns the valid entries of the action table `key`, and records them for the warnings about
    /// unused entries. An entry of a target replaces the entry of `[defaults]` with the same key.
    fn entries(
        &mut self,
        table: &Table<'a>,
        key: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> BTreeMap<&'a str, ActionEntry<'a>> {
        let hint = if key == "owner_actions" {
            UNUSED_OWNER_HINT
        } else {
            ""
        };
        let mut entries = BTreeMap::new();
        let written = table.find_all(key).into_iter();
        for (word, list) in written.flat_map(|table| table.entries()) {
            if list.place.check(check(word)).is_none() {
                continue;
            }
            let unused = list.place.problem(format!(
                "no per-cause alarm uses this entry; add its cause (or a cause of its owner) to \
                 `causes`, or remove the entry{hint}"
            ));
            let route = (unused.file.clone(), unused.key.clone());
            self.entries.entry(route.clone()).or_insert(Route {
                place: list.place.clone(),
                unused,
                used: false,
            });
            let actions = actions(&list);
            entries.insert(
                word,
                ActionEntry {
                    list,
                    actions,
                    route,
                },
            );
        }
        entries
    }
}

/// Reports each pair of a target's alarm and a per-cause alarm that would have the same name.
/// `place` returns the location of a target's name.
pub(super) fn report_clashes<'p, 'a: 'p>(
    settings: &Settings,
    place: impl Fn(&str) -> Option<&'p KeyLocation<'a>>,
) {
    let mut seen = BTreeMap::new();
    for spec in alarm::desired(settings) {
        let Some(first) = seen.get(&spec.name) else {
            seen.insert(spec.name, spec.key);
            continue;
        };
        // Other clashes are between targets with the same name, which `report_duplicates` reports.
        let ((AlarmKey::Target(name), AlarmKey::Cause { target, cause, .. })
        | (AlarmKey::Cause { target, cause, .. }, AlarmKey::Target(name))) = (first, &spec.key)
        else {
            continue;
        };
        if let Some(place) = place(name.as_str()) {
            place.error(format!(
                "the alarm of this target and the alarm for {cause} of {target} would both be \
                 called {:?}; rename this target",
                spec.name
            ));
        }
    }
}

fn causes(table: &Table<'_>, known: &KnownCauses) -> Vec<(CauseId, Owner)> {
    let mut causes: Vec<(CauseId, Owner)> = Vec::new();
    for item in table.items("causes") {
        let Some(word) = item.read::<String>() else {
            continue;
        };
        match known.owner(&word) {
            Ok((cause, _)) if causes.iter().any(|(other, _)| *other == cause) => {
                item.place.error(format!(
                    "{word:?} names a cause that is already listed; remove this item"
                ));
            }
            Ok(cause) => causes.push(cause),
            Err(message) => item.place.error(message),
        }
    }
    causes
}

fn check_owner(word: &str) -> Result<(), String> {
    if Owner::parse(word).is_some() {
        return Ok(());
    }
    let owners = Owner::ALL.map(|owner| format!("{:?}", owner.as_str()));
    let owners = alternatives(owners.into_iter());
    Err(format!("unknown owner {word:?}; write {owners}"))
}
