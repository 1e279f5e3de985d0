//! Draws one failure: its observation, and the context at each stage.
//!
//! The observation consists of an exact recorded response and drawn times. Control requests
//! and healthy responses go through the daemon's own [`Baseline`], so the daemon's checks on
//! them apply here too. Some of a target's details are declared, not all.

use std::time::Duration;

use probecause::domain::baseline::Baseline;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::{Diagnosis, Outcome};
use probecause::model::observation::{Fault as ObservedFault, FaultKind, Observation};
use probecause::model::target::{Authorizer, Integration, Target};

use super::evidence;
use super::front_doors::{Door, Fault, Kind, response};
use super::population::{self, Network};
use super::random::Random;
use super::truths::{Stage, Truths, now};

/// Share of targets that declare a given detail (assumption).
pub(crate) const DECLARED: f64 = 0.6;
/// Share of incidents that began at least five probes ago, so that a limit is learned
/// (assumption: half are diagnosed at their first failures).
const LASTING: f64 = 0.5;
/// Share of targets that were healthy long enough for a history (assumption).
const WITH_HISTORY: f64 = 0.8;
/// Share of APIs with a path that matches no route, so that control requests are usable
/// (assumption).
const WITH_CONTROLS: f64 = 0.7;
/// The documented limit of an authorizer, in seconds. A failing authorizer is not invoked,
/// fails as a function does, or hangs up to this limit; equal shares (assumption).
const AUTHORIZER_LIMIT: f64 = 10.0;
/// How long an API waits for a backend that drops packets, in seconds. This is not
/// documented (assumption: log-uniform up to the API's limit). A backend that refuses the
/// connection fails immediately.
const HANGING: (f64, f64) = (2.0, 29.0);

/// One failure with everything that is known about it.
pub(crate) struct Case {
    /// The probed target with its declarations.
    pub(crate) target: Target,
    /// The failed probe.
    pub(crate) observation: Observation,
    /// The context of each stage that adds something.
    stages: Vec<(Stage, Context)>,
}

impl Case {
    /// Draws a failure with this fault.
    pub(crate) fn draw(fault: &Fault, target: &Target, random: &mut Random) -> Self {
        let mut target = target.clone();
        let network = Network::draw(random);
        let has_authorizer =
            fault.kind == Kind::Authorizer || random.chance(population::AUTHORIZER_SHARE);
        let mut truths = Truths {
            has_authorizer,
            ..Truths::draw(random)
        };
        truths.function_timeout = truths
            .function_timeout
            .min(truths.integration_timeout - 0.5);
        if fault.kind == Kind::IntegrationTimeout {
            // The function may run for longer than the API waits.
            truths.function_timeout = random.one_of(&[30.0, 60.0, 300.0, 900.0]);
        }
        truths.integration = declare(&mut target, fault, truths, random);
        let own = random.log_between(population::WARM_RUN.0, population::WARM_RUN.1);
        truths.ran = truths.run(fault, own, random);
        let hanging = random.log_between(HANGING.0, HANGING.1);
        let seen = |random: &mut Random| {
            let time = server_time(fault, truths, hanging, random);
            observed(fault, network, time, random)
        };
        let mut baseline = Baseline::default();
        if fault.door.is_gateway() && random.chance(WITH_HISTORY) {
            add_history(&mut baseline, fault, network, own, random);
        }
        if random.chance(LASTING) {
            for _ in 0..4 {
                baseline.observe(&seen(random), &failed(), now());
            }
        }
        let observation = seen(random);
        let stages = stages(fault, &mut target, truths, &baseline, &observation, random);
        Self {
            target,
            observation,
            stages,
        }
    }

    /// The context at a stage; `None` if the stage adds nothing to its base.
    pub(crate) fn context(&self, stage: Stage) -> Option<&Context> {
        self.stages
            .iter()
            .find(|(known, _)| *known == stage)
            .map(|(_, context)| context)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

/// Declares some of the target's details. Returns its integration, declared or not.
fn declare(target: &mut Target, fault: &Fault, truths: Truths, random: &mut Random) -> Integration {
    let aws = &mut target.aws;
    let integration = match (fault.door, fault.kind) {
        (Door::HttpApi | Door::RestApi, Kind::Unreachable) => {
            random.one_of(&[Integration::Http, Integration::VpcLink])
        }
        (Door::Alb, Kind::FunctionError) => Integration::Lambda,
        (Door::Alb | Door::CloudFront | Door::Below, _) => Integration::Http,
        _ => Integration::Lambda,
    };
    aws.integration = random.chance(DECLARED).then_some(integration);
    if random.chance(population::AUTHORIZER_DECLARED) {
        aws.authorizer = Some(match (truths.has_authorizer, fault.kind) {
            (false, Kind::Unauthorized) => Authorizer::Jwt,
            (true, Kind::Authorizer) => Authorizer::Lambda,
            (true, _) => random.one_of(&[Authorizer::Lambda, Authorizer::Jwt]),
            (false, _) => Authorizer::None,
        });
    }
    if fault.door == Door::FunctionUrl {
        let signed = fault.kind == Kind::Unauthorized && random.chance(DECLARED);
        aws.authorizer = signed.then_some(Authorizer::Iam);
    }
    let is_lambda = integration == Integration::Lambda;
    if is_lambda && random.chance(DECLARED) {
        aws.function_timeout = Some(seconds(truths.function_timeout));
    }
    // A lowered limit is a deliberate choice, so it is as often declared as other details.
    if fault.door.is_gateway() && random.chance(DECLARED) {
        let limit = truths.limit(fault.door);
        aws.integration_timeout = Some(seconds(limit));
    }
    integration
}

/// The time from the arrival of the request to the departure of the response, in seconds.
fn server_time(fault: &Fault, truths: Truths, hanging: f64, random: &mut Random) -> f64 {
    let late = random.between(population::LIMIT_OVERSHOOT.0, population::LIMIT_OVERSHOOT.1);
    let gateway = population::gateway(random);
    let front = random.between(population::LAMBDA_FRONT.0, population::LAMBDA_FRONT.1);
    let authorizer = if truths.has_authorizer {
        population::authorizer(random)
    } else {
        0.0
    };
    let before = gateway + authorizer;
    match fault.kind {
        Kind::ApiThrottled | Kind::RouteNotFound | Kind::FixedPage | Kind::Blocked => gateway,
        Kind::Unauthorized | Kind::Forbidden => before,
        Kind::Permission | Kind::Throttled | Kind::Deleted | Kind::NotReady | Kind::Kms => {
            before + front
        }
        Kind::IntegrationTimeout => before + truths.limit(fault.door) + late,
        Kind::FunctionTimeout => before + front + truths.function_timeout + late,
        Kind::Authorizer => {
            let failing = [
                front,
                front + population::run(random),
                AUTHORIZER_LIMIT + late,
            ];
            gateway + random.one_of(&failing)
        }
        Kind::Unreachable if hanging > 10.0 => before + hanging,
        Kind::Unreachable => before + front,
        // Each failing call varies around the duration of this incident.
        _ => before + front + truths.ran + random.exponential(0.2 * truths.ran),
    }
}

fn observed(fault: &Fault, network: Network, server: f64, random: &mut Random) -> Observation {
    let mut seen = Observation::begun(now(), fault.door.url());
    seen.phases.resolve = Some(seconds(random.between(0.001, 0.030)));
    seen.phases.connect = Some(seconds(network.trip(random)));
    seen.phases.tls = Some(seconds(network.trip(random)));
    if let Kind::Below(phase, kind) = fault.kind {
        seen.fault = Some(ObservedFault {
            phase,
            kind,
            detail: "drawn".to_owned(),
        });
        let waited = if kind == FaultKind::Timeout {
            35.0
        } else {
            0.1
        };
        seen.duration = seconds(waited);
        return seen;
    }
    let processing = network.trip(random) + server;
    seen.phases.processing = Some(seconds(processing));
    seen.duration = seconds(processing + 3.0 * network.round_trip);
    seen.response = fault.response(random);
    seen
}

/// Adds twenty healthy responses to the baseline, and three control requests if the API has
/// a path that matches no route.
fn add_history(
    baseline: &mut Baseline,
    fault: &Fault,
    network: Network,
    own: f64,
    random: &mut Random,
) {
    let id = match fault.door {
        Door::RestApi => ("x-amz-apigw-id", "K2ZEDjwtIAMEcig="),
        _ => ("apigw-requestid", "K2ZEDjwtIAMEcig="),
    };
    let request = ("x-amzn-requestid", "0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5");
    let json = ("content-type", "application/json");
    let rest = fault.door == Door::RestApi;
    let mut seen = Observation::begun(now(), fault.door.url());
    seen.response = Some(if rest {
        response(200, "{}", &[json, request, id])
    } else {
        response(200, "{}", &[json, id])
    });
    for _ in 0..20 {
        let front = random.between(population::LAMBDA_FRONT.0, population::LAMBDA_FRONT.1);
        let server = population::gateway(random) + front + own + random.exponential(0.3 * own);
        seen.phases.connect = Some(seconds(network.trip(random)));
        seen.phases.processing = Some(seconds(network.trip(random) + server));
        baseline.observe(&seen, &Diagnosis::passed(), now());
    }
    if !random.chance(WITH_CONTROLS) {
        return;
    }
    let error = ("x-amzn-errortype", "MissingAuthenticationTokenException");
    seen.response = Some(if rest {
        let body = r#"{"message":"Missing Authentication Token"}"#;
        response(403, body, &[json, request, id, error])
    } else {
        response(404, r#"{"message":"Not Found"}"#, &[json, id])
    });
    let host = "a1b2.execute-api.eu-west-1.amazonaws.com";
    for _ in 0..3 {
        let server = population::gateway(random);
        seen.phases.connect = Some(seconds(network.trip(random)));
        seen.phases.processing = Some(seconds(network.trip(random) + server));
        baseline.observe_control(&seen, host, now());
    }
}

fn failed() -> Diagnosis {
    Diagnosis {
        outcome: Outcome::Failed,
        ..Diagnosis::passed()
    }
}

/// The contexts of the stages that add something to their base.
fn stages(
    fault: &Fault,
    target: &mut Target,
    truths: Truths,
    baseline: &Baseline,
    observation: &Observation,
    random: &mut Random,
) -> Vec<(Stage, Context)> {
    let known = baseline.context(now());
    let mut context = Context::at(now());
    let mut stages = vec![(Stage::Outside, context.clone())];
    if known.floor.is_some() {
        context.floor = known.floor;
        stages.push((Stage::Floor, context.clone()));
    }
    if known.healthy.is_some() || known.learned.is_some() {
        context.healthy = known.healthy;
        context.learned = known.learned;
        stages.push((Stage::History, context.clone()));
    }
    if fault.door.is_gateway() && observation.response.is_some() {
        evidence::add(
            fault,
            target,
            truths,
            observation,
            (&mut stages, context),
            random,
        );
    } else if fault.door == Door::Alb {
        evidence::add_targets(fault, target, (&mut stages, context), random);
    }
    stages
}
