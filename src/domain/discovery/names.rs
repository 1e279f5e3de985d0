//! Makes the names of candidates unique.

use std::collections::BTreeSet;

use super::candidate::Candidate;

/// Sorts candidates by name and appends ` (2)`, ` (3)` and so on to names that are used more than
/// once. The numbers depend only on the candidates with the same name, not on the order in which
/// they were read. A target that is probed keeps its name in preference to a proposal.
pub(super) fn sort_and_number(candidates: &mut [Candidate]) {
    candidates.sort_by_cached_key(|one| {
        let aws = format!("{:?}", one.aws);
        let is_proposal = !one.is_enabled();
        (one.name.clone(), is_proposal, one.url.clone(), aws)
    });
    let mut used: BTreeSet<String> = BTreeSet::new();
    for candidate in candidates.iter_mut() {
        let mut name = candidate.name.clone();
        let mut number = 1;
        while !used.insert(name.clone()) {
            number += 1;
            name = format!("{} ({number})", candidate.name);
        }
        candidate.name = name;
    }
}
