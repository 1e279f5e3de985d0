//! Computes the difference between desired and actual alarms, as a plan that can be printed before
//! it is applied.
//!
//! Alarms without the managed tag are never changed. If such an alarm has the name of a desired
//! alarm, the plan contains a conflict, which a person resolves. Tags and descriptions that name
//! causes are not compared, because the daemon writes them. A fingerprint on each alarm
//! distinguishes changes of the configuration from changes by hand. `show` formats a plan.

mod show;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::alarm::AlarmSpec;
use crate::domain::alarm::annotation::{DEFINITION_TAG, MANAGED_TAG};
use crate::domain::alarm::definition::Definition;
use crate::model::settings::DriftPolicy;

/// An alarm as it exists in the account.
#[derive(Clone, Debug, PartialEq)]
pub struct ActualAlarm {
    /// The alarm's name.
    pub name: String,
    /// The alarm's ARN, which tag requests need.
    pub arn: String,
    /// The alarm's description.
    pub description: String,
    /// The alarm's tags, by key.
    pub tags: BTreeMap<String, String>,
    /// The alarm's definition; `None` for a composite alarm.
    pub definition: Option<Definition>,
}

/// The difference between desired and actual alarms: one step for each alarm.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// The steps for desired alarms in the order of the configuration, then for orphans by name.
    pub steps: Vec<Step>,
}

/// The action of a plan for one alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Creates an alarm that does not exist.
    Create(AlarmSpec),
    /// Updates an alarm whose definition or fingerprint differs from the desired one.
    Update {
        /// The alarm as the configuration requires it.
        spec: AlarmSpec,
        /// The alarm as it exists in the account. Its annotation is kept.
        actual: ActualAlarm,
        /// The fields in which the existing alarm differs from its desired definition.
        changes: Vec<FieldDiff>,
        /// Whether the alarm was changed by hand: it differs, although its desired definition is
        /// the same as at the last write.
        by_hand: bool,
    },
    /// Leaves an alarm that was changed by hand as is, because the drift policy is `leave`.
    Drift {
        /// The alarm as the configuration requires it.
        spec: AlarmSpec,
        /// The alarm as it exists in the account.
        actual: ActualAlarm,
        /// The fields in which the existing alarm differs from its desired definition.
        changes: Vec<FieldDiff>,
    },
    /// Writes nothing, because the alarm is as desired.
    Unchanged {
        /// The alarm as the configuration requires it.
        spec: AlarmSpec,
        /// The alarm as it exists in the account.
        actual: ActualAlarm,
    },
    /// Writes nothing, because a composite or unmanaged alarm has the name of this desired alarm.
    Conflict(AlarmSpec),
    /// Reports a managed alarm of this location that the configuration no longer requires.
    Orphan(ActualAlarm),
}

/// One field whose actual and desired values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDiff {
    /// CloudWatch's name of the field.
    pub field: &'static str,
    /// The actual value, as text.
    pub from: String,
    /// The desired value, as text.
    pub to: String,
}

impl Plan {
    /// Compares the desired and actual alarms of a location. Managed alarms of the location that
    /// are not desired become orphans. A missing alarm is created, even if it was deleted by
    /// hand.
    #[must_use]
    pub fn new(
        desired: &[AlarmSpec],
        actual: &[ActualAlarm],
        location: &str,
        drift: DriftPolicy,
    ) -> Self {
        let by_name: BTreeMap<_, _> = actual.iter().map(|a| (a.name.as_str(), a)).collect();
        let wanted: BTreeSet<_> = desired.iter().map(|spec| spec.name.as_str()).collect();
        let mut steps: Vec<_> = desired
            .iter()
            .map(|spec| step(spec, by_name.get(spec.name.as_str()).copied(), drift))
            .collect();
        let orphans = by_name
            .values()
            .filter(|alarm| !wanted.contains(alarm.name.as_str()))
            .filter(|alarm| alarm.is_managed() && alarm.is_at(location));
        steps.extend(orphans.map(|&alarm| Step::Orphan(alarm.clone())));
        Self { steps }
    }

    /// Returns whether applying the plan creates or updates an alarm.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.changes().next().is_some()
    }

    /// Returns the steps that create or update an alarm.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| matches!(step, Step::Create(_) | Step::Update { .. }))
    }

    /// Returns the orphans: the managed alarms of the location that are not desired.
    pub fn orphans(&self) -> impl Iterator<Item = &ActualAlarm> {
        self.steps.iter().filter_map(|step| match step {
            Step::Orphan(alarm) => Some(alarm),
            _ => None,
        })
    }

    /// Returns the desired alarms whose names are taken by alarms that must not be changed.
    pub fn conflicts(&self) -> impl Iterator<Item = &AlarmSpec> {
        self.steps.iter().filter_map(|step| match step {
            Step::Conflict(spec) => Some(spec),
            _ => None,
        })
    }
}

impl Step {
    /// Returns the name of the step's alarm.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Create(spec)
            | Self::Update { spec, .. }
            | Self::Drift { spec, .. }
            | Self::Unchanged { spec, .. }
            | Self::Conflict(spec) => &spec.name,
            Self::Orphan(alarm) => &alarm.name,
        }
    }

    /// Returns the action of the step as one word for the text and JSON output.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update { .. } => "update",
            Self::Drift { .. } => "drift",
            Self::Unchanged { .. } => "leave",
            Self::Conflict(_) => "clash",
            Self::Orphan(_) => "orphan",
        }
    }

    /// Returns the fields that were changed by hand; `None` if there are none, or if the desired
    /// definition changed too.
    #[must_use]
    pub fn drift(&self) -> Option<&[FieldDiff]> {
        match self {
            Self::Drift { changes, .. }
            | Self::Update {
                changes,
                by_hand: true,
                ..
            } => Some(changes),
            _ => None,
        }
    }
}

impl ActualAlarm {
    /// Returns whether the alarm has the managed tag.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.tags.contains_key(MANAGED_TAG)
    }

    /// Returns whether the alarm belongs to `location`, as shown by its metric. The name does not
    /// show this: `probecause eu west orders` may belong to the location `eu` or `eu west`.
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

fn step(spec: &AlarmSpec, actual: Option<&ActualAlarm>, drift: DriftPolicy) -> Step {
    let Some(actual) = actual else {
        return Step::Create(spec.clone());
    };
    let Some(definition) = actual.definition.as_ref().filter(|_| actual.is_managed()) else {
        return Step::Conflict(spec.clone());
    };
    let stored = actual.tags.get(DEFINITION_TAG);
    let fingerprint = spec.fingerprint();
    let by_hand = stored == Some(&fingerprint);
    let mut changes = changes(spec, definition);
    // The alarm is updated even if only the fingerprint differs, because a field that CloudWatch
    // does not return may have changed.
    if changes.is_empty() && !by_hand {
        changes.push(FieldDiff {
            field: DEFINITION_TAG,
            from: stored.cloned().unwrap_or_default(),
            to: fingerprint,
        });
    }
    let (spec, actual) = (spec.clone(), actual.clone());
    if changes.is_empty() {
        Step::Unchanged { spec, actual }
    } else if by_hand && drift == DriftPolicy::Leave {
        Step::Drift {
            spec,
            actual,
            changes,
        }
    } else {
        Step::Update {
            spec,
            actual,
            changes,
            by_hand,
        }
    }
}

fn changes(spec: &AlarmSpec, actual: &Definition) -> Vec<FieldDiff> {
    let mut changes: Vec<_> = Definition::of(spec)
        .fields()
        .into_iter()
        .zip(actual.fields())
        .filter(|((_, to), (_, from))| to != from)
        .map(|((field, to), (_, from))| FieldDiff { field, from, to })
        .collect();
    if actual.propagates_tags == Some(false) {
        changes.push(FieldDiff {
            field: "AlarmTagsPropagation",
            from: "false".to_owned(),
            to: "true".to_owned(),
        });
    }
    changes
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::alarm::annotation::Annotation;
    use crate::domain::alarm::desired;
    use crate::model::cause::{CauseId, Owner};
    use crate::model::settings::Settings;
    use crate::model::target::{CauseAlarm, Target};

    /// Returns settings with one target, `orders`, whose alarm has an action.
    pub(crate) fn settings(change: impl FnOnce(&mut Settings, &mut Target)) -> Settings {
        let url = "https://orders.example/".parse().unwrap();
        let mut target = Target::with_defaults("orders", url);
        let mut settings = Settings::default();
        settings.cloudwatch.enabled = true;
        settings.cloudwatch.alarm_actions = vec!["arn:aws:sns:eu-west-1:1:pager".to_owned()];
        change(&mut settings, &mut target);
        settings.targets.push(Arc::new(target));
        settings
    }

    /// Returns the alarms that an account contains after these definitions were applied.
    pub(crate) fn applied(specs: &[AlarmSpec]) -> Vec<ActualAlarm> {
        specs
            .iter()
            .map(|spec| {
                let healthy = Annotation::healthy(spec);
                let tags = healthy.tags(spec).into_iter();
                ActualAlarm {
                    name: spec.name.clone(),
                    arn: format!("arn:{}", spec.name),
                    tags: tags.map(|(key, value)| (key.to_owned(), value)).collect(),
                    description: healthy.description,
                    definition: Some(Definition {
                        propagates_tags: None,
                        ..Definition::of(spec)
                    }),
                }
            })
            .collect()
    }

    /// Compares the planned actions with `expected`, in which `!` marks a change by hand and
    /// unchanged alarms are omitted. `wanted` modifies the settings. The account contains the
    /// applied alarms of `orders` and of one of its causes, modified by `change`.
    fn check(
        wanted: impl FnOnce(&mut Settings, &mut Target),
        change: impl FnOnce(&mut Vec<ActualAlarm>),
        expected: &str,
    ) {
        let with_cause = |_: &mut Settings, target: &mut Target| {
            target.alarm.causes.push(CauseAlarm {
                cause: CauseId::new("forbidden").unwrap(),
                owner: Owner::Platform,
                actions: Vec::new(),
            });
        };
        let mut actual = applied(&desired(&settings(with_cause)));
        change(&mut actual);
        let wanted = settings(|settings, target| {
            with_cause(settings, target);
            wanted(settings, target);
        });
        let drift = wanted.cloudwatch.drift;
        let plan = Plan::new(&desired(&wanted), &actual, "local", drift);
        let seen = plan.steps.iter().filter(|step| step.action() != "leave");
        let seen: Vec<_> = seen
            .map(|step| {
                let by_hand = if step.drift().is_some() { "!" } else { "" };
                let name = step.name().trim_start_matches("probecause local ");
                format!("{}{by_hand} {name}", step.action())
            })
            .collect();
        assert_eq!(seen.join(", "), expected);
    }

    fn longer(actual: &mut [ActualAlarm]) {
        actual[1].definition.as_mut().unwrap().period = 300;
    }

    fn leave(settings: &mut Settings, _: &mut Target) {
        settings.cloudwatch.drift = DriftPolicy::Leave;
    }

    #[test]
    fn a_change_by_hand_is_overwritten_or_left() {
        check(|_, _| {}, |actual| longer(actual), "update! orders");
        check(leave, |actual| longer(actual), "drift! orders");
    }

    #[test]
    fn a_change_of_the_configuration_is_written_under_either_policy() {
        let twice = |_: &mut Settings, target: &mut Target| target.alarm.periods = 2;
        check(twice, |_| {}, "update orders, update orders (forbidden)");
        check(
            |settings, target| {
                leave(settings, target);
                twice(settings, target);
            },
            // The alarm was changed by hand too. One write covers both changes.
            |actual| longer(actual),
            "update orders, update orders (forbidden)",
        );
    }

    #[test]
    fn an_alarm_without_a_fingerprint_is_written() {
        check(
            leave,
            |actual| {
                actual[1].tags.remove(DEFINITION_TAG);
            },
            "update orders",
        );
    }

    #[test]
    fn a_missing_alarm_is_created_under_either_policy() {
        let gone = |actual: &mut Vec<ActualAlarm>| {
            actual.remove(1);
        };
        check(|_, _| {}, gone, "create orders");
        check(leave, gone, "create orders");
    }

    #[test]
    fn a_removed_cause_leaves_an_orphan() {
        check(
            |_, target| target.alarm.causes.clear(),
            |_| {},
            "orphan orders (forbidden)",
        );
    }
}
