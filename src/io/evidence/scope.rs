//! Where in AWS a target's evidence is: a region, and the role through which it is seen.
//!
//! A declared region wins; else the one in the host name that AWS gave out; else the
//! daemon's own. A host name that only resembles AWS's says nothing.

use crate::model::settings::{Role, Settings};
use crate::model::target::Target;

/// A region and a role: what one client is made for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    /// Absent: whatever the SDK's default chain says.
    pub(super) region: Option<String>,
    /// Absent: the daemon's own credentials.
    pub(super) role: Option<Role>,
}

impl Place {
    /// Where to ask about a target.
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

    /// For people: region and role, never the external id, which is half a secret.
    pub(super) fn name(&self) -> String {
        let region = self.region.as_deref().unwrap_or("the default region");
        match &self.role {
            Some(role) => format!("{region} as {}", role.arn),
            None => region.to_owned(),
        }
    }
}

/// The region in a host name of an API, function URL or load balancer (AWS's endpoint
/// pages: `ID.execute-api.REGION.amazonaws.com`, `ID.lambda-url.REGION.on.aws`,
/// `NAME.REGION.elb.amazonaws.com`, `NAME.elb.REGION.amazonaws.com`).
fn region_in(host: &str) -> Option<String> {
    let name = [".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".api.aws"]
        .iter()
        .find_map(|end| host.strip_suffix(end))?;
    let mut labels = name.rsplit('.');
    let (last, before) = (labels.next()?, labels.next()?);
    let region = match (before, last) {
        ("execute-api" | "lambda-url" | "elb", region) | (region, "elb") => region,
        _ => return None,
    };
    // A region reads `eu-west-1`; anything else would send our requests astray.
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
        let place = Place::of(&target, &Settings::default());
        assert_eq!(place.region.as_deref(), expected, "{url}");
    }

    #[test]
    fn a_host_name_of_aws_tells_its_region_and_others_tell_nothing() {
        check(
            "https://a1.execute-api.eu-west-1.amazonaws.com/x",
            None,
            Some("eu-west-1"),
        );
        check(
            "https://a1.execute-api.cn-north-1.amazonaws.com.cn/",
            None,
            Some("cn-north-1"),
        );
        check(
            "https://a1.lambda-url.us-gov-west-1.on.aws/",
            None,
            Some("us-gov-west-1"),
        );
        check(
            "https://shop-1.eu-west-1.elb.amazonaws.com/",
            None,
            Some("eu-west-1"),
        );
        check(
            "https://shop-1.elb.eu-west-1.amazonaws.com/",
            None,
            Some("eu-west-1"),
        );
        check("https://s3.eu-west-1.amazonaws.com/", None, None);
        check("https://a1.execute-api.evil.amazonaws.com/", None, None);
        check(
            "https://a1.execute-api.eu-west-1.amazonaws.com.evil.example/",
            None,
            None,
        );
        check("https://example.com/", None, None);
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
            Place::of(&target, &settings).region.as_deref(),
            Some("eu-north-1")
        );
    }

    #[test]
    fn a_place_is_named_without_its_external_id() {
        let mut target = Target::with_defaults("orders", "https://example.com/".parse().unwrap());
        target.aws.role_arn = Some("arn:aws:iam::123456789012:role/reader".to_owned());
        target.aws.external_id = Some("hunter2".to_owned());
        target.aws.region = Some("eu-west-1".to_owned());
        let name = Place::of(&target, &Settings::default()).name();
        assert_eq!(name, "eu-west-1 as arn:aws:iam::123456789012:role/reader");
    }
}
