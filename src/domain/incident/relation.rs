//! Decides whether a change in the AWS account fits a cause.
//!
//! `RELATIONS` lists causes of the built-in rules. No change fits a cause that is not listed.

use super::change::{AccountChange, AccountChanges, ChangeEffect};
use crate::model::cause::CauseId;

/// How a change relates to a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The change removed or stopped exactly what the cause says is missing or stopped.
    Undoes,
    /// The change may have led to the cause.
    Lead,
}

/// A row of `RELATIONS`: some causes, then the effects whose relation to these causes is
/// [`Relation::Undoes`], then the effects whose relation to them is [`Relation::Lead`].
type Row = (
    &'static [&'static str],
    &'static [ChangeEffect],
    &'static [ChangeEffect],
);

const RELATIONS: &[Row] = &[
    (
        &["lambda-permission-denied"],
        &[ChangeEffect::PermissionRemoved],
        &[
            ChangeEffect::FunctionDeleted,
            ChangeEffect::FunctionUrlChanged,
            ChangeEffect::IntegrationChanged,
            ChangeEffect::ApiChanged,
        ],
    ),
    (
        &["lambda-throttled"],
        &[ChangeEffect::FunctionStopped],
        &[ChangeEffect::ConcurrencyChanged],
    ),
    (
        &["function-missing"],
        &[ChangeEffect::FunctionDeleted],
        &[
            ChangeEffect::IntegrationChanged,
            ChangeEffect::StageChanged,
            ChangeEffect::ApiChanged,
        ],
    ),
    (
        &[
            "function-not-ready",
            "lambda-function-error",
            "lambda-malformed-response",
            "lambda-function-timeout",
        ],
        &[],
        &[ChangeEffect::CodeChanged, ChangeEffect::FunctionConfigured],
    ),
    (
        &["integration-timeout"],
        &[],
        &[
            ChangeEffect::CodeChanged,
            ChangeEffect::FunctionConfigured,
            ChangeEffect::IntegrationChanged,
            ChangeEffect::ApiChanged,
        ],
    ),
    (
        &["route-not-found"],
        &[ChangeEffect::RouteDeleted, ChangeEffect::StageDeleted],
        &[
            ChangeEffect::RouteChanged,
            ChangeEffect::StageChanged,
            ChangeEffect::ApiChanged,
            ChangeEffect::ApiDeleted,
            ChangeEffect::DomainChanged,
        ],
    ),
    (
        &["api-throttled"],
        &[ChangeEffect::StageStopped],
        &[ChangeEffect::StageChanged],
    ),
    (
        &["unauthorized", "forbidden", "authorizer-failure"],
        &[],
        &[
            ChangeEffect::AuthorizerChanged,
            ChangeEffect::RouteChanged,
            ChangeEffect::ApiChanged,
            ChangeEffect::StageDeleted,
            ChangeEffect::DomainChanged,
            ChangeEffect::FunctionUrlChanged,
        ],
    ),
    (
        &["gateway-misconfigured"],
        &[],
        &[
            ChangeEffect::IntegrationChanged,
            ChangeEffect::StageChanged,
            ChangeEffect::ApiChanged,
        ],
    ),
    (
        &["integration-unreachable"],
        &[ChangeEffect::VpcLinkDeleted],
        &[
            ChangeEffect::IntegrationChanged,
            ChangeEffect::TargetsDeregistered,
            ChangeEffect::LoadBalancerChanged,
        ],
    ),
    (
        &["alb-no-target"],
        &[ChangeEffect::TargetsDeregistered],
        &[ChangeEffect::LoadBalancerChanged],
    ),
    (
        &[
            "alb-bad-gateway",
            "alb-target-timeout",
            "upstream-unhealthy",
        ],
        &[],
        &[
            ChangeEffect::TargetsDeregistered,
            ChangeEffect::LoadBalancerChanged,
            ChangeEffect::CodeChanged,
        ],
    ),
    (
        &["unexpected-status", "unexpected-body", "too-slow"],
        &[],
        &[
            ChangeEffect::CodeChanged,
            ChangeEffect::FunctionConfigured,
            ChangeEffect::ApiChanged,
        ],
    ),
];

/// Returns how the effect of a change relates to a cause; `None` if the effect does not fit the
/// cause.
#[must_use]
pub fn relation(cause: &CauseId, effect: ChangeEffect) -> Option<Relation> {
    let mut rows = RELATIONS.iter();
    let row = rows.find(|(causes, ..)| causes.contains(&cause.as_str()));
    let (_, undoes, leads) = row?;
    if undoes.contains(&effect) {
        Some(Relation::Undoes)
    } else {
        leads.contains(&effect).then_some(Relation::Lead)
    }
}

impl AccountChanges {
    /// Returns the changes that fit a cause. Those with [`Relation::Undoes`] come before those with
    /// [`Relation::Lead`]; otherwise, the order stays the same.
    #[must_use]
    pub fn fitting(&self, cause: &CauseId) -> Vec<&AccountChange> {
        let changes = self.as_slice().iter();
        let fits = |change: &&AccountChange| relation(cause, change.effect).is_some();
        let mut fitting: Vec<_> = changes.filter(fits).collect();
        // The sort is stable. The key of `Undoes` is `false`, which comes first.
        fitting.sort_by_key(|change| relation(cause, change.effect) != Some(Relation::Undoes));
        fitting
    }

    /// Returns a text about the latest change that has the relation [`Relation::Undoes`] to the
    /// cause and was made before the first failure or in the same second; `None` if there is no
    /// such change.
    #[must_use]
    pub fn explanation(&self, cause: &CauseId) -> Option<String> {
        let mut changes = self.as_slice().iter();
        changes.find_map(|change| explanation(cause, change))
    }
}

/// Returns a text about a change that has the relation [`Relation::Undoes`] to the cause and was
/// made before the first failure or in the same second. Returns `None` for every other change.
fn explanation(cause: &CauseId, change: &AccountChange) -> Option<String> {
    let undoes = relation(cause, change.effect) == Some(Relation::Undoes);
    if !undoes || !change.is_before_failure() {
        return None;
    }
    let resource = &change.resource;
    let what = match change.effect {
        ChangeEffect::PermissionRemoved => {
            format!("removed a permission from the policy of {resource}")
        }
        ChangeEffect::FunctionStopped => format!("set the reserved concurrency of {resource} to 0"),
        ChangeEffect::StageStopped => format!("set a throttling limit of {resource} to 0"),
        ChangeEffect::TargetsDeregistered => format!("deregistered targets from {resource}"),
        _ => format!("deleted {resource}"),
    };
    Some(format!("{} the first failure: {what}", change.summary()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[track_caller]
    fn check(cause: &str, effect: ChangeEffect, expected: Option<Relation>) {
        let found = relation(&CauseId::new(cause).unwrap(), effect);
        assert_eq!(found, expected, "{cause}, {effect}");
    }

    #[test]
    fn an_effect_undoes_only_what_its_cause_says_is_missing() {
        use ChangeEffect as E;
        let undoes = Some(Relation::Undoes);
        let pairs = [
            ("lambda-permission-denied", E::PermissionRemoved),
            ("lambda-throttled", E::FunctionStopped),
            ("function-missing", E::FunctionDeleted),
            ("route-not-found", E::RouteDeleted),
            ("route-not-found", E::StageDeleted),
            ("api-throttled", E::StageStopped),
            ("integration-unreachable", E::VpcLinkDeleted),
            ("alb-no-target", E::TargetsDeregistered),
        ];
        for (cause, effect) in pairs {
            check(cause, effect, undoes);
        }
        for (cause, _) in pairs {
            for effect in E::ALL {
                if !pairs.contains(&(cause, effect)) {
                    let found = relation(&CauseId::new(cause).unwrap(), effect);
                    assert_ne!(found, undoes, "{cause}, {effect}");
                }
            }
        }
    }

    fn change(event: &str, seconds_before: i64, effect: ChangeEffect) -> AccountChange {
        AccountChange {
            time: Timestamp::UNIX_EPOCH,
            event: event.to_owned(),
            resource: "orders".to_owned(),
            who: "deploy-role".to_owned(),
            seconds_before,
            effect,
        }
    }

    #[test]
    fn the_changes_that_fit_best_come_first_and_others_are_omitted() {
        use ChangeEffect as E;
        let mut changes = AccountChanges::default();
        changes.add([
            change("UpdateFunctionCode", 5, E::CodeChanged),
            change("UpdateFunctionUrlConfig", 10, E::FunctionUrlChanged),
            change("RemovePermission", 600, E::PermissionRemoved),
            change("DeleteFunction", -20, E::FunctionDeleted),
        ]);
        let events = |cause: &str| -> Vec<String> {
            let fitting = changes.fitting(&CauseId::new(cause).unwrap());
            fitting.iter().map(|one| one.event.clone()).collect()
        };
        assert_eq!(
            events("lambda-permission-denied"),
            [
                "RemovePermission",
                "UpdateFunctionUrlConfig",
                "DeleteFunction"
            ]
        );
        assert_eq!(events("lambda-function-error"), ["UpdateFunctionCode"]);
        assert!(events("dns-failure").is_empty());
    }

    #[test]
    fn a_deployment_is_a_lead_for_an_error_of_the_function_only() {
        use ChangeEffect as E;
        check(
            "lambda-function-error",
            E::CodeChanged,
            Some(Relation::Lead),
        );
        check(
            "lambda-throttled",
            E::ConcurrencyChanged,
            Some(Relation::Lead),
        );
        check("lambda-permission-denied", E::CodeChanged, None);
        check("lambda-throttled", E::CodeChanged, None);
        check("dns-failure", E::CodeChanged, None);
        check("lambda-function-error", E::Other, None);
    }
}
