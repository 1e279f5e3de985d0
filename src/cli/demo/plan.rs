//! Defines the routes of the demo, with the fault and the correct causes of each route.
//!
//! The module also builds the daemon's settings from the simulator's addresses, and compares the
//! named causes with the correct causes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Row;
use crate::cli::simulated;
use crate::io::simulator::{ApiType, RouteFault, UNLOGGED_STAGE};
use crate::model::cause::Certainty;
use crate::model::host_port::HostPort;
use crate::model::settings::{EvidenceSettings, ServerSettings, Settings};
use crate::model::target::{AwsDeclarations, Target};

/// A route that the demo monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The name of the route's target.
    pub(super) name: &'static str,
    /// A description of the route's fault for the user; `nothing` if the route is healthy.
    pub(super) wrong: &'static str,
    /// The causes that count as correct, starting with the true cause. If the certainty is
    /// `proven`, only the true cause is correct. Empty if the route is healthy.
    pub(super) expected: &'static [&'static str],
    endpoint: Endpoint,
}

/// The endpoint of the simulator that a route's target probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Gateway(RouteFault),
    /// The gateway's stage without an access log. Only AWS's metrics and the configuration show the
    /// fault.
    Unlogged(RouteFault),
    ExpiredCertificate,
    RefusedPort,
}

/// The addresses of the simulator's endpoints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) gateway: SocketAddr,
    pub(super) expired: SocketAddr,
    pub(super) refused: SocketAddr,
}

/// The result of one route at the end of the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RouteResult<'a> {
    pub(super) route: &'static Route,
    /// The final row of the route's target; `None` if the rows do not contain the target.
    pub(super) row: Option<&'a Row>,
    /// What is wrong with the result, such as a missing or wrong cause; `None` if the route passes.
    pub(super) problem: Option<String>,
}

impl Route {
    /// Returns whether the route's stage has no access log.
    pub(super) const fn is_unlogged(&self) -> bool {
        matches!(self.endpoint, Endpoint::Unlogged(_))
    }
}

/// The name of the route that responds after the integration timeout.
pub(super) const SLOW_ROUTE: &str = "timeout";

/// Time limit of the simulated gateway for a response of its function, the same as that of a real
/// HTTP API.
pub(super) const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Running time after which the demo has named the cause of the slow route: the integration timeout
/// of 30 s, up to 4 s until the first probe starts, and a margin of 2 s.
const SLOW_ROUTE_NAMED_AFTER: Duration = Duration::from_secs(36);

/// Time from the end of a failed request until its logs and metrics are first read, and the time
/// within which its metrics are expected to arrive. One second is enough, because the simulated
/// logs and metrics have no delay. In AWS, logs are complete after about a minute, and metrics
/// after about ten minutes.
pub(super) const EVIDENCE_DELAY: Duration = Duration::from_secs(1);

/// Every route of the demo, in the order of the printed table.
pub(super) const ROUTES: [Route; 9] = [
    Route {
        name: "orders",
        wrong: "nothing",
        expected: &[],
        endpoint: Endpoint::Gateway(RouteFault::None),
    },
    Route {
        name: SLOW_ROUTE,
        wrong: "the function takes more than 30 s",
        expected: &["integration-timeout"],
        endpoint: Endpoint::Gateway(RouteFault::Timeout),
    },
    Route {
        name: "throttled",
        wrong: "the function is throttled",
        expected: &["lambda-throttled"],
        endpoint: Endpoint::Gateway(RouteFault::Throttled),
    },
    Route {
        name: "permission",
        wrong: "invoking the function is denied",
        expected: &["lambda-permission-denied"],
        endpoint: Endpoint::Unlogged(RouteFault::Permission),
    },
    Route {
        name: "malformed",
        wrong: "the response is malformed",
        // Without AWS's logs and metrics, this fault cannot be distinguished from the fault of the
        // next route.
        expected: &["lambda-malformed-response", "lambda-function-error"],
        endpoint: Endpoint::Gateway(RouteFault::Malformed),
    },
    Route {
        name: "function-error",
        wrong: "the function raises an error",
        expected: &["lambda-function-error", "lambda-malformed-response"],
        endpoint: Endpoint::Gateway(RouteFault::FunctionError),
    },
    Route {
        name: "wrong-body",
        wrong: "status 200 with a wrong body",
        expected: &["unexpected-body"],
        endpoint: Endpoint::Gateway(RouteFault::WrongBody),
    },
    Route {
        name: "expired",
        wrong: "the certificate has expired",
        expected: &["certificate-expired"],
        endpoint: Endpoint::ExpiredCertificate,
    },
    Route {
        name: "refused",
        wrong: "nothing listens on the port",
        expected: &["connection-refused"],
        endpoint: Endpoint::RefusedPort,
    },
];

/// Creates the settings of the demo: one target per route. `declare` returns the AWS declarations
/// of a route, as a user would write them in `[target.aws]`. Its arguments are the path of the
/// route, and whether the stage has an access log.
///
/// # Errors
/// Returns an error if the URL of a target cannot be created.
pub(super) fn settings(
    addresses: Addresses,
    ca_pem: &str,
    listen: SocketAddr,
    declare: impl Fn(&str, bool) -> AwsDeclarations,
) -> Result<Settings, String> {
    let targets: Result<Vec<_>, String> = ROUTES
        .iter()
        .map(|route| {
            let mut target = target(route, addresses, ca_pem)?;
            match route.endpoint {
                Endpoint::Gateway(fault) => target.aws = declare(fault.route(), true),
                Endpoint::Unlogged(fault) => target.aws = declare(fault.route(), false),
                Endpoint::ExpiredCertificate | Endpoint::RefusedPort => {}
            }
            Ok(Arc::new(target))
        })
        .collect();
    Ok(Settings {
        location: "demo".to_owned(),
        server: ServerSettings {
            listen,
            ..ServerSettings::default()
        },
        evidence: EvidenceSettings {
            first_look: EVIDENCE_DELAY,
            settle: EVIDENCE_DELAY,
            // Most routes fail within seconds of the start, so their evidence is requested at
            // almost the same time. The default limit would delay these requests.
            max_requests_per_second: 20,
            configuration: true,
            changes: true,
            ..EvidenceSettings::default()
        },
        targets: targets?,
        ..Settings::default()
    })
}

/// Compares the named cause of each route with the correct causes, and returns the results.
/// `elapsed` is the running time of the demo.
pub(super) fn evaluate(rows: &[Row], elapsed: Duration) -> Vec<RouteResult<'_>> {
    ROUTES
        .iter()
        .map(|route| {
            let row = rows.iter().find(|row| row.target.as_str() == route.name);
            let problem = problem(route, row, elapsed);
            RouteResult {
                route,
                row,
                problem,
            }
        })
        .collect()
}

fn problem(route: &Route, row: Option<&Row>, elapsed: Duration) -> Option<String> {
    let cause = row.and_then(|row| row.cause.as_ref()).map(|id| id.as_str());
    let probed = row.is_some_and(|row| row.probed);
    match (cause, route.expected) {
        (None, []) if probed => None,
        (Some(cause), []) => Some(format!("the route is healthy, but `{cause}` was named")),
        // A proven cause must be the true cause.
        (Some(cause), [truth, ..]) if is_proven(row) && cause != *truth => {
            Some(format!("`{cause}` was proven instead of `{truth}`"))
        }
        (Some(cause), expected) if expected.contains(&cause) => None,
        (Some(cause), expected) => Some(format!(
            "`{cause}` was named instead of `{}`",
            expected.join("` or `")
        )),
        (None, _) if route.name == SLOW_ROUTE && elapsed < SLOW_ROUTE_NAMED_AFTER => Some(format!(
            "the demo ended after {} s, before the cause could be named; use `--for {}s`",
            elapsed.as_secs(),
            SLOW_ROUTE_NAMED_AFTER.as_secs() + 4
        )),
        (None, _) if !probed => Some("no probe completed before the demo ended".to_owned()),
        (None, _) => Some("no cause was named".to_owned()),
    }
}

fn is_proven(row: Option<&Row>) -> bool {
    row.is_some_and(|row| row.certainty == Some(Certainty::Proven))
}

fn target(route: &Route, addresses: Addresses, ca_pem: &str) -> Result<Target, String> {
    let (address, fault) = match route.endpoint {
        Endpoint::Gateway(fault) | Endpoint::Unlogged(fault) => (addresses.gateway, fault),
        Endpoint::ExpiredCertificate => (addresses.expired, RouteFault::None),
        Endpoint::RefusedPort => (addresses.refused, RouteFault::None),
    };
    let create = |path: &str| simulated::target(route.name, address, path, ca_pem, fault);
    if !route.is_unlogged() {
        return create(fault.route());
    }
    // The configuration of an API can prove a cause only if this API certainly serves the request.
    // The API's default host name shows that it does, so the target's URL has this host name.
    let mut target = create(&format!("/{UNLOGGED_STAGE}{}", fault.route()))?;
    let host = ApiType::HttpApi.host();
    let invalid = |error: url::ParseError| format!("{host}: {error}");
    target.url.set_host(Some(&host)).map_err(invalid)?;
    target.request.connect_to = Some(HostPort::parse(&address.to_string())?);
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::tests::{row, rows};

    fn check(row: Row, seconds: u64, problem: Option<&str>) {
        let name = row.target.as_str().to_owned();
        let rows = [row];
        let results = evaluate(&rows, Duration::from_secs(seconds));
        assert_eq!(results.len(), ROUTES.len());
        let result = results.iter().find(|one| one.route.name == name).unwrap();
        assert_eq!(result.problem.as_deref(), problem);
    }

    #[test]
    fn the_true_cause_of_every_route_passes() {
        let rows = rows();
        let results = evaluate(&rows, Duration::from_secs(45));
        assert!(
            results.iter().all(|one| one.problem.is_none()),
            "{results:?}"
        );
    }

    #[test]
    fn causes_that_look_the_same_from_outside_are_both_correct() {
        check(row("malformed", "lambda-function-error"), 20, None);
        check(row("function-error", "lambda-malformed-response"), 20, None);
    }

    #[test]
    fn a_proven_cause_must_be_the_true_one() {
        let mut proven = row("malformed", "lambda-malformed-response");
        proven.certainty = Some(Certainty::Proven);
        check(proven.clone(), 20, None);
        proven.cause = row("", "lambda-function-error").cause;
        check(
            proven,
            20,
            Some("`lambda-function-error` was proven instead of `lambda-malformed-response`"),
        );
    }

    #[test]
    fn a_wrong_cause_is_reported_with_the_expected_one() {
        check(
            row("permission", "lambda-function-error"),
            20,
            Some("`lambda-function-error` was named instead of `lambda-permission-denied`"),
        );
        check(
            row("orders", "too-slow"),
            20,
            Some("the route is healthy, but `too-slow` was named"),
        );
    }

    #[test]
    fn a_missing_cause_is_reported_with_its_reason() {
        check(row("refused", ""), 20, Some("no cause was named"));
        let slow = "the demo ended after 20 s, before the cause could be named; use `--for 40s`";
        check(row(SLOW_ROUTE, ""), 20, Some(slow));
        check(row(SLOW_ROUTE, ""), 60, Some("no cause was named"));
        let mut unprobed = row("orders", "");
        unprobed.probed = false;
        check(
            unprobed,
            20,
            Some("no probe completed before the demo ended"),
        );
    }

    #[test]
    fn every_route_becomes_a_target_that_trusts_the_simulator() {
        let addresses = Addresses {
            gateway: SocketAddr::from(([127, 0, 0, 1], 1001)),
            expired: SocketAddr::from(([127, 0, 0, 1], 1002)),
            refused: SocketAddr::from(([127, 0, 0, 1], 1003)),
        };
        let declared = |route: &str, logged: bool| AwsDeclarations {
            route: Some(route.to_owned()),
            access_log_group: logged.then(|| "log".to_owned()),
            ..AwsDeclarations::default()
        };
        let settings = settings(addresses, "PEM", addresses.gateway, declared).unwrap();
        let seen: Vec<String> = settings
            .targets
            .iter()
            .map(|target| {
                assert_eq!(target.tls.ca.as_deref(), Some(&b"PEM"[..]));
                assert!(target.timeout < target.interval);
                let route = target.aws.route.as_deref().unwrap_or("-");
                let log = target.aws.access_log_group.as_deref().unwrap_or("-");
                format!("{} {} {route} {log}", target.name, target.url)
            })
            .collect();
        insta::assert_snapshot!(seen.join("\n"));
    }
}
