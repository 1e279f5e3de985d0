//! Draws the evidence from AWS about a failure: its metrics, its configuration and its log line.
//!
//! Metrics are sums over the window: of the prober's own requests and, for shared
//! functions, of other callers' requests. They may be denied, unsettled or late. This module
//! does not depend on the rules. The shares are assumptions unless a comment names a source.

use std::sync::Arc;
use std::time::Duration;

use probecause::domain::diagnosis::aws::{ApiMetrics, AwsEvidence, LambdaMetrics, MetricWindow};
use probecause::domain::diagnosis::context::Context;
use probecause::model::observation::Observation;
use probecause::model::target::{AwsDeclarations, Target};

use super::configuration;
use super::front_doors::{Fault, Kind};
use super::log_lines;
use super::random::Random;
use super::truths::{Stage, Truths, now};

/// Share of targets whose function metrics are queried, and share whose API metrics are.
const QUERIED: f64 = 0.8;
/// Share of the queries that AWS denies or throttles.
const DENIED: f64 = 0.03;
/// Share of APIs with detailed metrics, which count single routes and cost extra.
const OF_ROUTE: f64 = 0.4;
/// Share of diagnoses made after the window has settled.
const SETTLED: f64 = 0.8;
/// Share of datapoints that are absent before the window has settled.
const ABSENT_BEFORE: f64 = 0.5;
/// Share of datapoints that arrive after the window counts as settled (ten minutes); AWS
/// guarantees no delay.
const LATE: f64 = 0.002;
/// Share of functions that other callers use.
const SHARED: f64 = 0.6;
/// Requests of other callers per minute, log-uniform.
const TRAFFIC: (f64, f64) = (0.2, 300.0);
/// Share of unshared functions that are declared unshared.
const DECLARED_UNSHARED: f64 = 0.5;
/// Share of shared functions that are wrongly declared unshared.
const WRONGLY_DECLARED_UNSHARED: f64 = 0.01;
/// Shares of other callers' requests that meet the same fault: nearly all, or few.
const WIDE: [f64; 2] = [0.95, 0.05];
/// Shares of other callers' requests that fail for another reason.
const OTHERS_FAIL: [f64; 5] = [0.0, 0.0, 0.0, 0.001, 0.02];
/// Share of minutes in which other callers are throttled during an unrelated fault.
const OTHERS_THROTTLED: f64 = 0.01;

/// The stages so far and the context of the last one.
type Stages<'a> = (&'a mut Vec<(Stage, Context)>, Context);

/// Adds the stages that use evidence from AWS.
pub(crate) fn add(
    fault: &Fault,
    target: &mut Target,
    truths: Truths,
    observation: &Observation,
    (stages, mut context): Stages<'_>,
    random: &mut Random,
) {
    let shared = random.chance(SHARED);
    let unshared = if shared {
        WRONGLY_DECLARED_UNSHARED
    } else {
        DECLARED_UNSHARED
    };
    target.aws.shared = !random.chance(unshared);
    let window = window(fault, &target.aws, truths, observation, shared, random);
    let log = log_lines::log(fault, truths, observation, random);
    let metrics = AwsEvidence {
        window,
        ..AwsEvidence::default()
    };
    // A stream of its own, so that the other stages are the same as without a configuration.
    let configuration =
        configuration::of_api(fault, target, truths, observation, &mut random.branch());
    let configured = AwsEvidence {
        configuration,
        ..metrics.clone()
    };
    let mut push = |stage, evidence| {
        context.aws = Some(Arc::new(evidence));
        stages.push((stage, context.clone()));
    };
    if metrics.window.is_some() {
        push(Stage::Metrics, metrics.clone());
    }
    if configured.configuration.is_some() {
        push(Stage::Configuration, configured.clone());
    }
    if log.is_some() {
        let logged = AwsEvidence {
            log: log.clone(),
            ..metrics
        };
        push(Stage::Logs, logged);
        push(Stage::All, AwsEvidence { log, ..configured });
    }
}

/// Adds the stage that uses the health of the targets behind a load balancer.
pub(crate) fn add_targets(
    fault: &Fault,
    target: &Target,
    (stages, mut context): Stages<'_>,
    random: &Random,
) {
    let configuration = configuration::of_load_balancer(fault, target, &mut random.branch());
    if configuration.is_some() {
        context.aws = Some(Arc::new(AwsEvidence {
            configuration,
            ..AwsEvidence::default()
        }));
        stages.push((Stage::Configuration, context));
    }
}

/// The metric sums of a window.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: f64,
    failed: f64,
    invocations: f64,
    errors: f64,
    throttles: f64,
}

impl Sums {
    /// Adds requests that met this fault.
    fn failing(&mut self, fault: &Fault, status: u16, requests: f64) {
        self.count += requests;
        if status >= 500 {
            self.failed += requests;
        }
        match fault.kind {
            Kind::Throttled => self.throttles += requests,
            Kind::FunctionError | Kind::FunctionTimeout | Kind::CustomizedResponse => {
                self.invocations += requests;
                self.errors += requests;
            }
            Kind::Malformed
            | Kind::IntegrationTimeout
            | Kind::GatewayFailure
            | Kind::Imitation
            | Kind::ImitationWithHeader => self.invocations += requests,
            _ => {}
        }
    }

    /// Adds requests that did not meet the fault; some failed for another reason.
    fn passing(&mut self, requests: f64, failing: f64, throttled: f64) {
        self.count += requests;
        self.invocations += requests - throttled;
        self.errors += failing;
        self.throttles += throttled;
        self.failed += failing + throttled;
    }
}

/// Draws the sums of a window, and the number of the prober's own requests in it.
fn draw_sums(fault: &Fault, status: u16, shared: bool, random: &mut Random) -> (Sums, f64) {
    let others = if shared {
        let mean = random.log_between(TRAFFIC.0, TRAFFIC.1);
        random.poisson(mean)
    } else {
        0.0
    };
    let wide = match fault.kind {
        Kind::GatewayFailure | Kind::FunctionTimeout => 0.05,
        Kind::Permission | Kind::Deleted | Kind::NotReady | Kind::Kms | Kind::Malformed => 1.0,
        // Other callers are not blocked.
        Kind::Blocked => 0.0,
        _ => random.one_of(&WIDE),
    };
    // Probes are sent once per minute, and again ten seconds after a failure.
    let own_requests = random.one_of(&[1.0, 2.0, 2.0, 3.0]);
    let mut sums = Sums::default();
    let met = 1.0 + random.binomial(own_requests - 1.0, wide);
    sums.failing(fault, status, met);
    sums.passing(own_requests - met, 0.0, 0.0);
    let met = random.binomial(others, wide);
    sums.failing(fault, status, met);
    let share = random.one_of(&OTHERS_FAIL);
    let failing = random.binomial(others - met, share);
    let throttled = if random.chance(OTHERS_THROTTLED) {
        random.binomial(others - met - failing, 0.2)
    } else {
        0.0
    };

    sums.passing(others - met, failing, throttled);
    (sums, own_requests)
}

fn window(
    fault: &Fault,
    declared: &AwsDeclarations,
    truths: Truths,
    observation: &Observation,
    shared: bool,
    random: &mut Random,
) -> Option<MetricWindow> {
    let status = observation
        .response
        .as_ref()
        .map_or(0, |answer| answer.status);
    let (sums, own_requests) = draw_sums(fault, status, shared, random);
    let settled = declared.function_timeout.is_some() && random.chance(SETTLED);
    let mut sum = |value: f64| {
        let absent = if settled { LATE } else { ABSENT_BEFORE };
        // CloudWatch has no datapoint where nothing occurred. Lambda reports zero errors for
        // a successful run, which the rules treat like no datapoint.
        (value > 0.0 && !random.chance(absent)).then_some(value)
    };
    let lambda = LambdaMetrics {
        invocations: sum(sums.invocations),
        errors: sum(sums.errors),
        throttles: sum(sums.throttles),
        duration_max: (sums.invocations > 0.0).then(|| longest(fault, truths)),
        concurrent_max: None,
    };
    let api = ApiMetrics {
        count: sum(sums.count),
        server_errors: sum(sums.failed),
        integration_latency_max: None,
        of_route: false,
    };
    let (function, gateway) = (random.chance(QUERIED), random.chance(QUERIED));
    let of_route = random.chance(OF_ROUTE);
    let latency = truths.latency(fault);
    let lambda = Some(lambda).filter(|_| function && !random.chance(DENIED));
    let api = Some(ApiMetrics {
        of_route,
        integration_latency_max: Some(latency),
        ..api
    })
    .filter(|_| gateway && !random.chance(DENIED));
    (lambda.is_some() || api.is_some()).then(|| MetricWindow {
        from: now(),
        to: now() + Duration::from_secs(60),
        settled,
        own_requests: own_requests as u32,
        lambda,
        api,
    })
}

fn longest(fault: &Fault, truths: Truths) -> Duration {
    let longest = match fault.kind {
        Kind::Permission
        | Kind::Throttled
        | Kind::Deleted
        | Kind::NotReady
        | Kind::Blocked
        | Kind::Kms => 0.05,
        _ => truths.ran,
    };
    Duration::from_secs_f64(longest)
}
