//! The diagnosis of a failed probe with what follow-up requests showed.

use std::sync::Arc;

use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Diagnosis, Evidence};
use crate::domain::incident::LayerDiagnosis;
use crate::domain::layers::{INNERMOST_LAYER_FAILING, LayerFindings, is_layer_cause};
use crate::model::cause::Certainty;

/// Prefixes of the facts that follow-up requests add.
const ADDED: [&str; 2] = ["layer.", "asked."];

/// Diagnoses a failure with what the requests through the layers of its target showed.
///
/// The layers show where a failure is, rules show why. A cause that the response itself makes
/// likely is kept, and the layers are evidence beside it; in place of less, the layer is the cause.
#[must_use]
pub fn with_layers(rulebook: &Rulebook, facts: &Facts, findings: &LayerFindings) -> LayerDiagnosis {
    let outside = rulebook.diagnose(facts);
    let mut all = facts.clone();
    all.add_layers(findings);
    let mut diagnosis = rulebook.diagnose(&all);
    if let Some(verdict) = &mut diagnosis.verdict
        && is_layer_cause(&verdict.cause)
    {
        let is_innermost = verdict.cause.as_str() == INNERMOST_LAYER_FAILING;
        let certainty = outside.verdict.as_ref().map(|verdict| verdict.certainty);
        let explained = rulebook.leader(facts).is_some_and(|rule| !rule.fallback);
        if explained && (is_innermost || certainty >= Some(Certainty::Likely)) {
            diagnosis = outside.clone();
        } else if let Some(broken) = findings.broken() {
            let verdict = Arc::make_mut(verdict);
            verdict.title = if is_innermost {
                format!(
                    "The fault is at or behind the innermost layer, {}",
                    broken.name
                )
            } else {
                format!(
                    "The fault is at the layer {}: the next one in answers",
                    broken.name
                )
            };
        }
    }
    let by_layers = diagnosis.verdict != outside.verdict;
    add_evidence(&mut diagnosis, &all);
    LayerDiagnosis {
        diagnosis,
        outside,
        by_layers,
    }
}

/// Adds the facts that follow-up requests have added to the evidence of a diagnosis.
pub fn add_evidence(diagnosis: &mut Diagnosis, facts: &Facts) {
    for (fact, value) in facts.iter() {
        let is_added = ADDED.iter().any(|prefix| fact.starts_with(prefix));
        let is_new = diagnosis.evidence.iter().all(|known| known.fact != fact);
        if is_added && is_new {
            diagnosis.evidence.push(Evidence {
                fact: fact.to_owned(),
                value: value.clone(),
            });
        }
    }
}
