//! Who alarms tell: lists of ARNs, held against what CloudWatch accepts.

use super::text::arn;
use crate::domain::alarm::MAX_ACTIONS;
use crate::io::config::layer::Found;
use crate::io::config::problem::Problems;
use crate::model::settings::CloudWatchSettings;
use crate::model::target::Target;

/// The ARNs of a list that CloudWatch would take.
pub(super) fn actions(found: &Found<'_, Vec<String>>, problems: &mut Problems) -> Vec<String> {
    if found.value.len() > MAX_ACTIONS {
        problems.error(found.site.problem(format!(
            "{} actions, and CloudWatch takes {MAX_ACTIONS}; let one topic tell several",
            found.value.len()
        )));
    }
    for (index, text) in found.value.iter().enumerate() {
        if let Err(message) = arn(text) {
            problems.error(found.site.index(index).problem(message));
        }
    }
    found.value.clone()
}

/// The region of a target's alarms, if the configuration tells it.
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

/// Tells of topics in another region than the alarms that are to tell them, which
/// PutMetricAlarm refuses.
pub(super) fn in_region(
    found: &Found<'_, Vec<String>>,
    region: Option<&str>,
    problems: &mut Problems,
) {
    for (index, topic) in found.value.iter().enumerate() {
        if let Some((theirs, ours)) = elsewhere(topic, region) {
            problems.error(found.site.index(index).problem(format!(
                "{topic:?} is in {theirs}, and an alarm in {ours} can only tell topics there; \
                 name one of {ours}"
            )));
        }
    }
}

/// The topic's region and the one where it should be, if these differ.
pub(super) fn elsewhere<'a>(topic: &'a str, region: Option<&'a str>) -> Option<(&'a str, &'a str)> {
    // arn:partition:sns:region:account:topic; other services' ARNs need no region.
    let mut parts = topic.split(':').skip(2);
    let (service, theirs) = (parts.next()?, parts.next()?);
    let ours = region?;
    (service == "sns" && theirs != ours).then_some((theirs, ours))
}
