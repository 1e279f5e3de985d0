//! Selects the calls that show what the credentials of a Region and role may read.
//!
//! One call per action is enough: the outcome is taken to be the same for all APIs and functions.
//! Log groups are read one by one, because policies usually name each of them, and because a
//! declared log group may not exist.

use super::{Action, Read};
use crate::domain::configuration::plan::Plan;
use crate::model::target::{AwsDeclarations, Target};

/// Maximum number of log groups that are read per Region and role. At the default rate of two
/// requests per second, the reads take less than a minute.
const MAX_LOG_GROUPS: usize = 100;

/// The actions that read a function.
pub(super) const FUNCTION_ACTIONS: [Action; 3] = [
    Action::GetFunctionConfiguration,
    Action::GetPolicy,
    Action::GetFunctionConcurrency,
];

/// The actions that find the target group of a load balancer. DescribeTargetHealth is not called,
/// because it needs the ARN of a target group. Policies usually grant it together with these two.
pub(super) const LOAD_BALANCER_ACTIONS: [Action; 2] =
    [Action::DescribeLoadBalancers, Action::DescribeTargetGroups];

/// Returns the calls for the targets of one Region and role: one per action, and one per log group
/// for at most 100 log groups.
#[must_use]
pub fn reads(targets: &[&Target]) -> Vec<Read> {
    let mut all = Vec::new();
    if targets.iter().any(|target| has_metrics(&target.aws)) {
        all.push(Read::of(Action::GetMetricData));
    }
    for group in log_groups(targets) {
        all.push(Read::on(Action::FilterLogEvents, group));
    }
    let plans: Vec<Plan> = targets.iter().map(|target| Plan::of(target)).collect();
    if let Some(api) = plans.iter().find_map(|plan| plan.api.as_ref()) {
        all.push(Read::on(Action::GetApi, &api.id));
    }
    if let Some(function) = plans.iter().find_map(|plan| plan.function.as_ref()) {
        for action in FUNCTION_ACTIONS {
            all.push(Read {
                qualifier: function.qualifier.clone(),
                ..Read::on(action, &function.name)
            });
        }
        all.push(Read::of(Action::GetAccountSettings));
    }
    if plans.iter().any(|plan| plan.load_balancer.is_some()) {
        all.extend(LOAD_BALANCER_ACTIONS.map(Read::of));
    }
    if targets.iter().any(|target| has_changes(target)) {
        all.push(Read::of(Action::LookupEvents));
    }
    all
}

/// Returns whether the declarations name a resource whose metrics are read.
pub(super) const fn has_metrics(aws: &AwsDeclarations) -> bool {
    aws.function.is_some() || aws.api_id.is_some() || aws.api_name.is_some()
}

/// Returns whether the target has a known resource whose changes can be looked up.
pub(super) fn has_changes(target: &Target) -> bool {
    target.aws.api_id.is_some() || !Plan::of(target).is_empty()
}

/// Returns the distinct log groups of the targets, at most [`MAX_LOG_GROUPS`].
fn log_groups<'a>(targets: &[&'a Target]) -> Vec<&'a str> {
    let mut groups: Vec<&str> = Vec::new();
    for target in targets {
        let declared = [
            &target.aws.access_log_group,
            &target.aws.execution_log_group,
        ];
        for group in declared.into_iter().flatten() {
            if groups.len() < MAX_LOG_GROUPS && !groups.contains(&group.as_str()) {
                groups.push(group);
            }
        }
    }
    groups
}

impl Read {
    /// Creates a call without a resource.
    const fn of(action: Action) -> Self {
        Self {
            action,
            resource: None,
            qualifier: None,
        }
    }

    /// Creates a call about a resource.
    fn on(action: Action, resource: &str) -> Self {
        Self {
            resource: Some(resource.to_owned()),
            ..Self::of(action)
        }
    }
}
