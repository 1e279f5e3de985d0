//! The user's declarations about the AWS resources behind a target.
//!
//! Every declaration is optional; an absent declaration means "unknown", not "no". The diagnosis
//! uses declarations to rule out causes. Declarations are not verified.

use std::time::Duration;

/// The AWS resources behind a target; `None` means unknown unless stated otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct AwsDeclarations {
    /// Region of the API and the function. `None` means the region in the host name of the URL,
    /// else the region of the CloudWatch settings.
    pub region: Option<String>,
    /// ARN of the role to assume when requesting evidence; `None` means the credentials of the AWS
    /// SDK's default chain.
    pub role_arn: Option<String>,
    /// External id that the trust policy of `role_arn` may require.
    pub external_id: Option<String>,
    /// Id of the API. If `api_name` is not set, the API is an HTTP API, and the id is the value of
    /// the dimension `ApiId` of its CloudWatch metrics.
    pub api_id: Option<String>,
    /// Name of the REST API: the value of the dimension `ApiName` of its CloudWatch metrics.
    pub api_name: Option<String>,
    /// Stage of the API.
    pub stage: Option<String>,
    /// Route of the API, such as `GET /orders`.
    pub route: Option<String>,
    /// Name of the Lambda function.
    pub function: Option<String>,
    /// Version or alias of the function.
    pub qualifier: Option<String>,
    /// Kind of the integration behind the route.
    pub integration: Option<Integration>,
    /// Integration timeout of the API; `None` means the default of the API type.
    pub integration_timeout: Option<Duration>,
    /// Timeout of the function.
    pub function_timeout: Option<Duration>,
    /// Kind of authorizer that checks callers before the integration is reached.
    pub authorizer: Option<Authorizer>,
    /// Whether the function also serves traffic other than the probes; `true` by default.
    pub shared: bool,
    /// Log group of the API's access log.
    pub access_log_group: Option<String>,
    /// Log group of the REST API's execution log.
    pub execution_log_group: Option<String>,
    /// Path of control requests: an absolute path on the target's host that does not reach the
    /// function. `None` means that no control requests are sent.
    pub control_path: Option<String>,
}

/// The integration behind a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integration {
    /// A Lambda function.
    Lambda,
    /// A public HTTP endpoint.
    Http,
    /// A private endpoint behind a VPC link.
    VpcLink,
}

/// The kind of authorizer that checks callers before the integration is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorizer {
    /// There is no authorizer.
    None,
    /// A Lambda authorizer.
    Lambda,
    /// A JWT authorizer.
    Jwt,
    /// IAM authorization (SigV4).
    Iam,
}

impl AwsDeclarations {
    /// Returns whether a resource with metrics or logs is declared: a function, API or log group.
    #[must_use]
    pub const fn names_evidence(&self) -> bool {
        self.function.is_some()
            || self.api_id.is_some()
            || self.api_name.is_some()
            || self.access_log_group.is_some()
            || self.execution_log_group.is_some()
    }
}

impl Default for AwsDeclarations {
    fn default() -> Self {
        Self {
            region: None,
            role_arn: None,
            external_id: None,
            api_id: None,
            api_name: None,
            stage: None,
            route: None,
            function: None,
            qualifier: None,
            integration: None,
            integration_timeout: None,
            function_timeout: None,
            authorizer: None,
            // `true` is the cautious default, because the metrics of a function that also serves
            // other traffic prove less about the probes.
            shared: true,
            access_log_group: None,
            execution_log_group: None,
            control_path: None,
        }
    }
}
