//! Configures the simulated fault lab. The HTTP API and the REST API of the lab each have a healthy
//! target and one target per fault. A label of each target names the true cause.

use std::net::SocketAddr;
use std::sync::Arc;

use super::truth::{LABEL, NONE};
use crate::cli::simulated;
use crate::io::simulator::{ApiType, RouteFault, Simulator};
use crate::model::settings::Settings;
use crate::model::target::Target;

/// Creates the settings of the fault lab: for each API, a healthy target and one target per fault.
///
/// # Errors
/// Returns an error if an address does not form a URL.
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
            targets.push(Arc::new(target(simulator, &name, (api, address), fault)?));
        }
    }
    Ok(Settings {
        location: "simulated".to_owned(),
        targets,
        ..Settings::default()
    })
}

/// Returns the true cause of the failures that a fault produces, or `none` if there is no fault.
const fn true_cause(fault: RouteFault) -> &'static str {
    match fault {
        RouteFault::None => NONE,
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
    let path = api.path_of(fault.route());
    let mut target = simulated::target(name, address, &path, simulator.ca_pem(), fault)?;
    target
        .labels
        .insert(LABEL.to_owned(), true_cause(fault).to_owned());
    target.aws = simulator.declarations(api, fault.route());
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulator::Options;

    #[tokio::test]
    async fn every_fault_exists_behind_both_apis_with_its_true_cause() {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let settings = settings(&simulator).unwrap();
        let targets: Vec<_> = settings
            .targets
            .iter()
            .map(|target| {
                assert!(target.timeout < target.interval, "{}", target.name);
                let (path, truth) = (target.url.path(), &target.labels[LABEL]);
                format!("{} {path} {truth}", target.name)
            })
            .collect();
        insta::assert_snapshot!(targets.join("\n"));
    }
}
