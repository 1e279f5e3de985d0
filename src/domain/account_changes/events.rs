//! Lists the API calls that change what a target depends on, with their effects.
//!
//! `LookupEvents` compares names exactly, and CloudTrail appends a version to the names of many
//! Lambda calls, so the lists contain the names with their versions. Source:
//! <https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html>.

use super::resource::Watched;
use super::service::Service;
use crate::domain::incident::{ChangeEffect, Relation, relation};
use crate::model::cause::CauseId;

/// The calls of one service as (name in CloudTrail, effect).
type Calls = &'static [(&'static str, ChangeEffect)];

const LAMBDA: Calls = &[
    (
        "RemovePermission20150331v2",
        ChangeEffect::PermissionRemoved,
    ),
    (
        "PutFunctionConcurrency20171031",
        ChangeEffect::ConcurrencyChanged,
    ),
    ("DeleteFunctionConcurrency20171031", ChangeEffect::Other),
    ("DeleteFunction20150331", ChangeEffect::FunctionDeleted),
    ("DeleteAlias20150331", ChangeEffect::FunctionDeleted),
    ("UpdateAlias20150331", ChangeEffect::CodeChanged),
    ("UpdateFunctionCode20150331v2", ChangeEffect::CodeChanged),
    (
        "UpdateFunctionConfiguration20150331v2",
        ChangeEffect::FunctionConfigured,
    ),
    ("AddPermission20150331v2", ChangeEffect::Other),
    (
        "PutProvisionedConcurrencyConfig",
        ChangeEffect::ConcurrencyChanged,
    ),
    (
        "DeleteProvisionedConcurrencyConfig",
        ChangeEffect::ConcurrencyChanged,
    ),
    ("UpdateFunctionUrlConfig", ChangeEffect::FunctionUrlChanged),
    ("DeleteFunctionUrlConfig", ChangeEffect::FunctionUrlChanged),
];

/// Calls that change HTTP APIs or REST APIs. CloudTrail uses the same name for some calls of both
/// types, such as `UpdateStage`. Calls that change only the resources and methods of a REST API are
/// not listed, because a stage runs such a change only after `CreateDeployment`, which is listed.
const API_GATEWAY: Calls = &[
    ("DeleteRoute", ChangeEffect::RouteDeleted),
    ("UpdateRoute", ChangeEffect::RouteChanged),
    ("UpdateStage", ChangeEffect::StageChanged),
    ("DeleteStage", ChangeEffect::StageDeleted),
    ("CreateDeployment", ChangeEffect::ApiChanged),
    ("ReimportApi", ChangeEffect::ApiChanged),
    ("UpdateApi", ChangeEffect::ApiChanged),
    ("UpdateRestApi", ChangeEffect::ApiChanged),
    ("DeleteApi", ChangeEffect::ApiDeleted),
    ("DeleteRestApi", ChangeEffect::ApiDeleted),
    ("UpdateIntegration", ChangeEffect::IntegrationChanged),
    ("DeleteIntegration", ChangeEffect::IntegrationChanged),
    ("UpdateAuthorizer", ChangeEffect::AuthorizerChanged),
    ("DeleteAuthorizer", ChangeEffect::AuthorizerChanged),
    ("DeleteVpcLink", ChangeEffect::VpcLinkDeleted),
    ("UpdateApiMapping", ChangeEffect::DomainChanged),
    ("DeleteApiMapping", ChangeEffect::DomainChanged),
    ("UpdateBasePathMapping", ChangeEffect::DomainChanged),
    ("DeleteBasePathMapping", ChangeEffect::DomainChanged),
    ("UpdateDomainName", ChangeEffect::DomainChanged),
    ("DeleteDomainName", ChangeEffect::DomainChanged),
];

const LOAD_BALANCING: Calls = &[
    ("DeregisterTargets", ChangeEffect::TargetsDeregistered),
    ("RegisterTargets", ChangeEffect::Other),
    ("ModifyTargetGroup", ChangeEffect::LoadBalancerChanged),
    ("DeleteTargetGroup", ChangeEffect::LoadBalancerChanged),
    ("ModifyRule", ChangeEffect::LoadBalancerChanged),
    ("DeleteRule", ChangeEffect::LoadBalancerChanged),
    ("CreateRule", ChangeEffect::LoadBalancerChanged),
    ("ModifyListener", ChangeEffect::LoadBalancerChanged),
    ("DeleteListener", ChangeEffect::LoadBalancerChanged),
    ("SetSecurityGroups", ChangeEffect::LoadBalancerChanged),
    ("DeleteLoadBalancer", ChangeEffect::LoadBalancerChanged),
];

const fn calls(service: Service) -> Calls {
    match service {
        Service::Lambda => LAMBDA,
        Service::ApiGateway => API_GATEWAY,
        Service::LoadBalancing => LOAD_BALANCING,
    }
}

/// Returns the names of the events to look up for a target. The events that fit the cause best come
/// first. Events are looked up by name and not by resource, so one response serves all targets of
/// an account and Region.
#[must_use]
pub fn event_names(watched: &Watched, cause: &CauseId) -> Vec<&'static str> {
    let services = Service::ALL
        .into_iter()
        .filter(|service| watched.uses(*service));
    let mut calls: Vec<_> = services.flat_map(calls).collect();
    // The sort is stable, so calls with the same rank keep the order of the lists above.
    calls.sort_by_key(|(_, effect)| rank(cause, *effect));
    calls.into_iter().map(|(name, _)| *name).collect()
}

/// Returns the rank of events with this effect in the order in which events are looked up, from 0
/// (first) to 2 (last).
fn rank(cause: &CauseId, effect: ChangeEffect) -> u8 {
    // The sort happens before the parameters of a call are known, so a call that may set a limit to
    // 0 is ranked as if it does.
    let effect = match effect {
        ChangeEffect::ConcurrencyChanged => ChangeEffect::FunctionStopped,
        ChangeEffect::StageChanged => ChangeEffect::StageStopped,
        other => other,
    };
    match relation(cause, effect) {
        Some(Relation::Undoes) => 0,
        Some(Relation::Lead) => 1,
        None => 2,
    }
}

/// Returns the effect of a call, given its name without a version. Calls that are not listed have
/// the effect [`ChangeEffect::Other`].
pub(super) fn effect(service: Service, name: &str) -> ChangeEffect {
    let mut calls = calls(service).iter();
    let call = calls.find(|(full, _)| short_name(full) == Some(name));
    call.map_or(ChangeEffect::Other, |(_, effect)| *effect)
}

/// Returns the name of an event without its version, such as `RemovePermission` for
/// `RemovePermission20150331v2`. Returns `None` if the text is not a name.
pub(super) fn short_name(name: &str) -> Option<&str> {
    let valid = (1..=128).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric());
    let without_version = match name.rsplit_once('v') {
        Some((date, version)) if is_number(version) && ends_with_date(date) => date,
        _ => name,
    };
    let short = if ends_with_date(without_version) {
        &without_version[..without_version.len() - DATE]
    } else {
        name
    };
    (valid && !short.is_empty()).then_some(short)
}

/// Length of a date such as `20150331`.
const DATE: usize = 8;

fn ends_with_date(name: &str) -> bool {
    let start = name.len().checked_sub(DATE);
    start
        .and_then(|start| name.get(start..))
        .is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_name_is_removed() {
        for (name, expected) in [
            ("RemovePermission20150331v2", Some("RemovePermission")),
            (
                "PutFunctionConcurrency20171031",
                Some("PutFunctionConcurrency"),
            ),
            ("DeleteRoute", Some("DeleteRoute")),
            ("SaveV2", Some("SaveV2")),
            ("Savev2", Some("Savev2")),
            ("20150331", None),
            ("Remove Permission", None),
            ("Löschen20150331", None),
            ("", None),
        ] {
            assert_eq!(short_name(name), expected, "{name}");
        }
    }

    #[test]
    fn the_events_that_fit_the_cause_are_looked_up_first() {
        let watched = Watched {
            function: Some("orders".to_owned()),
            api: Some("a1b2c3".to_owned()),
            ..Watched::default()
        };
        for (cause, first) in [
            ("lambda-permission-denied", "RemovePermission20150331v2"),
            ("lambda-throttled", "PutFunctionConcurrency20171031"),
            ("function-missing", "DeleteFunction20150331"),
            ("lambda-function-error", "UpdateAlias20150331"),
            ("route-not-found", "DeleteRoute"),
            ("api-throttled", "UpdateStage"),
        ] {
            let names = event_names(&watched, &CauseId::new(cause).unwrap());
            assert_eq!(names[0], first, "{cause}");
            assert_eq!(names.len(), LAMBDA.len() + API_GATEWAY.len(), "{cause}");
        }
    }

    #[test]
    fn only_the_services_of_the_target_are_looked_up() {
        let cause = CauseId::unexplained();
        assert!(event_names(&Watched::default(), &cause).is_empty());
        let watched = Watched {
            target_groups: vec!["orders/73e2d6bc24d8a067".to_owned()],
            ..Watched::default()
        };
        let names = event_names(&watched, &cause);
        assert_eq!(names.len(), LOAD_BALANCING.len());
    }
}
