//! Whether a configuration makes sense, and what it then means.
//!
//! Each part reads its table, reports what is wrong with it and goes on with the default in
//! its place, so that every problem is told in one go. The result is used only if there was
//! none. Defaults are those of `Settings` and `Target`, never repeated here.

mod alarm;
mod auth;
mod aws;
mod causes;
mod daemon;
mod destination;
mod disk;
mod evidence;
mod expect;
mod maintenance;
mod request;
mod secret;
mod shard;
mod target;
mod text;
mod tls;
mod topics;

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::document::{Document, Site};
use super::file::{IncludedFile, MainFile, TargetTable};
use super::layer::Layer;
use super::problem::Problems;
use crate::model::settings::Settings;
use crate::model::target::Target;

pub(super) use causes::KnownCauses;
pub(super) use disk::read_file;

/// Every file of a configuration, parsed.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) main: &'a Document,
    pub(super) file: MainFile,
    pub(super) included: Vec<(&'a Document, IncludedFile)>,
}

/// The settings as far as they make sense. `known` gives the causes of the rule book,
/// `None` if it cannot be read; it is asked only if a target has an alarm for one, since
/// reading the rules takes time.
pub(super) fn settings(
    sources: &mut Sources<'_>,
    known: impl FnOnce() -> Option<KnownCauses>,
    problems: &mut Problems,
) -> Settings {
    let main = sources.main.root();
    let defaults = sources.file.defaults.take().map(TargetTable::from);
    let mut settings = Settings::default();
    daemon::read(&sources.file, &main, &mut settings, problems);

    let mut written: Vec<(Site<'_>, &TargetTable)> = Vec::new();
    let mut windows = Vec::new();
    let included = sources.included.iter();
    let lists = included.map(|(document, file)| (document.root(), &file.target, &file.maintenance));
    let first = (
        main.clone(),
        &sources.file.target,
        &sources.file.maintenance,
    );
    for (root, targets, maintenance) in std::iter::once(first).chain(lists) {
        written.extend(items(&root.key("target"), targets));
        windows.extend(items(&root.key("maintenance"), maintenance));
    }
    if written.is_empty() {
        problems.error(main.problem(NO_TARGET));
    }
    report_duplicates(&written, problems);
    let known = LazyCell::new(known);
    let mut routes = causes::Routes::default();
    let mut places = HashMap::new();
    for (site, table) in &written {
        let layer = Layer::new(
            (Some(*table), site.clone()),
            (defaults.as_ref(), main.key("defaults")),
        );
        if let Some(mut target) = target::read(&layer, &settings.cloudwatch, problems) {
            if alarm::names_causes(&layer)
                && let Some(known) = known.as_ref()
            {
                let region = topics::region_of(&settings.cloudwatch, &target);
                routes.read(&layer, known, (&mut target, region), problems);
            }
            places.insert(target.name.as_str().to_owned(), site);
            settings.targets.push(Arc::new(target));
        }
    }
    routes.finish(problems);
    causes::report_clashes(
        &settings,
        |name| places.get(name).copied().cloned(),
        problems,
    );
    let targets: Vec<&Target> = settings.targets.iter().map(AsRef::as_ref).collect();
    settings.maintenance = windows
        .iter()
        .filter_map(|(site, table)| maintenance::read(table, site, &targets, problems))
        .collect();
    settings
}

const NO_TARGET: &str =
    "there is no target; add a [[target]] with `name` and `url`, or an `include` that matches";

fn items<'s, T>(site: &Site<'s>, list: &'s [T]) -> Vec<(Site<'s>, &'s T)> {
    let numbered = list.iter().enumerate();
    numbered
        .map(|(index, item)| (site.index(index), item))
        .collect()
}

/// Tells both places of a name that stands twice.
fn report_duplicates(targets: &[(Site<'_>, &TargetTable)], problems: &mut Problems) {
    let mut seen: BTreeMap<&str, &Site<'_>> = BTreeMap::new();
    for (site, table) in targets {
        let Some(name) = table.name.as_deref() else {
            continue;
        };
        if let Some(first) = seen.get(name) {
            for (here, there) in [(*first, site), (site, *first)] {
                problems.error(here.key("name").problem(format!(
                    "{name:?} is also the name of the target at {}; give each a name of its own",
                    there.key("name").place()
                )));
            }
        } else {
            seen.insert(name, site);
        }
    }
}
