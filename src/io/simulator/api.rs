//! Defines the two simulated API types and the response of each to an outcome.
//!
//! HTTP APIs and REST APIs respond to the same five faults with different statuses, bodies and
//! headers, and each makes different faults look alike. All responses are from captures unless a
//! comment says otherwise. Timing and counting are left to `gateway`.

use std::time::Duration;

/// A type of simulated API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiType {
    /// An HTTP API (version 2): routes at the root, logs to an access log.
    HttpApi,
    /// A regional REST API (version 1): routes below its stage, logs to an execution log.
    RestApi,
}

/// The outcome of one request, before an API type turns it into a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The function replied with a response: status and body.
    Response(u16, &'static str),
    /// The function was still running at the integration timeout.
    TimedOut,
    /// Lambda throttled the call.
    Throttled,
    /// Lambda denied the gateway permission to call the function.
    Denied,
    /// The function's reply was not a valid response.
    Malformed,
    /// The function raised an error.
    FunctionError,
    /// No route matches the path.
    NoRoute,
    /// The path names no stage of this API.
    NoStage,
}

/// A gateway's own response: status, body, and a REST API's `x-amzn-errortype`.
pub(super) type GatewayResponse = (u16, &'static str, Option<&'static str>);

/// An HTTP API's response if the function was throttled or timed out.
const UNAVAILABLE: GatewayResponse = (503, r#"{"message":"Service Unavailable"}"#, None);

/// An HTTP API's response to every other failed invocation.
const SERVER_ERROR: GatewayResponse = (500, r#"{"message":"Internal Server Error"}"#, None);

/// An HTTP API's response if no route matches. Its bytes are not from a capture.
const NOT_FOUND: GatewayResponse = (404, r#"{"message":"Not Found"}"#, None);

/// The error type of a REST API's failed integrations.
const INTERNAL: Option<&str> = Some("InternalServerErrorException");

/// A REST API's body for all faults but the timeout. It differs from an HTTP API's in a space
/// and in capitalization.
const REST_SERVER_ERROR: &str = r#"{"message": "Internal server error"}"#;

impl ApiType {
    /// Both API types.
    pub const ALL: [Self; 2] = [Self::HttpApi, Self::RestApi];

    /// The API's id, in the format of real ids.
    #[must_use]
    pub const fn api_id(self) -> &'static str {
        match self {
            Self::HttpApi => "simhttp001",
            Self::RestApi => "simrest001",
        }
    }

    /// The API's name, which is a dimension of a REST API's metrics.
    #[must_use]
    pub const fn api_name(self) -> &'static str {
        match self {
            Self::HttpApi => "simulated-http-api",
            Self::RestApi => "simulated-rest-api",
        }
    }

    /// The stage: the default one of an HTTP API, a named one of a REST API.
    #[must_use]
    pub const fn stage(self) -> &'static str {
        match self {
            Self::HttpApi => "$default",
            Self::RestApi => "prod",
        }
    }

    /// The name of the log group: that of an HTTP API's access log, or that of a REST API's
    /// execution log, which AWS chooses.
    #[must_use]
    pub const fn log_group(self) -> &'static str {
        match self {
            Self::HttpApi => "/simulator/http-api/access",
            Self::RestApi => "API-Gateway-Execution-Logs_simrest001/prod",
        }
    }

    /// The default integration timeout: 30 s for an HTTP API, 29 s for a REST API.
    #[must_use]
    pub const fn default_timeout(self) -> Duration {
        match self {
            Self::HttpApi => Duration::from_secs(30),
            Self::RestApi => Duration::from_secs(29),
        }
    }

    /// The request path of a route; a REST API's starts with the stage.
    #[must_use]
    pub fn path_of(self, route: &str) -> String {
        match self {
            Self::HttpApi => route.to_owned(),
            Self::RestApi => format!("/{}{route}", self.stage()),
        }
    }

    /// The name of the function behind a route; each route has its own function.
    #[must_use]
    pub fn function_of(self, route: &str) -> String {
        let name = route.trim_start_matches(['/', '$']).replace('/', "-");
        match self {
            Self::HttpApi => format!("simulated-http-{name}"),
            Self::RestApi => format!("simulated-rest-{name}"),
        }
    }

    /// The route of a request path; `None` if a REST API's path does not start with the stage.
    pub(super) fn route_of(self, path: &str) -> Option<&str> {
        match self {
            Self::HttpApi => Some(path),
            Self::RestApi => {
                let below = path.strip_prefix('/')?.strip_prefix(self.stage())?;
                below.starts_with('/').then_some(below)
            }
        }
    }

    /// Returns this API type's response to an outcome.
    pub(super) const fn response_to(self, outcome: Outcome) -> GatewayResponse {
        match self {
            Self::HttpApi => match outcome {
                Outcome::Response(status, body) => (status, body, None),
                Outcome::TimedOut | Outcome::Throttled => UNAVAILABLE,
                Outcome::Denied | Outcome::Malformed | Outcome::FunctionError => SERVER_ERROR,
                Outcome::NoRoute | Outcome::NoStage => NOT_FOUND,
            },
            Self::RestApi => match outcome {
                Outcome::Response(status, body) => (status, body, None),
                Outcome::TimedOut => {
                    let body = r#"{"message": "Endpoint request timed out"}"#;
                    (504, body, INTERNAL)
                }
                Outcome::Throttled | Outcome::Denied => (500, REST_SERVER_ERROR, INTERNAL),
                Outcome::Malformed | Outcome::FunctionError => (502, REST_SERVER_ERROR, INTERNAL),
                Outcome::NoRoute => (
                    403,
                    r#"{"message":"Missing Authentication Token"}"#,
                    Some("MissingAuthenticationTokenException"),
                ),
                Outcome::NoStage => (
                    403,
                    r#"{"message":"Forbidden"}"#,
                    Some("ForbiddenException"),
                ),
            },
        }
    }
}

impl Outcome {
    /// Whether the function ran in a request with this outcome.
    pub(super) const fn invoked(self) -> bool {
        match self {
            Self::Response(..) | Self::TimedOut | Self::Malformed | Self::FunctionError => true,
            Self::Throttled | Self::Denied | Self::NoRoute | Self::NoStage => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: Outcome, http_api: (u16, usize), rest_api: (u16, usize)) {
        for (api, expected) in ApiType::ALL.into_iter().zip([http_api, rest_api]) {
            let (status, body, kind) = api.response_to(outcome);
            assert_eq!((status, body.len()), expected, "{api:?} {outcome:?}");
            let gateway_made = !matches!(outcome, Outcome::Response(..));
            let named = api == ApiType::RestApi && gateway_made;
            assert_eq!(kind.is_some(), named, "{api:?} {outcome:?}");
        }
    }

    #[test]
    fn each_api_type_answers_the_five_faults_as_captured() {
        check(Outcome::TimedOut, (503, 33), (504, 41));
        check(Outcome::Throttled, (503, 33), (500, 36));
        check(Outcome::Denied, (500, 35), (500, 36));
        check(Outcome::Malformed, (500, 35), (502, 36));
        check(Outcome::FunctionError, (500, 35), (502, 36));
        check(Outcome::Response(200, "{}"), (200, 2), (200, 2));
        check(Outcome::NoRoute, (404, 23), (403, 42));
    }

    #[test]
    fn a_rest_route_is_found_below_its_stage_only() {
        assert_eq!(ApiType::RestApi.route_of("/prod/orders"), Some("/orders"));
        assert_eq!(ApiType::RestApi.route_of("/orders"), None);
        assert_eq!(ApiType::RestApi.route_of("/production/orders"), None);
        assert_eq!(ApiType::HttpApi.route_of("/orders"), Some("/orders"));
        assert_eq!(ApiType::RestApi.path_of("/orders"), "/prod/orders");
    }
}
