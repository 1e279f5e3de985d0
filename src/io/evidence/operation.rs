//! Names the AWS operations that read evidence.

/// An AWS operation that reads evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    GetMetricData,
    FilterLogEvents,
    /// All reads of a target's configuration together. Each of these reads is also an operation of
    /// its own. `ReadConfiguration` fails only if the client for the reads cannot be created.
    ReadConfiguration,
    GetApi,
    GetStage,
    GetRoutes,
    GetIntegrations,
    GetResources,
    GetGatewayResponses,
    GetVpcLink,
    GetFunctionConfiguration,
    GetPolicy,
    GetFunctionConcurrency,
    GetAccountSettings,
    DescribeLoadBalancers,
    DescribeTargetGroups,
    DescribeTargetHealth,
    GetCallerIdentity,
    LookupEvents,
}

impl Operation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::GetMetricData => "GetMetricData",
            Self::FilterLogEvents => "FilterLogEvents",
            Self::ReadConfiguration => "ReadConfiguration",
            Self::GetApi => "GetApi",
            Self::GetStage => "GetStage",
            Self::GetRoutes => "GetRoutes",
            Self::GetIntegrations => "GetIntegrations",
            Self::GetResources => "GetResources",
            Self::GetGatewayResponses => "GetGatewayResponses",
            Self::GetVpcLink => "GetVpcLink",
            Self::GetFunctionConfiguration => "GetFunctionConfiguration",
            Self::GetPolicy => "GetPolicy",
            Self::GetFunctionConcurrency => "GetFunctionConcurrency",
            Self::GetAccountSettings => "GetAccountSettings",
            Self::DescribeLoadBalancers => "DescribeLoadBalancers",
            Self::DescribeTargetGroups => "DescribeTargetGroups",
            Self::DescribeTargetHealth => "DescribeTargetHealth",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::LookupEvents => "LookupEvents",
        }
    }

    /// Returns the service prefix of the operation's IAM action, such as `logs` in
    /// `logs:FilterLogEvents`. The result is correct only for operations of CloudWatch and
    /// CloudWatch Logs, which are called with SDK clients.
    pub(super) const fn service(self) -> &'static str {
        match self {
            Self::FilterLogEvents => "logs",
            _ => "cloudwatch",
        }
    }
}
