//! Defines what discovery reads from an AWS account: plain data with only the fields that it needs.
//!
//! `io` fills these structures. Lists may be in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::target::Integration;

/// What was read from one AWS account and Region: the endpoints, the timeouts of the functions, and
/// the role with which they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The Region, such as `eu-west-1`.
    pub region: String,
    /// Id of the account, such as `123456789012`; `None` if it is not known.
    pub id: Option<String>,
    /// ARN of the role with which the account was read; `None` if no role was assumed.
    pub role_arn: Option<String>,
    /// External id that was sent to assume the role; `None` if none is configured.
    pub external_id: Option<String>,
    /// HTTP APIs, REST APIs and WebSocket APIs.
    pub apis: Vec<Api>,
    /// Custom domains of API Gateway.
    pub domains: Vec<Domain>,
    /// Timeouts of the Lambda functions, by function name.
    pub function_timeouts: BTreeMap<String, Duration>,
    /// Function URLs.
    pub function_urls: Vec<FunctionUrl>,
    /// Application Load Balancers.
    pub load_balancers: Vec<LoadBalancer>,
    /// CloudFront distributions.
    pub distributions: Vec<Distribution>,
    /// What could not be read, with the reason, such as `timeouts of functions: access denied`.
    pub not_read: Vec<String>,
}

/// The type of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiType {
    /// An HTTP API.
    Http,
    /// A REST API.
    Rest,
    /// A WebSocket API, which is not probed.
    WebSocket,
}

/// An API of API Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The type of the API.
    pub api_type: ApiType,
    /// Id of the API.
    pub id: String,
    /// Name of the API; not unique.
    pub name: String,
    /// Whether the default endpoint `ID.execute-api.…` is disabled.
    pub endpoint_disabled: bool,
    /// Whether the API is reachable only from a VPC.
    pub private: bool,
    /// Whether this is a REST API with a resource policy, which may deny requests.
    pub resource_policy: bool,
    /// Stages of the API.
    pub stages: Vec<Stage>,
    /// Routes of an HTTP API, or methods of a REST API.
    pub routes: Vec<Route>,
}

/// A stage of an API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Name of the stage. It is the first segment of the path at the API's own endpoint, except for
    /// `$default`, which is not part of the path.
    pub name: String,
    /// The stage variables in the URIs of the integrations' functions, by name. Other variables may
    /// contain secrets and are not kept.
    pub variables: BTreeMap<String, String>,
    /// The access log, if it is enabled.
    pub access_log: Option<AccessLog>,
    /// Whether a REST API writes execution logs.
    pub execution_log: bool,
    /// What is known about the deployment that the stage serves.
    pub deployment: Deployment,
}

/// What is known about the deployment that a stage serves. The routes of an [`Api`] are its current
/// definitions, which may differ from the routes that were deployed to the stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Deployment {
    /// AWS reported no successful deployment of the stage.
    #[default]
    Missing,
    /// The stage of an HTTP API deploys every change, and its last deployment did not fail.
    Present,
    /// The deployment of a REST API contains these methods, by method and path, such as
    /// `GET /orders`.
    Methods(BTreeMap<String, DeployedMethod>),
    /// The stage has a deployment, but what is in it is not known: AWS did not return the methods of
    /// a REST API, or the routes of an HTTP API may have changed since the deployment.
    Unknown,
}

/// A method in the deployment of a REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeployedMethod {
    /// Whether requests need no authorization.
    pub public: bool,
    /// Whether requests need an API key.
    pub api_key_required: bool,
}

/// The access log of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// ARN of the CloudWatch log group or of the Data Firehose stream.
    pub destination: String,
    /// Whether the format is JSON.
    pub json: bool,
}

/// A route of an HTTP API, or a method of a REST API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The route key, such as `GET /orders` or `$default`. For a REST API: the method and the path
    /// of the resource.
    pub key: String,
    /// What authorizes requests.
    pub authorization: Authorization,
    /// Whether requests need an API key.
    pub api_key_required: bool,
    /// Names of the query parameters and headers that the method of a REST API requires.
    pub required_parameters: Vec<String>,
    /// The integration behind the route; `None` if there is none.
    pub backend: Option<Backend>,
}

/// What authorizes requests to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Nothing: the route is public.
    None,
    /// A Lambda authorizer.
    Lambda,
    /// A JWT authorizer.
    Jwt,
    /// IAM authorization (SigV4).
    Iam,
    /// A Cognito user pool.
    Cognito,
    /// Another type of authorization.
    Other,
}

/// The integration behind a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    /// The type of the integration; `None` for any other type, such as a mock integration or an
    /// integration with an AWS service other than Lambda.
    pub integration: Option<Integration>,
    /// URI or ARN of the Lambda function, which may contain references to stage variables; `None`
    /// if the integration is not a function.
    pub function_uri: Option<String>,
    /// Integration timeout; `None` if AWS did not return it.
    pub timeout: Option<Duration>,
}

/// A custom domain of API Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The domain name; may start with `*.`.
    pub name: String,
    /// Whether at least one endpoint of the domain has the status `AVAILABLE` or no status.
    pub available: bool,
    /// Whether the domain requires a client certificate (mutual TLS).
    pub mutual_tls: bool,
    /// Whether the domain is reachable only from a VPC.
    pub private: bool,
    /// Whether routing rules, which are not read, take precedence over the mappings.
    pub routing_rules: bool,
    /// The stages that the domain is mapped to.
    pub mappings: Vec<Mapping>,
}

/// A mapping of a custom domain to a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Id of the API.
    pub api_id: String,
    /// Name of the stage; empty if the first segment after `path` selects the stage.
    pub stage: String,
    /// Prefix of the paths that are mapped to the stage, such as `shop/v2`, without a slash at the
    /// start or end; empty for all paths without another mapping.
    pub path: String,
}

/// A URL of a Lambda function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionUrl {
    /// The URL.
    pub url: String,
    /// Name or ARN of the function, with the alias if the URL belongs to an alias.
    pub function: String,
    /// Whether requests need a signature (`AuthType` `AWS_IAM`).
    pub iam: bool,
}

/// An Application Load Balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// The DNS name that AWS assigned to the load balancer.
    pub dns_name: String,
    /// Whether the load balancer is reachable only from a VPC.
    pub internal: bool,
    /// The HTTP and HTTPS listeners of the load balancer.
    pub listeners: Vec<Listener>,
}

/// A listener of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Whether the protocol is HTTPS; otherwise, it is HTTP.
    pub https: bool,
    /// The port.
    pub port: u16,
    /// The rules that may forward a plain GET request, including the default rule.
    pub rules: Vec<ListenerRule>,
}

/// A listener rule that forwards requests to a target group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerRule {
    /// Host names or patterns in the host condition; empty if there is no such condition.
    pub hosts: Vec<String>,
    /// Paths or patterns in the path condition; empty if there is no such condition.
    pub paths: Vec<String>,
    /// ARN of the Lambda function in the target group; `None` if the group contains no function or
    /// could not be read.
    pub function: Option<String>,
}

/// A CloudFront distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// The domain name that AWS assigned, such as `d111111abcdef8.cloudfront.net`.
    pub domain_name: String,
    /// The alternate domain names of the distribution.
    pub aliases: Vec<String>,
    /// Whether the distribution is enabled.
    pub enabled: bool,
}
