//! The definition of an alarm in the form in which CloudWatch returns it. Definitions are compared
//! and printed in this form.
//!
//! A fingerprint, which is stored as a tag of the alarm, detects changes of fields that CloudWatch
//! does not return.

use crate::domain::alarm::{AlarmSpec, Condition, MetricId};
use crate::model::target::MissingData;

/// The definition of an alarm: the fields that CloudWatch returns.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Definition {
    /// The metric that the alarm watches; `None` if the alarm watches something else, such as a
    /// metric math expression.
    pub metric: Option<MetricId>,
    /// The statistic, such as `Maximum`.
    pub statistic: String,
    /// The comparison operator, such as `GreaterThanOrEqualToThreshold`.
    pub comparison: String,
    /// The value that the statistic is compared with.
    pub threshold: f64,
    /// The length of a period in seconds.
    pub period: u32,
    /// The number of periods that are evaluated: N of "M of N".
    pub evaluation_periods: u32,
    /// The number of breaching datapoints that fire the alarm: M of "M of N". 0 means N.
    pub datapoints_to_alarm: u32,
    /// The treatment of missing datapoints, such as `ignore`.
    pub missing: String,
    /// ARNs notified when the alarm changes to ALARM.
    pub alarm_actions: Vec<String>,
    /// ARNs notified when the alarm changes to OK.
    pub ok_actions: Vec<String>,
    /// Whether the alarm runs its actions when its state changes.
    pub actions_enabled: bool,
    /// Whether notifications contain the alarm's tags; `None` if CloudWatch does not return this
    /// setting.
    pub propagates_tags: Option<bool>,
}

impl Definition {
    /// Converts a desired alarm to the fields that CloudWatch returns once the alarm is written.
    #[must_use]
    pub fn of(spec: &AlarmSpec) -> Self {
        Self {
            metric: Some(spec.metric.clone()),
            statistic: "Maximum".to_owned(),
            comparison: spec.condition.as_str().to_owned(),
            threshold: 1.0,
            period: spec.period,
            evaluation_periods: spec.evaluation_periods,
            datapoints_to_alarm: spec.datapoints_to_alarm,
            missing: missing_as_str(spec.missing).to_owned(),
            alarm_actions: spec.actions.clone(),
            ok_actions: spec.actions.clone(),
            actions_enabled: spec.actions_enabled,
            propagates_tags: Some(true),
        }
    }

    /// Returns all fields except tag propagation, in a fixed order. Each field is a pair: the name
    /// that CloudWatch uses, and the value as text.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let (namespace, name, dimensions) = self.metric.as_ref().map_or_else(
            || ("", "", Vec::new()),
            |metric| {
                let mut dimensions = metric.dimensions.clone();
                dimensions.sort();
                (metric.namespace.as_str(), metric.name.as_str(), dimensions)
            },
        );
        let dimensions: Vec<_> = dimensions.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let datapoints = match self.datapoints_to_alarm {
            0 => self.evaluation_periods,
            datapoints => datapoints,
        };
        vec![
            ("Namespace", namespace.to_owned()),
            ("MetricName", name.to_owned()),
            ("Dimensions", dimensions.join(", ")),
            ("Statistic", self.statistic.clone()),
            ("ComparisonOperator", self.comparison.clone()),
            ("Threshold", self.threshold.to_string()),
            ("Period", self.period.to_string()),
            ("EvaluationPeriods", self.evaluation_periods.to_string()),
            ("DatapointsToAlarm", datapoints.to_string()),
            ("TreatMissingData", self.missing.clone()),
            ("AlarmActions", list(&self.alarm_actions)),
            ("OKActions", list(&self.ok_actions)),
            ("ActionsEnabled", self.actions_enabled.to_string()),
        ]
    }
}

impl Condition {
    /// Returns CloudWatch's name of the comparison operator.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtLeastOne => "GreaterThanOrEqualToThreshold",
            Self::LessThanOne => "LessThanThreshold",
        }
    }
}

/// Returns CloudWatch's value for a treatment of missing datapoints.
#[must_use]
pub const fn missing_as_str(missing: MissingData) -> &'static str {
    match missing {
        MissingData::Ignore => "ignore",
        MissingData::Breaching => "breaching",
        MissingData::NotBreaching => "notBreaching",
        MissingData::Missing => "missing",
    }
}

fn list(actions: &[String]) -> String {
    // CloudWatch does not keep the order of actions, so the ARNs are sorted before a comparison.
    let mut actions = actions.to_vec();
    actions.sort();
    format!("[{}]", actions.join(", "))
}
