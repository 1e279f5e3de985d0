//! Determines which AWS resources are read for a target.
//!
//! The URL shows the API or the load balancer if it has the host name that AWS assigned. For a
//! custom domain, the API and its stage must be declared.

use super::ApiKind;
use super::function::FunctionRef;
use super::serving::{ApiHost, DEFAULT_STAGE, is_load_balancer};
use crate::model::target::Target;

/// The AWS resources that are read for a target. The declarations or the URL name the API, the
/// declarations name the function, and the URL names the load balancer. A resource that is not
/// named is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The API; also `None` if neither the declarations nor the URL name its stage.
    pub api: Option<ApiPlan>,
    /// The declared function, which is read if the route of the API is not known.
    pub function: Option<FunctionRef>,
    /// The host name of the load balancer.
    pub load_balancer: Option<String>,
}

/// An API that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPlan {
    /// The id of the API.
    pub id: String,
    /// The type of the API; `None` if only the host name shows the API.
    pub kind: Option<ApiKind>,
    /// The possible names of the stage, the most likely one first; never empty.
    pub stages: Vec<String>,
}

impl Plan {
    /// Returns the resources that are read for the target.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        Self {
            api: ApiPlan::of(target),
            function: FunctionRef::declared(&target.aws),
            load_balancer: target
                .url
                .host_str()
                .filter(|host| is_load_balancer(host))
                .map(str::to_owned),
        }
    }

    /// Returns whether there is nothing to read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.api.is_none() && self.function.is_none() && self.load_balancer.is_none()
    }
}

impl ApiPlan {
    fn of(target: &Target) -> Option<Self> {
        let aws = &target.aws;
        let host = target.url.host_str().and_then(ApiHost::parse);
        // The id in the host name takes precedence over a declared id, because the host receives
        // the request.
        let id = match &host {
            Some(host) => host.api.to_owned(),
            None => aws.api_id.clone()?,
        };
        let kind = match (&aws.api_id, &aws.api_name) {
            (Some(_), None) => Some(ApiKind::Http),
            // Only the metrics of a REST API need the name of the API, so a declared name means a
            // REST API.
            (_, Some(_)) => Some(ApiKind::Rest),
            (None, None) => None,
        };
        let declared = aws.stage.as_deref();
        let mut stages = Vec::new();
        if host.is_some() && declared.is_none_or(|stage| stage == DEFAULT_STAGE) {
            // The stage is the first segment of the path, or the default stage of an HTTP API. A
            // stage with the name of the segment receives the request even if the default stage is
            // declared.
            let first = target.url.path_segments().and_then(|mut it| it.next());
            stages.extend(first.filter(|it| is_stage(it)).map(str::to_owned));
            if declared.is_some() || kind != Some(ApiKind::Rest) {
                stages.push(DEFAULT_STAGE.to_owned());
            }
        } else {
            stages.extend(declared.map(str::to_owned));
        }
        (!stages.is_empty()).then_some(Self { id, kind, stages })
    }
}

/// Returns whether the text can be the name of a stage.
fn is_stage(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::AwsDeclarations;

    const HTTP: &str = "https://a1.execute-api.eu-west-1.amazonaws.com";

    fn plan(url: &str, declare: impl FnOnce(&mut AwsDeclarations)) -> Plan {
        let mut target = Target::with_defaults("orders", url.parse().unwrap());
        declare(&mut target.aws);
        Plan::of(&target)
    }

    /// Checks the API as `ID KIND STAGES`, or `none`.
    #[track_caller]
    fn check(url: &str, declare: impl FnOnce(&mut AwsDeclarations), expected: &str) {
        let text = match plan(url, declare).api {
            Some(api) => format!("{} {:?} {}", api.id, api.kind, api.stages.join(",")),
            None => "none".to_owned(),
        };
        assert_eq!(text, expected, "{url}");
    }

    #[test]
    fn the_host_or_the_declarations_name_the_api_and_its_stage() {
        let nothing = |_: &mut AwsDeclarations| ();
        let named = |aws: &mut AwsDeclarations| aws.api_name = Some("orders".to_owned());
        let http = |aws: &mut AwsDeclarations| aws.api_id = Some("b2".to_owned());
        let staged = |aws: &mut AwsDeclarations| {
            aws.api_id = Some("b2".to_owned());
            aws.stage = Some("live".to_owned());
        };
        check(&format!("{HTTP}/"), nothing, "a1 None $default");
        check(
            &format!("{HTTP}/orders/1"),
            nothing,
            "a1 None orders,$default",
        );
        check(&format!("{HTTP}/a%20b"), nothing, "a1 None $default");
        check(&format!("{HTTP}/prod/orders"), named, "a1 Some(Rest) prod");
        check(&format!("{HTTP}/"), named, "none");
        let both = |aws: &mut AwsDeclarations| {
            staged(aws);
            named(aws);
        };
        check("https://api.example/orders", both, "b2 Some(Rest) live");
        check(
            &format!("{HTTP}/orders"),
            http,
            "a1 Some(Http) orders,$default",
        );
        check(&format!("{HTTP}/orders"), staged, "a1 Some(Http) live");
        check("https://api.example/orders", staged, "b2 Some(Http) live");
        // Another stage may have the name of the first segment.
        let default = |aws: &mut AwsDeclarations| {
            http(aws);
            aws.stage = Some("$default".to_owned());
        };
        for (url, expected) in [
            (format!("{HTTP}/v1/orders"), "a1 Some(Http) v1,$default"),
            (format!("{HTTP}/"), "a1 Some(Http) $default"),
            (
                "https://api.example/v1".to_owned(),
                "b2 Some(Http) $default",
            ),
        ] {
            check(&url, default, expected);
        }
        // The stage of a custom domain is not known.
        check("https://api.example/orders", http, "none");
        check("https://api.example/orders", nothing, "none");
    }

    #[test]
    fn a_function_must_be_declared_and_a_load_balancer_is_shown_by_its_host() {
        let declared = plan("https://x.lambda-url.eu-west-1.on.aws/", |aws| {
            aws.function = Some("orders".to_owned());
            aws.qualifier = Some("live".to_owned());
        });
        let function = declared.function.unwrap();
        assert_eq!(function.name, "orders");
        assert_eq!(function.qualifier.as_deref(), Some("live"));
        for (host, expected) in [
            ("shop-1.eu-west-1.elb.amazonaws.com", true),
            ("shop-1.cn-north-1.elb.amazonaws.com.cn", true),
            // A Network Load Balancer does not answer HTTP requests itself.
            ("shop-1.elb.eu-west-1.amazonaws.com", false),
            ("elb.amazonaws.com", false),
            ("example.com", false),
        ] {
            let plan = plan(&format!("https://{host}/"), |_| ());
            assert_eq!(plan.load_balancer.is_some(), expected, "{host}");
            assert_eq!(plan.is_empty(), !expected, "{host}");
        }
    }
}
