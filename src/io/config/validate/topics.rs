//! Reads lists of alarm actions and checks them against the limits of CloudWatch.

use crate::domain::alarm::MAX_ACTIONS;
use crate::io::config::table::Value;
use crate::io::config::value::text::Arn;
use crate::model::settings::CloudWatchSettings;
use crate::model::target::Target;

/// Returns the ARNs in a list of alarm actions. Reports items that are not ARNs, and a list that is
/// too long for CloudWatch.
pub(super) fn actions(list: &Value<'_>) -> Vec<String> {
    let items = list.items();
    if items.len() > MAX_ACTIONS {
        list.place.error(format!(
            "has {} actions, but CloudWatch accepts at most {MAX_ACTIONS}; use one topic with \
             several subscriptions",
            items.len()
        ));
    }
    items.iter().filter_map(Value::read::<Arn>).collect()
}

/// Returns the region of a target's alarms, or `None` if the configuration does not contain it.
pub(super) fn region_of<'a>(
    cloudwatch: &'a CloudWatchSettings,
    target: &Target,
) -> Option<&'a str> {
    let name = target.cloudwatch.destination.as_ref();
    match name.and_then(|name| cloudwatch.destinations.get(name)) {
        Some(destination) => destination.region.as_deref(),
        None => cloudwatch.region.as_deref(),
    }
}

/// Reports SNS topics in a different region than the alarm, because PutMetricAlarm rejects them.
/// `region` is the region of the alarm. If it is `None`, nothing is reported.
pub(super) fn check_region(list: &Value<'_>, region: Option<&str>) {
    for item in list.items() {
        if let Some(topic) = item.text()
            && let Some((topic_region, alarm_region)) = other_region(topic, region)
        {
            item.place.error(format!(
                "{topic:?} is in {topic_region}, but an alarm in {alarm_region} can only notify \
                 topics in {alarm_region}; set the ARN of a topic in that region"
            ));
        }
    }
}

/// Returns the region of an SNS topic and the region of the alarm. Returns `None` if the regions do
/// not differ, if the alarm's region is unknown, or if `topic` is not the ARN of an SNS topic.
pub(super) fn other_region<'a>(
    topic: &'a str,
    region: Option<&'a str>,
) -> Option<(&'a str, &'a str)> {
    // The ARN of a topic is `arn:partition:sns:region:account:topic`. Actions of other services may
    // be in a different region.
    let mut parts = topic.split(':').skip(2);
    let (service, topic_region) = (parts.next()?, parts.next()?);
    let alarm_region = region?;
    (service == "sns" && topic_region != alarm_region).then_some((topic_region, alarm_region))
}
