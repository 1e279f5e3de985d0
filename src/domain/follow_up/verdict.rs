//! Combines the diagnosis of a failed probe with the results of follow-up requests.

use std::sync::Arc;

use super::Examined;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Diagnosis, Evidence};
use crate::domain::incident::LayerDiagnosis;
use crate::domain::layers::{INNERMOST_LAYER_FAILING, is_layer_cause};
use crate::model::cause::Certainty;

/// Prefixes of the names of the facts that follow-up requests add.
const ADDED: [&str; 2] = ["layer.", "asked."];

/// Diagnoses a failure from the facts of the probe and the findings about the target's layers.
///
/// The layers show where a failure is, and the rules show why. A layer cause (a cause that names
/// only a layer) is therefore replaced by the cause from the probe's facts alone if two conditions
/// are met: a rule other than a fallback matches these facts, and either the cause from them is at
/// least likely or the layer cause is `innermost-layer-failing`. If the layer cause is kept, the
/// verdict's title names the layer. The findings are always part of the evidence.
#[must_use]
pub fn with_layers(rulebook: &Rulebook, examined: &Examined) -> LayerDiagnosis {
    let Examined {
        facts, findings, ..
    } = examined;
    let outside = rulebook.diagnose(facts);
    let mut all = facts.clone();
    all.add_layers(findings);
    let mut diagnosis = rulebook.diagnose(&all);
    if let Some(verdict) = &mut diagnosis.verdict
        && is_layer_cause(&verdict.cause)
    {
        let is_innermost = verdict.cause.as_str() == INNERMOST_LAYER_FAILING;
        let certainty = outside.verdict.as_ref().map(|verdict| verdict.certainty);
        let explained = rulebook
            .heaviest_match(facts)
            .is_some_and(|rule| !rule.fallback);
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
                    "The fault is at the layer {}: the next inner layer responds",
                    broken.name
                )
            };
        }
    }
    let by_layers = diagnosis.verdict != outside.verdict;
    add_evidence(&mut diagnosis, &all);
    LayerDiagnosis {
        kind: examined.kind,
        diagnosis,
        outside,
        by_layers,
    }
}

/// Adds the facts from follow-up requests to the evidence of a diagnosis.
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

#[cfg(test)]
mod tests {
    use super::*;
    use LayerState::{Failing, NotTestable, Ok};
    use jiff::Timestamp;

    use crate::domain::incident::FailureKind;
    use crate::domain::layers::{LAYER_FAILING, LayerFindings, LayerResult, LayerState};

    fn findings(states: &[LayerState], repeated: bool) -> LayerFindings {
        let results = ["front", "lb", "app"].iter().zip(states);
        LayerFindings {
            at: Timestamp::UNIX_EPOCH,
            results: results
                .map(|(name, state)| LayerResult {
                    name: (*name).to_owned(),
                    state: *state,
                    detail: String::new(),
                })
                .collect(),
            repeated,
        }
    }

    /// Returns the facts of a failure that no specific rule explains.
    fn unspecific() -> Facts {
        let mut facts = Facts::defaults();
        facts.set_text("phase", "expect");
        facts.set_text("unmet", "status");
        facts.set_number("status", 502.0);
        facts
    }

    /// Returns the facts of a failure with one likely cause.
    fn likely() -> Facts {
        let mut facts = Facts::defaults();
        facts.set_text("phase", "connect");
        facts.set_text("fault", "connection-refused");
        facts
    }

    /// Returns the facts of a failure with several possible causes.
    fn ambiguous() -> Facts {
        let mut facts = unspecific();
        facts.set_number("status", 500.0);
        facts.set_text("front_door", "http-api");
        facts.set_text("gateway_made", "yes");
        facts
    }

    /// Checks the cause and its certainty, and that the layers are part of the evidence. Returns
    /// the title of the verdict.
    #[track_caller]
    fn check(facts: &Facts, findings: &LayerFindings, expected: (&str, Certainty)) -> String {
        let rulebook = Rulebook::embedded().unwrap();
        let examined = Examined {
            began: Timestamp::UNIX_EPOCH,
            kind: FailureKind::default(),
            facts: facts.clone(),
            findings: findings.clone(),
        };
        let shown = with_layers(&rulebook, &examined);
        let verdict = shown.diagnosis.verdict.unwrap();
        assert_eq!((verdict.cause.as_str(), verdict.certainty), expected);
        assert_eq!(shown.by_layers, is_layer_cause(&verdict.cause));
        let mut evidence = shown.diagnosis.evidence.iter();
        assert!(evidence.any(|one| one.fact == "layer.front"));
        verdict.title.clone()
    }

    #[test]
    fn a_layer_is_the_cause_where_the_response_alone_names_none() {
        let between = findings(&[Failing, Failing, Ok], true);
        let expected = (LAYER_FAILING, Certainty::Corroborated);
        let title = check(&unspecific(), &between, expected);
        assert_eq!(
            title,
            "The fault is at the layer lb: the next inner layer responds"
        );
        let once = findings(&[Failing, Failing, Ok], false);
        check(&unspecific(), &once, (LAYER_FAILING, Certainty::Likely));
        let innermost = findings(&[Failing, Failing, Failing], true);
        let expected = (INNERMOST_LAYER_FAILING, Certainty::Corroborated);
        let title = check(&unspecific(), &innermost, expected);
        assert_eq!(title, "The fault is at or behind the innermost layer, app");
    }

    #[test]
    fn several_possible_causes_give_way_to_a_layer_in_front_of_an_answering_one_only() {
        let between = findings(&[Failing, Ok, Ok], true);
        check(
            &ambiguous(),
            &between,
            (LAYER_FAILING, Certainty::Corroborated),
        );
        let rulebook = Rulebook::embedded().unwrap();
        let outside = rulebook.diagnose(&ambiguous()).verdict.unwrap();
        let innermost = findings(&[Failing, Failing, Failing], true);
        check(
            &ambiguous(),
            &innermost,
            (outside.cause.as_str(), Certainty::Possible),
        );
    }

    #[test]
    fn a_likely_cause_is_kept_and_undecided_layers_change_nothing() {
        let rulebook = Rulebook::embedded().unwrap();
        let outside = rulebook.diagnose(&likely()).verdict.unwrap();
        assert!(outside.certainty >= Certainty::Likely);
        let expected = (outside.cause.as_str(), outside.certainty);
        check(&likely(), &findings(&[Failing, Ok, Ok], true), expected);
        let undecided = findings(&[Failing, NotTestable, Ok], true);
        check(&likely(), &undecided, expected);
        let outside = rulebook.diagnose(&unspecific()).verdict.unwrap();
        let expected = (outside.cause.as_str(), outside.certainty);
        check(&unspecific(), &undecided, expected);
    }
}
