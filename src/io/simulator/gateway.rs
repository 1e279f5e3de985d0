//! The API in front of the function: routing, permission, throttling, timeout.
//!
//! Five faults, few answers, exactly as captured: what tells them apart is time and
//! whether the function ran. Here the reason is known, which is what makes it a measure
//! for the diagnosis; no header and no byte gives it away. The ledger alone is told, as
//! AWS's own telemetry would be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::chance::Chance;
use super::door::{Door, Outcome};
use super::function::{self, Behaviour, Reply};
use super::telemetry::{Call, Ledger};
use super::{DefaultRoute, Fault};

/// A simulated API with its routes and functions.
#[derive(Debug)]
pub(super) struct Gateway {
    door: Door,
    ledger: Arc<Ledger>,
    routes: Mutex<BTreeMap<String, Route>>,
    default_route: Mutex<Option<DefaultRoute>>,
    integration_timeout: Duration,
    chance: Chance,
}

/// What goes back to the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: &'static str,
    /// Headers beyond date, content type and length, in order.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What came of a request, and where it was taken.
struct Taken<'a> {
    route: Option<&'a str>,
    outcome: Outcome,
    /// How long the gateway waited for Lambda, if it asked it.
    integration: Option<Duration>,
    /// A header that the function set.
    header: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, Debug)]
struct Route {
    fault: Fault,
    requests: u64,
    invocations: u64,
}

/// Time the gateway itself takes, the trip to Lambda's front end included. Real ones
/// take a little longer; on loopback that would only slow the tests.
const OVERHEAD: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(4));

/// The captured timeout took 30.163 s in all: the gateway gives up a little after its limit.
const AFTER_TIMEOUT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(20));

impl Gateway {
    pub(super) fn new(
        faults: impl IntoIterator<Item = (String, Fault)>,
        integration_timeout: Duration,
        seed: u64,
    ) -> Self {
        let routes = faults.into_iter().map(|(path, fault)| {
            let (requests, invocations) = (0, 0);
            let route = Route {
                fault,
                requests,
                invocations,
            };
            (path, route)
        });
        Self {
            door: Door::HttpApi,
            ledger: Arc::default(),
            routes: Mutex::new(routes.collect()),
            default_route: Mutex::default(),
            integration_timeout,
            chance: Chance::new(seed),
        }
    }

    /// The same gateway as another kind of API, telling `ledger` of its requests.
    pub(super) fn behind(self, door: Door, ledger: Arc<Ledger>) -> Self {
        Self {
            door,
            ledger,
            ..self
        }
    }

    /// Changes what is wrong with a route from the next request on; a new path becomes a route.
    pub(super) fn set_fault(&self, path: &str, fault: Fault) {
        self.with_routes(|routes| {
            let route = routes.entry(path.to_owned()).or_insert(Route {
                fault,
                requests: 0,
                invocations: 0,
            });
            route.fault = fault;
        });
    }

    /// Sends what no route fits to a function of its own from the next request on.
    pub(super) fn set_default_route(&self, default_route: Option<DefaultRoute>) {
        self.set_fault(DefaultRoute::KEY, Fault::None);
        *self
            .default_route
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = default_route;
    }

    /// Requests that reached a route; zero for what is no route.
    pub(super) fn requests(&self, path: &str) -> u64 {
        self.with_routes(|routes| routes.get(path).map_or(0, |route| route.requests))
    }

    /// Invocations of the function behind a route.
    pub(super) fn invocations(&self, path: &str) -> u64 {
        self.with_routes(|routes| routes.get(path).map_or(0, |route| route.invocations))
    }

    /// Answers one request.
    pub(super) async fn answer(&self, path: &str) -> Answer {
        let (began, clock) = (Timestamp::now(), Instant::now());
        let request_id = self.chance.request_id();
        let (least, spread) = OVERHEAD;
        tokio::time::sleep(self.chance.between(least, spread)).await;
        let path = self.door.route_of(path);
        let taken = match path {
            Some(path) => self.take(path, clock).await,
            None => Taken::nowhere(Outcome::NoStage),
        };
        let (status, body, error_type) = self.door.words(taken.outcome);
        let mut headers = self.headers(request_id, error_type);
        self.ledger.record(&Call {
            door: self.door,
            route: taken.route,
            request_id: headers.first().map_or("", |(_, id)| id),
            invocation_id: &self.chance.uuid(),
            outcome: taken.outcome,
            status,
            body_length: body.len(),
            began,
            integration: taken.integration,
            took: clock.elapsed(),
        });
        headers.extend(taken.header.map(|(name, value)| (name, value.to_owned())));
        Answer {
            status,
            body,
            headers,
        }
    }

    /// The headers that are this API's own; the first names the request.
    fn headers(&self, short_id: String, error_type: Option<&str>) -> Vec<(&'static str, String)> {
        match self.door {
            Door::HttpApi => vec![("apigw-requestid", short_id)],
            Door::RestApi => {
                let mut headers = vec![("x-amzn-requestid", self.chance.uuid())];
                headers.extend(error_type.map(|kind| ("x-amzn-errortype", kind.to_owned())));
                headers.push(("x-amz-apigw-id", short_id));
                headers
            }
        }
    }

    /// Takes a request to its route, or to the default one. `arrived`: when it came.
    async fn take<'a>(&self, path: &'a str, arrived: Instant) -> Taken<'a> {
        let called = Instant::now();
        let fault = self.with_routes(|routes| {
            let route = routes.get_mut(path)?;
            route.requests += 1;
            Some(route.fault)
        });
        let Some(fault) = fault else {
            return self.take_by_default(called).await;
        };
        let outcome = self.integrate(path, fault).await;
        // Refused calls make the trip to Lambda's front end as well.
        let from = if outcome.invoked() { called } else { arrived };
        Taken {
            route: Some(path),
            outcome,
            integration: Some(from.elapsed()),
            header: None,
        }
    }

    /// What the default route's function says to a path that is no route: it takes its
    /// time like any function, then looks as much like the gateway as it can.
    async fn take_by_default(&self, called: Instant) -> Taken<'static> {
        let default_route = *self
            .default_route
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(default_route) = default_route else {
            return Taken::nowhere(Outcome::NoRoute);
        };
        self.with_routes(|routes| {
            if let Some(route) = routes.get_mut(DefaultRoute::KEY) {
                route.requests += 1;
                route.invocations += 1;
            }
        });
        function::run(Behaviour::Healthy, &self.chance).await;
        let (status, body, _) = self.door.words(Outcome::NoRoute);
        let with_header = default_route == DefaultRoute::LookAlikeWithHeader;
        Taken {
            route: Some(DefaultRoute::KEY),
            outcome: Outcome::Response(status, body),
            integration: Some(called.elapsed()),
            header: with_header.then_some(("x-powered-by", "shop")),
        }
    }

    /// The integration: may the function be invoked, is there room for it, is it quick
    /// enough, and is what it replies a response.
    async fn integrate(&self, path: &str, fault: Fault) -> Outcome {
        let behaviour = match fault {
            Fault::Permission => return Outcome::Denied,
            Fault::Throttled => return Outcome::Throttled,
            Fault::None => Behaviour::Healthy,
            Fault::WrongBody => Behaviour::Ailing,
            Fault::Timeout => Behaviour::Endless,
            Fault::Malformed => Behaviour::Malformed,
            Fault::FunctionError => Behaviour::Raising,
        };
        self.with_routes(|routes| {
            if let Some(route) = routes.get_mut(path) {
                route.invocations += 1;
            }
        });
        let run = function::run(behaviour, &self.chance);
        match tokio::time::timeout(self.integration_timeout, run).await {
            Ok(Reply::Response(status, body)) => Outcome::Response(status, body),
            Ok(Reply::NotAResponse) => Outcome::Malformed,
            Ok(Reply::Error) => Outcome::FunctionError,
            Err(_elapsed) => {
                let (least, spread) = AFTER_TIMEOUT;
                tokio::time::sleep(self.chance.between(least, spread)).await;
                Outcome::TimedOut
            }
        }
    }

    fn with_routes<T>(&self, read: impl FnOnce(&mut BTreeMap<String, Route>) -> T) -> T {
        // Counters stay usable whatever panicked in a test that held them.
        read(&mut self.routes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Taken<'_> {
    /// Nothing was asked: the gateway answers for itself.
    const fn nowhere(outcome: Outcome) -> Self {
        Self {
            route: None,
            outcome,
            integration: None,
            header: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const UNAVAILABLE: (u16, &str) = (503, r#"{"message":"Service Unavailable"}"#);
    const SERVER_ERROR: (u16, &str) = (500, r#"{"message":"Internal Server Error"}"#);

    /// Asks once and compares status, body, whether the function ran, and the time taken.
    async fn check(fault: Fault, (status, body): (u16, &str), ran: bool, millis: [u64; 2]) {
        let timeout = Duration::from_secs(30);
        let gateway = Gateway::new([("/a".to_owned(), fault)], timeout, 1);
        let begin = Instant::now();
        let answer = gateway.answer("/a").await;
        let took = begin.elapsed();
        assert_eq!((answer.status, answer.body), (status, body), "{fault:?}");
        assert_eq!(gateway.requests("/a"), 1, "{fault:?}");
        assert_eq!(gateway.invocations("/a"), u64::from(ran), "{fault:?}");
        let [least, most] = millis.map(Duration::from_millis);
        assert!((least..=most).contains(&took), "{fault:?} took {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_timeout_comes_after_thirty_seconds_and_the_function_ran() {
        check(Fault::Timeout, UNAVAILABLE, true, [30_000, 30_050]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_call_is_answered_at_once_without_the_function() {
        check(Fault::Throttled, UNAVAILABLE, false, [3, 12]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_denied_call_is_answered_at_once_without_the_function() {
        check(Fault::Permission, SERVER_ERROR, false, [3, 12]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_response_takes_as_long_as_the_function() {
        check(Fault::Malformed, SERVER_ERROR, true, [200, 240]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_error_takes_as_long_as_the_function() {
        check(Fault::FunctionError, SERVER_ERROR, true, [220, 260]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_can_be_wrong_under_a_good_status() {
        let degraded = r#"{"status":"degraded","orders":0}"#;
        check(Fault::WrongBody, (200, degraded), true, [15, 32]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_path_is_not_found_and_a_fault_can_be_set_at_run_time() {
        let gateway = Gateway::new([], Duration::from_secs(30), 1);
        assert_eq!(gateway.answer("/new").await.status, 404);
        assert_eq!(gateway.requests("/new"), 0);
        gateway.set_fault("/new", Fault::None);
        assert_eq!(gateway.answer("/new").await.status, 200);
        gateway.set_fault("/new", Fault::Throttled);
        assert_eq!(gateway.answer("/new").await.status, 503);
        assert_eq!(gateway.requests("/new"), 2);
        assert_eq!(gateway.invocations("/new"), 1);
    }
}
