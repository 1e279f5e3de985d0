//! The gateway that the daemon probes. It answers as AWS's front doors do if they cannot get a
//! response from the integration.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::support::loopback::serve;

/// A target with its failure, and what the configuration shows about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The name of the target, which is also the last segment of its path and the name of its
    /// function.
    pub(super) name: &'static str,
    door: Door,
    status: u16,
    /// The time until the response.
    delay: Duration,
    pub(super) expected: Expected,
}

/// A front door of AWS.
#[derive(Clone, Copy, Debug)]
enum Door {
    Http,
    Rest,
    LoadBalancer,
}

/// What the configuration shows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// The cause and its certainty.
    Cause(&'static str, &'static str),
    /// The configuration supports no cause. `policy_read` tells whether the function's policy is
    /// read.
    NoCause { policy_read: bool },
}

/// The id of every request.
pub(super) const REQUEST_ID: &str = "K2ZRZgLwoAMEbag=";

/// The page of a load balancer whose target group has no targets.
const PAGE: &str = "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n\
    <body>\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n\
    </html>\r\n";

impl Row {
    /// A failure of an HTTP API with this status.
    pub(super) const fn http(name: &'static str, status: u16, expected: Expected) -> Self {
        Self::new(name, Door::Http, status, expected)
    }

    /// A failure of a REST API with this status.
    pub(super) const fn rest(name: &'static str, status: u16, expected: Expected) -> Self {
        Self::new(name, Door::Rest, status, expected)
    }

    /// A failure of a load balancer.
    pub(super) const fn load_balancer(name: &'static str, expected: Expected) -> Self {
        Self::new(name, Door::LoadBalancer, 503, expected)
    }

    /// The same failure after this time.
    pub(super) const fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    const fn new(name: &'static str, door: Door, status: u16, expected: Expected) -> Self {
        Self {
            name,
            door,
            status,
            delay: Duration::ZERO,
            expected,
        }
    }

    fn response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap();
        match self.door {
            Door::Http => {
                let message = match self.status {
                    404 => "Not Found",
                    429 => "Too Many Requests",
                    500 => "Internal Server Error",
                    _ => "Service Unavailable",
                };
                let headers = [
                    ("content-type", "application/json"),
                    ("apigw-requestid", REQUEST_ID),
                ];
                let body = format!("{{\"message\":\"{message}\"}}");
                (status, headers, body).into_response()
            }
            Door::Rest => {
                let (error, body) = match self.status {
                    403 => (
                        "MissingAuthenticationTokenException",
                        r#"{"message":"Missing Authentication Token"}"#,
                    ),
                    504 => (
                        "InternalServerErrorException",
                        r#"{"message": "Endpoint request timed out"}"#,
                    ),
                    _ => (
                        "InternalServerErrorException",
                        r#"{"message": "Internal server error"}"#,
                    ),
                };
                let headers = [
                    ("content-type", "application/json"),
                    ("x-amzn-requestid", "0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b0"),
                    ("x-amz-apigw-id", REQUEST_ID),
                    ("x-amzn-errortype", error),
                ];
                (status, headers, body).into_response()
            }
            Door::LoadBalancer => {
                let headers = [("content-type", "text/html"), ("server", "awselb/2.0")];
                (status, headers, PAGE).into_response()
            }
        }
    }
}

/// Starts a gateway that answers a request with the failure of the row that the last segment of its
/// path names.
pub(super) async fn start(rows: Vec<Row>) -> SocketAddr {
    let router = Router::new().fallback(move |uri: Uri| {
        let name = uri.path().rsplit('/').next().unwrap_or_default();
        let row = rows.iter().find(|row| row.name == name).copied();
        async move {
            let row = row.unwrap_or_else(|| panic!("no failure for {uri}"));
            tokio::time::sleep(row.delay).await;
            row.response()
        }
    });
    serve(router).await
}
