//! Finds the targets of an AWS account and writes them as a configuration file.
//!
//! `account` is what was read, `api` and `edge` map it to candidates, and `reasons` decides which
//! candidates are probed without a review and which are only proposed. `names` makes names unique,
//! `writer` writes the file, and `merge` combines an incomplete list with the previous one. The
//! same account always yields the same file. Reading AWS is left to `io`.

pub mod account;
mod api;
mod candidate;
mod edge;
mod merge;
mod names;
mod reasons;
mod writer;

#[cfg(test)]
mod tests;

use self::account::Account;
pub use self::candidate::Candidate;
pub use self::merge::{extended, kept, same_targets};
pub use self::writer::render;

/// The result of the discovery in one AWS account and Region.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// The Region.
    pub region: String,
    /// The targets to probe, sorted by name.
    pub targets: Vec<Candidate>,
    /// Targets that need a review, sorted by name.
    pub proposals: Vec<Candidate>,
    /// Remarks on resources that cannot be probed, declared or used as evidence, sorted.
    pub notes: Vec<String>,
    /// What could not be read, with the reason, sorted.
    pub not_read: Vec<String>,
}

/// Finds the targets in what was read from an account.
#[must_use]
pub fn discover(account: &Account) -> Discovery {
    let mut notes = Vec::new();
    let mut candidates = api::find(account, &mut notes);
    candidates.extend(edge::find(account));
    names::sort_and_number(&mut candidates);
    let (targets, proposals) = candidates.into_iter().partition(Candidate::is_enabled);
    Discovery {
        region: account.region.clone(),
        targets,
        proposals,
        notes: sorted(notes),
        not_read: sorted(account.not_read.clone()),
    }
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.dedup();
    texts
}
