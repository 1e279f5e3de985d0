//! What AWS says of a refused call, read for what mends it.
//!
//! The action that is missing is often not the operation that was called: PutMetricAlarm
//! with tags needs `TagResource` too. AWS names action, resource and the kind of policy in
//! its message; this file reads them. Wording may change, so whatever cannot be read is
//! left to the caller's general words: nothing here is guessed.

use std::fmt;

use jiff::Timestamp;

/// A denial, as IAM words it: "User: … is not authorized to perform: ACTION on resource:
/// RESOURCE because no POLICY allows the ACTION action", or "… with an explicit deny in a
/// POLICY" (IAM user guide, "Troubleshoot access denied error messages":
/// docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denial<'a> {
    /// Such as `cloudwatch:TagResource`.
    pub(super) action: &'a str,
    resource: Option<&'a str>,
    who: Option<&'a str>,
    why: Why<'a>,
}

/// Which policy it is that denies.
#[derive(Debug, PartialEq, Eq)]
enum Why<'a> {
    /// None of this kind allows it; without a kind where AWS named none.
    NotAllowed(Option<&'a str>),
    /// One of this kind says no; without a kind where AWS named none.
    Denied(Option<&'a str>),
}

const PERFORM: &str = " is not authorized to perform: ";

impl<'a> Denial<'a> {
    /// Reads a message; `None`: it is worded otherwise.
    pub(super) fn read(message: &'a str) -> Option<Self> {
        let (before, rest) = message.split_once(PERFORM)?;
        let rest = rest.trim_start();
        let end = rest
            .find(|c: char| c.is_whitespace() || "\",;".contains(c))
            .unwrap_or(rest.len());
        let (action, rest) = rest.split_at(end);
        if !action.contains(':') {
            return None;
        }
        let who = before.rsplit_once("User: ").map(|(_, who)| who.trim());
        Some(Self {
            action,
            resource: resource(rest),
            who: who.filter(|who| who.starts_with("arn:")),
            why: why(rest),
        })
    }
}

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who.unwrap_or("the daemon's role");
        let what = match self.resource {
            Some(resource) => format!("`{}` on `{resource}`", self.action),
            None => format!("`{}`", self.action),
        };
        match &self.why {
            Why::NotAllowed(None | Some("identity-based policy")) => {
                write!(f, "access denied: allow {what} to {who}")
            }
            // "When an SCP denies access, the error message always includes the phrase"
            // of an explicit deny, even if it only fails to allow: so neither is claimed.
            Why::NotAllowed(Some(kind)) | Why::Denied(Some(kind)) if is_organization(kind) => {
                write!(
                    f,
                    "access denied by a {kind}: {what} for {who} has to be let through by whoever \
                     runs the organization"
                )
            }
            Why::NotAllowed(Some(kind)) => write!(
                f,
                "access denied: no {kind} allows {what} to {who}: allow it there too"
            ),
            Why::Denied(kind) => write!(
                f,
                "access denied: {} denies {what} to {who}: except it there, an allow elsewhere \
                 does not help",
                kind.map_or_else(
                    || "a policy".to_owned(),
                    |kind| format!("a statement in the {kind}")
                )
            ),
        }
    }
}

/// What a refused signature tells of the clocks; `None`: it is refused for something else.
///
/// "Signature expired: OURS is now earlier than LIMIT (THEIRS - 5 min.)", "Signature not
/// yet current: OURS is still later than LIMIT (THEIRS + 5 min.)", as recorded in
/// github.com/convox/rack/issues/235 and github.com/aws/aws-sdk-js/issues/1652; the codes
/// are in every service's list of common errors.
pub(super) fn clock(code: &str, message: &str) -> Option<String> {
    const CODES: [&str; 3] = [
        "RequestTimeTooSkewed",
        "RequestExpired",
        "RequestInTheFuture",
    ];
    const MESSAGES: [&str; 2] = ["Signature expired: ", "Signature not yet current: "];
    let rest = MESSAGES
        .iter()
        .find_map(|words| message.split_once(words).map(|(_, rest)| rest));
    if rest.is_none() && !CODES.iter().any(|known| code.contains(known)) {
        return None;
    }
    let differs = match rest.and_then(ahead_of_aws) {
        Some(seconds) if seconds < 0 => format!("is {} behind AWS's", span(seconds)),
        Some(seconds) => format!("is {} ahead of AWS's", span(seconds)),
        None => "differs from AWS's by more than AWS takes".to_owned(),
    };
    Some(format!(
        "this host's clock {differs}: synchronise it (NTP), nothing else is wrong with the request"
    ))
}

fn resource(rest: &str) -> Option<&str> {
    let (_, resource) = rest.split_once("on resource: ")?;
    // Names of alarms hold spaces: only AWS's own next words, or a quote, end it.
    let end = [" because ", " with an explicit deny", "\"", "\n"]
        .iter()
        .filter_map(|words| resource.find(words))
        .min()
        .unwrap_or(resource.len());
    let resource = resource[..end].trim();
    (!resource.is_empty() && resource != "*").then_some(resource)
}

fn why(rest: &str) -> Why<'_> {
    if let Some((_, rest)) = rest.split_once("because no ") {
        return Why::NotAllowed(rest.split_once(" allows ").map(|(kind, _)| kind));
    }
    let Some((_, rest)) = rest.split_once("with an explicit deny") else {
        return Why::NotAllowed(None);
    };
    let kind = [" in an ", " in a ", " in the "]
        .iter()
        .find_map(|words| rest.strip_prefix(words));
    let end = |kind: &str| kind.find([':', '"', '\n', '.', ',']).unwrap_or(kind.len());
    Why::Denied(kind.map(|kind| kind[..end(kind)].trim()))
}

/// A policy above the account, which the account's own people cannot change.
fn is_organization(kind: &str) -> bool {
    kind.contains("service control policy") || kind.contains("resource control policy")
}

/// Seconds by which our time is ahead of AWS's.
fn ahead_of_aws(rest: &str) -> Option<i64> {
    let ours: Timestamp = rest.split_whitespace().next()?.parse().ok()?;
    let (_, theirs) = rest.split_once('(')?;
    let theirs: Timestamp = theirs.split_whitespace().next()?.parse().ok()?;
    Some(ours.as_second() - theirs.as_second())
}

fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages are AWS's own, as the named pages and threads record them.
    fn check(message: &str, expected: &str) {
        let denial = Denial::read(message).map(|denial| denial.to_string());
        assert_eq!(denial.as_deref(), Some(expected), "{message}");
    }

    #[test]
    fn a_missing_permission_is_named_with_its_resource() {
        // github.com/cisagov/cool-assessment-terraform/pull/245
        check(
            "User: arn:aws:sts::123456789012:assumed-role/ProvisionAccount/admin is not \
             authorized to perform: cloudwatch:TagResource on resource: \
             arn:aws:cloudwatch:us-east-1:123456789012:alarm:probecause eu orders because no \
             identity-based policy allows the cloudwatch:TagResource action",
            "access denied: allow `cloudwatch:TagResource` on \
             `arn:aws:cloudwatch:us-east-1:123456789012:alarm:probecause eu orders` to \
             arn:aws:sts::123456789012:assumed-role/ProvisionAccount/admin",
        );
        // github.com/RafalWilinski/cloudwatch-public-metrics/issues/6: an older wording.
        check(
            "User: arn:aws:sts::085108115628:assumed-role/lambda/main is not authorized to \
             perform: cloudwatch:GetMetricStatistics",
            "access denied: allow `cloudwatch:GetMetricStatistics` to \
             arn:aws:sts::085108115628:assumed-role/lambda/main",
        );
    }

    #[test]
    fn an_action_other_than_the_operation_is_what_is_named() {
        // github.com/aws-samples/amazon-cloudwatch-auto-alarms/issues/47: PutMetricAlarm
        // was called.
        let message = "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: \
                       iam:CreateServiceLinkedRole on resource: arn:aws:iam::1:role/c because no \
                       identity-based policy allows the iam:CreateServiceLinkedRole action";
        let denial = Denial::read(message);
        assert_eq!(
            denial.map(|d| d.action),
            Some("iam:CreateServiceLinkedRole")
        );
    }

    #[test]
    fn a_boundary_is_told_from_a_role() {
        // github.com/github-aws-runners/terraform-aws-github-runner/pull/3067
        check(
            "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: \
             cloudwatch:PutMetricData because no permissions boundary allows the \
             cloudwatch:PutMetricData action",
            "access denied: no permissions boundary allows `cloudwatch:PutMetricData` to \
             arn:aws:sts::1:assumed-role/a/b: allow it there too",
        );
    }

    #[test]
    fn an_explicit_deny_is_told_from_a_missing_allow() {
        // github.com/tomaszkiewicz/prometheus-alertmanager-cloudwatch-webhook/issues/3
        check(
            "User: arn:aws:sts::1:assumed-role/worker/i-08 is not authorized to perform: \
             cloudwatch:PutMetricData with an explicit deny",
            "access denied: a policy denies `cloudwatch:PutMetricData` to \
             arn:aws:sts::1:assumed-role/worker/i-08: except it there, an allow elsewhere does \
             not help",
        );
        // The IAM user guide.
        check(
            "User: arn:aws:iam::123456789012:user/JohnDoe is not authorized to perform: \
             codedeploy:ListDeployments on resource: \
             arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny \
             in an identity-based policy",
            "access denied: a statement in the identity-based policy denies \
             `codedeploy:ListDeployments` on \
             `arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:*` to \
             arn:aws:iam::123456789012:user/JohnDoe: except it there, an allow elsewhere does \
             not help",
        );
    }

    #[test]
    fn an_organization_that_denies_is_named() {
        // The IAM user guide.
        check(
            "User: arn:aws:iam::777788889999:user/JohnDoe is not authorized to perform: \
             codecommit:ListRepositories with an explicit deny in a service control policy",
            "access denied by a service control policy: `codecommit:ListRepositories` for \
             arn:aws:iam::777788889999:user/JohnDoe has to be let through by whoever runs the \
             organization",
        );
    }

    #[test]
    fn other_words_are_not_guessed_at() {
        for message in [
            "",
            "Access Denied",
            "You are not authorized to perform this operation.",
            "User: a is not authorized to perform: ",
        ] {
            assert_eq!(Denial::read(message), None, "{message}");
        }
    }

    #[test]
    fn a_clock_that_differs_is_told_with_the_difference() {
        for (code, message, expected) in [
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20151221T200419Z is now earlier than 20151221T201450Z \
                 (20151221T201950Z - 5 min.)",
                "this host's clock is 15 min 31 s behind AWS's",
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20170731T092200Z is still later than \
                 20170731T092115Z (20170731T091615Z + 5 min.)",
                "this host's clock is 5 min 45 s ahead of AWS's",
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20190305T002809Z is still later than \
                 20190304T214315Z (20190304T212815Z + 15 min.)",
                "this host's clock is 2 h 59 min ahead of AWS's",
            ),
            (
                "RequestExpired",
                "Request has expired.",
                "this host's clock differs from AWS's by more than AWS takes",
            ),
        ] {
            let told = clock(code, message).unwrap_or_default();
            let head = told.split(": ").next();
            assert_eq!(head, Some(expected), "{message}");
        }
    }

    #[test]
    fn a_wrong_secret_is_not_taken_for_a_wrong_clock() {
        // github.com/mhart/aws4fetch/issues/73
        let message = "The request signature we calculated does not match the signature you \
                       provided. Check your AWS Secret Access Key and signing method.";
        assert_eq!(clock("SignatureDoesNotMatch", message), None);
    }
}
