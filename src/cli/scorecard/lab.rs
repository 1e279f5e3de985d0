//! The simulated fault lab: every fault behind both APIs, labelled with its truth.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::truth::{LABEL, NOTHING};
use crate::io::simulator::{ApiType, Options, RouteFault, Simulator};
use crate::model::settings::Settings;
use crate::model::target::{BodyMatch, HealthSettings, Target, TlsSettings};

/// How often a quick route is probed, how soon it is looked at again, and how long a
/// probe of it may take; each route answers within a quarter of a second.
const QUICK: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// A slow route's slots and deadline outlast the gateway's 30 s.
const SLOW: [Duration; 2] = [Duration::from_secs(40), Duration::from_secs(35)];

/// The simulator's options: the timeouts of real APIs.
pub(super) fn options() -> Options {
    Options::default()
}

/// One target per fault and API.
///
/// # Errors
/// If an address does not make a URL, which cannot happen with socket addresses.
pub(super) fn settings(simulator: &Simulator) -> Result<Settings, String> {
    let faults = [
        (RouteFault::None, "orders"),
        (RouteFault::Timeout, "timeout"),
        (RouteFault::Throttled, "throttled"),
        (RouteFault::Permission, "permission"),
        (RouteFault::Malformed, "malformed"),
        (RouteFault::FunctionError, "function-error"),
    ];
    let mut targets = Vec::new();
    for (api, prefix, address) in [
        (ApiType::HttpApi, "http", simulator.address()),
        (ApiType::RestApi, "rest", simulator.rest_address()),
    ] {
        for (fault, name) in faults {
            let name = format!("{prefix}-{name}");
            let target = target(simulator, &name, (api, address), fault)?;
            targets.push(Arc::new(target));
        }
    }
    Ok(Settings {
        location: "simulated".to_owned(),
        targets,
        ..Settings::default()
    })
}

/// The true cause behind a fault.
const fn truth(fault: RouteFault) -> &'static str {
    match fault {
        RouteFault::None => NOTHING,
        RouteFault::Timeout => "integration-timeout",
        RouteFault::Throttled => "lambda-throttled",
        RouteFault::Malformed => "lambda-malformed-response",
        RouteFault::Permission => "lambda-permission-denied",
        RouteFault::FunctionError => "lambda-function-error",
        RouteFault::WrongBody => "unexpected-body",
    }
}

fn target(
    simulator: &Simulator,
    name: &str,
    (api, address): (ApiType, SocketAddr),
    fault: RouteFault,
) -> Result<Target, String> {
    let url = format!("https://{address}{}", api.path_of(fault.route()));
    let url = Url::parse(&url).map_err(|error| format!("{url}: {error}"))?;
    let mut target = Target::with_defaults(name, url);
    let truth = truth(fault).to_owned();
    target.labels.insert(LABEL.to_owned(), truth);
    target.tls = TlsSettings {
        ca: Some(simulator.ca_pem().as_bytes().into()),
        identity: None,
    };
    target.expect.body = vec![BodyMatch::Contains(r#""status":"ok""#.to_owned())];
    target.aws = simulator.declarations(api, fault.route());
    [target.interval, target.confirm_after, target.timeout] = QUICK;
    if fault == RouteFault::Timeout {
        [target.interval, target.timeout] = SLOW;
        // A second look would take another half minute: here one failure is enough.
        target.health = HealthSettings {
            consecutive_failures: 1,
            consecutive_successes: 1,
        };
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_fault_is_there_behind_both_apis_with_its_truth() {
        let simulator = Simulator::start(options()).await.unwrap();
        let settings = settings(&simulator).unwrap();
        let told: Vec<_> = settings
            .targets
            .iter()
            .map(|target| {
                assert!(target.timeout < target.interval, "{}", target.name);
                let (path, truth) = (target.url.path(), &target.labels[LABEL]);
                format!("{} {path} {truth}", target.name)
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
