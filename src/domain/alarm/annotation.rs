//! What an alarm says about the probable cause: its tags and its description.
//!
//! Both travel in notifications (the tags because propagation is on), so the person who
//! is woken reads the cause first. Pure text work within CloudWatch's limits: tag values
//! of a restricted alphabet, descriptions of at most 1,024 characters. It publishes the
//! facts of the diagnosis, never a body's or a log's raw text.

use std::collections::BTreeMap;

use crate::domain::alarm::{AlarmKey, AlarmSpec, heartbeat_name, target_alarm_name};
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::diagnosis::{Evidence, Verdict};
use crate::model::cause::Certainty;

/// The tags and the description of an alarm at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// `probecause:cause`.
    pub cause: String,
    /// `probecause:certainty`.
    pub certainty: String,
    /// `probecause:owner`.
    pub owner: String,
    /// At most 1,024 characters.
    pub description: String,
}

/// The tag that marks an alarm as ours; one without it is never touched.
pub const MANAGED_TAG: &str = "probecause:managed";
/// The tag that keeps [`AlarmSpec::fingerprint`].
pub const DEFINITION_TAG: &str = "probecause:definition";
/// The tag that names the target.
pub const TARGET_TAG: &str = "probecause:target";
/// The tag that names the probable cause.
pub const CAUSE_TAG: &str = "probecause:cause";
/// The tag that says how sure the cause is.
pub const CERTAINTY_TAG: &str = "probecause:certainty";
/// The tag that says who acts.
pub const OWNER_TAG: &str = "probecause:owner";

/// The value of the cause's tags while all is well.
const NONE: &str = "none";

/// The most characters CloudWatch takes in a description.
const MAX_DESCRIPTION: usize = 1024;

/// The most characters AWS takes in a tag's value.
const MAX_TAG_VALUE: usize = 256;

/// Characters one fact's text may take in a description: a header can be long, and the
/// next steps behind it matter more.
const MAX_FACT: usize = 80;

impl Annotation {
    /// What an alarm says while nothing is wrong.
    #[must_use]
    pub fn healthy(spec: &AlarmSpec) -> Self {
        let description = match &spec.key {
            AlarmKey::Target(name) => format!(
                "Probecause watches {name}. No failure is known. While it is down this text and \
                 the tags name the probable cause. When many targets fail at once, the alarm \
                 `{}` names the common cause instead.",
                heartbeat_name(spec.location(), spec.shard.unwrap_or(0))
            ),
            AlarmKey::Cause {
                target,
                cause,
                owner,
            } => format!(
                "It fires while {target} is down and {cause} is its probable cause ({owner} \
                 acts). The target's own alarm `{}` fires for every cause.",
                target_alarm_name(spec.location(), target.as_str())
            ),
            AlarmKey::Heartbeat => silent(spec.shard),
        };
        Self {
            cause: NONE.to_owned(),
            certainty: NONE.to_owned(),
            owner: NONE.to_owned(),
            description: cut(&printable(&description), MAX_DESCRIPTION),
        }
    }

    /// What an alarm says about a failing target.
    #[must_use]
    pub fn failing(target: &str, verdict: &Verdict, evidence: &[Evidence]) -> Self {
        Self {
            cause: tag_value(verdict.cause.as_str()),
            certainty: tag_value(verdict.certainty.as_str()),
            owner: tag_value(verdict.owner.as_str()),
            description: describe(target, verdict, evidence),
        }
    }

    /// What the location's heartbeat alarm says while many targets fail for one reason:
    /// written once instead of on each target's alarm. `census` says in a few words how
    /// many failed and since when, without a full stop; `names` are theirs, as far as
    /// they fit.
    #[must_use]
    pub fn group(verdict: &Verdict, census: &str, names: &[&str]) -> Self {
        let mut text = format!(
            "{census}: {} ({}, {}; {} acts).",
            verdict.title, verdict.cause, verdict.certainty, verdict.owner
        );
        for (index, step) in verdict.next.iter().enumerate() {
            text.push_str(if index == 0 { " Next: " } else { " " });
            text.push_str(step);
        }
        // Names come last: a list of thousands must not push out what to do.
        if !names.is_empty() {
            text.push_str(" Targets: ");
            text.push_str(&names.join(", "));
            text.push('.');
        }
        Self {
            cause: tag_value(verdict.cause.as_str()),
            certainty: tag_value(verdict.certainty.as_str()),
            owner: tag_value(verdict.owner.as_str()),
            description: cut(&printable(&text), MAX_DESCRIPTION),
        }
    }

    /// Whether they name a cause.
    #[must_use]
    pub fn names_cause(&self) -> bool {
        self.cause != NONE
    }

    /// What an alarm says already, so that a new definition does not change it.
    #[must_use]
    pub fn kept(spec: &AlarmSpec, tags: &BTreeMap<String, String>, description: &str) -> Self {
        let healthy = Self::healthy(spec);
        let tag = |key: &str, or: String| tags.get(key).cloned().unwrap_or(or);
        Self {
            cause: tag(CAUSE_TAG, healthy.cause),
            certainty: tag(CERTAINTY_TAG, healthy.certainty),
            owner: tag(OWNER_TAG, healthy.owner),
            // A text that names no cause may be an older release's: a better one takes
            // its place.
            description: match tags.get(CAUSE_TAG) {
                Some(cause) if cause != NONE && !description.is_empty() => description.to_owned(),
                _ => healthy.description,
            },
        }
    }

    /// Every tag of the alarm, sorted by key.
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

/// Makes a text fit for a tag's value: letters, digits, spaces and `+ - = . _ : / @`
/// stay, anything else becomes `_`.
#[must_use]
pub fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    text.chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .take(MAX_TAG_VALUE)
        .collect()
}

/// What the absence of a heartbeat means.
fn silent(shard: Option<u32>) -> String {
    let (who, watched) = match shard {
        None => (
            "Probecause".to_owned(),
            "Nobody watches its targets from here.",
        ),
        Some(shard) => (
            format!("shard {shard} of Probecause"),
            "Its targets are watched from here only as far as other shards hold them, too.",
        ),
    };
    format!(
        "No heartbeat came from {who} at this location: the daemon is down, cannot reach \
         CloudWatch, or cannot reach nearly all of its targets at once (prober-local). {watched} \
         Look at the daemon's log and page, then at its credentials and network."
    )
}

fn describe(target: &str, verdict: &Verdict, evidence: &[Evidence]) -> String {
    let mut text = format!(
        "{target}: {} ({}, {}; {} acts).",
        verdict.title, verdict.cause, verdict.certainty, verdict.owner
    );
    if verdict.certainty == Certainty::Possible && verdict.candidates.len() > 1 {
        let candidates: Vec<_> = verdict
            .candidates
            .iter()
            .map(|candidate| format!("{} {:.0} %", candidate.cause, candidate.share * 100.0))
            .collect();
        text.push_str(" Candidates: ");
        text.push_str(&candidates.join(", "));
        text.push('.');
    }
    if !evidence.is_empty() {
        let facts: Vec<_> = evidence.iter().map(fact).collect();
        text.push_str(" Evidence: ");
        text.push_str(&facts.join(", "));
        text.push('.');
    }
    for (index, step) in verdict.next.iter().enumerate() {
        text.push_str(if index == 0 { " Next: " } else { " " });
        text.push_str(step);
    }
    cut(&printable(&text), MAX_DESCRIPTION)
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

/// Control characters are refused by CloudWatch.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Cuts a text to a number of characters, behind a word where there is one.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit - 1).collect();
    let end = kept.rfind(' ').unwrap_or(kept.len());
    format!("{}…", kept[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::diagnosis::Candidate;
    use crate::model::cause::{CauseId, Owner};

    fn verdict(certainty: Certainty, next: &[&str]) -> Verdict {
        let candidate = |cause: &str, share| Candidate {
            cause: CauseId::new(cause).unwrap(),
            share,
        };
        Verdict {
            cause: CauseId::new("lambda-function-error").unwrap(),
            title: "The function failed".to_owned(),
            owner: Owner::Service,
            certainty,
            candidates: vec![
                candidate("lambda-function-error", 0.6),
                candidate("lambda-malformed-response", 0.4),
            ],
            next: next.iter().map(|&step| step.to_owned()).collect(),
        }
    }

    fn evidence() -> Vec<Evidence> {
        vec![
            Evidence {
                fact: "status".to_owned(),
                value: FactValue::Number(500.0),
            },
            Evidence {
                fact: "phase.processing".to_owned(),
                value: FactValue::Number(0.386_04),
            },
        ]
    }

    #[test]
    fn a_possible_cause_names_its_rivals() {
        let words = Annotation::failing(
            "orders",
            &verdict(
                Certainty::Possible,
                &["Read the function's log.", "Compare deployments."],
            ),
            &evidence(),
        );
        assert_snapshot!(words.description, @"orders: The function failed (lambda-function-error, possible; service acts). Candidates: lambda-function-error 60 %, lambda-malformed-response 40 %. Evidence: status = 500, phase.processing = 0.386. Next: Read the function's log. Compare deployments.");
    }

    #[test]
    fn a_likely_cause_stands_alone() {
        let words = Annotation::failing("orders", &verdict(Certainty::Likely, &[]), &[]);
        assert_snapshot!(words.description, @"orders: The function failed (lambda-function-error, likely; service acts).");
    }

    #[test]
    fn a_long_description_ends_behind_a_word_within_the_limit() {
        let step = "Prüfe die Größe der Antwort. ".repeat(60);
        let words =
            Annotation::failing("orders", &verdict(Certainty::Likely, &[&step]), &evidence());
        let length = words.description.chars().count();
        assert!((1000..=1024).contains(&length), "{length}");
        assert!(words.description.ends_with('…'));
        let whole = words.description.trim_end_matches('…');
        assert!(
            step.contains(whole.rsplit(' ').next().unwrap()),
            "cut inside a word"
        );
    }

    #[test]
    fn a_group_says_what_to_do_before_it_lists_its_targets() {
        let names: Vec<_> = (0..500).map(|index| format!("target-{index}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let verdict = verdict(Certainty::Likely, &["Look at the prober's own network."]);
        let words = Annotation::group(
            &verdict,
            "137 of 150 targets failed within a minute",
            &names[..3],
        );
        assert_snapshot!(words.description, @"137 of 150 targets failed within a minute: The function failed (lambda-function-error, likely; service acts). Next: Look at the prober's own network. Targets: target-0, target-1, target-2.");
        assert_eq!(words.owner, "service");
        let words = Annotation::group(&verdict, "All failed", &names);
        assert!(words.description.chars().count() <= 1024);
        assert!(words.description.ends_with(",…"), "{}", words.description);
    }

    #[test]
    fn a_kept_text_gives_way_only_where_it_names_no_cause() {
        let url = "https://orders.example/".parse().unwrap();
        let mut settings = crate::model::settings::Settings::default();
        settings.cloudwatch.enabled = true;
        let target = crate::model::target::Target::with_defaults("orders", url);
        settings.targets.push(std::sync::Arc::new(target));
        for spec in crate::domain::alarm::desired(&settings) {
            let mut tags = BTreeMap::from([(CAUSE_TAG.to_owned(), NONE.to_owned())]);
            assert_eq!(
                Annotation::kept(&spec, &tags, "old"),
                Annotation::healthy(&spec)
            );
            tags.insert(CAUSE_TAG.to_owned(), "dns-failure".to_owned());
            let kept = Annotation::kept(&spec, &tags, "old");
            assert_eq!(
                (kept.cause.as_str(), kept.description.as_str()),
                ("dns-failure", "old")
            );
            assert_eq!(
                Annotation::kept(&spec, &tags, "").description,
                Annotation::healthy(&spec).description
            );
        }
    }

    #[test]
    fn on_shards_each_alarm_names_the_daemon_that_it_is_about() {
        let url = "https://orders.example/".parse().unwrap();
        let target = crate::model::target::Target::with_defaults("orders", url);
        let mut settings = crate::model::settings::Settings::default();
        settings.cloudwatch.enabled = true;
        settings.targets.push(std::sync::Arc::new(target));
        let said = |settings: &crate::model::settings::Settings| -> Vec<_> {
            let alarms = crate::domain::alarm::desired(settings).into_iter();
            alarms
                .map(|spec| Annotation::healthy(&spec).description)
                .collect()
        };
        let alone = said(&settings);
        assert!(alone[0].contains("from Probecause at this location"));
        assert!(alone[0].contains("Nobody watches its targets"));
        assert!(alone[1].contains("`probecause local (heartbeat)`"));

        settings.shards.total = 4;
        let holder = crate::domain::shard::holders(&settings.shards, &settings.targets[0].name)[0];
        assert_eq!(holder, 2);
        let shared = said(&settings);
        assert_eq!(shared.len(), 5, "four heartbeats and a target");
        assert!(shared[2].contains("from shard 2 of Probecause at this location"));
        assert!(!shared[2].contains("Nobody"));
        assert!(shared[4].contains("`probecause local (heartbeat shard 2)`"));
        settings.shards.own = Some(2);
        assert_eq!(
            said(&settings)[1],
            shared[4],
            "daemon and command line agree"
        );
    }

    #[test]
    fn tag_values_hold_only_what_aws_takes() {
        assert_eq!(tag_value("shop & co (eu)\n"), "shop _ co _eu__");
        assert_eq!(tag_value("a+b-c=d._:/@ é"), "a+b-c=d._:/@ é");
        assert_eq!(tag_value(&"x".repeat(300)).len(), 256);
    }
}
