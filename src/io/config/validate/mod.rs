//! Converts the tables of a configuration to [`Settings`].
//!
//! The submodules read the tables. They report an invalid value and continue with the default
//! value, so that all problems are reported at once. The settings are used only if there is no
//! error. [`Settings`] and [`Target`] define the defaults.

mod alarm;
mod auth;
mod aws;
mod causes;
mod daemon;
mod destination;
pub(super) mod discovery;
mod endpoint;
mod evidence;
mod expect;
mod layer;
mod maintenance;
mod request;
mod secret;
mod shard;
mod target;
mod tls;
mod topics;

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use endpoint::Endpoint;

use super::document::KeyLocation;
use super::habits;
use super::schema;
use super::table::{Table, Value};
use crate::model::settings::Settings;
use crate::model::target::Target;

pub(super) use causes::KnownCauses;

/// The error message for a configuration without targets.
const NO_TARGET: &str = "there is no target; add a [[target]] with `name` and `url`, or an \
     `include` that matches a file with targets";

/// The root tables of the files of a configuration, and of the lists of discovered targets.
pub(super) struct Files<'f, 'a> {
    /// The main file.
    pub(super) main: &'f Table<'a>,
    /// The included files.
    pub(super) included: &'f [Table<'a>],
    /// The lists of targets that were found in AWS accounts. Their problems are reported as
    /// warnings, separately from those of the files.
    pub(super) discovered: &'f [Table<'a>],
}

/// The settings with the targets that were read so far, and data for the checks that concern
/// several targets.
struct Targets<'a> {
    settings: Settings,
    routes: causes::Routes<'a>,
    /// The name of each target, with its location.
    places: Vec<(String, KeyLocation<'a>)>,
}

/// Reads all files, and returns their settings. `known` returns the causes of the rulebook, or
/// `None` if the rules are not valid. `known` is called only if a target configures per-cause
/// alarms, because parsing the built-in rules takes time.
pub(super) fn settings(
    files: &Files<'_, '_>,
    known: impl FnOnce() -> Option<KnownCauses>,
) -> Settings {
    let main = files.main;
    let may_lack_targets = main.place().problems().error_count() > 0 || main.has("discovery");
    let mut settings = Settings::default();
    daemon::read(main, &mut settings);
    settings.discovery = discovery::read(main);

    let defaults = main.table("defaults", schema::defaults());
    let all = || std::iter::once(main).chain(files.included);
    let errors = main.place().problems().error_count();
    let items: Vec<Value<'_>> = all().flat_map(|file| file.items("target")).collect();
    let is_malformed = main.place().problems().error_count() > errors;
    for misnamed in all().flat_map(misnamed_targets) {
        target::check(&misnamed, &defaults, &settings.cloudwatch);
    }
    let tables = tables(&items, &defaults);
    if tables.is_empty() {
        if !may_lack_targets && !is_malformed {
            main.place().error(NO_TARGET);
        }
        // Without targets, `[defaults]` is read only to report its problems. Otherwise, it is read
        // together with each target.
        target::read_defaults(&defaults, &settings.cloudwatch);
    }
    let known = LazyCell::new(known);
    let mut targets = Targets {
        settings,
        routes: causes::Routes::default(),
        places: Vec::new(),
    };
    for table in &tables {
        targets.add_declared(table, &known);
    }
    let found = files.discovered.iter();
    let found: Vec<Value<'_>> = found.flat_map(|list| list.items("target")).collect();
    targets.add_discovered(&self::tables(&found, &defaults), &known);
    let mut settings = targets.checked();
    let targets: Vec<&Target> = settings.targets.iter().map(AsRef::as_ref).collect();
    let windows = all().flat_map(|file| file.items("maintenance"));
    settings.maintenance = windows
        .filter_map(|item| maintenance::read(&item, &targets))
        .collect();
    settings
}

/// Returns the tables of targets with `defaults` as their fallback.
fn tables<'a>(items: &[Value<'a>], defaults: &Table<'a>) -> Vec<Table<'a>> {
    let tables = items.iter().filter_map(|item| item.table(schema::TARGET));
    tables.map(|table| table.with_defaults(defaults)).collect()
}

impl<'a> Targets<'a> {
    /// Reads the targets of a `[[target]]` table.
    fn add_declared<F>(&mut self, table: &Table<'a>, known: &LazyCell<Option<KnownCauses>, F>)
    where
        F: FnOnce() -> Option<KnownCauses>,
    {
        for endpoint in endpoint::read(table, &self.settings.cloudwatch) {
            let Endpoint { name, url, place } = endpoint;
            let target = target::read(table, &name, url, &self.settings.cloudwatch);
            let target = self.with_cause_alarms(table, target, known);
            self.places.push((name, place));
            self.settings.targets.push(Arc::new(target));
        }
    }

    /// Adds the targets that were discovered in AWS accounts. Omits a target that has a problem, or
    /// whose name or URL another target already has.
    fn add_discovered<F>(&mut self, tables: &[Table<'a>], known: &LazyCell<Option<KnownCauses>, F>)
    where
        F: FnOnce() -> Option<KnownCauses>,
    {
        if tables.is_empty() {
            return;
        }
        let declared = self.settings.targets.iter();
        let mut urls: HashSet<String> = declared.map(|it| it.url.as_str().to_owned()).collect();
        let mut names: HashSet<String> = self.places.iter().map(|(name, _)| name.clone()).collect();
        for table in tables {
            let problems = table.place().problems();
            let errors = problems.error_count();
            for endpoint in endpoint::read(table, &self.settings.cloudwatch) {
                let Endpoint { name, url, place } = endpoint;
                if problems.error_count() > errors
                    || names.contains(&name)
                    || urls.contains(url.as_str())
                {
                    continue;
                }
                let address = url.as_str().to_owned();
                let target = target::read_discovered(table, &name, url, &self.settings.cloudwatch);
                let target = self.with_cause_alarms(table, target, known);
                if problems.error_count() > errors {
                    continue;
                }
                urls.insert(address);
                names.insert(name.clone());
                self.places.push((name, place));
                self.settings.targets.push(Arc::new(target));
            }
        }
    }

    /// Returns the target with its per-cause alarms, if the table or `[defaults]` configures them.
    fn with_cause_alarms<F>(
        &mut self,
        table: &Table<'a>,
        mut target: Target,
        known: &LazyCell<Option<KnownCauses>, F>,
    ) -> Target
    where
        F: FnOnce() -> Option<KnownCauses>,
    {
        if alarm::names_causes(table)
            && let Some(known) = LazyCell::force(known).as_ref()
        {
            let region = topics::region_of(&self.settings.cloudwatch, &target);
            self.routes.read(table, known, &mut target, region);
        }
        target
    }

    /// Reports problems that concern several targets, and returns the settings.
    fn checked(self) -> Settings {
        let places = &self.places;
        let named = || places.iter().map(|(name, place)| (name.as_str(), place));
        endpoint::report_duplicates(named());
        let places: HashMap<&str, &KeyLocation<'a>> = named().collect();
        self.routes.report_unused();
        causes::report_clashes(&self.settings, |name| places.get(name).copied());
        self.settings
    }
}

/// Returns the targets of a file that are not written as `[[target]]` but, for example, as
/// `[target]`, `[[targets]]` or `[targets.orders]`, so that problems in them are reported too. The
/// wrong form itself is reported as an unknown key or as a value that is not a list.
fn misnamed_targets<'a>(file: &Table<'a>) -> Vec<Value<'a>> {
    let others = file.others(schema::MAIN).into_iter();
    let misnamed = others.filter(|(key, _)| habits::names_targets(key));
    let mut tables: Vec<Value<'a>> = misnamed.flat_map(|(_, value)| value.tables()).collect();
    let single = file.find("target").filter(Value::is_table);
    tables.extend(single.iter().flat_map(Value::tables));
    tables
}
