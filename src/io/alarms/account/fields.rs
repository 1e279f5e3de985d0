//! Converts alarms between the types of the AWS SDK and the types of `domain`.
//!
//! `PutMetricAlarm` replaces the whole alarm. A request that changes only the description therefore
//! repeats every other field that CloudWatch accepts. `domain::alarm` decides what is written.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
use aws_sdk_cloudwatch::types::{
    ActionConfiguration, AlarmTagsPropagation, ComparisonOperator, MetricAlarm, Statistic,
};

use crate::domain::alarm::definition::{Definition, missing_as_str};
use crate::domain::alarm::plan::ActualAlarm;
use crate::domain::alarm::{AlarmSpec, Condition, MetricId};
use crate::io::alarms::account::dimension;

/// Fills a `PutMetricAlarm` request with an alarm's definition. The caller adds the description and
/// the tags.
pub(super) fn of_spec(
    request: PutMetricAlarmFluentBuilder,
    spec: &AlarmSpec,
) -> PutMetricAlarmFluentBuilder {
    let dimensions = spec.metric.dimensions.iter();
    request
        .alarm_name(&spec.name)
        .namespace(&spec.metric.namespace)
        .metric_name(&spec.metric.name)
        .set_dimensions(Some(dimensions.map(|(k, v)| dimension(k, v)).collect()))
        .statistic(Statistic::Maximum)
        .comparison_operator(match spec.condition {
            Condition::AtLeastOne => ComparisonOperator::GreaterThanOrEqualToThreshold,
            Condition::LessThanOne => ComparisonOperator::LessThanThreshold,
        })
        .threshold(1.0)
        .period(signed(spec.period))
        .evaluation_periods(signed(spec.evaluation_periods))
        .datapoints_to_alarm(signed(spec.datapoints_to_alarm))
        .treat_missing_data(missing_as_str(spec.missing))
        .set_alarm_actions(Some(spec.actions.clone()))
        .set_ok_actions(Some(spec.actions.clone()))
        .actions_enabled(spec.actions_enabled)
        .action_configuration(propagating())
}

/// Fills a `PutMetricAlarm` request with the fields of an existing alarm. The caller adds the
/// description. Enables tag propagation if CloudWatch does not return this setting, because
/// notifications contain the tags of an alarm only if the tags are propagated.
pub(super) fn of_alarm(
    request: PutMetricAlarmFluentBuilder,
    alarm: &MetricAlarm,
) -> PutMetricAlarmFluentBuilder {
    let alarm = alarm.clone();
    // CloudWatch rejects an empty `metrics` list in the alarm of a single metric.
    let metrics = alarm.metrics.filter(|metrics| !metrics.is_empty());
    let action_configuration = alarm.action_configuration.unwrap_or_else(propagating);
    request
        .set_alarm_name(alarm.alarm_name)
        .set_actions_enabled(alarm.actions_enabled)
        .set_ok_actions(alarm.ok_actions)
        .set_alarm_actions(alarm.alarm_actions)
        .set_insufficient_data_actions(alarm.insufficient_data_actions)
        .set_metric_name(alarm.metric_name)
        .set_namespace(alarm.namespace)
        .set_statistic(alarm.statistic)
        .set_extended_statistic(alarm.extended_statistic)
        .set_dimensions(alarm.dimensions)
        .set_period(alarm.period)
        .set_unit(alarm.unit)
        .set_evaluation_periods(alarm.evaluation_periods)
        .set_datapoints_to_alarm(alarm.datapoints_to_alarm)
        .set_threshold(alarm.threshold)
        .set_comparison_operator(alarm.comparison_operator)
        .set_treat_missing_data(alarm.treat_missing_data)
        .set_evaluate_low_sample_count_percentile(alarm.evaluate_low_sample_count_percentile)
        .set_metrics(metrics)
        .set_threshold_metric_id(alarm.threshold_metric_id)
        .set_evaluation_window(alarm.evaluation_window)
        .set_warm_up_configuration(alarm.warm_up_configuration)
        .set_evaluation_criteria(alarm.evaluation_criteria)
        .set_evaluation_interval(alarm.evaluation_interval)
        .action_configuration(action_configuration)
}

/// Converts an alarm of the SDK to an [`ActualAlarm`]. The result has no tags, because the SDK's
/// alarm contains none.
pub(super) fn actual(alarm: &MetricAlarm) -> ActualAlarm {
    ActualAlarm {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
        description: alarm.alarm_description().unwrap_or_default().to_owned(),
        tags: BTreeMap::new(),
        definition: Some(Definition {
            metric: metric(alarm),
            statistic: alarm
                .statistic()
                .map_or_else(String::new, |statistic| statistic.as_str().to_owned()),
            comparison: alarm
                .comparison_operator()
                .map_or_else(String::new, |operator| operator.as_str().to_owned()),
            threshold: alarm.threshold().unwrap_or_default(),
            period: unsigned(alarm.period()),
            evaluation_periods: unsigned(alarm.evaluation_periods()),
            datapoints_to_alarm: unsigned(alarm.datapoints_to_alarm()),
            missing: alarm.treat_missing_data().unwrap_or("missing").to_owned(),
            alarm_actions: alarm.alarm_actions().to_vec(),
            ok_actions: alarm.ok_actions().to_vec(),
            actions_enabled: alarm.actions_enabled().unwrap_or(true),
            propagates_tags: alarm
                .action_configuration()
                .and_then(ActionConfiguration::alarm_tags_propagation)
                .and_then(AlarmTagsPropagation::enabled),
        }),
    }
}

fn metric(alarm: &MetricAlarm) -> Option<MetricId> {
    let dimensions = alarm.dimensions().iter();
    Some(MetricId {
        namespace: alarm.namespace()?.to_owned(),
        name: alarm.metric_name()?.to_owned(),
        dimensions: dimensions
            .filter_map(|d| Some((d.name()?.to_owned(), d.value()?.to_owned())))
            .collect(),
    })
}

fn propagating() -> ActionConfiguration {
    let propagation = AlarmTagsPropagation::builder().enabled(true).build();
    ActionConfiguration::builder()
        .alarm_tags_propagation(propagation)
        .build()
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn unsigned(number: Option<i32>) -> u32 {
    number
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::types::StandardUnit;

    use super::*;
    use crate::domain::alarm::desired;
    use crate::domain::alarm::plan::tests::settings;

    fn request() -> PutMetricAlarmFluentBuilder {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .build();
        Client::new(&config).put_metric_alarm()
    }

    #[test]
    fn a_new_description_keeps_fields_that_were_changed_by_hand() {
        let existing = MetricAlarm::builder()
            .alarm_name("probecause local orders")
            .metric_name("Down")
            .namespace("Probecause")
            .statistic(Statistic::Sum)
            .period(300)
            .threshold(3.0)
            .unit(StandardUnit::Count)
            .insufficient_data_actions("arn:existing")
            .actions_enabled(false)
            .set_metrics(Some(Vec::new()))
            .build();
        let written = of_alarm(request(), &existing);
        let written = written.as_input().clone().build().unwrap();
        assert_eq!(written.alarm_name(), Some("probecause local orders"));
        assert_eq!(written.statistic(), Some(&Statistic::Sum));
        assert_eq!(written.period(), Some(300));
        assert_eq!(written.threshold(), Some(3.0));
        assert_eq!(written.unit(), Some(&StandardUnit::Count));
        assert_eq!(written.insufficient_data_actions(), ["arn:existing"]);
        assert_eq!(written.actions_enabled(), Some(false));
        assert_eq!(written.metrics, None);
        assert_eq!(written.action_configuration, Some(propagating()));
    }

    #[test]
    fn a_written_definition_reads_back_unchanged() {
        for spec in desired(&settings(|_, _| {})) {
            let written = of_spec(request(), &spec);
            let written = written.as_input().clone().build().unwrap();
            let alarm = MetricAlarm::builder()
                .set_alarm_name(written.alarm_name)
                .set_metric_name(written.metric_name)
                .set_namespace(written.namespace)
                .set_statistic(written.statistic)
                .set_dimensions(written.dimensions)
                .set_period(written.period)
                .set_evaluation_periods(written.evaluation_periods)
                .set_datapoints_to_alarm(written.datapoints_to_alarm)
                .set_threshold(written.threshold)
                .set_comparison_operator(written.comparison_operator)
                .set_treat_missing_data(written.treat_missing_data)
                .set_alarm_actions(written.alarm_actions)
                .set_ok_actions(written.ok_actions)
                .set_actions_enabled(written.actions_enabled)
                .set_action_configuration(written.action_configuration)
                .build();
            assert_eq!(actual(&alarm).definition, Some(Definition::of(&spec)));
        }
    }
}
