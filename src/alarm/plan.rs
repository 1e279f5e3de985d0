//! Desired alarms against actual ones: the difference as a value, printed before it is
//! applied, and empty once it has been.
//!
//! Pure. An alarm without our tag is never part of a change: one that holds a name we
//! need is a clash, for a person to settle. Tags and descriptions that name causes
//! belong to the daemon, so they take no part in the comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::alarm::AlarmSpec;
use crate::alarm::definition::Definition;
use crate::alarm::words::{DEFINITION_TAG, MANAGED_TAG};

/// An alarm as it is in the account.
#[derive(Clone, Debug, PartialEq)]
pub struct ActualAlarm {
    /// Its name.
    pub name: String,
    /// Its ARN, which tags go by.
    pub arn: String,
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its definition; `None`: of another kind than ours (composite, metric math, …).
    pub definition: Option<Definition>,
}

/// What has to be done, and what is found besides.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// One step per alarm: pagers that are desired first, in the order of the
    /// configuration; then what is ours but no longer configured, by name.
    pub steps: Vec<Step>,
}

/// One alarm's part of a plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It is missing.
    Create(AlarmSpec),
    /// It differs.
    Update {
        /// As it should be.
        spec: AlarmSpec,
        /// As it is; its words are kept.
        actual: ActualAlarm,
        /// What differs.
        changes: Vec<Change>,
    },
    /// It is as it should be.
    Leave {
        /// As it should be.
        spec: AlarmSpec,
        /// As it is.
        actual: ActualAlarm,
    },
    /// Somebody else's alarm has the name.
    Clash(AlarmSpec),
    /// It is ours, at this location, and its target is not configured any more.
    Orphan(ActualAlarm),
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field, in CloudWatch's words.
    pub field: &'static str,
    /// As it is.
    pub from: String,
    /// As it should be.
    pub to: String,
}

impl Plan {
    /// Compares what is desired at a location with what is there.
    #[must_use]
    pub fn new(desired: &[AlarmSpec], actual: &[ActualAlarm], location: &str) -> Self {
        let by_name: BTreeMap<_, _> = actual.iter().map(|a| (a.name.as_str(), a)).collect();
        let wanted: BTreeSet<_> = desired.iter().map(|spec| spec.name.as_str()).collect();
        let mut steps: Vec<_> = desired
            .iter()
            .map(|spec| step(spec, by_name.get(spec.name.as_str()).copied()))
            .collect();
        let orphans = by_name
            .values()
            .filter(|alarm| !wanted.contains(alarm.name.as_str()))
            .filter(|alarm| alarm.is_ours() && alarm.is_at(location));
        steps.extend(orphans.map(|&alarm| Step::Orphan(alarm.clone())));
        Self { steps }
    }

    /// Whether applying it would write anything.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.changes().next().is_some()
    }

    /// The steps that write something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| matches!(step, Step::Create(_) | Step::Update { .. }))
    }

    /// The alarms that `prune` would remove.
    pub fn orphans(&self) -> impl Iterator<Item = &ActualAlarm> {
        self.steps.iter().filter_map(|step| match step {
            Step::Orphan(alarm) => Some(alarm),
            _ => None,
        })
    }

    /// The alarms whose names somebody else's alarms hold.
    pub fn clashes(&self) -> impl Iterator<Item = &AlarmSpec> {
        self.steps.iter().filter_map(|step| match step {
            Step::Clash(spec) => Some(spec),
            _ => None,
        })
    }
}

impl Step {
    /// The alarm's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Create(spec)
            | Self::Update { spec, .. }
            | Self::Leave { spec, .. }
            | Self::Clash(spec) => &spec.name,
            Self::Orphan(alarm) => &alarm.name,
        }
    }

    /// What is to be done, in one word.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update { .. } => "update",
            Self::Leave { .. } => "leave",
            Self::Clash(_) => "clash",
            Self::Orphan(_) => "orphan",
        }
    }
}

impl ActualAlarm {
    /// Whether it carries our tag.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.tags.contains_key(MANAGED_TAG)
    }

    /// Whether its metric is one of this location: names alone cannot tell `eu` from
    /// `eu west`.
    fn is_at(&self, location: &str) -> bool {
        self.definition
            .as_ref()
            .and_then(|definition| definition.metric.as_ref())
            .is_some_and(|metric| {
                let here = |(key, value): &(String, String)| key == "Location" && value == location;
                metric.dimensions.iter().any(here)
            })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |test: fn(&Step) -> bool| self.steps.iter().filter(|step| test(step)).count();
        for step in &self.steps {
            match step {
                Step::Create(spec) => {
                    writeln!(f, "+ {}", spec.name)?;
                    for (field, value) in Definition::of(spec).fields() {
                        writeln!(f, "    {field}: {value}")?;
                    }
                }
                Step::Update { spec, changes, .. } => {
                    writeln!(f, "~ {}", spec.name)?;
                    for change in changes {
                        writeln!(f, "    {}: {} → {}", change.field, change.from, change.to)?;
                    }
                }
                Step::Leave { .. } => {}
                Step::Clash(spec) => writeln!(
                    f,
                    "! {}\n    an alarm of this name exists without the tag {MANAGED_TAG}: rename or delete it, or tag it to hand it over",
                    spec.name
                )?,
                Step::Orphan(alarm) => writeln!(
                    f,
                    "? {}\n    no longer configured: `probecause alarms prune` removes it",
                    alarm.name
                )?,
            }
        }
        if !self.has_changes() {
            writeln!(f, "nothing to do")?;
        }
        writeln!(
            f,
            "{} to create, {} to update, {} as desired, {} in the way, {} no longer configured",
            count(|step| matches!(step, Step::Create(_))),
            count(|step| matches!(step, Step::Update { .. })),
            count(|step| matches!(step, Step::Leave { .. })),
            count(|step| matches!(step, Step::Clash(_))),
            count(|step| matches!(step, Step::Orphan(_))),
        )
    }
}

fn step(spec: &AlarmSpec, actual: Option<&ActualAlarm>) -> Step {
    let Some(actual) = actual else {
        return Step::Create(spec.clone());
    };
    let Some(definition) = actual.definition.as_ref().filter(|_| actual.is_ours()) else {
        return Step::Clash(spec.clone());
    };
    let changes = changes(spec, definition, actual.tags.get(DEFINITION_TAG));
    if changes.is_empty() {
        Step::Leave {
            spec: spec.clone(),
            actual: actual.clone(),
        }
    } else {
        Step::Update {
            spec: spec.clone(),
            actual: actual.clone(),
            changes,
        }
    }
}

fn changes(spec: &AlarmSpec, actual: &Definition, stored: Option<&String>) -> Vec<Change> {
    let mut changes: Vec<_> = Definition::of(spec)
        .fields()
        .into_iter()
        .zip(actual.fields())
        .filter(|((_, to), (_, from))| to != from)
        .map(|((field, to), (_, from))| Change { field, from, to })
        .collect();
    if actual.propagates_tags == Some(false) {
        changes.push(Change {
            field: "AlarmTagsPropagation",
            from: "false".to_owned(),
            to: "true".to_owned(),
        });
    }
    // What CloudWatch does not return is covered by the fingerprint that was stored.
    let fingerprint = spec.fingerprint();
    if changes.is_empty() && stored != Some(&fingerprint) {
        changes.push(Change {
            field: DEFINITION_TAG,
            from: stored.cloned().unwrap_or_default(),
            to: fingerprint,
        });
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use insta::assert_snapshot;

    use super::*;
    use crate::alarm::desired;
    use crate::alarm::words::Words;
    use crate::settings::Settings;
    use crate::target::Target;

    fn specs() -> Vec<AlarmSpec> {
        let url = "https://orders.example/".parse().unwrap();
        let mut settings = Settings::default();
        settings.cloudwatch.enabled = true;
        settings.cloudwatch.alarm_actions = vec!["arn:aws:sns:eu-west-1:1:pager".to_owned()];
        settings
            .targets
            .push(Arc::new(Target::with_defaults("orders", url)));
        desired(&settings)
    }

    /// The alarms as an account holds them after an apply.
    fn applied(specs: &[AlarmSpec]) -> Vec<ActualAlarm> {
        specs
            .iter()
            .map(|spec| {
                let words = Words::healthy(spec);
                let tags = words.tags(spec).into_iter();
                ActualAlarm {
                    name: spec.name.clone(),
                    arn: format!("arn:{}", spec.name),
                    tags: tags.map(|(key, value)| (key.to_owned(), value)).collect(),
                    description: words.description,
                    definition: Some(Definition {
                        propagates_tags: None,
                        ..Definition::of(spec)
                    }),
                }
            })
            .collect()
    }

    fn check(change: impl FnOnce(&mut Vec<ActualAlarm>)) -> String {
        let specs = specs();
        let mut actual = applied(&specs);
        change(&mut actual);
        Plan::new(&specs, &actual, "local").to_string()
    }

    #[test]
    fn an_empty_account_gets_every_alarm() {
        assert_snapshot!(check(Vec::clear), @r"
        + probecause local (heartbeat)
            Namespace: Probecause
            MetricName: Heartbeat
            Dimensions: Location=local
            Statistic: Maximum
            ComparisonOperator: LessThanThreshold
            Threshold: 1
            Period: 60
            EvaluationPeriods: 3
            DatapointsToAlarm: 3
            TreatMissingData: breaching
            AlarmActions: [arn:aws:sns:eu-west-1:1:pager]
            OKActions: [arn:aws:sns:eu-west-1:1:pager]
            ActionsEnabled: true
        + probecause local orders
            Namespace: Probecause
            MetricName: Down
            Dimensions: Location=local, Target=orders
            Statistic: Maximum
            ComparisonOperator: GreaterThanOrEqualToThreshold
            Threshold: 1
            Period: 60
            EvaluationPeriods: 1
            DatapointsToAlarm: 1
            TreatMissingData: ignore
            AlarmActions: [arn:aws:sns:eu-west-1:1:pager]
            OKActions: [arn:aws:sns:eu-west-1:1:pager]
            ActionsEnabled: true
        2 to create, 0 to update, 0 as desired, 0 in the way, 0 no longer configured
        ");
    }

    #[test]
    fn an_applied_plan_has_nothing_left_to_do() {
        assert_snapshot!(check(|_| {}), @r"
        nothing to do
        0 to create, 0 to update, 2 as desired, 0 in the way, 0 no longer configured
        ");
    }

    #[test]
    fn drift_is_shown_field_by_field() {
        assert_snapshot!(check(|actual| {
            let definition = actual[1].definition.as_mut().unwrap();
            definition.period = 300;
            definition.alarm_actions.clear();
            definition.actions_enabled = false;
        }), @r"
        ~ probecause local orders
            Period: 300 → 60
            AlarmActions: [] → [arn:aws:sns:eu-west-1:1:pager]
            ActionsEnabled: false → true
        0 to create, 1 to update, 1 as desired, 0 in the way, 0 no longer configured
        ");
    }

    #[test]
    fn an_alarm_without_our_tag_is_a_clash_and_stays() {
        assert_snapshot!(check(|actual| actual[1].tags.clear()), @r"
        ! probecause local orders
            an alarm of this name exists without the tag probecause:managed: rename or delete it, or tag it to hand it over
        nothing to do
        0 to create, 0 to update, 1 as desired, 1 in the way, 0 no longer configured
        ");
    }

    #[test]
    fn ours_without_a_target_is_an_orphan_only_at_this_location() {
        assert_snapshot!(check(|actual| {
            let mut gone = actual[1].clone();
            gone.name = "probecause local gone".to_owned();
            let mut elsewhere = gone.clone();
            elsewhere.name = "probecause local west orders".to_owned();
            let metric = elsewhere.definition.as_mut().unwrap().metric.as_mut().unwrap();
            metric.dimensions[1].1 = "local west".to_owned();
            let mut foreign = gone.clone();
            foreign.name = "probecause local theirs".to_owned();
            foreign.tags.clear();
            actual.extend([gone, elsewhere, foreign]);
        }), @r"
        ? probecause local gone
            no longer configured: `probecause alarms prune` removes it
        nothing to do
        0 to create, 0 to update, 2 as desired, 0 in the way, 1 no longer configured
        ");
    }

    #[test]
    fn a_changed_cause_is_no_drift() {
        let text = check(|actual| {
            actual[1].description = "orders: throttled".to_owned();
            let cause = actual[1].tags.get_mut("probecause:cause").unwrap();
            *cause = "lambda-throttled".to_owned();
        });
        assert!(text.starts_with("nothing to do"), "{text}");
    }

    #[test]
    fn a_definition_that_is_not_returned_is_known_by_its_fingerprint() {
        let text = check(|actual| {
            actual[1].tags.remove(DEFINITION_TAG);
        });
        assert!(text.starts_with("~ probecause local orders"), "{text}");
    }

    #[test]
    fn switched_off_propagation_is_drift() {
        let text = check(|actual| {
            actual[1].definition.as_mut().unwrap().propagates_tags = Some(false);
        });
        assert!(
            text.contains("AlarmTagsPropagation: false → true"),
            "{text}"
        );
    }
}
