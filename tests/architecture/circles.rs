//! Circles: between files, and between rooms where no two files make one.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// Circles between files. A file and the ones inside it belong together: what a parent
/// and its child take from each other is no circle.
pub(crate) fn find(code: &[&Source], out: &mut Vec<String>) {
    let modules: BTreeSet<&[String]> = code.iter().map(|source| &source.module[..]).collect();
    let mut graph: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
    for source in code.iter().filter(|source| !source.module.is_empty()) {
        let from = &source.module[..];
        for (_, path) in source.inner_paths() {
            let target = (1..path.len())
                .rev()
                .find_map(|end| modules.get(&path[1..=end]));
            if let Some(&to) = target
                && !from.starts_with(to)
                && !to.starts_with(from)
            {
                graph.entry(from).or_default().insert(to);
            }
        }
    }
    let mut done = BTreeSet::new();
    for &start in &modules {
        let mut trail = vec![start];
        walk(&graph, &mut trail, &mut done, out);
    }
    rooms_in_a_circle(&graph, out);
}

/// Depth first; a file that stands on the trail already closes a circle.
fn walk<'a>(
    graph: &BTreeMap<&'a [String], BTreeSet<&'a [String]>>,
    trail: &mut Vec<&'a [String]>,
    done: &mut BTreeSet<&'a [String]>,
    out: &mut Vec<String>,
) {
    let Some(&here) = trail.last() else { return };
    if done.contains(here) {
        return;
    }
    for &next in graph.get(here).into_iter().flatten() {
        if let Some(at) = trail.iter().position(|&seen| seen == next) {
            let mut circle: Vec<_> = trail[at..].iter().map(|part| part.join("::")).collect();
            circle.push(next.join("::"));
            out.push(format!("a circle: {}", circle.join(" → ")));
        } else {
            trail.push(next);
            walk(graph, trail, done, out);
            trail.pop();
        }
    }
    done.insert(here);
}

/// Two rooms must not need each other either, through whichever of their files.
fn rooms_in_a_circle(graph: &BTreeMap<&[String], BTreeSet<&[String]>>, out: &mut Vec<String>) {
    let mut reach: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let room = |module: &[String]| module[..module.len().min(2)].join("::");
    for (from, to) in graph
        .iter()
        .flat_map(|(from, all)| all.iter().map(move |to| (from, to)))
    {
        if room(from) != room(to) {
            reach.entry(room(from)).or_default().insert(room(to));
        }
    }
    // Widen until nothing is added: a room that then reaches itself is in a circle.
    loop {
        let before: usize = reach.values().map(BTreeSet::len).sum();
        let snapshot = reach.clone();
        for reached in reach.values_mut() {
            let further = reached
                .iter()
                .filter_map(|room| snapshot.get(room))
                .flatten();
            let further: Vec<String> = further.cloned().collect();
            reached.extend(further);
        }
        if reach.values().map(BTreeSet::len).sum::<usize>() == before {
            break;
        }
    }
    let circle: Vec<&str> = reach
        .iter()
        .filter(|(room, reached)| reached.contains(*room))
        .map(|(room, _)| room.as_str())
        .collect();
    if !circle.is_empty() {
        out.push(format!(
            "these rooms need each other: {}",
            circle.join(", ")
        ));
    }
}
