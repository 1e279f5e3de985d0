//! Evidence collection against the simulator's telemetry: the log line of the failed request
//! proves each fault and its cause.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::io::evidence::{EvidenceCollector, FIRST_LOG_SEARCH};
use probecause::io::probe::Prober;
use probecause::io::simulator::{ApiType, Options, RouteFault, Simulator};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::cause::Certainty;
use probecause::model::observation::Observation;
use probecause::model::settings::{ResolverSettings, Settings};
use probecause::model::target::Target;
use tokio::sync::mpsc;
use url::Url;

/// Age that the requests pretend to have, so that the first log search is due immediately.
const AGO: Duration = Duration::from_secs(20);

/// Time limit of a wait. A request to a loopback server takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

fn target(simulator: &Simulator, api: ApiType, fault: RouteFault) -> Target {
    let address = match api {
        ApiType::HttpApi => simulator.address(),
        ApiType::RestApi => simulator.rest_address(),
    };
    let url = format!("https://{address}{}", api.path_of(fault.route()));
    let mut target = Target::with_defaults(&url, Url::parse(&url).unwrap());
    target.tls.ca = Some(simulator.ca_pem().as_bytes().into());
    target.aws = simulator.declarations(api, fault.route());
    target
}

fn request_id(observation: &Observation) -> Option<String> {
    let headers = &observation.response.as_ref()?.headers;
    let named = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    named("apigw-requestid").or_else(|| named("x-amzn-requestid"))
}

/// Probes every fault once, waits for its log line, and checks that it proves the cause.
async fn check(api: ApiType, expected: &[(RouteFault, &str)]) {
    let options = Options {
        integration_timeout: Duration::from_secs(1),
        rest_timeout: Duration::from_secs(1),
        ..Options::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let prober = Prober::new(&ResolverSettings::default()).unwrap();
    let mut settings = Settings::default();
    let (sender, mut updates) = mpsc::channel(64);
    let mut probed = Vec::new();
    for (fault, cause) in expected {
        let target = Arc::new(target(&simulator, api, *fault));
        settings.targets.push(Arc::clone(&target));
        probed.push((Arc::clone(&target), prober.probe(&target).await, *cause));
    }
    let metrics = DaemonMetrics::new().unwrap();
    let base = Some(simulator.telemetry_config().await);
    let evidence = EvidenceCollector::start(&settings, metrics, sender, base, FIRST_LOG_SEARCH);
    for (target, observation, _) in &probed {
        evidence.request(EvidenceRequest {
            target: Arc::clone(target),
            request_id: request_id(observation),
            began: observation.started,
            ended: Timestamp::now() - AGO,
            own_requests: vec![observation.started],
        });
    }
    let rulebook = Rulebook::embedded().unwrap();
    while !probed.is_empty() {
        let update = tokio::time::timeout(PATIENCE, updates.recv());
        let EvidenceUpdate {
            target, evidence, ..
        } = update.await.unwrap().unwrap();
        let Some(at) = probed.iter().position(|(known, ..)| known.name == target) else {
            continue;
        };
        if evidence.log.is_none() {
            continue;
        }
        let (target, observation, cause) = probed.swap_remove(at);
        let context = Context {
            aws: Some(evidence),
            ..Context::at(Timestamp::now())
        };
        let facts = Facts::gather(&target, &observation, &context);
        let verdict = rulebook.diagnose(&facts).verdict.unwrap();
        let result = (verdict.cause.as_str(), verdict.certainty);
        assert_eq!(result, (cause, Certainty::Proven), "{}", target.name);
    }
    simulator.stop().await;
}

const FAULTS: [(RouteFault, &str); 5] = [
    (RouteFault::Timeout, "integration-timeout"),
    (RouteFault::Throttled, "lambda-throttled"),
    (RouteFault::Permission, "lambda-permission-denied"),
    (RouteFault::Malformed, "lambda-malformed-response"),
    (RouteFault::FunctionError, "lambda-function-error"),
];

#[tokio::test]
async fn the_access_log_of_an_http_api_proves_the_five_faults() {
    check(ApiType::HttpApi, &FAULTS).await;
}

#[tokio::test]
async fn the_execution_log_of_a_rest_api_proves_the_five_faults() {
    check(ApiType::RestApi, &FAULTS).await;
}
