//! What the user declared of the AWS side of a target.
//!
//! Every declaration is optional: absent means unknown, never "no". Declarations rule
//! out rivals; they are believed, not checked.

use std::time::Duration;

/// What the user declared of the AWS side; absent means unknown, never "no".
#[derive(Clone, Debug, PartialEq)]
pub struct AwsDeclarations {
    /// Region of the API and function, where it differs from the default.
    pub region: Option<String>,
    /// Role to assume when asking for evidence.
    pub role_arn: Option<String>,
    /// External id for that role.
    pub external_id: Option<String>,
    /// HTTP API id.
    pub api_id: Option<String>,
    /// REST API name (its metrics go by name).
    pub api_name: Option<String>,
    /// Stage.
    pub stage: Option<String>,
    /// Route, such as `GET /orders`.
    pub route: Option<String>,
    /// Function name.
    pub function: Option<String>,
    /// Version or alias.
    pub qualifier: Option<String>,
    /// What stands behind the route.
    pub integration: Option<Integration>,
    /// The API's integration timeout.
    pub integration_timeout: Option<Duration>,
    /// The function's own timeout.
    pub function_timeout: Option<Duration>,
    /// What authorises callers.
    pub authorizer: Option<Authorizer>,
    /// Whether others use the function too; true unless said otherwise.
    pub shared: bool,
    /// Log group of the API's access log.
    pub access_log_group: Option<String>,
    /// Log group of the REST API's execution log.
    pub execution_log_group: Option<String>,
    /// Absolute path on the target's host that never reaches the function.
    pub control_path: Option<String>,
}

/// What stands behind a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integration {
    /// A Lambda function.
    Lambda,
    /// A public HTTP endpoint.
    Http,
    /// A private endpoint behind a VPC link.
    VpcLink,
}

/// What authorises callers before the integration is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorizer {
    /// Nothing.
    None,
    /// A Lambda authorizer.
    Lambda,
    /// A JWT authorizer.
    Jwt,
    /// IAM (SigV4).
    Iam,
}

impl AwsDeclarations {
    /// Whether it says where AWS could be asked about a failed request.
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
            // The cautious reading: traffic of others makes metrics prove less.
            shared: true,
            access_log_group: None,
            execution_log_group: None,
            control_path: None,
        }
    }
}
