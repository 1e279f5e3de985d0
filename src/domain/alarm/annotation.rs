//! Builds the tags and the description of an alarm, which name the probable cause.
//!
//! Alarm notifications contain the description and, because tag propagation is enabled, the tags,
//! so the person on call reads the cause first. CloudWatch restricts the characters of tag
//! values and limits descriptions to 1,024 characters. Tags and descriptions contain facts of the
//! diagnosis, never raw text of a response body or a log.

use std::collections::BTreeMap;

use crate::domain::alarm::{AlarmKey, AlarmSpec, heartbeat_name, target_alarm_name};
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::diagnosis::{Evidence, Verdict};
use crate::domain::incident::{AccountChange, CHANGE_EVIDENCE};
use crate::domain::layers::LayerFindings;
use crate::model::cause::Certainty;

/// The annotation of an alarm: the tags that name the probable cause, and the description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The value of the tag `probecause:cause`: a cause id, or `none`.
    pub cause: String,
    /// The value of the tag `probecause:certainty`: a certainty such as `likely`, or `none`.
    pub certainty: String,
    /// The value of the tag `probecause:owner`: an owner such as `service`, or `none`.
    pub owner: String,
    /// The alarm's description; at most 1,024 characters.
    pub description: String,
}

/// The key of the tag that marks managed alarms. An alarm without this tag is never changed.
pub const MANAGED_TAG: &str = "probecause:managed";
/// The key of the tag that stores [`AlarmSpec::fingerprint`].
pub const DEFINITION_TAG: &str = "probecause:definition";
/// The key of the tag that stores the target's name.
pub const TARGET_TAG: &str = "probecause:target";
/// The key of the tag that stores the probable cause.
pub const CAUSE_TAG: &str = "probecause:cause";
/// The key of the tag that stores the certainty of the cause.
pub const CERTAINTY_TAG: &str = "probecause:certainty";
/// The key of the tag that stores the owner: the team that acts on the cause.
pub const OWNER_TAG: &str = "probecause:owner";

/// The value of the cause, certainty and owner tags while no failure is known, and of the target
/// tag of the heartbeat alarm.
const NONE: &str = "none";

/// Maximum length of an alarm description in characters (CloudWatch's limit).
const MAX_DESCRIPTION: usize = 1024;

/// Maximum length of a tag value in characters (AWS's limit).
const MAX_TAG_VALUE: usize = 256;

/// Maximum length of the text value of one fact in a description, in characters. Longer values,
/// such as long headers, are cut, so that the next steps, which matter more, still fit.
const MAX_FACT: usize = 80;

impl Annotation {
    /// Returns the annotation of an alarm while no failure is known.
    #[must_use]
    pub fn healthy(spec: &AlarmSpec) -> Self {
        let description = match &spec.key {
            AlarmKey::Target(name) => format!(
                "Probecause probes {name}. No failure is known. While the target is down, this \
                 text and the tags name the probable cause. If many targets fail at the same time, \
                 the alarm `{}` names the common cause instead.",
                heartbeat_name(spec.location(), spec.shard.unwrap_or(0))
            ),
            AlarmKey::Cause {
                target,
                cause,
                owner,
            } => format!(
                "This alarm fires while {target} is down and {cause} is the probable cause \
                 (owner: {owner}). The alarm `{}` fires while the target is down, for any cause.",
                target_alarm_name(spec.location(), target.as_str())
            ),
            AlarmKey::Heartbeat => no_heartbeat(spec.shard),
        };
        Self {
            cause: NONE.to_owned(),
            certainty: NONE.to_owned(),
            owner: NONE.to_owned(),
            description: cut(&printable(&description), MAX_DESCRIPTION),
        }
    }

    /// Returns the annotation of a failing target's alarm: the probable cause, its evidence and the
    /// findings about the target's layers.
    #[must_use]
    pub fn failing(
        target: &str,
        verdict: &Verdict,
        evidence: &[Evidence],
        layers: Option<&LayerFindings>,
    ) -> Self {
        Self::of(verdict, &describe(target, verdict, evidence, layers))
    }

    /// Adds changes in the AWS account to the end of the description, in the given order. Omits the
    /// first change that would make the description longer than the maximum, and all changes after
    /// it.
    #[must_use]
    pub fn with_changes(mut self, changes: &[&AccountChange]) -> Self {
        let mut separator = " Changes in the account: ";
        let mut room = MAX_DESCRIPTION.saturating_sub(self.description.chars().count());
        for change in changes {
            let added = printable(&format!("{separator}{}", change.summary()));
            let length = added.chars().count();
            // Leaves space for the period at the end of the sentence.
            if length + 1 > room {
                break;
            }
            room -= length;
            self.description.push_str(&added);
            separator = ", ";
        }
        if separator == ", " {
            self.description.push('.');
        }
        self
    }

    /// Returns the annotation of the heartbeat alarm during an incident of a group of targets or of
    /// the prober, in which the alarms of targets are not annotated. `summary` is a sentence about
    /// what failed and when, without the final period. `names` are the names of the group's
    /// targets; empty for the prober. A description that exceeds the maximum length is cut.
    #[must_use]
    pub fn group(verdict: &Verdict, summary: &str, names: &[&str]) -> Self {
        let mut text = format!(
            "{summary}: {} ({}, {}; owner: {}).",
            verdict.title, verdict.cause, verdict.certainty, verdict.owner
        );
        push_next_steps(&mut text, verdict);
        // The target names come last, so that a long list does not displace the next steps.
        push_list(&mut text, "Targets", &names.join(", "));
        Self::of(verdict, &text)
    }

    fn of(verdict: &Verdict, description: &str) -> Self {
        Self {
            cause: tag_value(verdict.cause.as_str()),
            certainty: tag_value(verdict.certainty.as_str()),
            owner: tag_value(verdict.owner.as_str()),
            description: cut(&printable(description), MAX_DESCRIPTION),
        }
    }

    /// Returns whether the annotation names a cause.
    #[must_use]
    pub fn names_cause(&self) -> bool {
        self.cause != NONE
    }

    /// Returns the annotation that an existing alarm has according to its tags and description, so
    /// that the alarm still names its cause after its definition is overwritten. Missing tags, and
    /// a description that is empty or names no cause, are replaced by those of [`Self::healthy`].
    #[must_use]
    pub fn kept(spec: &AlarmSpec, tags: &BTreeMap<String, String>, description: &str) -> Self {
        let healthy = Self::healthy(spec);
        let tag = |key: &str, or: String| tags.get(key).cloned().unwrap_or(or);
        Self {
            cause: tag(CAUSE_TAG, healthy.cause),
            certainty: tag(CERTAINTY_TAG, healthy.certainty),
            owner: tag(OWNER_TAG, healthy.owner),
            // A description that names no cause is replaced, because the text of an older release
            // may differ from the current text.
            description: match tags.get(CAUSE_TAG) {
                Some(cause) if cause != NONE && !description.is_empty() => description.to_owned(),
                _ => healthy.description,
            },
        }
    }

    /// Returns all tags of the alarm `spec` with this annotation, sorted by key.
    #[must_use]
    pub fn tags(&self, spec: &AlarmSpec) -> Vec<(&'static str, String)> {
        let target = spec.key.target();
        let target = target.map_or_else(|| NONE.to_owned(), |name| tag_value(name.as_str()));
        vec![
            (CAUSE_TAG, self.cause.clone()),
            (CERTAINTY_TAG, self.certainty.clone()),
            (DEFINITION_TAG, spec.fingerprint()),
            (MANAGED_TAG, "true".to_owned()),
            (OWNER_TAG, self.owner.clone()),
            (TARGET_TAG, target),
        ]
    }
}

/// Converts a text to a tag value of at most 256 characters. Letters, digits, spaces and `+ - = . _
/// : / @` are kept; other characters become `_`.
#[must_use]
pub fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    text.chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .take(MAX_TAG_VALUE)
        .collect()
}

/// Returns the description of the heartbeat alarm of a shard while no incident of a group or of the
/// prober is open. `shard` is `None` if a single daemon probes all targets.
fn no_heartbeat(shard: Option<u32>) -> String {
    let (who, watched) = match shard {
        None => (
            "Probecause".to_owned(),
            "While the daemon is down, no target is probed from this location.",
        ),
        Some(shard) => (
            format!("shard {shard} of Probecause"),
            "While the daemon is down, only targets that other shards also probe are probed from \
             this location.",
        ),
    };
    format!(
        "No heartbeat from {who} at this location. The daemon is down or cannot reach CloudWatch, \
         or nearly all of its targets fail at the same time (cause: prober-local). {watched} Check \
         the daemon's log and status page, then its credentials and network."
    )
}

fn describe(
    target: &str,
    verdict: &Verdict,
    evidence: &[Evidence],
    layers: Option<&LayerFindings>,
) -> String {
    let mut text = format!(
        "{target}: {} ({}, {}; owner: {}).",
        verdict.title, verdict.cause, verdict.certainty, verdict.owner
    );
    if let Some(findings) = layers {
        push_list(&mut text, "Layers", &findings.summary());
    }
    if verdict.certainty == Certainty::Possible && verdict.candidates.len() > 1 {
        let candidates: Vec<_> = verdict
            .candidates
            .iter()
            .map(|candidate| format!("{} {:.0} %", candidate.cause, candidate.share * 100.0))
            .collect();
        push_list(&mut text, "Candidates", &candidates.join(", "));
    }
    // The summary of the layers makes the `layer.*` facts redundant, and the list of the account
    // changes makes the sentence about one of them redundant.
    let is_shown = |one: &&Evidence| {
        let is_repeated = layers.is_some() && one.fact.starts_with("layer.");
        !is_repeated && one.fact != CHANGE_EVIDENCE
    };
    let facts: Vec<_> = evidence.iter().filter(is_shown).map(fact).collect();
    push_list(&mut text, "Evidence", &facts.join(", "));
    push_next_steps(&mut text, verdict);
    text
}

fn push_list(text: &mut String, label: &str, list: &str) {
    if !list.is_empty() {
        text.push_str(&format!(" {label}: {list}."));
    }
}

fn push_next_steps(text: &mut String, verdict: &Verdict) {
    if !verdict.next.is_empty() {
        text.push_str(" Next: ");
        text.push_str(&verdict.next.join(" "));
    }
}

fn fact(evidence: &Evidence) -> String {
    let value = match &evidence.value {
        FactValue::Text(text) => cut(text, MAX_FACT),
        FactValue::Number(number) => {
            let rounded = (number * 1000.0).round() / 1000.0;
            rounded.to_string()
        }
    };
    format!("{} = {value}", evidence.fact)
}

/// Replaces control characters, which CloudWatch rejects, with spaces.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Cuts a text to at most `limit` characters, at the end of a word if possible.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit - 1).collect();
    let end = kept.rfind(' ').unwrap_or(kept.len());
    format!("{}…", kept[..end].trim_end())
}

#[cfg(test)]
mod tests;
