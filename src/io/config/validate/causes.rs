//! Alarms of single causes: which causes, and who is told of each.
//!
//! Causes are those of the rule book, the operator's own included; their owners come from
//! there too. Who is told is settled here once, so that nothing below asks again. An entry
//! of an action table that no alarm uses is told when all targets have been read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::topics::{actions, in_region};
use crate::domain::alarm::{self, AlarmKey};
use crate::domain::diagnosis::nearest::nearest;
use crate::domain::diagnosis::rulebook::{Rulebook, unexplained};
use crate::io::config::document::Site;
use crate::io::config::file::{AlarmTable, TargetTable};
use crate::io::config::layer::{Found, Layer};
use crate::io::config::problem::{Problem, Problems};
use crate::model::cause::{CauseId, Owner};
use crate::model::settings::Settings;
use crate::model::target::{CauseAlarm, Target};

/// The causes there are, by their ids, each with its owner.
#[derive(Debug)]
pub(in crate::io::config) struct KnownCauses(BTreeMap<String, Owner>);

/// The action tables of all targets, and which of their entries were used.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// By file and key.
    entries: BTreeMap<(PathBuf, String), Entry>,
}

#[derive(Debug)]
struct Entry {
    /// What there is to say of it if nothing uses it.
    unused: Problem,
    used: bool,
}

type Table = BTreeMap<String, Vec<String>>;

impl KnownCauses {
    pub(in crate::io::config) fn of(rulebook: &Rulebook) -> Self {
        let rules = rulebook.causes();
        let mut known: BTreeMap<_, _> = rules
            .map(|rule| (rule.cause.as_str().to_owned(), rule.owner))
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
        let mend = guess.map_or_else(
            || "write one of those that `probecause explain` lists".to_owned(),
            |guess| format!("write {guess:?}, or one of those that `probecause explain` lists"),
        );
        Err(format!("{word:?} is no known cause; {mend}"))
    }
}

impl Routes {
    /// Reads a target's list of causes, and who is told of each. With the target comes the
    /// region of its alarms, if it is known.
    pub(super) fn read(
        &mut self,
        layer: &Layer<'_, TargetTable>,
        known: &KnownCauses,
        (target, region): (&mut Target, Option<&str>),
        problems: &mut Problems,
    ) {
        let table = layer.table("alarm", |t| t.alarm.as_ref());
        let causes = causes(&table, known, problems);
        let by_cause = self.entries(
            &table,
            "cause_actions",
            |t| t.cause_actions.as_ref(),
            |word| known.owner(word).map(drop),
            problems,
        );
        let by_owner = self.entries(
            &table,
            "owner_actions",
            |t| t.owner_actions.as_ref(),
            |word| owner(word).map(drop),
            problems,
        );
        target.alarm.causes = causes
            .into_iter()
            .map(|(cause, owner)| {
                let found = by_cause.get(cause.as_str());
                let found = found.or_else(|| by_owner.get(owner.as_str()));
                if let Some(routed) = found {
                    in_region(&routed.found(), region, problems);
                }
                CauseAlarm {
                    actions: found.map_or_else(Vec::new, |found| self.take(found)),
                    cause,
                    owner,
                }
            })
            .collect();
    }

    /// Tells of every entry that no alarm uses.
    pub(super) fn finish(self, problems: &mut Problems) {
        let unused = self.entries.into_values().filter(|entry| !entry.used);
        for entry in unused {
            problems.warn(entry.unused);
        }
    }

    /// The entries of an action table, the target's own over the default ones.
    fn entries<'a>(
        &mut self,
        table: &Layer<'a, AlarmTable>,
        key: &str,
        get: impl Fn(&'a AlarmTable) -> Option<&'a Table>,
        judge: impl Fn(&str) -> Result<(), String>,
        problems: &mut Problems,
    ) -> BTreeMap<&'a str, Routed<'a>> {
        let mut entries = BTreeMap::new();
        for found in table.both(key, get) {
            for (word, list) in found.value {
                let site = found.site.key(word);
                if let Err(message) = judge(word) {
                    problems.error(site.problem(message));
                    continue;
                }
                let unused = site.problem(format!(
                    "no alarm of a cause uses it; name a cause for it in `causes`, or remove it{}",
                    if key == "owner_actions" { OWN_WIN } else { "" }
                ));
                let place = (unused.file.clone(), unused.key.clone());
                let entry = Entry {
                    unused,
                    used: false,
                };
                self.entries.entry(place.clone()).or_insert(entry);
                let routed = Routed { list, site, place };
                // Looked at here, so that a bad entry is told even if nothing uses it.
                actions(&routed.found(), problems);
                entries.insert(word.as_str(), routed);
            }
        }
        entries
    }

    fn take(&mut self, routed: &Routed<'_>) -> Vec<String> {
        if let Some(entry) = self.entries.get_mut(&routed.place) {
            entry.used = true;
        }
        routed.list.clone()
    }
}

/// Why an owner's entry may go unused though one of its causes is listed.
const OWN_WIN: &str = " (a cause with actions of its own does not use its owner's)";

/// One entry of an action table.
struct Routed<'a> {
    list: &'a Vec<String>,
    site: Site<'a>,
    place: (PathBuf, String),
}

impl Routed<'_> {
    fn found(&self) -> Found<'_, Vec<String>> {
        Found {
            value: self.list,
            site: self.site.clone(),
        }
    }
}

/// Tells of alarms of one configuration that would have the same name. `site` gives where
/// a target is written.
pub(super) fn report_clashes<'a>(
    settings: &Settings,
    site: impl Fn(&str) -> Option<Site<'a>>,
    problems: &mut Problems,
) {
    let mut seen = BTreeMap::new();
    for spec in alarm::desired(settings) {
        let Some(first) = seen.get(&spec.name) else {
            seen.insert(spec.name, spec.key);
            continue;
        };
        // The one that is called like another's alarm of a cause is to be renamed. A name
        // that stands twice is told elsewhere.
        let ((AlarmKey::Target(name), AlarmKey::Cause { target, cause, .. })
        | (AlarmKey::Cause { target, cause, .. }, AlarmKey::Target(name))) = (first, &spec.key)
        else {
            continue;
        };
        if let Some(site) = site(name.as_str()) {
            problems.error(site.key("name").problem(format!(
                "its alarm and the one for the cause {cause} of {target} would both be called \
                 {:?}; rename this target",
                spec.name
            )));
        }
    }
}

fn causes(
    table: &Layer<'_, AlarmTable>,
    known: &KnownCauses,
    problems: &mut Problems,
) -> Vec<(CauseId, Owner)> {
    let mut causes: Vec<(CauseId, Owner)> = Vec::new();
    let Some(found) = table.pick("causes", |t| t.causes.as_ref()) else {
        return causes;
    };
    for (index, word) in found.value.iter().enumerate() {
        let site = found.site.index(index);
        match known.owner(word) {
            Ok((cause, _)) if causes.iter().any(|(other, _)| *other == cause) => {
                problems.error(site.problem(format!("{word:?} stands twice; remove one")));
            }
            Ok(one) => causes.push(one),
            Err(message) => problems.error(site.problem(message)),
        }
    }
    causes
}

fn owner(word: &str) -> Result<Owner, String> {
    Owner::parse(word).ok_or_else(|| {
        let words = Owner::ALL.map(|owner| format!("{:?}", owner.as_str()));
        format!("{word:?} is no owner; write {}", words.join(" or "))
    })
}
