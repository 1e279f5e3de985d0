//! Defines the two simulated API types, and the response of each to the outcome of a request.
//!
//! HTTP APIs and REST APIs respond to the same faults with different statuses, bodies and headers.
//! In each API type, several faults have the same response, but the two types group the faults
//! differently. All responses are from captures unless a comment states otherwise. `gateway`
//! handles requests.

use std::time::Duration;

use super::REGION;

/// The second stage of the HTTP API, which has the same routes as `$default` but no access log. Its
/// name is the first segment of the request path.
pub const UNLOGGED_STAGE: &str = "unlogged";

/// A type of simulated API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiType {
    /// An HTTP API (version 2), with routes at the root and an access log.
    HttpApi,
    /// A regional REST API (version 1), with routes below its stage and an execution log.
    RestApi,
}

/// The outcome of one request, from which each API type creates its own response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The function returned a valid response with this status and body.
    Response(u16, &'static str),
    /// The function was still running at the integration timeout.
    TimedOut,
    /// Lambda throttled the call.
    Throttled,
    /// Lambda denied the gateway permission to call the function.
    Denied,
    /// The function returned an invalid response.
    Malformed,
    /// The function raised an error.
    FunctionError,
    /// No route matches the path.
    NoRoute,
    /// The path does not start with the stage of this API.
    NoStage,
}

/// The status and body of a response, and the value of the header `x-amzn-errortype`, which only
/// errors of a REST API contain.
pub(super) type StatusAndBody = (u16, &'static str, Option<&'static str>);

/// The response of an HTTP API if the function was throttled or timed out.
const UNAVAILABLE: StatusAndBody = (503, r#"{"message":"Service Unavailable"}"#, None);

/// The response of an HTTP API if the call was denied, or the function raised an error or returned
/// an invalid response.
const SERVER_ERROR: StatusAndBody = (500, r#"{"message":"Internal Server Error"}"#, None);

/// The response of an HTTP API if no route matches. This response is not from a capture.
const NOT_FOUND: StatusAndBody = (404, r#"{"message":"Not Found"}"#, None);

/// The value of the header `x-amzn-errortype` if an integration of a REST API failed.
const INTERNAL: Option<&str> = Some("InternalServerErrorException");

/// The body of a REST API's response to every failed invocation except a timeout. This body differs
/// from that of [`SERVER_ERROR`] by a space and in capitalization.
const REST_SERVER_ERROR: &str = r#"{"message": "Internal server error"}"#;

impl ApiType {
    /// Both API types.
    pub const ALL: [Self; 2] = [Self::HttpApi, Self::RestApi];

    /// Returns the id of the API, in the format of real ids.
    #[must_use]
    pub const fn api_id(self) -> &'static str {
        match self {
            Self::HttpApi => "simhttp001",
            Self::RestApi => "simrest001",
        }
    }

    /// Returns the default host name of the API.
    #[must_use]
    pub fn host(self) -> String {
        format!("{}.execute-api.{REGION}.amazonaws.com", self.api_id())
    }

    /// Returns the name of the API, which is a dimension of the metrics of a REST API.
    #[must_use]
    pub const fn api_name(self) -> &'static str {
        match self {
            Self::HttpApi => "simulated-http-api",
            Self::RestApi => "simulated-rest-api",
        }
    }

    /// Returns the name of the stage with a log: `$default` for the HTTP API, `prod` for the REST
    /// API.
    #[must_use]
    pub const fn stage(self) -> &'static str {
        match self {
            Self::HttpApi => "$default",
            Self::RestApi => "prod",
        }
    }

    /// Returns the name of the log group. For the HTTP API, this is the group of the access log.
    /// For the REST API, this is the group of the execution log, whose name AWS defines.
    #[must_use]
    pub const fn log_group(self) -> &'static str {
        match self {
            Self::HttpApi => "/simulator/http-api/access",
            Self::RestApi => "API-Gateway-Execution-Logs_simrest001/prod",
        }
    }

    /// Returns the default integration timeout: 30 s for an HTTP API, 29 s for a REST API.
    #[must_use]
    pub const fn default_timeout(self) -> Duration {
        match self {
            Self::HttpApi => Duration::from_secs(30),
            Self::RestApi => Duration::from_secs(29),
        }
    }

    /// Returns the request path of a route. For a REST API, the path starts with the stage.
    #[must_use]
    pub fn path_of(self, route: &str) -> String {
        match self {
            Self::HttpApi => route.to_owned(),
            Self::RestApi => format!("/{}{route}", self.stage()),
        }
    }

    /// Returns the name of the function behind a route. Each route has its own function.
    #[must_use]
    pub fn function_of(self, route: &str) -> String {
        let name = route.trim_start_matches(['/', '$']).replace('/', "-");
        match self {
            Self::HttpApi => format!("simulated-http-{name}"),
            Self::RestApi => format!("simulated-rest-{name}"),
        }
    }

    /// Returns the stage and the route of a request path, or `None` if the path of a REST API does
    /// not start with the stage.
    pub(super) fn place_of(self, path: &str) -> Option<(&'static str, &str)> {
        let in_stage = |stage: &'static str| {
            let below = path.strip_prefix('/')?.strip_prefix(stage)?;
            below.starts_with('/').then_some((stage, below))
        };
        match self {
            Self::HttpApi => in_stage(UNLOGGED_STAGE).or(Some((self.stage(), path))),
            Self::RestApi => in_stage(self.stage()),
        }
    }

    /// Returns the response of this API type to a request with this outcome.
    pub(super) const fn response_to(self, outcome: Outcome) -> StatusAndBody {
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
    /// Returns whether the function ran in a request with this outcome.
    pub(super) const fn has_invoked_function(self) -> bool {
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
    fn each_api_type_responds_to_the_five_faults_as_captured() {
        check(Outcome::TimedOut, (503, 33), (504, 41));
        check(Outcome::Throttled, (503, 33), (500, 36));
        check(Outcome::Denied, (500, 35), (500, 36));
        check(Outcome::Malformed, (500, 35), (502, 36));
        check(Outcome::FunctionError, (500, 35), (502, 36));
        check(Outcome::Response(200, "{}"), (200, 2), (200, 2));
        check(Outcome::NoRoute, (404, 23), (403, 42));
    }

    #[test]
    fn the_path_names_the_stage_unless_it_is_the_default_stage() {
        for (api, path, expected) in [
            (ApiType::RestApi, "/prod/orders", Some(("prod", "/orders"))),
            (ApiType::RestApi, "/orders", None),
            (ApiType::RestApi, "/production/orders", None),
            (ApiType::HttpApi, "/orders", Some(("$default", "/orders"))),
            (
                ApiType::HttpApi,
                "/unlogged/orders",
                Some(("unlogged", "/orders")),
            ),
            (
                ApiType::HttpApi,
                "/unlogged",
                Some(("$default", "/unlogged")),
            ),
        ] {
            assert_eq!(api.place_of(path), expected, "{path}");
        }
        assert_eq!(ApiType::RestApi.path_of("/orders"), "/prod/orders");
    }
}
