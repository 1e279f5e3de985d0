//! Simulates the API in front of the functions: routing, permission, throttling and timeout.
//!
//! `api` defines the responses, and `function` simulates the functions. As in AWS, several faults
//! have the same response and differ only in the response time, in whether the function ran, and in
//! the telemetry. Because the fault of a route is known, a diagnosis can be scored against it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::api::{ApiType, Outcome};
use super::function::{self, Behavior, Reply};
use super::rng::SeededRng;
use super::telemetry::{RequestRecord, Telemetry};
use super::{DefaultRoute, RouteFault};

/// A simulated API with its routes and functions.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) api: ApiType,
    telemetry: Arc<Telemetry>,
    state: Mutex<State>,
    pub(super) integration_timeout: Duration,
    rng: SeededRng,
}

/// The response of the gateway to a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GatewayResponse {
    pub(super) status: u16,
    pub(super) body: &'static str,
    /// The headers that follow date, content type and content length, in order.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// A route and the fault of its function, on which the simulated configuration depends.
#[derive(Clone, Debug)]
pub(super) struct RouteState {
    /// The path of the route, or [`DefaultRoute::KEY`].
    pub(super) route: String,
    pub(super) fault: RouteFault,
    /// The time of the change that caused the fault.
    pub(super) changed: Timestamp,
}

/// The result of routing a request, with the data for the response and the telemetry.
struct RoutedRequest<'a> {
    route: Option<&'a str>,
    outcome: Outcome,
    /// The time that the gateway waited for Lambda. `None` if the gateway did not call Lambda.
    integration: Option<Duration>,
    /// An additional response header that the function set.
    header: Option<(&'static str, &'static str)>,
}

#[derive(Debug)]
struct State {
    /// The routes by path. The entry [`DefaultRoute::KEY`] contains the counters of the default
    /// route.
    routes: BTreeMap<String, Route>,
    default_route: Option<DefaultRoute>,
}

#[derive(Clone, Copy, Debug)]
struct Route {
    fault: RouteFault,
    /// The time of the change that caused the fault.
    changed: Timestamp,
    requests: u64,
    invocations: u64,
}

/// The time from the change that caused a fault to the start of the gateway. The first request
/// follows within seconds.
const CHANGED_BEFORE: Duration = Duration::from_secs(30);

/// The minimum time that the gateway itself needs, including its call to Lambda's front end, and
/// the maximum jitter that is added. Real gateways need a little longer; the shorter time makes the
/// tests faster.
const OVERHEAD: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(4));

/// The minimum time from the integration timeout to the response, and the maximum jitter that is
/// added. In the capture, the timeout was 30 s and the response took 30.163 s in total.
const AFTER_TIMEOUT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(20));

impl Gateway {
    pub(super) fn new(
        api: ApiType,
        telemetry: Arc<Telemetry>,
        faults: impl IntoIterator<Item = (String, RouteFault)>,
        integration_timeout: Duration,
        seed: u64,
    ) -> Self {
        let changed = Timestamp::now() - CHANGED_BEFORE;
        let routes = faults.into_iter();
        let routes = routes.map(|(path, fault)| (path, Route::new(fault, changed)));
        Self {
            api,
            telemetry,
            state: Mutex::new(State {
                routes: routes.collect(),
                default_route: None,
            }),
            integration_timeout,
            rng: SeededRng::new(seed),
        }
    }

    /// Sets the fault of a route for all later requests. Adds a route for an unknown path.
    pub(super) fn set_fault(&self, path: &str, fault: RouteFault) {
        let now = Timestamp::now();
        let mut state = self.lock();
        let route = state.routes.entry(path.to_owned());
        let route = route.or_insert(Route::new(fault, now));
        if route.fault != fault {
            (route.fault, route.changed) = (fault, now);
        }
    }

    /// Returns the fault of a route. An unknown route has no fault.
    pub(super) fn fault(&self, path: &str) -> RouteFault {
        let state = self.lock();
        let route = state.routes.get(path);
        route.map_or(RouteFault::None, |route| route.fault)
    }

    /// Returns all routes, in the order of their paths. Omits the default route if the gateway has
    /// none.
    pub(super) fn routes(&self) -> Vec<RouteState> {
        let state = self.lock();
        let exists = |path: &str| path != DefaultRoute::KEY || state.default_route.is_some();
        let routes = state.routes.iter().filter(|(path, _)| exists(path));
        routes
            .map(|(path, route)| RouteState {
                route: path.clone(),
                fault: route.fault,
                changed: route.changed,
            })
            .collect()
    }

    /// Sets the default route for all later requests. `None` removes the default route.
    pub(super) fn set_default_route(&self, default_route: Option<DefaultRoute>) {
        self.set_fault(DefaultRoute::KEY, RouteFault::None);
        self.lock().default_route = default_route;
    }

    /// Returns the number of requests that reached a route, or zero if there is no such route.
    pub(super) fn requests(&self, path: &str) -> u64 {
        let state = self.lock();
        state.routes.get(path).map_or(0, |route| route.requests)
    }

    /// Returns the number of invocations of the function behind a route, or zero if there is no
    /// such route.
    pub(super) fn invocations(&self, path: &str) -> u64 {
        let state = self.lock();
        state.routes.get(path).map_or(0, |route| route.invocations)
    }

    /// Handles one request and returns the response.
    pub(super) async fn respond(&self, path: &str) -> GatewayResponse {
        let (began, clock) = (Timestamp::now(), Instant::now());
        let request_id = self.rng.request_id();
        let (min, spread) = OVERHEAD;
        tokio::time::sleep(self.rng.between(min, spread)).await;
        let place = self.api.place_of(path);
        let routed = match place {
            Some((_, route)) => self.route_request(route, clock).await,
            None => RoutedRequest::unrouted(Outcome::NoStage),
        };
        let (status, body, error_type) = self.api.response_to(routed.outcome);
        let mut headers = self.headers(request_id, error_type);
        self.telemetry.record(&RequestRecord {
            api: self.api,
            stage: place.map_or(self.api.stage(), |(stage, _)| stage),
            route: routed.route,
            request_id: headers.first().map_or("", |(_, id)| id),
            invocation_id: &self.rng.uuid(),
            outcome: routed.outcome,
            status,
            body_length: body.len(),
            began,
            integration: routed.integration,
            took: clock.elapsed(),
        });
        headers.extend(routed.header.map(|(name, value)| (name, value.to_owned())));
        GatewayResponse {
            status,
            body,
            headers,
        }
    }

    /// Returns the response headers of this API type. The first header contains the request id.
    /// `short_id` is the request id of an HTTP API or the extended request id of a REST API.
    /// `error_type` is the value of `x-amzn-errortype`, a header of REST APIs only; `None` omits
    /// the header.
    fn headers(&self, short_id: String, error_type: Option<&str>) -> Vec<(&'static str, String)> {
        match self.api {
            ApiType::HttpApi => vec![("apigw-requestid", short_id)],
            ApiType::RestApi => {
                let mut headers = vec![("x-amzn-requestid", self.rng.uuid())];
                headers.extend(error_type.map(|kind| ("x-amzn-errortype", kind.to_owned())));
                headers.push(("x-amz-apigw-id", short_id));
                headers
            }
        }
    }

    /// Runs a request on the route with the path `path`. If there is no such route, runs the
    /// request on the default route. `arrived` is the time at which the request arrived.
    async fn route_request<'a>(&self, path: &'a str, arrived: Instant) -> RoutedRequest<'a> {
        let called = Instant::now();
        let fault = self.lock().routes.get_mut(path).map(|route| {
            route.requests += 1;
            route.fault
        });
        let Some(fault) = fault else {
            return self.run_default_route(called).await;
        };
        let outcome = self.invoke(path, fault).await;
        // If Lambda rejects the call, the gateway waits only for Lambda's front end. `OVERHEAD`
        // simulates this wait, so the integration time is measured from the arrival.
        let from = if outcome.has_invoked_function() {
            called
        } else {
            arrived
        };
        RoutedRequest {
            route: Some(path),
            integration: Some(from.elapsed()),
            ..RoutedRequest::unrouted(outcome)
        }
    }

    /// Runs the function of the default route. The function returns a copy of the gateway's own 404
    /// response, but later than the gateway, because a function has to run. Without a default
    /// route, the outcome is [`Outcome::NoRoute`].
    async fn run_default_route(&self, called: Instant) -> RoutedRequest<'static> {
        let Some(default_route) = self.lock().default_route else {
            return RoutedRequest::unrouted(Outcome::NoRoute);
        };
        if let Some(route) = self.lock().routes.get_mut(DefaultRoute::KEY) {
            route.requests += 1;
            route.invocations += 1;
        }
        function::run(Behavior::Healthy, &self.rng).await;
        let (status, body, _) = self.api.response_to(Outcome::NoRoute);
        let with_header = default_route == DefaultRoute::LookAlikeWithHeader;
        RoutedRequest {
            route: Some(DefaultRoute::KEY),
            outcome: Outcome::Response(status, body),
            integration: Some(called.elapsed()),
            header: with_header.then_some(("x-powered-by", "shop")),
        }
    }

    /// Invokes the function of a route, unless the fault prevents the invocation, and waits for the
    /// result, at most until the integration timeout.
    async fn invoke(&self, path: &str, fault: RouteFault) -> Outcome {
        let behavior = match fault {
            RouteFault::Permission => return Outcome::Denied,
            RouteFault::Throttled => return Outcome::Throttled,
            RouteFault::None => Behavior::Healthy,
            RouteFault::WrongBody => Behavior::Degraded,
            RouteFault::Timeout => Behavior::Hangs,
            RouteFault::Malformed => Behavior::Malformed,
            RouteFault::FunctionError => Behavior::RaisesError,
        };
        if let Some(route) = self.lock().routes.get_mut(path) {
            route.invocations += 1;
        }
        let run = function::run(behavior, &self.rng);
        match tokio::time::timeout(self.integration_timeout, run).await {
            Ok(Reply::Response(status, body)) => Outcome::Response(status, body),
            Ok(Reply::Malformed) => Outcome::Malformed,
            Ok(Reply::Error) => Outcome::FunctionError,
            Err(_elapsed) => {
                let (min, spread) = AFTER_TIMEOUT;
                tokio::time::sleep(self.rng.between(min, spread)).await;
                Outcome::TimedOut
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The counters remain usable after a panic in a test, so a poisoned lock is ignored.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    const fn new(fault: RouteFault, changed: Timestamp) -> Self {
        Self {
            fault,
            changed,
            requests: 0,
            invocations: 0,
        }
    }
}

impl RoutedRequest<'_> {
    /// Creates the result for a request to which the gateway responds without calling Lambda.
    const fn unrouted(outcome: Outcome) -> Self {
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

    fn http_api(faults: impl IntoIterator<Item = (String, RouteFault)>) -> Gateway {
        let timeout = Duration::from_secs(30);
        Gateway::new(ApiType::HttpApi, Arc::default(), faults, timeout, 1)
    }

    /// Sends one request and checks status, body, whether the function ran, and the time taken.
    async fn check(fault: RouteFault, (status, body): (u16, &str), ran: bool, millis: [u64; 2]) {
        let gateway = http_api([("/a".to_owned(), fault)]);
        let begin = Instant::now();
        let response = gateway.respond("/a").await;
        let took = begin.elapsed();
        assert_eq!(
            (response.status, response.body),
            (status, body),
            "{fault:?}"
        );
        assert_eq!(gateway.requests("/a"), 1, "{fault:?}");
        assert_eq!(gateway.invocations("/a"), u64::from(ran), "{fault:?}");
        let [min, max] = millis.map(Duration::from_millis);
        assert!((min..=max).contains(&took), "{fault:?} took {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_response_to_a_timeout_takes_thirty_seconds_and_the_function_ran() {
        check(RouteFault::Timeout, UNAVAILABLE, true, [30_000, 30_050]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_call_gets_a_response_at_once_without_the_function() {
        check(RouteFault::Throttled, UNAVAILABLE, false, [3, 12]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_denied_call_gets_a_response_at_once_without_the_function() {
        check(RouteFault::Permission, SERVER_ERROR, false, [3, 12]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_response_takes_as_long_as_the_function() {
        check(RouteFault::Malformed, SERVER_ERROR, true, [200, 240]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_error_takes_as_long_as_the_function() {
        check(RouteFault::FunctionError, SERVER_ERROR, true, [220, 260]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_body_comes_with_status_200() {
        let degraded = r#"{"status":"degraded","orders":0}"#;
        check(RouteFault::WrongBody, (200, degraded), true, [15, 32]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_path_is_not_found_until_a_fault_is_set_for_it() {
        let gateway = http_api([]);
        assert_eq!(gateway.respond("/new").await.status, 404);
        assert_eq!(gateway.requests("/new"), 0);
        gateway.set_fault("/new", RouteFault::None);
        assert_eq!(gateway.respond("/new").await.status, 200);
        gateway.set_fault("/new", RouteFault::Throttled);
        assert_eq!(gateway.respond("/new").await.status, 503);
        assert_eq!(gateway.requests("/new"), 2);
        assert_eq!(gateway.invocations("/new"), 1);
    }
}
