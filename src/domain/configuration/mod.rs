//! Interprets the configuration of the AWS resources behind a target.
//! `io` reads the configuration. This module parses the answers of AWS into plain data, and derives
//! the facts for the rules, and the declarations that the user left out. Only the fields that a
//! fact or a declaration needs are kept: environment variables, stage variables, endpoint URLs and
//! the text of policies are dropped during the parse, because they may contain secrets.
//!
//! Reading order: `plan` determines what is read, `function`, `http_api`, `rest_api`, `vpc_link`
//! and `load_balancer` parse the answers, `serving` selects the route that serves a target's
//! request, `findings` derives the facts, `declarations` derives the declarations, and `evidence`
//! combines both.

pub mod declarations;
pub mod evidence;
pub mod findings;
pub mod function;
pub mod http_api;
pub mod load_balancer;
pub mod plan;
pub mod rest_api;
mod route;
pub mod serving;
mod stage_variables;
mod values;
pub mod vpc_link;

use std::time::Duration;

use self::function::{Function, FunctionRef};
use self::load_balancer::TargetState;
use self::vpc_link::VpcLink;
use crate::model::text_enum::text_enum;

/// The configuration that was read for one target. A part is `None` if it was not read, for example
/// because access was denied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// The account of the credentials with which the API was read. An id of an API is valid only in
    /// its own account, so this is the account of the API.
    pub account: Option<String>,
    /// The API with its stage and routes.
    pub api: Option<Api>,
    /// The function that the integration invokes, or the declared function if the route is not
    /// known.
    pub function: Option<Function>,
    /// The VPC link of the integration.
    pub vpc_link: Option<VpcLink>,
    /// The state of the targets in the target group of the load balancer.
    pub targets: Option<TargetState>,
    /// The number of concurrent executions that Lambda allows in the account and Region.
    pub account_concurrency: Option<u64>,
}

/// The result of a call that reads a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// The resource exists and has this content.
    Found(T),
    /// AWS returned `ResourceNotFoundException`.
    Missing,
}

/// The type of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKind {
    /// An HTTP API.
    Http,
    /// A REST API.
    Rest,
}

/// An API with one of its stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Api {
    /// The type of the API.
    pub kind: ApiKind,
    /// The id of the API, which is the first label of its default host name.
    pub id: String,
    /// The name of the stage.
    pub stage: String,
    /// The account in the ARN of the stage's access log; `None` if the stage has no access log or
    /// the ARN contains no account.
    pub account: Option<String>,
    /// Whether the stage certainly runs the routes below: the stage deploys every change
    /// automatically, and the last deployment did not fail. Always false for a REST API, whose
    /// routes are a draft that may differ from the deployment that the stage runs.
    pub deployed: bool,
    /// Whether the default host name of the API is disabled; `None` if that was not read.
    pub endpoint_disabled: Option<bool>,
    /// Whether the API itself answers CORS preflight requests, which then match no route.
    pub answers_preflight: bool,
    /// Whether a REST API replaces its response to a failed integration, so that the response may
    /// have another status than 502; `None` if that was not read, and for an HTTP API.
    pub responses_customized: Option<bool>,
    /// The log group of the stage's access log; `None` if there is no such log, if its lines are
    /// not JSON, or if its destination is not a log group.
    pub access_log_group: Option<String>,
    /// The paths of a REST API's resources, including resources without a method; empty for an HTTP
    /// API.
    pub paths: Vec<String>,
    /// The routes of an HTTP API, or the methods of a REST API.
    pub routes: Vec<Route>,
}

/// A route of an HTTP API, or a method of a REST API.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The method and the path template, such as `GET /orders/{id}`, or `$default`.
    pub key: String,
    /// The integration; `None` if the route has none or if it is not known.
    pub backend: Option<Backend>,
    /// The integration timeout; `None` if it is not known.
    pub timeout: Option<Duration>,
    /// The authorizer; `None` if it is not known.
    pub authorizer: Option<AuthorizerKind>,
    /// Whether the stage rejects every request to this route, because a throttling limit of the
    /// route or of the stage is 0.
    pub rejects_all: bool,
}

/// The integration of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A Lambda function.
    Lambda {
        /// The function; `None` if the URI is not understood or a stage variable is missing.
        function: Option<FunctionRef>,
        /// Whether API Gateway uses a role to invoke the function. The policies of the role then
        /// decide instead of the function's policy.
        by_role: bool,
        /// The HTTP method of a REST API's integration; Lambda accepts only `POST`. `None` if it is
        /// not known, and for an HTTP API.
        method: Option<String>,
    },
    /// A public HTTP endpoint.
    Http,
    /// A private endpoint behind a VPC link.
    VpcLink {
        /// The id of the VPC link; `None` if it is missing or contains a stage variable that is
        /// missing.
        id: Option<String>,
    },
    /// A mock integration, which has no backend.
    Mock,
    /// Another AWS service.
    Aws,
}

text_enum! {
    /// The kind of authorizer of a route.
    ///
    /// The texts are the values of the fact `config.authorizer`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum AuthorizerKind {
        /// There is no authorizer.
        None = "none",
        /// A Lambda authorizer.
        Lambda = "lambda",
        /// A JWT authorizer.
        Jwt = "jwt",
        /// IAM authorization (SigV4).
        Iam = "iam",
        /// An Amazon Cognito user pool.
        Cognito = "cognito",
    }
}

impl Backend {
    /// Returns the value of the fact `config.integration`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Lambda { .. } => "lambda",
            Self::Http => "http",
            Self::VpcLink { .. } => "vpc-link",
            Self::Mock => "mock",
            Self::Aws => "aws",
        }
    }
}

impl AuthorizerKind {
    /// Returns the kind for an `authorizationType` of an HTTP API or a REST API; `None` if the type
    /// is not known.
    pub(in crate::domain::configuration) fn of_type(name: &str) -> Option<Self> {
        match name {
            "NONE" => Some(Self::None),
            "CUSTOM" => Some(Self::Lambda),
            "JWT" => Some(Self::Jwt),
            "AWS_IAM" => Some(Self::Iam),
            "COGNITO_USER_POOLS" => Some(Self::Cognito),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
