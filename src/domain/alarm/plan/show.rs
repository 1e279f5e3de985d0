//! Formats a plan as text.
//!
//! For each alarm that is not as desired, a line contains a sign and the alarm's name, and the next
//! lines contain the alarm's fields or advice. The last line counts the alarms. The signs are `+`
//! (will be created), `~` (will be updated), `=` (changed by hand and left as is), `!` (conflict
//! with an alarm that Probecause does not manage), and `?` (no longer configured).

use std::fmt;

use crate::domain::alarm::annotation::MANAGED_TAG;
use crate::domain::alarm::definition::Definition;
use crate::domain::alarm::plan::{FieldDiff, Plan, Step};

/// The suffix of the line of an alarm that was changed by hand and is updated.
const OVERWRITTEN: &str = " (changed by hand; will be overwritten)";

/// The suffix of the line of an alarm that was changed by hand and is left as is.
const LEFT: &str = " (changed by hand; left as is because `cloudwatch.drift` is \"leave\")";

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
                Step::Update {
                    spec,
                    changes,
                    by_hand,
                    ..
                } => {
                    let why = if *by_hand { OVERWRITTEN } else { "" };
                    writeln!(f, "~ {}{why}", spec.name)?;
                    for change in changes {
                        writeln!(f, "    {}: {} → {}", change.field, change.from, change.to)?;
                    }
                }
                Step::Drift { spec, changes, .. } => {
                    writeln!(f, "= {}{LEFT}", spec.name)?;
                    for FieldDiff { field, from, to } in changes {
                        writeln!(f, "    {field}: {from} (configured: {to})")?;
                    }
                }
                Step::Unchanged { .. } => {}
                Step::Conflict(spec) => writeln!(
                    f,
                    "! {}\n    an alarm with this name exists that is composite or has no tag \
                     `{MANAGED_TAG}`; delete the alarm or, if it is a metric alarm, add the tag to \
                     let Probecause manage it",
                    spec.name
                )?,
                Step::Orphan(alarm) => writeln!(
                    f,
                    "? {}\n    no longer configured; `probecause alarms prune --yes` deletes it",
                    alarm.name
                )?,
            }
        }
        if !self.has_changes() {
            writeln!(f, "nothing to do")?;
        }
        write!(
            f,
            "{} to create, {} to update, {} as desired, {} in conflict, {} no longer configured",
            count(|step| matches!(step, Step::Create(_))),
            count(|step| matches!(step, Step::Update { .. })),
            count(|step| matches!(step, Step::Unchanged { .. })),
            count(|step| matches!(step, Step::Conflict(_))),
            count(|step| matches!(step, Step::Orphan(_))),
        )?;
        match count(|step| matches!(step, Step::Drift { .. })) {
            0 => writeln!(f),
            left => writeln!(f, ", {left} changed by hand and left as is"),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::alarm::annotation::DEFINITION_TAG;
    use crate::domain::alarm::desired;
    use crate::domain::alarm::plan::ActualAlarm;
    use crate::domain::alarm::plan::tests::{applied, settings};
    use crate::model::settings::DriftPolicy;

    fn check(change: impl FnOnce(&mut Vec<ActualAlarm>)) -> String {
        check_with(DriftPolicy::Mend, change)
    }

    fn check_with(drift: DriftPolicy, change: impl FnOnce(&mut Vec<ActualAlarm>)) -> String {
        let specs = desired(&settings(|_, _| {}));
        let mut actual = applied(&specs);
        change(&mut actual);
        Plan::new(&specs, &actual, "local", drift).to_string()
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
        2 to create, 0 to update, 0 as desired, 0 in conflict, 0 no longer configured
        ");
    }

    #[test]
    fn an_applied_plan_has_nothing_left_to_do() {
        assert_snapshot!(check(|_| {}), @r"
        nothing to do
        0 to create, 0 to update, 2 as desired, 0 in conflict, 0 no longer configured
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
        ~ probecause local orders (changed by hand; will be overwritten)
            Period: 300 → 60
            AlarmActions: [] → [arn:aws:sns:eu-west-1:1:pager]
            ActionsEnabled: false → true
        0 to create, 1 to update, 1 as desired, 0 in conflict, 0 no longer configured
        ");
    }

    #[test]
    fn drift_that_is_left_is_shown_without_anything_to_do() {
        assert_snapshot!(check_with(DriftPolicy::Leave, |actual| {
            let definition = actual[1].definition.as_mut().unwrap();
            definition.period = 300;
        }), @r#"
        = probecause local orders (changed by hand; left as is because `cloudwatch.drift` is "leave")
            Period: 300 (configured: 60)
        nothing to do
        0 to create, 0 to update, 1 as desired, 0 in conflict, 0 no longer configured, 1 changed by hand and left as is
        "#);
    }

    #[test]
    fn an_alarm_without_the_managed_tag_is_a_conflict_and_is_left() {
        assert_snapshot!(check(|actual| actual[1].tags.clear()), @r"
        ! probecause local orders
            an alarm with this name exists that is composite or has no tag `probecause:managed`; delete the alarm or, if it is a metric alarm, add the tag to let Probecause manage it
        nothing to do
        0 to create, 0 to update, 1 as desired, 1 in conflict, 0 no longer configured
        ");
    }

    #[test]
    fn a_managed_alarm_without_a_target_is_an_orphan_only_at_its_location() {
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
            no longer configured; `probecause alarms prune --yes` deletes it
        nothing to do
        0 to create, 0 to update, 2 as desired, 0 in conflict, 1 no longer configured
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
    fn a_missing_fingerprint_is_an_update() {
        let text = check(|actual| {
            actual[1].tags.remove(DEFINITION_TAG);
        });
        assert!(text.starts_with("~ probecause local orders\n"), "{text}");
    }

    #[test]
    fn disabled_tag_propagation_is_drift() {
        let text = check(|actual| {
            actual[1].definition.as_mut().unwrap().propagates_tags = Some(false);
        });
        assert!(
            text.contains("AlarmTagsPropagation: false → true"),
            "{text}"
        );
    }
}
