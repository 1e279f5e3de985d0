//! The two front doors that are played, and what each makes of one and the same outcome.
//!
//! HTTP API and REST API answer the same five faults with different statuses, bodies
//! and headers, and blur different pairs of them. All of it is from captures unless a
//! comment says otherwise. Nothing here waits or counts.

use std::time::Duration;

/// A kind of simulated API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiType {
    /// An HTTP API (version 2): routes at the root, an access log.
    HttpApi,
    /// A REST API (version 1), Regional: routes below its stage, an execution log.
    RestApi,
}

/// What came of one request, before a front api puts it into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The function replied with a response: status and body.
    Response(u16, &'static str),
    /// The function was still running at the integration timeout.
    TimedOut,
    /// Lambda had no room for the record.
    Throttled,
    /// Lambda did not let the gateway call the function.
    Denied,
    /// The function replied with something that is no response.
    Malformed,
    /// The function raised an error.
    FunctionError,
    /// No route fits the path.
    NoRoute,
    /// The path names no stage of this API.
    NoStage,
}

/// A gateway's words: status, body, and a REST API's `x-amzn-errortype`.
pub(super) type GatewayResponse = (u16, &'static str, Option<&'static str>);

/// The HTTP API's answer when it could not get the function to run, or not in time.
const UNAVAILABLE: GatewayResponse = (503, r#"{"message":"Service Unavailable"}"#, None);

/// The HTTP API's answer to everything that went wrong around the invocation.
const SERVER_ERROR: GatewayResponse = (500, r#"{"message":"Internal Server Error"}"#, None);

/// The HTTP API's answer where no route fits. Its bytes are not from a capture.
const NOT_FOUND: GatewayResponse = (404, r#"{"message":"Not Found"}"#, None);

/// The type that a REST API gives every fault around its integration.
const INTERNAL: Option<&str> = Some("InternalServerErrorException");

/// The REST API's body for all of them but the timeout: a space, and sentence case.
const REST_SERVER_ERROR: &str = r#"{"message": "Internal server error"}"#;

impl ApiType {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::HttpApi, Self::RestApi];

    /// The API's id, shaped like a real one.
    #[must_use]
    pub const fn api_id(self) -> &'static str {
        match self {
            Self::HttpApi => "simhttp001",
            Self::RestApi => "simrest001",
        }
    }

    /// The API's name, by which a REST API's metrics go.
    #[must_use]
    pub const fn api_name(self) -> &'static str {
        match self {
            Self::HttpApi => "simulated-http-api",
            Self::RestApi => "simulated-rest-api",
        }
    }

    /// The stage: an HTTP API's default one, a REST API's named one.
    #[must_use]
    pub const fn stage(self) -> &'static str {
        match self {
            Self::HttpApi => "$default",
            Self::RestApi => "prod",
        }
    }

    /// Where requests are logged: an HTTP API's access log; a REST API's execution log,
    /// whose name AWS itself chooses.
    #[must_use]
    pub const fn log_group(self) -> &'static str {
        match self {
            Self::HttpApi => "/simulator/http-api/access",
            Self::RestApi => "API-Gateway-Execution-Logs_simrest001/prod",
        }
    }

    /// The longest that this API waits for its function unless told otherwise: 30 s for
    /// an HTTP API, 29 s for a REST API.
    #[must_use]
    pub const fn default_timeout(self) -> Duration {
        match self {
            Self::HttpApi => Duration::from_secs(30),
            Self::RestApi => Duration::from_secs(29),
        }
    }

    /// The path at which a route is asked: a REST API's stage comes before it.
    #[must_use]
    pub fn path_of(self, route: &str) -> String {
        match self {
            Self::HttpApi => route.to_owned(),
            Self::RestApi => format!("/{}{route}", self.stage()),
        }
    }

    /// The name of the function behind a route; each route has one of its own.
    #[must_use]
    pub fn function_of(self, route: &str) -> String {
        let name = route.trim_start_matches(['/', '$']).replace('/', "-");
        match self {
            Self::HttpApi => format!("simulated-http-{name}"),
            Self::RestApi => format!("simulated-rest-{name}"),
        }
    }

    /// The route that a path asks for; `None`: it names no stage of this API.
    pub(super) fn route_of(self, path: &str) -> Option<&str> {
        match self {
            Self::HttpApi => Some(path),
            Self::RestApi => {
                let below = path.strip_prefix('/')?.strip_prefix(self.stage())?;
                below.starts_with('/').then_some(below)
            }
        }
    }

    /// What this front api says of an outcome.
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
    /// Whether the function ran.
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
