//! Draws what the configuration of the AWS resources shows about a failure.
//!
//! Each failure gets the configuration that belongs to its true cause. The daemon's own code turns
//! it into facts. Often it does not decide: a custom domain without a declared route, a draft that
//! is not deployed, a policy that is not understood, a denied call, or only one reading so far. Some
//! readings mislead: they were taken after a change, or show a second fault. All shares are
//! assumptions that were fixed before the first measurement.

use probecause::domain::configuration::evidence::evidence;
use probecause::domain::configuration::load_balancer::TargetState;
use probecause::domain::configuration::vpc_link::VpcLinkState;
use probecause::domain::configuration::{ApiKind, Configuration};
use probecause::domain::diagnosis::aws::configuration::ConfigurationEvidence;
use probecause::model::observation::Observation;
use probecause::model::target::{Authorizer, Integration, Target};
use serde_json::Value;

use super::front_doors::{Door, Fault, Kind};
use super::random::Random;
use super::resources::{
    ALIAS, API, Access, FUNCTION, REGION, Resources, source_of, stage_name, statement,
    with_condition,
};
use super::truths::Truths;

/// Share of targets whose configuration is read, as for metrics.
const READ: f64 = 0.8;
/// Share of services, and of function policies, whose reads AWS denies.
const DENIED: f64 = 0.03;
/// Share of failures that were diagnosed after one reading. Half are the first of their incident.
const ONE_READING: f64 = 0.5;
/// Share of earlier readings in which AWS throttled a call.
const INCOMPLETE: f64 = 0.05;

/// Share of APIs with a custom domain.
const CUSTOM_DOMAIN: f64 = 0.5;
/// Share of targets with a declared function, share of custom domains with a declared API, and of
/// these, share with a declared route.
const DECLARED: f64 = 0.6;

/// Share of functions that are invoked through an alias.
const WITH_ALIAS: f64 = 0.4;
/// Share of integrations for which a role decides, and share of functions in another account.
const BY_ROLE: f64 = 0.05;
const CROSS_ACCOUNT: f64 = 0.03;
/// Share of policies with a condition that the daemon does not interpret.
const UNCLEAR_POLICY: f64 = 0.05;
/// Share of functions with a reserved concurrency.
const RESERVED: f64 = 0.1;
/// Share of accounts that still have the quota of a new account.
const NEW_ACCOUNT: f64 = 0.05;
/// Share of HTTP API stages that deploy every change automatically.
const AUTOMATIC: f64 = 0.75;
/// Share of other stages whose API has a change of the probed route that is not deployed.
const NOT_DEPLOYED: f64 = 0.02;
/// Share of REST APIs that only add headers to their response to a failed integration, such as for
/// CORS.
const HEADERS_ADDED: f64 = 0.1;

/// Share of throttled functions whose reserved concurrency is 0, and of those with a higher one.
const STOPPED: f64 = 0.15;
const LIMITED: f64 = 0.35;
/// Share of throttled functions without a reserved concurrency in a new account.
const SMALL_QUOTA: f64 = 0.3;
/// Share of unreachable private integrations whose VPC link is not available. Mostly, the backend
/// itself is not reachable.
const LINK_UNAVAILABLE: f64 = 0.4;
/// Share of throttled APIs whose limit is 0.
const LIMIT_OF_ZERO: f64 = 0.1;
/// Share of missing permissions that are due to a statement that denies.
const DENYING: f64 = 0.05;
/// Share of missing routes that are in the draft, because somebody forgot to deploy it.
const FORGOTTEN: f64 = 0.2;
/// Share of unknown paths of HTTP APIs that are due to a disabled default host name.
const ENDPOINT_DISABLED: f64 = 0.1;

/// Share of faults that were corrected between the request and the reading, such as a permission
/// that a deployment removed and added again.
const CORRECTED: f64 = 0.05;
/// Share of missing permissions that were added before the first reading, but have no effect yet.
const LAGGING: f64 = 0.01;
/// Share of policies that changed between two readings for another reason.
const CHANGED: f64 = 0.03;
/// Share of functions that an operator stopped between the request and the reading.
const STOPPED_AFTERWARDS: f64 = 0.002;
/// Share of readings during a deployment that removes all permissions and adds them again.
const DURING_DEPLOYMENT: f64 = 0.001;
/// Share of failing authorizers whose API lost the permission for the function, too.
const BOTH_PERMISSIONS: f64 = 0.02;
/// Share of failing authorizers whose function has become idle, because it is not invoked.
const IDLE_FUNCTION: f64 = 0.005;

/// Share of load balancers that are probed by the host name that AWS assigned, and share of those
/// with a single target group. Only these are read.
const OWN_HOST: f64 = 0.3;
const ONE_GROUP: f64 = 0.6;
/// Share of target groups with a Lambda function that have health checks.
const LAMBDA_HEALTH_CHECKS: f64 = 0.1;

/// A custom domain.
const CUSTOM_HOST: &str = "api.shop.example";

const HTTP_ROUTES: &[&str] = &["GET /orders", "ANY /orders", "ANY /{proxy+}", "$default"];
const REST_ROUTES: &[&str] = &["GET /orders", "ANY /orders", "ANY /{proxy+}"];

/// Sources of the only statement of a policy that does not allow the request; `None` for a function
/// or alias without a policy.
const WRONG_SOURCES: &[Option<&str>] = &[
    None,
    None,
    None,
    Some("c3d4/*"),
    Some("c3d4/*"),
    Some("a1b2/test/*"),
    Some("a1b2/*/POST/payments"),
];

/// States of a VPC link that is not available.
const UNAVAILABLE: &[VpcLinkState] = &[
    VpcLinkState::Failed,
    VpcLinkState::Inactive,
    VpcLinkState::Pending,
    VpcLinkState::Deleting,
];

/// What the configuration behind an API shows; `None` if it is not read or shows nothing.
pub(crate) fn of_api(
    fault: &Fault,
    target: &Target,
    truths: Truths,
    observation: &Observation,
    random: &mut Random,
) -> Option<ConfigurationEvidence> {
    if !random.chance(READ) {
        return None;
    }
    let healthy = healthy(fault, target, truths, random);
    let mut access = access(random);
    if fault.kind == Kind::RouteNotFound && lacks_stage(observation) {
        access.api = false;
    }
    let target = declare(target, &healthy, &mut access, random)?;
    let faulty = with_fault(fault, &target, &healthy, random);
    let now = after(fault, &faulty, &healthy, random).read(&target, access);
    let before = (!random.chance(ONE_READING)).then(|| {
        let mut access = access;
        access.policy &= !random.chance(INCOMPLETE);
        faulty.read(&target, access)
    });
    evidence(&target, &now, before.as_ref())
}

/// What the health of the targets behind a load balancer shows.
pub(crate) fn of_load_balancer(
    fault: &Fault,
    target: &Target,
    random: &mut Random,
) -> Option<ConfigurationEvidence> {
    if !random.chance(READ * OWN_HOST * ONE_GROUP * (1.0 - DENIED)) {
        return None;
    }
    let choices: &[TargetState] = match fault.kind {
        Kind::RouteNotFound => &[TargetState::None],
        Kind::Unreachable | Kind::IntegrationTimeout => {
            &[TargetState::Unhealthy, TargetState::Healthy]
        }
        // Lambda functions are invoked regardless of their health.
        Kind::FunctionError if random.chance(LAMBDA_HEALTH_CHECKS) => &[TargetState::Unhealthy],
        Kind::FunctionError => return None,
        // The page of a rule may replace a service that is switched off.
        Kind::FixedPage => &[
            TargetState::Healthy,
            TargetState::Healthy,
            TargetState::Healthy,
            TargetState::None,
        ],
        _ => &[TargetState::Healthy],
    };
    let now = Configuration {
        targets: Some(random.one_of(choices)),
        ..Configuration::default()
    };
    let before = (!random.chance(ONE_READING)).then_some(&now);
    evidence(target, &now, before)
}

fn access(random: &mut Random) -> Access {
    Access {
        api: !random.chance(DENIED),
        function: !random.chance(DENIED),
        policy: !random.chance(DENIED),
    }
}

/// Whether a REST API answered that the stage does not exist, so that there is no stage to read.
fn lacks_stage(observation: &Observation) -> bool {
    let headers = observation.response.iter().flat_map(|it| &it.headers);
    let mut values = headers.map(|(_, value)| value.as_str());
    values.any(|value| value == "ForbiddenException")
}

/// The target with the host name and the declarations that matter only for its configuration. `None`
/// if the URL of the target has no host name.
fn declare(
    target: &Target,
    resources: &Resources,
    access: &mut Access,
    random: &mut Random,
) -> Option<Target> {
    let mut target = target.clone();
    if random.chance(DECLARED) && resources.integration == Integration::Lambda {
        target.aws.function = Some(FUNCTION.to_owned());
        target.aws.qualifier = resources.alias.then(|| ALIAS.to_owned());
    }
    if !random.chance(CUSTOM_DOMAIN) {
        return Some(target);
    }
    target.url.set_host(Some(CUSTOM_HOST)).ok()?;
    target.aws.region = Some(REGION.to_owned());
    if random.chance(DECLARED) {
        target.aws.api_id = Some(API.to_owned());
        target.aws.stage = Some(stage_name(resources.kind).to_owned());
        if random.chance(DECLARED) {
            target.aws.route = resources.route.map(str::to_owned);
        }
    } else {
        access.api = false;
    }
    Some(target)
}

/// The resources behind the target without a fault.
fn healthy(fault: &Fault, target: &Target, truths: Truths, random: &mut Random) -> Resources {
    let rest = fault.door == Door::RestApi;
    let (kind, routes) = if rest {
        (ApiKind::Rest, REST_ROUTES)
    } else {
        (ApiKind::Http, HTTP_ROUTES)
    };
    let route = random.one_of(routes);
    let source = if random.chance(0.5) {
        format!("{API}/*")
    } else {
        source_of(route)
    };
    let mut allowed = statement("Allow", &source);
    if random.chance(UNCLEAR_POLICY) {
        allowed = with_condition(allowed);
    }
    let reserved = random.chance(RESERVED).then_some(100);
    Resources {
        kind,
        route: Some(route),
        integration: truths.integration,
        limit: truths.limit(fault.door),
        authorization: authorization(fault, target, truths, random),
        by_role: random.chance(BY_ROLE),
        cross_account: random.chance(CROSS_ACCOUNT),
        alias: random.chance(WITH_ALIAS),
        automatic: !rest && random.chance(AUTOMATIC),
        rejects_all: false,
        endpoint_disabled: false,
        customized: rest && random.chance(HEADERS_ADDED),
        link: VpcLinkState::Available,
        state: Some("Active"),
        function_timeout: truths.function_timeout,
        reserved,
        account_limit: if random.chance(NEW_ACCOUNT) { 10 } else { 1000 },
        policy: Some(vec![allowed]),
        revision: "1",
    }
}

/// The authorization type of the route: the declared one, or one that the fault requires.
fn authorization(
    fault: &Fault,
    target: &Target,
    truths: Truths,
    random: &mut Random,
) -> &'static str {
    let token = if fault.door == Door::RestApi {
        "COGNITO_USER_POOLS"
    } else {
        "JWT"
    };
    match (target.aws.authorizer, fault.kind) {
        (Some(Authorizer::None), _) => "NONE",
        (Some(Authorizer::Lambda), _) | (None, Kind::Authorizer) => "CUSTOM",
        (Some(Authorizer::Jwt), _) | (None, Kind::Unauthorized) => token,
        (Some(Authorizer::Iam), _) => "AWS_IAM",
        (None, _) if truths.has_authorizer => random.one_of(&["CUSTOM", token]),
        (None, Kind::Forbidden) => token,
        (None, _) => "NONE",
    }
}

/// The resources at the time of the failure.
fn with_fault(
    fault: &Fault,
    target: &Target,
    healthy: &Resources,
    random: &mut Random,
) -> Resources {
    let mut faulty = healthy.clone();
    match fault.kind {
        Kind::Throttled => throttle(&mut faulty, random),
        Kind::Permission if random.chance(LAGGING) => {}
        Kind::Permission => faulty.policy = wrong_policy(healthy, random),
        Kind::Deleted => faulty.state = None,
        // The failed invocation activates the function.
        Kind::NotReady => {
            faulty.state = Some(random.one_of(&["Inactive", "Pending", "Pending", "Active"]));
        }
        Kind::Unreachable if random.chance(LINK_UNAVAILABLE) => {
            faulty.link = random.one_of(UNAVAILABLE);
        }
        Kind::ApiThrottled => faulty.rejects_all = random.chance(LIMIT_OF_ZERO),
        Kind::RouteNotFound => {
            let may_be_disabled =
                faulty.kind == ApiKind::Http && target.url.host_str() != Some(CUSTOM_HOST);
            faulty.endpoint_disabled = may_be_disabled && random.chance(ENDPOINT_DISABLED);
            let is_draft = !faulty.automatic && random.chance(FORGOTTEN);
            if !faulty.endpoint_disabled && !is_draft {
                faulty.route = None;
            }
        }
        Kind::CustomizedResponse => faulty.customized = true,
        Kind::Authorizer if random.chance(BOTH_PERMISSIONS) => faulty.policy = None,
        Kind::Authorizer if random.chance(IDLE_FUNCTION) => faulty.state = Some("Inactive"),
        _ => {}
    }
    if !faulty.automatic && random.chance(NOT_DEPLOYED) {
        change_draft(&mut faulty, random);
    }
    faulty
}

fn throttle(resources: &mut Resources, random: &mut Random) {
    resources.reserved = if random.chance(STOPPED) {
        Some(0)
    } else {
        random.chance(LIMITED).then_some(5)
    };
    if resources.reserved.is_none() && random.chance(SMALL_QUOTA) {
        resources.account_limit = 10;
    }
}

/// A policy that does not allow the request.
fn wrong_policy(healthy: &Resources, random: &mut Random) -> Option<Vec<Value>> {
    if random.chance(UNCLEAR_POLICY) {
        let unmet = statement("Allow", &format!("{API}/*"));
        return Some(vec![with_condition(unmet)]);
    }
    if random.chance(DENYING) {
        let mut statements = healthy.policy.clone()?;
        statements.push(statement("Deny", &format!("{API}/*")));
        return Some(statements);
    }
    let source = random.one_of(WRONG_SOURCES)?;
    Some(vec![statement("Allow", source)])
}

/// Changes the draft of an API in one respect that its stage does not run.
fn change_draft(resources: &mut Resources, random: &mut Random) {
    match random.one_of(&[0, 1, 2, 3]) {
        0 => resources.route = None,
        1 => resources.limit = 10.0,
        2 => resources.customized = resources.kind == ApiKind::Rest,
        // The draft names a new alias, which has no permission yet.
        _ => resources.policy = None,
    }
}

/// The resources at the time of the reading after the failure.
fn after(fault: &Fault, faulty: &Resources, healthy: &Resources, random: &mut Random) -> Resources {
    let mut now = if random.chance(CORRECTED) {
        healthy.clone()
    } else {
        faulty.clone()
    };
    if fault.kind == Kind::NotReady && random.chance(0.5) {
        now.state = Some("Active");
    }
    if random.chance(CHANGED) {
        now.revision = "2";
    }
    if random.chance(STOPPED_AFTERWARDS) {
        now.reserved = Some(0);
    }
    if random.chance(DURING_DEPLOYMENT) {
        now.policy = None;
    }
    now
}
