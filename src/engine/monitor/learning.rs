//! The monitor's rule book as the configuration has it, and what sinks say of its causes.

use std::sync::Arc;

use super::Monitor;
use super::notice::Notice;
use crate::domain::diagnosis::rulebook::{self, Rulebook};
use crate::domain::report::CauseInfo;
use crate::model::settings::RuleFile;

impl Monitor {
    /// Takes over the operator's rules, if they are not known already.
    pub(super) fn learn(&mut self, rules: &Arc<[RuleFile]>) {
        if self.rules.as_ref() == Some(rules) {
            return;
        }
        match Rulebook::with(rules) {
            Ok(rulebook) => self.rulebook = rulebook,
            // Reading the configuration refuses such rules: the old ones are better than none.
            Err(error) => tracing::error!(%error, "the rules cannot be used, the old ones stay"),
        }
        let causes = causes(&self.rulebook);
        self.batch.tell(Notice::Causes(causes));
        self.rules = Some(Arc::clone(rules));
    }
}

/// Everything the sinks may have to tell of a cause, the rule book's end included.
fn causes(rulebook: &Rulebook) -> Arc<[CauseInfo]> {
    let known = rulebook.causes().map(|rule| CauseInfo {
        cause: rule.cause.clone(),
        owner: rule.owner,
        title: rule.title.clone(),
        next: rule.next.clone(),
        see: rule.see.clone(),
    });
    let unexplained = rulebook::unexplained();
    let last = CauseInfo {
        cause: unexplained.cause,
        owner: unexplained.owner,
        title: unexplained.title,
        next: unexplained.next,
        see: String::new(),
    };
    known.chain([last]).collect()
}
