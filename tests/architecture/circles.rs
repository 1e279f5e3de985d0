//! Finds circular imports: between files, and between the children of any one folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Appends one finding per circle.
///
/// A module and the modules inside it belong together, so imports between the two are not
/// a circle. Everything else is: `a` → `b` → `a` between files, and `a::x` → `b`, `b` →
/// `a` between `a` with everything inside it and `b`, at every depth of the tree.
pub(crate) fn find(code: &[&Source], out: &mut Vec<String>) {
    let imports = imports(code);
    let mut files = Graph::new();
    let mut folders: BTreeMap<&[String], Graph> = BTreeMap::new();
    for (from, to) in &imports {
        let common = from.iter().zip(*to).take_while(|(a, b)| a == b).count();
        if common == from.len() || common == to.len() {
            continue;
        }
        let edge = |graph: &mut Graph, from: String, to| graph.entry(from).or_default().insert(to);
        edge(&mut files, from.join("::"), to.join("::"));
        let inside = folders.entry(&from[..common]).or_default();
        edge(inside, from[common].clone(), to[common].clone());
    }
    for circle in circles(&files) {
        out.push(format!("circular imports: {circle}"));
    }
    for (folder, graph) in folders.iter().filter(|(folder, _)| !folder.is_empty()) {
        for circle in circles(graph) {
            let folder = folder.join("::");
            out.push(format!("circular imports inside {folder}: {circle}"));
        }
    }
}

/// Imports between files of the crate, each end as a module path.
fn imports<'a>(code: &'a [&Source]) -> Vec<(&'a [String], &'a [String])> {
    let modules: BTreeSet<&[String]> = code.iter().map(|source| &source.module[..]).collect();
    let mut imports = Vec::new();
    for source in code.iter().filter(|source| !source.module.is_empty()) {
        for (_, path) in source.inner_paths() {
            // The last part names an item unless the path is itself a module.
            let target = (1..path.len()).rev().find_map(|end| {
                let module = modules.get(&path[1..=end])?;
                Some(*module)
            });
            imports.extend(target.map(|target| (&source.module[..], target)));
        }
    }
    imports
}

/// Every circle that a depth-first walk meets, as `a → b → a`.
fn circles(graph: &Graph) -> Vec<String> {
    let (mut found, mut done) = (Vec::new(), BTreeSet::new());
    for start in graph.keys() {
        walk(graph, &mut vec![start], &mut done, &mut found);
    }
    found
}

fn walk<'a>(
    graph: &'a Graph,
    trail: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<String>,
) {
    let Some(&here) = trail.last() else { return };
    if done.contains(here) {
        return;
    }
    for next in graph.get(here).into_iter().flatten() {
        if let Some(at) = trail.iter().position(|&seen| seen == next) {
            found.push([&trail[at..], &[next]].concat().join(" → "));
        } else {
            trail.push(next);
            walk(graph, trail, done, found);
            trail.pop();
        }
    }
    done.insert(here);
}
