//! Evidence collection against the simulator: the log line of the failed request proves each fault
//! and its cause, and without a log, the configuration proves some of them.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::account_changes::Watched;
use probecause::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::incident::IncidentId;
use probecause::io::evidence::changes::{ChangeCollector, ChangeRequest};
use probecause::io::evidence::{EvidenceCollector, FIRST_LOG_SEARCH};
use probecause::io::probe::Prober;
use probecause::io::simulator::{ApiType, Options, RouteFault, Simulator, UNLOGGED_STAGE};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::cause::{CauseId, Certainty};
use probecause::model::host_port::HostPort;
use probecause::model::observation::Observation;
use probecause::model::scope::Scope;
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

/// Probes a route without an access log twice, and checks that the configuration shows the cause
/// with this certainty after the first failure and after the second one. `host` is the host name in
/// the URL.
async fn check_configuration(host: &str, fault: RouteFault, cause: &str, expected: [Certainty; 2]) {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let prober = Prober::new(&ResolverSettings::default()).unwrap();
    let route = fault.route();
    let address = simulator.address();
    let url = format!("https://{host}/{UNLOGGED_STAGE}{route}");
    let mut target = Target::with_defaults(&url, Url::parse(&url).unwrap());
    target.tls.ca = Some(simulator.ca_pem().as_bytes().into());
    target.request.connect_to = Some(HostPort::parse(&address.to_string()).unwrap());
    target.aws = simulator.declarations_without_log(route);
    let target = Arc::new(target);
    let mut settings = Settings::default();
    settings.evidence.configuration = true;
    settings.targets.push(Arc::clone(&target));
    let (sender, mut updates) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let base = Some(simulator.telemetry_config().await);
    let collector = EvidenceCollector::start(&settings, metrics, sender, base, FIRST_LOG_SEARCH);
    let rulebook = Rulebook::embedded().unwrap();
    for certainty in expected {
        let observation = prober.probe(&target).await;
        collector.request(EvidenceRequest {
            target: Arc::clone(&target),
            request_id: request_id(&observation),
            began: observation.started,
            ended: Timestamp::now(),
            own_requests: vec![observation.started],
        });
        let evidence = loop {
            let update = tokio::time::timeout(PATIENCE, updates.recv());
            let update = update.await.unwrap().unwrap();
            if update.began == observation.started && update.evidence.configuration.is_some() {
                break update.evidence;
            }
        };
        assert_eq!(evidence.log, None);
        let context = Context {
            aws: Some(evidence),
            ..Context::at(Timestamp::now())
        };
        let facts = Facts::gather(&target, &observation, &context);
        let verdict = rulebook.diagnose(&facts).verdict.unwrap();
        assert_eq!(
            (verdict.cause.as_str(), verdict.certainty),
            (cause, certainty)
        );
    }
    simulator.stop().await;
}

/// The configuration proves the cause as soon as it was read before and after a failed request.
const PROVEN: [Certainty; 2] = [Certainty::Corroborated, Certainty::Proven];

#[tokio::test]
async fn the_policy_proves_a_missing_permission_without_a_log() {
    let (fault, cause) = (RouteFault::Permission, "lambda-permission-denied");
    let host = ApiType::HttpApi.host();
    check_configuration(&host, fault, cause, PROVEN).await;
}

#[tokio::test]
async fn at_another_host_name_the_policy_of_the_declared_api_proves_nothing() {
    let (fault, cause) = (RouteFault::Permission, "lambda-permission-denied");
    let expected = [Certainty::Corroborated; 2];
    check_configuration("localhost", fault, cause, expected).await;
}

#[tokio::test]
async fn a_reserved_concurrency_of_zero_proves_a_throttle_without_a_log() {
    let (fault, cause) = (RouteFault::Throttled, "lambda-throttled");
    let host = ApiType::HttpApi.host();
    check_configuration(&host, fault, cause, PROVEN).await;
}

#[tokio::test]
async fn the_change_that_removed_the_permission_is_found() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let mut target = target(&simulator, ApiType::HttpApi, RouteFault::Permission);
    target.aws = simulator.declarations_without_log(RouteFault::Permission.route());
    let target = Arc::new(target);
    let mut settings = Settings::default();
    settings.evidence.changes = true;
    settings.targets.push(Arc::clone(&target));
    let (sender, mut updates) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let base = Some(simulator.telemetry_config().await);
    let collector = ChangeCollector::start(&settings, metrics, sender, base);
    let now = Timestamp::now();
    collector.watch(ChangeRequest {
        watched: Watched::of(&target, &target.aws),
        incident: IncidentId::new(&Scope::Target(target.name.clone()), now),
        opened: now,
        first_failure: now,
        cause: CauseId::new("lambda-permission-denied").unwrap(),
        target,
    });
    let update = tokio::time::timeout(PATIENCE, updates.recv());
    let changes = update.await.unwrap().unwrap().changes;
    assert_eq!(changes.len(), 1, "{changes:?}");
    let summary = changes[0].summary();
    assert!(
        summary.starts_with("RemovePermission by deploy-role 3"),
        "{summary}"
    );
    assert!(summary.ends_with(" s before"), "{summary}");
    simulator.stop().await;
}
