//! Determines the region and role with which the AWS evidence of a target is read.
//!
//! The region that the target declares has precedence, then the region in a host name assigned by
//! AWS, then the region of `[cloudwatch]`. A host name that only resembles one assigned by AWS does
//! not determine a region.

use std::fmt;

use crate::model::settings::{Role, Settings};
use crate::model::target::Target;

/// An AWS region and role. Targets with the same scope share clients and calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AwsScope {
    /// The AWS region. `None` means the region from the SDK's default provider chain.
    pub(super) region: Option<String>,
    /// The IAM role that is assumed. `None` means the credentials of the daemon itself.
    pub(super) role: Option<Role>,
}

impl AwsScope {
    /// Returns the scope in which the evidence of a target is read.
    pub(super) fn of(target: &Target, settings: &Settings) -> Self {
        let aws = &target.aws;
        let from_host = || target.url.host_str().and_then(region_in);
        let region = aws.region.clone().or_else(from_host);
        Self {
            region: region.or_else(|| settings.cloudwatch.region.clone()),
            role: aws.role_arn.clone().map(|arn| Role {
                arn,
                external_id: aws.external_id.clone(),
            }),
        }
    }
}

/// Formats the region and the role for a log line, without the external id, which is treated as a
/// secret.
impl fmt::Display for AwsScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.region.as_deref().unwrap_or("the default region"))?;
        match &self.role {
            Some(role) => write!(f, " as {}", role.arn),
            None => Ok(()),
        }
    }
}

/// Returns the region in the host name of an API, function URL or load balancer, or `None` for any
/// other host name. The formats are from AWS's endpoint pages:
/// `ID.execute-api.REGION.amazonaws.com`, `ID.lambda-url.REGION.on.aws`,
/// `NAME.REGION.elb.amazonaws.com` and `NAME.elb.REGION.amazonaws.com`, also with the suffixes
/// `.amazonaws.com.cn` and `.api.aws`.
fn region_in(host: &str) -> Option<String> {
    let name = [".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".api.aws"]
        .iter()
        .find_map(|suffix| host.strip_suffix(suffix))?;
    let mut labels = name.rsplit('.');
    let (last, before) = (labels.next()?, labels.next()?);
    let region = match (before, last) {
        ("execute-api" | "lambda-url" | "elb", region) | (region, "elb") => region,
        _ => return None,
    };
    // A region has the form `eu-west-1`. With any other text, requests would go to the wrong host.
    let parts: Vec<&str> = region.split('-').collect();
    let numbered = parts
        .last()
        .is_some_and(|part| part.chars().all(|c| c.is_ascii_digit()));
    (parts.len() >= 3 && numbered).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, declared: Option<&str>, expected: Option<&str>) {
        let mut target = Target::with_defaults("orders", url.parse().unwrap());
        target.aws.region = declared.map(str::to_owned);
        let scope = AwsScope::of(&target, &Settings::default());
        assert_eq!(scope.region.as_deref(), expected, "{url}");
    }

    #[test]
    fn the_region_is_read_from_aws_host_names_only() {
        for (url, region) in [
            (
                "https://a1.execute-api.eu-west-1.amazonaws.com/x",
                "eu-west-1",
            ),
            (
                "https://a1.execute-api.cn-north-1.amazonaws.com.cn/",
                "cn-north-1",
            ),
            (
                "https://a1.lambda-url.us-gov-west-1.on.aws/",
                "us-gov-west-1",
            ),
            ("https://shop-1.eu-west-1.elb.amazonaws.com/", "eu-west-1"),
            ("https://shop-1.elb.eu-west-1.amazonaws.com/", "eu-west-1"),
        ] {
            check(url, None, Some(region));
        }
        for url in [
            "https://s3.eu-west-1.amazonaws.com/",
            "https://a1.execute-api.evil.amazonaws.com/",
            "https://a1.execute-api.eu-west-1.amazonaws.com.evil.example/",
            "https://example.com/",
        ] {
            check(url, None, None);
        }
    }

    #[test]
    fn a_declared_region_wins_and_the_daemons_own_comes_last() {
        check(
            "https://a1.execute-api.eu-west-1.amazonaws.com/",
            Some("us-east-1"),
            Some("us-east-1"),
        );
        let target = Target::with_defaults("orders", "https://example.com/".parse().unwrap());
        let mut settings = Settings::default();
        settings.cloudwatch.region = Some("eu-north-1".to_owned());
        assert_eq!(
            AwsScope::of(&target, &settings).region.as_deref(),
            Some("eu-north-1")
        );
    }

    #[test]
    fn a_scope_is_displayed_without_its_external_id() {
        let mut target = Target::with_defaults("orders", "https://example.com/".parse().unwrap());
        target.aws.role_arn = Some("arn:aws:iam::123456789012:role/reader".to_owned());
        target.aws.external_id = Some("hunter2".to_owned());
        target.aws.region = Some("eu-west-1".to_owned());
        let scope = AwsScope::of(&target, &Settings::default());
        assert_eq!(
            scope.to_string(),
            "eu-west-1 as arn:aws:iam::123456789012:role/reader"
        );
    }
}
