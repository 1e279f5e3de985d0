//! The faults of each front door and the exact responses they cause.
//!
//! Bodies and headers are from captures and AWS's guides, as in the test transcripts. The
//! population also contains look-alikes: responses that look like a fault but have another
//! cause. How often each occurs among the failures of its front door is an assumption, fixed
//! before any measurement and used as a weight; the table also shows equal weights.

use probecause::model::observation::{FaultKind, HttpVersion, Phase, Response};

use super::random::Random;

/// The front door in front of the failing API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Door {
    HttpApi,
    RestApi,
    FunctionUrl,
    Alb,
    CloudFront,
    /// Any front door: the probe failed before a response.
    Below,
}

/// The fault that occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    IntegrationTimeout,
    Throttled,
    Permission,
    Malformed,
    FunctionError,
    FunctionTimeout,
    Authorizer,
    Unreachable,
    ApiThrottled,
    Unauthorized,
    Forbidden,
    RouteNotFound,
    /// The function or alias was deleted; the response is that of a missing permission.
    Deleted,
    /// The function's snapshot is idle, so that its first invocation fails (SnapStart).
    NotReady,
    /// A web ACL (AWS WAF) blocks the request.
    Blocked,
    /// The function's KMS key is unusable, so Lambda does not run it.
    Kms,
    /// The gateway failed internally after the function had returned a good response.
    GatewayFailure,
    /// The function returns the gateway's exact body and adds no header.
    Imitation,
    /// The function returns the gateway's exact body and adds a header.
    ImitationWithHeader,
    /// A function error behind a customized gateway response.
    CustomizedResponse,
    /// A load balancer's listener rule that returns a fixed page.
    FixedPage,
    /// A fault before the response, in this phase.
    Below(Phase, FaultKind),
}

/// One row of the population.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// The front door.
    pub(crate) door: Door,
    /// The true cause. `unexplained` if no rule names it; every name is then wrong.
    pub(crate) truth: &'static str,
    /// The fault.
    pub(crate) kind: Kind,
    /// Assumed frequency among the failures of its front door; function errors have 1.
    pub(crate) frequency: f64,
}

const fn fault(door: Door, truth: &'static str, kind: Kind, frequency: f64) -> Fault {
    Fault {
        door,
        truth,
        kind,
        frequency,
    }
}

const fn below(truth: &'static str, phase: Phase, kind: FaultKind) -> Fault {
    fault(Door::Below, truth, Kind::Below(phase, kind), 1.0)
}

/// All rows of the population. The frequencies are assumptions: faults in code are the most
/// frequent, then those of rarer setups; most look-alikes have 0.05 to 0.01.
pub(crate) const FAULTS: &[Fault] = &[
    fault(
        Door::HttpApi,
        "integration-timeout",
        Kind::IntegrationTimeout,
        1.0,
    ),
    fault(Door::HttpApi, "lambda-throttled", Kind::Throttled, 1.0),
    fault(
        Door::HttpApi,
        "lambda-permission-denied",
        Kind::Permission,
        0.5,
    ),
    fault(
        Door::HttpApi,
        "lambda-malformed-response",
        Kind::Malformed,
        0.5,
    ),
    fault(
        Door::HttpApi,
        "lambda-function-error",
        Kind::FunctionError,
        1.0,
    ),
    fault(
        Door::HttpApi,
        "lambda-function-timeout",
        Kind::FunctionTimeout,
        0.5,
    ),
    fault(Door::HttpApi, "authorizer-failure", Kind::Authorizer, 0.2),
    fault(
        Door::HttpApi,
        "integration-unreachable",
        Kind::Unreachable,
        0.1,
    ),
    fault(Door::HttpApi, "api-throttled", Kind::ApiThrottled, 0.3),
    fault(Door::HttpApi, "unauthorized", Kind::Unauthorized, 0.3),
    fault(Door::HttpApi, "forbidden", Kind::Forbidden, 0.2),
    fault(Door::HttpApi, "route-not-found", Kind::RouteNotFound, 0.3),
    fault(Door::HttpApi, "function-missing", Kind::Deleted, 0.05),
    fault(Door::HttpApi, "function-not-ready", Kind::NotReady, 0.05),
    fault(Door::HttpApi, "unexplained", Kind::Kms, 0.01),
    fault(Door::HttpApi, "unexplained", Kind::GatewayFailure, 0.01),
    fault(Door::HttpApi, "unexpected-status", Kind::Imitation, 0.05),
    fault(
        Door::HttpApi,
        "unexpected-status",
        Kind::ImitationWithHeader,
        0.5,
    ),
    fault(
        Door::RestApi,
        "integration-timeout",
        Kind::IntegrationTimeout,
        1.0,
    ),
    fault(Door::RestApi, "lambda-throttled", Kind::Throttled, 1.0),
    fault(
        Door::RestApi,
        "lambda-permission-denied",
        Kind::Permission,
        0.5,
    ),
    fault(
        Door::RestApi,
        "lambda-malformed-response",
        Kind::Malformed,
        0.5,
    ),
    fault(
        Door::RestApi,
        "lambda-function-error",
        Kind::FunctionError,
        1.0,
    ),
    fault(
        Door::RestApi,
        "lambda-function-timeout",
        Kind::FunctionTimeout,
        0.5,
    ),
    fault(Door::RestApi, "authorizer-failure", Kind::Authorizer, 0.2),
    fault(
        Door::RestApi,
        "integration-unreachable",
        Kind::Unreachable,
        0.1,
    ),
    fault(Door::RestApi, "api-throttled", Kind::ApiThrottled, 0.3),
    fault(Door::RestApi, "unauthorized", Kind::Unauthorized, 0.3),
    fault(Door::RestApi, "forbidden", Kind::Forbidden, 0.2),
    fault(Door::RestApi, "route-not-found", Kind::RouteNotFound, 0.3),
    fault(Door::RestApi, "function-missing", Kind::Deleted, 0.05),
    fault(Door::RestApi, "probe-blocked", Kind::Blocked, 0.1),
    fault(Door::RestApi, "unexplained", Kind::Kms, 0.01),
    fault(Door::RestApi, "unexplained", Kind::GatewayFailure, 0.01),
    fault(Door::RestApi, "unexpected-status", Kind::Imitation, 0.05),
    fault(
        Door::RestApi,
        "unexpected-status",
        Kind::ImitationWithHeader,
        0.5,
    ),
    fault(
        Door::RestApi,
        "lambda-function-error",
        Kind::CustomizedResponse,
        0.1,
    ),
    fault(Door::FunctionUrl, "lambda-throttled", Kind::Throttled, 1.0),
    fault(
        Door::FunctionUrl,
        "lambda-permission-denied",
        Kind::Permission,
        0.5,
    ),
    fault(
        Door::FunctionUrl,
        "lambda-malformed-response",
        Kind::Malformed,
        0.5,
    ),
    fault(
        Door::FunctionUrl,
        "lambda-function-error",
        Kind::FunctionError,
        1.0,
    ),
    fault(Door::FunctionUrl, "unauthorized", Kind::Unauthorized, 0.1),
    fault(
        Door::FunctionUrl,
        "unexpected-status",
        Kind::Imitation,
        0.05,
    ),
    fault(Door::Alb, "alb-bad-gateway", Kind::Unreachable, 1.0),
    fault(Door::Alb, "alb-no-target", Kind::RouteNotFound, 1.0),
    fault(
        Door::Alb,
        "alb-target-timeout",
        Kind::IntegrationTimeout,
        1.0,
    ),
    fault(
        Door::Alb,
        "lambda-function-error",
        Kind::FunctionError,
        0.05,
    ),
    fault(Door::Alb, "probe-blocked", Kind::Blocked, 0.1),
    fault(Door::Alb, "unexplained", Kind::FixedPage, 0.02),
    fault(
        Door::CloudFront,
        "cloudfront-origin-unreachable",
        Kind::Unreachable,
        1.0,
    ),
    fault(
        Door::CloudFront,
        "cloudfront-origin-timeout",
        Kind::IntegrationTimeout,
        1.0,
    ),
    fault(
        Door::CloudFront,
        "cloudfront-function-error",
        Kind::FunctionError,
        0.5,
    ),
    fault(Door::CloudFront, "probe-blocked", Kind::Blocked, 0.2),
    below(
        "dns-name-not-found",
        Phase::Resolve,
        FaultKind::NameNotFound,
    ),
    below("dns-failure", Phase::Resolve, FaultKind::ResolverFailure),
    below(
        "connection-refused",
        Phase::Connect,
        FaultKind::ConnectionRefused,
    ),
    below("connect-timeout", Phase::Connect, FaultKind::Timeout),
    below(
        "connection-reset",
        Phase::Processing,
        FaultKind::ConnectionReset,
    ),
    below(
        "certificate-expired",
        Phase::Tls,
        FaultKind::CertificateExpired,
    ),
    below(
        "certificate-name-mismatch",
        Phase::Tls,
        FaultKind::CertificateNameMismatch,
    ),
    below(
        "certificate-untrusted",
        Phase::Tls,
        FaultKind::CertificateUntrusted,
    ),
    below("response-timeout", Phase::Processing, FaultKind::Timeout),
];

impl Door {
    /// The front door's name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HttpApi => "HTTP API",
            Self::RestApi => "REST API",
            Self::FunctionUrl => "function URL",
            Self::Alb => "load balancer",
            Self::CloudFront => "CloudFront",
            Self::Below => "below HTTP",
        }
    }

    /// A URL behind the front door.
    pub(crate) const fn url(self) -> &'static str {
        match self {
            Self::HttpApi => "https://a1b2.execute-api.eu-west-1.amazonaws.com/orders",
            Self::RestApi => "https://a1b2.execute-api.eu-west-1.amazonaws.com/prod/orders",
            Self::FunctionUrl => "https://abc.lambda-url.eu-west-1.on.aws/",
            Self::Alb | Self::CloudFront | Self::Below => "https://shop.example/",
        }
    }

    /// Whether it is an API Gateway, so that metrics, logs and configuration are available.
    pub(crate) const fn is_gateway(self) -> bool {
        matches!(self, Self::HttpApi | Self::RestApi)
    }
}

impl Fault {
    /// The row's name in the table: the true cause and, for a look-alike, its kind.
    pub(crate) fn row(&self) -> String {
        let look_alike = match self.kind {
            Kind::Deleted => "function or alias deleted",
            Kind::NotReady => "idle snapshot",
            Kind::Blocked => "web ACL",
            Kind::Kms => "key unusable",
            Kind::GatewayFailure => "gateway's own failure",
            Kind::Imitation => "function's own answer, the gateway's bytes",
            Kind::ImitationWithHeader => "function's own answer, with its own header",
            Kind::CustomizedResponse => "gateway response rewritten",
            Kind::FixedPage => "fixed page of a listener rule",
            Kind::FunctionError if self.door == Door::Alb => "Lambda target",
            _ => return self.truth.to_owned(),
        };
        format!("{} ({look_alike})", self.truth)
    }

    /// The response that the fault causes; `None` below HTTP.
    pub(crate) fn response(&self, random: &mut Random) -> Option<Response> {
        let (status, body, headers) = match self.door {
            Door::HttpApi => http_api(self.kind, random),
            Door::RestApi => rest_api(self.kind, random),
            Door::FunctionUrl => function_url(self.kind, random),
            Door::Alb => load_balancer(self.kind),
            Door::CloudFront => cloudfront(self.kind, random),
            Door::Below => return None,
        };
        Some(response(status, &body, &headers))
    }
}

/// Builds a response over HTTP/2.
pub(crate) fn response(status: u16, body: &str, headers: &[(&str, &str)]) -> Response {
    Response {
        status,
        reason: None,
        version: HttpVersion::Http2,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
        body_truncated: false,
        body_bytes: body.len() as u64,
        content_length: u64::try_from(body.len()).ok(),
    }
}

/// Status, body, and headers.
type Parts = (u16, String, Vec<(&'static str, &'static str)>);

const JSON: (&str, &str) = ("content-type", "application/json");
const FUNCTION_HEADER: (&str, &str) = ("x-powered-by", "Express");

fn http_api(kind: Kind, random: &mut Random) -> Parts {
    let (status, message) = match kind {
        Kind::IntegrationTimeout | Kind::Throttled | Kind::Unreachable => {
            (503, "Service Unavailable")
        }
        Kind::ApiThrottled => (429, "Too Many Requests"),
        Kind::Unauthorized => (401, "Unauthorized"),
        Kind::Forbidden => (403, "Forbidden"),
        Kind::RouteNotFound => (404, "Not Found"),
        Kind::Imitation | Kind::ImitationWithHeader if random.chance(0.5) => {
            (503, "Service Unavailable")
        }
        _ => (500, "Internal Server Error"),
    };
    let mut headers = vec![JSON, ("apigw-requestid", "K2ZEDjwtIAMEcig=")];
    if kind == Kind::ImitationWithHeader {
        headers.push(FUNCTION_HEADER);
    }
    (status, format!(r#"{{"message":"{message}"}}"#), headers)
}

fn rest_api(kind: Kind, random: &mut Random) -> Parts {
    const INTERNAL: &str = r#"{"message": "Internal server error"}"#;
    const SERVER: &str = "InternalServerErrorException";
    const TIMED_OUT: &str = r#"{"message": "Endpoint request timed out"}"#;
    const FORBIDDEN: (u16, &str, Option<&str>) = (
        403,
        r#"{"message":"Forbidden"}"#,
        Some("ForbiddenException"),
    );
    let (status, body, error) = match kind {
        Kind::IntegrationTimeout => (504, TIMED_OUT, Some(SERVER)),
        // A connection attempt that hangs runs into the API's limit; a refused one does not.
        Kind::Unreachable if random.chance(0.3) => (504, TIMED_OUT, Some(SERVER)),
        Kind::Deleted => (502, INTERNAL, Some(SERVER)),
        Kind::Throttled | Kind::Permission | Kind::Unreachable | Kind::Kms => {
            (500, INTERNAL, Some(SERVER))
        }
        Kind::Authorizer => (
            500,
            r#"{"message":null}"#,
            Some("AuthorizerConfigurationException"),
        ),
        Kind::ApiThrottled => (
            429,
            r#"{"message":"Too Many Requests"}"#,
            Some("TooManyRequestsException"),
        ),
        Kind::Unauthorized => (
            401,
            r#"{"message":"Unauthorized"}"#,
            Some("UnauthorizedException"),
        ),
        Kind::Blocked => FORBIDDEN,
        Kind::Forbidden if random.chance(0.5) => FORBIDDEN,
        Kind::Forbidden => (
            403,
            r#"{"Message":"User is not authorized to access this resource"}"#,
            Some("AccessDeniedException"),
        ),
        // A stage that does not exist.
        Kind::RouteNotFound if random.chance(0.2) => FORBIDDEN,
        Kind::RouteNotFound => (
            403,
            r#"{"message":"Missing Authentication Token"}"#,
            Some("MissingAuthenticationTokenException"),
        ),
        Kind::CustomizedResponse => (502, r#"{"error":"try again later"}"#, Some(SERVER)),
        Kind::Imitation | Kind::ImitationWithHeader => (502, INTERNAL, None),
        _ => (502, INTERNAL, Some(SERVER)),
    };
    let mut headers = vec![
        JSON,
        ("x-amzn-requestid", "0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5"),
        ("x-amz-apigw-id", "K2ZEDjwtIAMEcig="),
    ];
    headers.extend(error.map(|error| ("x-amzn-errortype", error)));
    if kind == Kind::ImitationWithHeader {
        headers.push(FUNCTION_HEADER);
    }
    (status, body.to_owned(), headers)
}

fn function_url(kind: Kind, random: &mut Random) -> Parts {
    let (status, body, error) = match kind {
        Kind::Permission | Kind::Unauthorized => (
            403,
            r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#,
            Some("AccessDeniedException"),
        ),
        Kind::Throttled if random.chance(0.5) => (
            429,
            r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#,
            Some("TooManyRequestsException"),
        ),
        Kind::Throttled => (
            429,
            r#"{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#,
            Some("TooManyRequestsException"),
        ),
        _ => (502, "Internal Server Error", None),
    };
    let mut headers = vec![
        JSON,
        ("x-amzn-requestid", "0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5"),
    ];
    headers.extend(error.map(|error| ("x-amzn-errortype", error)));
    (status, body.to_owned(), headers)
}

fn load_balancer(kind: Kind) -> Parts {
    let (status, reason) = match kind {
        Kind::RouteNotFound | Kind::FixedPage => (503, "Service Temporarily Unavailable"),
        Kind::IntegrationTimeout => (504, "Gateway Time-out"),
        Kind::Blocked => (403, "Forbidden"),
        _ => (502, "Bad Gateway"),
    };
    let body = format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n\
         <center><h1>{status} {reason}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let headers = vec![("server", "awselb/2.0"), ("content-type", "text/html")];
    (status, body, headers)
}

fn cloudfront(kind: Kind, random: &mut Random) -> Parts {
    let (status, x_cache) = match kind {
        Kind::Unreachable => (502, "Error from cloudfront"),
        Kind::IntegrationTimeout => (504, "Error from cloudfront"),
        Kind::Blocked => (403, "Error from cloudfront"),
        _ => random.one_of(&[
            (502, "LambdaValidationError from cloudfront"),
            (503, "LambdaExecutionError from cloudfront"),
        ]),
    };
    let sentence = if kind == Kind::Blocked {
        "Request blocked."
    } else {
        ""
    };
    let body = format!(
        "<HTML><BODY><H1>{status} ERROR</H1><H2>The request could not be satisfied.</H2>{sentence}\
         <PRE>Generated by cloudfront (CloudFront)\nRequest ID: Zm9v</PRE></BODY></HTML>"
    );
    let headers = vec![
        ("content-type", "text/html"),
        ("x-cache", x_cache),
        ("via", "1.1 0a1b.cloudfront.net (CloudFront)"),
    ];
    (status, body, headers)
}
