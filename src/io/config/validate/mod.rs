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
use std::collections::HashMap;
use std::sync::Arc;

use endpoint::Endpoint;

use super::habits;
use super::schema;
use super::table::{Table, Value};
use crate::model::settings::Settings;
use crate::model::target::Target;

pub(super) use causes::KnownCauses;

/// The error message for a configuration without targets.
const NO_TARGET: &str = "there is no target; add a [[target]] with `name` and `url`, or an \
     `include` that matches a file with targets";

/// Reads the main file and the included files, and returns their settings. `known` returns the
/// causes of the rulebook, or `None` if the rules are not valid. `known` is called only if a target
/// configures per-cause alarms, because parsing the built-in rules takes time.
pub(super) fn settings(
    main: &Table<'_>,
    included: &[Table<'_>],
    known: impl FnOnce() -> Option<KnownCauses>,
) -> Settings {
    let may_lack_targets = main.place().problems().error_count() > 0;
    let mut settings = Settings::default();
    daemon::read(main, &mut settings);

    let defaults = main.table("defaults", schema::defaults());
    let files = || std::iter::once(main).chain(included);
    let errors = main.place().problems().error_count();
    let items: Vec<Value<'_>> = files().flat_map(|file| file.items("target")).collect();
    let is_malformed = main.place().problems().error_count() > errors;
    for misnamed in files().flat_map(misnamed_targets) {
        target::check(&misnamed, &defaults, &settings.cloudwatch);
    }
    let tables = items.iter().filter_map(|item| item.table(schema::TARGET));
    let tables: Vec<_> = tables.map(|table| table.with_defaults(&defaults)).collect();
    if tables.is_empty() {
        if !may_lack_targets && !is_malformed {
            main.place().error(NO_TARGET);
        }
        // Without targets, `[defaults]` is read only to report its problems. Otherwise, it is read
        // together with each target.
        target::read_defaults(&defaults, &settings.cloudwatch);
    }
    let known = LazyCell::new(known);
    let mut routes = causes::Routes::default();
    let mut places = Vec::new();
    for table in &tables {
        for endpoint in endpoint::read(table, &settings.cloudwatch) {
            let Endpoint { name, url, place } = endpoint;
            let mut target = target::read(table, &name, url, &settings.cloudwatch);
            if alarm::names_causes(table)
                && let Some(known) = known.as_ref()
            {
                let region = topics::region_of(&settings.cloudwatch, &target);
                routes.read(table, known, &mut target, region);
            }
            places.push((name, place));
            settings.targets.push(Arc::new(target));
        }
    }
    let named = || places.iter().map(|(name, place)| (name.as_str(), place));
    endpoint::report_duplicates(named());
    let places: HashMap<&str, _> = named().collect();
    routes.report_unused();
    causes::report_clashes(&settings, |name| places.get(name).copied());
    let targets: Vec<&Target> = settings.targets.iter().map(AsRef::as_ref).collect();
    let windows = files().flat_map(|file| file.items("maintenance"));
    settings.maintenance = windows
        .filter_map(|item| maintenance::read(&item, &targets))
        .collect();
    settings
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
