//! What the demo watches, what is wrong with each route, and which names are right for it.
//!
//! Pure: the simulator's addresses come in, settings and judgements go out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::Row;
use crate::io::simulator::RouteFault;
use crate::model::cause::Certainty;
use crate::model::settings::{EvidenceSettings, ServerSettings, Settings};
use crate::model::target::{
    AwsDeclarations, BodyMatch, HealthSettings, Target, TargetName, TlsSettings,
};

/// One watched route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The target's name.
    pub(super) name: &'static str,
    /// What is wrong with it, for a person.
    pub(super) wrong: &'static str,
    /// The causes that are right as long as none is proven, the true one first; empty:
    /// there must be none.
    pub(super) expected: &'static [&'static str],
    /// Where it is and what answers there.
    place: Place,
}

/// Which of the simulator's ports a route is asked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Gateway(RouteFault),
    ExpiredCertificate,
    RefusedPort,
}

/// Where the simulator's ports are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) gateway: SocketAddr,
    pub(super) expired: SocketAddr,
    pub(super) refused: SocketAddr,
}

/// How one route came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged<'a> {
    pub(super) route: &'static Route,
    /// What was seen last; absent if the daemon never told of it.
    pub(super) row: Option<&'a Row>,
    /// Why the demo failed for it, unless it did not.
    pub(super) problem: Option<String>,
}

/// The name of the route that takes the integration timeout to answer.
pub(super) const SLOW_ROUTE: &str = "timeout";

/// How long the simulated gateway waits for its function, as a real HTTP API does.
pub(super) const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Time in which the slow route is surely named: the gateway's 30 s, a first probe that
/// may come 5 s after the start, and a second for everything else.
const ENOUGH: Duration = Duration::from_secs(36);

/// Short, so that a demo shows something within seconds.
const INTERVAL: Duration = Duration::from_secs(5);

/// How soon to look again after a first failure: well before the next slot.
const CONFIRM_AFTER: Duration = Duration::from_secs(2);

/// Every quick route answers in a quarter of a second; a probe ends before its next slot.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The slow route's probe outlasts the gateway's 30 s, and its slots outlast the probe,
/// so that none is missed.
const SLOW: (Duration, Duration) = (Duration::from_secs(40), Duration::from_secs(35));

/// The simulated telemetry has no delays, so that nobody waits minutes for it: AWS's own
/// takes seconds for a log line as a rule, and up to ten minutes for a metric.
pub(super) const AT_ONCE: Duration = Duration::from_secs(1);

/// Every route, in the order of the table.
pub(super) const ROUTES: [Route; 9] = [
    Route {
        name: "orders",
        wrong: "nothing",
        expected: &[],
        place: Place::Gateway(RouteFault::None),
    },
    Route {
        name: SLOW_ROUTE,
        wrong: "the function takes more than 30 s",
        expected: &["integration-timeout"],
        place: Place::Gateway(RouteFault::Timeout),
    },
    Route {
        name: "throttled",
        wrong: "the function is throttled",
        expected: &["lambda-throttled"],
        place: Place::Gateway(RouteFault::Throttled),
    },
    Route {
        name: "permission",
        wrong: "the gateway may not invoke it",
        expected: &["lambda-permission-denied"],
        place: Place::Gateway(RouteFault::Permission),
    },
    Route {
        name: "malformed",
        wrong: "its response is malformed",
        // From outside it cannot be told from the next.
        expected: &["lambda-malformed-response", "lambda-function-error"],
        place: Place::Gateway(RouteFault::Malformed),
    },
    Route {
        name: "function-error",
        wrong: "the function raises an error",
        expected: &["lambda-function-error", "lambda-malformed-response"],
        place: Place::Gateway(RouteFault::FunctionError),
    },
    Route {
        name: "wrong-body",
        wrong: "200, but its body is not ok",
        expected: &["unexpected-body"],
        place: Place::Gateway(RouteFault::WrongBody),
    },
    Route {
        name: "expired",
        wrong: "its certificate has expired",
        expected: &["certificate-expired"],
        place: Place::ExpiredCertificate,
    },
    Route {
        name: "refused",
        wrong: "nothing listens on its port",
        expected: &["connection-refused"],
        place: Place::RefusedPort,
    },
];

/// The configuration of the demo: one target per route. `declare` says what a user who
/// knows what stands behind a route would write under `[target.aws]`.
///
/// # Errors
/// If an address does not make a URL, which cannot happen with socket addresses.
pub(super) fn settings(
    ports: Ports,
    ca_pem: &str,
    listen: SocketAddr,
    declare: impl Fn(&str) -> AwsDeclarations,
) -> Result<Settings, String> {
    let ca: Arc<[u8]> = ca_pem.as_bytes().into();
    let targets: Result<Vec<_>, String> = ROUTES
        .iter()
        .map(|route| {
            let mut target = target(route, ports, &ca)?;
            if let Place::Gateway(fault) = route.place {
                target.aws = declare(fault.route());
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
            first_look: AT_ONCE,
            settle: AT_ONCE,
            // Everything fails within seconds of the start, which no real daemon sees.
            max_requests_per_second: 20,
            ..EvidenceSettings::default()
        },
        targets: targets?,
        ..Settings::default()
    })
}

/// Compares what was named with what is wrong. `elapsed` explains what could not be
/// named yet.
pub(super) fn judge(rows: &[Row], elapsed: Duration) -> Vec<Judged<'_>> {
    ROUTES
        .iter()
        .map(|route| {
            let row = rows.iter().find(|row| row.target.as_str() == route.name);
            let problem = problem(route, row, elapsed);
            Judged {
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
        (Some(cause), []) => Some(format!("it is healthy, yet `{cause}` was named")),
        // What is proven must be true.
        (Some(cause), [truth, ..]) if proven(row) && cause != *truth => {
            Some(format!("`{cause}` was proven instead of `{truth}`"))
        }
        (Some(cause), expected) if expected.contains(&cause) => None,
        (Some(cause), expected) => Some(format!(
            "`{cause}` was named instead of `{}`",
            expected.join("` or `")
        )),
        (None, _) if route.name == SLOW_ROUTE && elapsed < ENOUGH => Some(format!(
            "the gateway answers only after 30 s and the demo ran for {} s: give it `--for {}s`",
            elapsed.as_secs(),
            ENOUGH.as_secs() + 4
        )),
        (None, _) if !probed => Some("it was not probed in time".to_owned()),
        (None, _) => Some("no cause was named".to_owned()),
    }
}

fn proven(row: Option<&Row>) -> bool {
    row.is_some_and(|row| row.certainty == Some(Certainty::Proven))
}

fn target(route: &Route, ports: Ports, ca: &Arc<[u8]>) -> Result<Target, String> {
    let (address, path) = match route.place {
        Place::Gateway(fault) => (ports.gateway, fault.route()),
        Place::ExpiredCertificate => (ports.expired, RouteFault::None.route()),
        Place::RefusedPort => (ports.refused, RouteFault::None.route()),
    };
    let url = format!("https://{address}{path}");
    let url = Url::parse(&url).map_err(|error| format!("{url} is no URL: {error}"))?;
    let mut target = Target::with_defaults(route.name, url);
    target.name = TargetName::new(route.name);
    (target.interval, target.timeout) = (INTERVAL, TIMEOUT);
    target.confirm_after = CONFIRM_AFTER;
    target.tls = TlsSettings {
        ca: Some(Arc::clone(ca)),
        identity: None,
    };
    target.expect.body = vec![BodyMatch::Contains(r#""status":"ok""#.to_owned())];
    if route.name == SLOW_ROUTE {
        (target.interval, target.timeout) = SLOW;
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
    use crate::cli::demo::tests::{row, rows};

    fn check(row: Row, seconds: u64, problem: Option<&str>) {
        let name = row.target.as_str().to_owned();
        let rows = [row];
        let judged = judge(&rows, Duration::from_secs(seconds));
        assert_eq!(judged.len(), ROUTES.len());
        let found = judged.iter().find(|one| one.route.name == name).unwrap();
        assert_eq!(found.problem.as_deref(), problem);
    }

    #[test]
    fn the_right_name_for_every_route_passes() {
        let rows = rows();
        let judged = judge(&rows, Duration::from_secs(45));
        assert!(judged.iter().all(|one| one.problem.is_none()), "{judged:?}");
    }

    #[test]
    fn either_name_is_right_where_outside_cannot_tell() {
        check(row("malformed", "lambda-function-error"), 20, None);
        check(row("function-error", "lambda-malformed-response"), 20, None);
    }

    #[test]
    fn a_proven_name_must_be_the_true_one() {
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
    fn a_wrong_name_is_told_with_the_right_one() {
        check(
            row("permission", "lambda-function-error"),
            20,
            Some("`lambda-function-error` was named instead of `lambda-permission-denied`"),
        );
        check(
            row("orders", "too-slow"),
            20,
            Some("it is healthy, yet `too-slow` was named"),
        );
    }

    #[test]
    fn an_unnamed_route_says_why() {
        check(row("refused", ""), 20, Some("no cause was named"));
        let slow = "the gateway answers only after 30 s and the demo ran for 20 s: \
                    give it `--for 40s`";
        check(row(SLOW_ROUTE, ""), 20, Some(slow));
        check(row(SLOW_ROUTE, ""), 60, Some("no cause was named"));
        let mut unprobed = row("orders", "");
        unprobed.probed = false;
        check(unprobed, 20, Some("it was not probed in time"));
    }

    #[test]
    fn every_route_becomes_a_target_that_trusts_the_simulator() {
        let ports = Ports {
            gateway: SocketAddr::from(([127, 0, 0, 1], 1001)),
            expired: SocketAddr::from(([127, 0, 0, 1], 1002)),
            refused: SocketAddr::from(([127, 0, 0, 1], 1003)),
        };
        let declared = |route: &str| AwsDeclarations {
            route: Some(route.to_owned()),
            ..AwsDeclarations::default()
        };
        let settings = settings(ports, "PEM", ports.gateway, declared).unwrap();
        let seen: Vec<String> = settings
            .targets
            .iter()
            .map(|target| {
                assert_eq!(target.tls.ca.as_deref(), Some(&b"PEM"[..]));
                assert!(target.timeout < target.interval);
                let route = target.aws.route.as_deref().unwrap_or("-");
                format!("{} {} {route}", target.name, target.url)
            })
            .collect();
        insta::assert_snapshot!(seen.join("\n"));
    }
}
