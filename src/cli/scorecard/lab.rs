//! The simulated fault lab: every fault behind an HTTP API and a REST API, labeled with its
//! true cause.

use std::net::SocketAddr;
use std::sync::Arc;

use super::truth::{LABEL, NONE};
use crate::cli::simulated;
use crate::io::simulator::{Door, Fault, Simulator};
use crate::model::settings::Settings;
use crate::model::target::Target;

/// The settings of the lab: one target per fault and API.
///
/// # Errors
/// An address does not form a URL.
pub(super) fn settings(simulator: &Simulator) -> Result<Settings, String> {
    let faults = [
        (Fault::None, "orders"),
        (Fault::Timeout, "timeout"),
        (Fault::Throttled, "throttled"),
        (Fault::Permission, "permission"),
        (Fault::Malformed, "malformed"),
        (Fault::FunctionError, "function-error"),
    ];
    let mut targets = Vec::new();
    for (door, prefix, address) in [
        (Door::HttpApi, "http", simulator.address()),
        (Door::RestApi, "rest", simulator.rest_address()),
    ] {
        for (fault, name) in faults {
            let name = format!("{prefix}-{name}");
            targets.push(Arc::new(target(simulator, &name, (door, address), fault)?));
        }
    }
    Ok(Settings {
        location: "simulated".to_owned(),
        targets,
        ..Settings::default()
    })
}

/// The true cause of a fault's failures.
const fn true_cause(fault: Fault) -> &'static str {
    match fault {
        Fault::None => NONE,
        Fault::Timeout => "integration-timeout",
        Fault::Throttled => "lambda-throttled",
        Fault::Malformed => "lambda-malformed-response",
        Fault::Permission => "lambda-permission-denied",
        Fault::FunctionError => "lambda-function-error",
        Fault::WrongBody => "unexpected-body",
    }
}

fn target(
    simulator: &Simulator,
    name: &str,
    (door, address): (Door, SocketAddr),
    fault: Fault,
) -> Result<Target, String> {
    let path = door.path_of(fault.route());
    let mut target = simulated::target(name, address, &path, simulator.ca_pem(), fault)?;
    target
        .labels
        .insert(LABEL.to_owned(), true_cause(fault).to_owned());
    target.aws = simulator.declarations(door, fault.route());
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
