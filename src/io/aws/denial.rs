//! Parses AWS's "is not authorized to perform" messages and says how to fix the denial.
//!
//! The denied action is often not the called operation; for example, `PutMetricAlarm` with tags
//! also needs `TagResource`. AWS names the action, the resource and the type of policy in the
//! message. AWS may change the wording, so a message that cannot be parsed is left to the caller.

use std::fmt;

/// A denial, parsed from a message of IAM: "User: … is not authorized to perform: ACTION on
/// resource: RESOURCE because no POLICY allows the ACTION action", or "… with an explicit deny in a
/// POLICY" (IAM user guide, "Troubleshoot access denied error messages":
/// docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denial<'a> {
    /// The denied IAM action, such as `cloudwatch:TagResource`.
    pub(super) action: &'a str,
    resource: Option<&'a str>,
    principal: Option<&'a str>,
    reason: Reason<'a>,
}

/// The reason why the action is denied, with the type of policy if AWS named one.
#[derive(Debug, PartialEq, Eq)]
enum Reason<'a> {
    /// No policy of this type allows the action; `None` if AWS named no type.
    NotAllowed(Option<&'a str>),
    /// A policy of this type denies the action explicitly; `None` if AWS named no type.
    Denied(Option<&'a str>),
}

/// The phrase between the principal and the action in every denial message.
const PERFORM: &str = " is not authorized to perform: ";

impl<'a> Denial<'a> {
    /// Parses an error message of AWS. Returns `None` if the message does not have the wording of a
    /// denial.
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let (before, rest) = message.split_once(PERFORM)?;
        let rest = rest.trim_start();
        let end = rest
            .find(|c: char| c.is_whitespace() || "\",;".contains(c))
            .unwrap_or(rest.len());
        let (action, rest) = rest.split_at(end);
        if !action.contains(':') {
            return None;
        }
        let principal = before.rsplit_once("User: ").map(|(_, arn)| arn.trim());
        Some(Self {
            action,
            resource: resource(rest),
            principal: principal.filter(|arn| arn.starts_with("arn:")),
            reason: reason(rest),
        })
    }
}

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let principal = self.principal.unwrap_or("the daemon's role");
        let action = match self.resource {
            Some(resource) => format!("`{}` on `{resource}`", self.action),
            None => format!("`{}`", self.action),
        };
        match &self.reason {
            Reason::NotAllowed(None | Some("identity-based policy")) => {
                write!(f, "access denied: grant {action} to {principal}")
            }
            // AWS reports every denial by a service control policy (SCP) as an explicit deny, even
            // if the SCP only lacks an allow (IAM user guide). The text fits both cases.
            Reason::NotAllowed(Some(kind)) | Reason::Denied(Some(kind))
                if is_organization(kind) =>
            {
                write!(
                    f,
                    "access denied by a {kind}: ask the administrator of the AWS organization to \
                     grant {action} to {principal}"
                )
            }
            Reason::NotAllowed(Some(kind)) => write!(
                f,
                "access denied: no {kind} allows {action} for {principal}; allow the action in the \
                 {kind}"
            ),
            Reason::Denied(kind) => write!(
                f,
                "access denied: {} denies {action} to {principal}; add an exception to that \
                 policy (an explicit deny overrides any allow)",
                kind.map_or_else(
                    || "a policy".to_owned(),
                    |kind| format!("a statement in the {kind}")
                )
            ),
        }
    }
}

fn resource(rest: &str) -> Option<&str> {
    let (_, resource) = rest.split_once("on resource: ")?;
    // An alarm name may contain spaces, so the resource ends only at AWS's next phrase, a quote or
    // a line break.
    let end = [" because ", " with an explicit deny", "\"", "\n"]
        .iter()
        .filter_map(|words| resource.find(words))
        .min()
        .unwrap_or(resource.len());
    let resource = resource[..end].trim();
    (!resource.is_empty() && resource != "*").then_some(resource)
}

fn reason(rest: &str) -> Reason<'_> {
    if let Some((_, rest)) = rest.split_once("because no ") {
        return Reason::NotAllowed(rest.split_once(" allows ").map(|(kind, _)| kind));
    }
    let Some((_, rest)) = rest.split_once("with an explicit deny") else {
        return Reason::NotAllowed(None);
    };
    let kind = [" in an ", " in a ", " in the "]
        .iter()
        .find_map(|words| rest.strip_prefix(words));
    let end = |kind: &str| kind.find([':', '"', '\n', '.', ',']).unwrap_or(kind.len());
    Reason::Denied(kind.map(|kind| kind[..end(kind)].trim()))
}

/// Returns whether policies of this type are set by the AWS organization and not by the account.
fn is_organization(kind: &str) -> bool {
    kind.contains("service control policy") || kind.contains("resource control policy")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the displayed text for an AWS message. A comment before each call names the source of
    /// the message.
    fn check(message: &str, expected: &str) {
        let denial = Denial::parse(message).map(|denial| denial.to_string());
        assert_eq!(denial.as_deref(), Some(expected), "{message}");
    }

    #[test]
    fn a_missing_permission_is_reported_with_its_resource() {
        // Source: github.com/cisagov/cool-assessment-terraform/pull/245
        check(
            "User: arn:aws:sts::123456789012:assumed-role/ProvisionAccount/admin is not \
             authorized to perform: cloudwatch:TagResource on resource: \
             arn:aws:cloudwatch:us-east-1:123456789012:alarm:probecause eu orders because no \
             identity-based policy allows the cloudwatch:TagResource action",
            "access denied: grant `cloudwatch:TagResource` on \
             `arn:aws:cloudwatch:us-east-1:123456789012:alarm:probecause eu orders` to \
             arn:aws:sts::123456789012:assumed-role/ProvisionAccount/admin",
        );
        // Source: github.com/RafalWilinski/cloudwatch-public-metrics/issues/6 (an older wording)
        check(
            "User: arn:aws:sts::085108115628:assumed-role/lambda/main is not authorized to \
             perform: cloudwatch:GetMetricStatistics",
            "access denied: grant `cloudwatch:GetMetricStatistics` to \
             arn:aws:sts::085108115628:assumed-role/lambda/main",
        );
    }

    #[test]
    fn the_missing_action_is_reported_instead_of_the_called_operation() {
        // Source: github.com/aws-samples/amazon-cloudwatch-auto-alarms/issues/47, which reports the
        // message for a call of `PutMetricAlarm`.
        let message = "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: \
                       iam:CreateServiceLinkedRole on resource: arn:aws:iam::1:role/c because no \
                       identity-based policy allows the iam:CreateServiceLinkedRole action";
        let denial = Denial::parse(message);
        assert_eq!(
            denial.map(|d| d.action),
            Some("iam:CreateServiceLinkedRole")
        );
    }

    #[test]
    fn a_permissions_boundary_is_distinguished_from_a_role() {
        // Source: github.com/github-aws-runners/terraform-aws-github-runner/pull/3067
        check(
            "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: \
             cloudwatch:PutMetricData because no permissions boundary allows the \
             cloudwatch:PutMetricData action",
            "access denied: no permissions boundary allows `cloudwatch:PutMetricData` for \
             arn:aws:sts::1:assumed-role/a/b; allow the action in the permissions boundary",
        );
    }

    #[test]
    fn an_explicit_deny_is_distinguished_from_a_missing_allow() {
        // Source: github.com/tomaszkiewicz/prometheus-alertmanager-cloudwatch-webhook/issues/3
        check(
            "User: arn:aws:sts::1:assumed-role/worker/i-08 is not authorized to perform: \
             cloudwatch:PutMetricData with an explicit deny",
            "access denied: a policy denies `cloudwatch:PutMetricData` to \
             arn:aws:sts::1:assumed-role/worker/i-08; add an exception to that policy (an \
             explicit deny overrides any allow)",
        );
        // Source: IAM user guide
        check(
            "User: arn:aws:iam::123456789012:user/JohnDoe is not authorized to perform: \
             codedeploy:ListDeployments on resource: \
             arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny \
             in an identity-based policy",
            "access denied: a statement in the identity-based policy denies \
             `codedeploy:ListDeployments` on \
             `arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:*` to \
             arn:aws:iam::123456789012:user/JohnDoe; add an exception to that policy (an \
             explicit deny overrides any allow)",
        );
    }

    #[test]
    fn a_denial_by_the_organization_names_its_administrator() {
        // Source: IAM user guide
        check(
            "User: arn:aws:iam::777788889999:user/JohnDoe is not authorized to perform: \
             codecommit:ListRepositories with an explicit deny in a service control policy",
            "access denied by a service control policy: ask the administrator of the AWS \
             organization to grant `codecommit:ListRepositories` to \
             arn:aws:iam::777788889999:user/JohnDoe",
        );
    }

    #[test]
    fn a_message_in_a_different_wording_is_not_parsed() {
        for message in [
            "",
            "Access Denied",
            "You are not authorized to perform this operation.",
            "User: a is not authorized to perform: ",
        ] {
            assert_eq!(Denial::parse(message), None, "{message}");
        }
    }
}
