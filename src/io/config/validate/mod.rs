//! Turns the tables of a configuration into [`Settings`].
//!
//! Each submodule reads one table. It reports a wrong value and continues with the default value,
//! so that all problems are reported at once. The settings are used only if there is no error.
//! [`Settings`] and [`Target`] define the defaults.

mod alarm;
mod auth;
mod aws;
mod causes;
mod daemon;
mod destination;
mod evidence;
mod expect;
mod maintenance;
mod request;
mod secret;
mod shard;
mod target;
mod tls;
mod topics;

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::table::Table;
use crate::model::settings::Settings;
use crate::model::target::Target;

pub(super) use causes::KnownCauses;

/// The keys at the top level of the main file.
pub(super) const MAIN_KEYS: [&str; 13] = [
    "location",
    "include",
    "rules_dir",
    "server",
    "scheduler",
    "shard",
    "resolver",
    "log",
    "cloudwatch",
    "evidence",
    "defaults",
    "target",
    "maintenance",
];

/// The keys at the top level of an included file.
pub(super) const INCLUDED_KEYS: [&str; 2] = ["target", "maintenance"];

/// The error about a configuration without a target.
const NO_TARGET: &str =
    "there is no target; add a [[target]] with `name` and `url`, or an `include` that matches";

/// Reads the settings from the main file and the included files. `known` returns the causes of the
/// rulebook, or `None` if the rules are not valid. `known` is called only if a target has per-cause
/// alarms, because loading the rules takes time.
pub(super) fn settings(
    main: &Table<'_>,
    included: &[Table<'_>],
    known: impl FnOnce() -> Option<KnownCauses>,
) -> Settings {
    let may_lack_targets = main.place().problems().error_count() > 0;
    let mut settings = Settings::default();
    daemon::read(main, &mut settings);

    let defaults = main.table("defaults", target::default_keys());
    let files = || std::iter::once(main).chain(included);
    let items = files().flat_map(|file| file.items("target"));
    let tables = items.filter_map(|item| item.table(&target::KEYS));
    let tables: Vec<_> = tables.map(|table| table.with_defaults(&defaults)).collect();
    if tables.is_empty() {
        if !may_lack_targets {
            main.place().error(NO_TARGET);
        }
        // [defaults] is otherwise read together with each target.
        target::read_defaults(&defaults, &settings.cloudwatch);
    }
    report_duplicates(&tables);
    let known = LazyCell::new(known);
    let mut routes = causes::Routes::default();
    let mut places = HashMap::new();
    for table in &tables {
        let Some(mut target) = target::read(table, &settings.cloudwatch) else {
            continue;
        };
        if alarm::names_causes(table)
            && let Some(known) = known.as_ref()
        {
            let region = topics::region_of(&settings.cloudwatch, &target);
            routes.read(table, known, &mut target, region);
        }
        places.insert(target.name.as_str().to_owned(), table.place_of("name"));
        settings.targets.push(Arc::new(target));
    }
    routes.report_unused();
    causes::report_clashes(&settings, |name| places.get(name));
    let targets: Vec<&Target> = settings.targets.iter().map(AsRef::as_ref).collect();
    let windows = files().flat_map(|file| file.items("maintenance"));
    settings.maintenance = windows
        .filter_map(|item| maintenance::read(&item, &targets))
        .collect();
    settings
}

/// Reports each target name that is used twice, at both places.
fn report_duplicates(targets: &[Table<'_>]) {
    let mut seen = BTreeMap::new();
    for table in targets {
        let Some(value) = table.find("name") else {
            continue;
        };
        let (Some(name), place) = (value.text(), value.place) else {
            continue;
        };
        let Some(first) = seen.get(name) else {
            seen.insert(name, place);
            continue;
        };
        for (here, there) in [(first, &place), (&place, first)] {
            here.error(format!(
                "{name:?} is also the name of the target at {}; give each target its own name",
                there.file_and_line()
            ));
        }
    }
}
