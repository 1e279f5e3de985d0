//! Applies the configured rules to the monitor and publishes the causes a diagnosis may name.

use std::sync::Arc;

use super::Monitor;
use super::notification::Notification;
use crate::domain::diagnosis::rulebook::{self, Rulebook};
use crate::domain::report::CauseInfo;
use crate::model::settings::RuleFile;

impl Monitor {
    /// Replaces the rulebook if the custom rules have changed.
    pub(super) fn apply_rules(&mut self, rules: &Arc<[RuleFile]>) {
        if self.rules.as_ref() == Some(rules) {
            return;
        }
        match Rulebook::with(rules) {
            Ok(rulebook) => self.rulebook = rulebook,
            // Loading the configuration rejects invalid rules, so this error is not expected.
            Err(error) => tracing::error!(%error, "rules are invalid, keeping the previous rules"),
        }
        let causes = causes(&self.rulebook);
        self.batch.notify(Notification::Causes(causes));
        self.rules = Some(Arc::clone(rules));
    }
}

/// Returns every cause that a diagnosis may name, including `unexplained`.
fn causes(rulebook: &Rulebook) -> Arc<[CauseInfo]> {
    let known = rulebook.causes().map(|cause| CauseInfo {
        cause: cause.id.clone(),
        owner: cause.owner,
        hop: cause.hop,
        title: cause.title.to_owned(),
        next: cause.next.to_vec(),
        see: cause.see.to_owned(),
    });
    let unexplained = rulebook::unexplained();
    let last = CauseInfo {
        cause: unexplained.cause,
        owner: unexplained.owner,
        hop: unexplained.hop,
        title: unexplained.title,
        next: unexplained.next,
        see: String::new(),
    };
    known.chain([last]).collect()
}
