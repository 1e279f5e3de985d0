//! Decides which evidence from AWS a target can get, and what is missing.
//!
//! `plan` selects the calls that show what the credentials may read, `target_report` interprets the
//! outcomes of these calls for a target, and `next_step` selects the step that helps most. `io`
//! makes the calls, and `probecause check --aws` prints the reports.

mod next_step;
mod plan;
mod target_report;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::domain::configuration::plan::Plan;
use crate::model::target::Target;
use crate::model::text_enum::text_enum;

pub use self::plan::reads;
pub use self::target_report::report;

text_enum! {
    /// A source of evidence. The texts are part of the output of `check --aws`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Source {
        /// CloudWatch metrics of the API and the function.
        Metrics = "metrics",
        /// The access log of the API.
        AccessLog = "access-log",
        /// The execution log of a REST API.
        ExecutionLog = "execution-log",
        /// The configuration of the target's AWS resources, such as the API and the function.
        Configuration = "configuration",
        /// The changes of the target's AWS resources, as recorded by CloudTrail.
        Changes = "changes",
    }
}

text_enum! {
    /// Whether a target can get evidence from a source, or what is missing. The texts are part of
    /// the output of `check --aws`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum State {
        /// The source can be read.
        Available = "available",
        /// A key of `[evidence]` disables the source.
        Off = "off",
        /// A declaration of the target is missing.
        DeclarationMissing = "declaration-missing",
        /// A permission is missing, there are no valid credentials, or the Region is not known.
        PermissionMissing = "permission-missing",
        /// The declared log group does not exist.
        LogMissing = "log-missing",
        /// The API or the function does not exist.
        ResourceMissing = "resource-missing",
        /// The call was not made, or it failed for a reason that no other state describes.
        Unknown = "unknown",
        /// The target's resources cannot have this source. For example, a load balancer has no
        /// execution log.
        NotApplicable = "not-applicable",
    }
}

text_enum! {
    /// An IAM action that a source needs.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Action {
        /// Reads metrics.
        GetMetricData = "cloudwatch:GetMetricData",
        /// Searches a log group.
        FilterLogEvents = "logs:FilterLogEvents",
        /// Reads an API.
        GetApi = "apigateway:GET",
        /// Reads the settings of a function.
        GetFunctionConfiguration = "lambda:GetFunctionConfiguration",
        /// Reads the resource policy of a function.
        GetPolicy = "lambda:GetPolicy",
        /// Reads the reserved concurrency of a function.
        GetFunctionConcurrency = "lambda:GetFunctionConcurrency",
        /// Reads the limits of Lambda in the account.
        GetAccountSettings = "lambda:GetAccountSettings",
        /// Finds a load balancer.
        DescribeLoadBalancers = "elasticloadbalancing:DescribeLoadBalancers",
        /// Finds the target groups of a load balancer.
        DescribeTargetGroups = "elasticloadbalancing:DescribeTargetGroups",
        /// Searches the events of CloudTrail.
        LookupEvents = "cloudtrail:LookupEvents",
    }
}

/// A call that shows whether an action is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The action.
    pub action: Action,
    /// The name of the log group, the id of the API, or the name of the function; `None` for an
    /// action without a resource.
    pub resource: Option<String>,
    /// The version or alias of the function; `None` for the unqualified function.
    pub qualifier: Option<String>,
}

/// The outcome of a [`Read`]. The texts are one line each and contain no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The call succeeded.
    Allowed,
    /// The call is allowed, but the resource does not exist. The text is the reason.
    Missing(String),
    /// A permission is missing. The text says how to grant it.
    Denied(String),
    /// There are no valid credentials, the role cannot be assumed, or the Region is not known.
    /// Every call with the same Region and role fails in the same way.
    Credentials(String),
    /// The call was not made, or it failed for a reason that no other outcome describes. The text
    /// is the reason.
    Failed(String),
}

/// A call with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The call.
    pub read: Read,
    /// The outcome of the call.
    pub outcome: Outcome,
}

/// What is known about one source of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// The source.
    pub source: Source,
    /// Whether the source can be read, or what is missing.
    pub state: State,
    /// How to get what is missing, why the source does not apply, or why its state is not known;
    /// `None` if the source is available.
    pub text: Option<String>,
}

/// The evidence that one target can get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetReport {
    /// One report per source, in the order of [`Source`].
    pub sources: Vec<SourceReport>,
    /// The step that would help most; `None` if nothing is missing.
    pub next_step: Option<String>,
}

/// Formats the action and its resource, such as `lambda:GetPolicy on orders:live`.
impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action)?;
        if let Some(resource) = &self.resource {
            write!(f, " on {resource}")?;
        }
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

/// Returns whether the host is a function URL or a load balancer, which have neither an access log
/// nor an execution log that evidence is read from.
fn is_without_logs(target: &Target) -> bool {
    let host = target.url.host_str().unwrap_or_default();
    let is_function_url = host.ends_with(".on.aws") && host.contains(".lambda-url.");
    is_function_url || Plan::of(target).load_balancer.is_some()
}
