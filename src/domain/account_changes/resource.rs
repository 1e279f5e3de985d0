//! Identifies the resource that an event changed, and compares it with the resources of a target.

use std::fmt;

use serde_json::Value;

use super::parameters::identifier;
use super::service::Service;
use crate::domain::function_name::FunctionName;
use crate::domain::incident::ChangeEffect;
use crate::model::target::{AwsDeclarations, Target};

/// The AWS resources of one target. A change of these resources may explain a failure of the
/// target. An absent value means that the target does not use such a resource, or that the resource
/// is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Name of the Lambda function.
    pub function: Option<String>,
    /// Version or alias of the function.
    pub qualifier: Option<String>,
    /// Id of the HTTP API or REST API.
    pub api: Option<String>,
    /// Stage of the API.
    pub stage: Option<String>,
    /// Id of the route that serves the requests.
    pub route_id: Option<String>,
    /// Id of the VPC link of the integration.
    pub vpc_link: Option<String>,
    /// Host name of the URL, which may be a custom domain of the API.
    pub host: Option<String>,
    /// Target groups as `NAME/ID`, the end of their ARNs.
    pub target_groups: Vec<String>,
    /// Load balancers as `app/NAME/ID`, the end of their ARNs.
    pub load_balancers: Vec<String>,
    /// Name of the load balancer that the host of the URL belongs to, in lower case. Names are
    /// unique in an account and Region.
    pub load_balancer_name: Option<String>,
}

/// The resource that an event changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// A Lambda function, version or alias.
    Function(FunctionName),
    /// An API, or the part of it that was changed.
    Api {
        /// Id of the API.
        id: String,
        /// Name of the stage, if the event names a stage.
        stage: Option<String>,
        /// Id of the route, if the event names a route.
        route_id: Option<String>,
    },
    /// A VPC link, by its id.
    VpcLink(String),
    /// A custom domain, by its name.
    Domain(String),
    /// A target group as `NAME/ID`.
    TargetGroup(String),
    /// A load balancer, or a listener or rule of it, as `app/NAME/ID`.
    LoadBalancer(String),
}

impl Resource {
    /// Returns the resource that a call changed, given the call's parameters; `None` if they do not
    /// identify a resource. `event` is the name of the call without its version.
    pub(super) fn of(service: Service, event: &str, parameters: &Value) -> Option<Self> {
        let text = |key: &str| identifier(parameters, key).map(str::to_owned);
        match service {
            Service::Lambda => {
                let mut function = FunctionName::parse(identifier(parameters, "functionName")?)?;
                let is_alias = event.ends_with("Alias");
                let qualifier = text(if is_alias { "name" } else { "qualifier" });
                let qualifier = qualifier.filter(|qualifier| qualifier != "$LATEST");
                function.qualifier = qualifier.or(function.qualifier);
                Some(Self::Function(function))
            }
            Service::ApiGateway => {
                let domain = text("domainName").map(Self::Domain);
                let link = || text("vpcLinkId").map(Self::VpcLink);
                domain.or_else(link).or_else(|| {
                    Some(Self::Api {
                        id: text("apiId").or_else(|| text("restApiId"))?,
                        stage: text("stageName"),
                        route_id: text("routeId"),
                    })
                })
            }
            Service::LoadBalancing => {
                let group = identifier(parameters, "targetGroupArn").and_then(target_group);
                let balancer = || {
                    let keys = ["loadBalancerArn", "listenerArn", "ruleArn"];
                    let mut arns = keys.iter().filter_map(|key| identifier(parameters, key));
                    arns.find_map(load_balancer)
                };
                let group = group.map(Self::TargetGroup);
                group.or_else(|| balancer().map(Self::LoadBalancer))
            }
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(FunctionName { name, qualifier }) => match qualifier {
                Some(qualifier) => write!(f, "{name}:{qualifier}"),
                None => f.write_str(name),
            },
            Self::Api {
                id,
                stage,
                route_id,
            } => match (stage, route_id) {
                (_, Some(route)) => write!(f, "{id} route {route}"),
                (Some(stage), None) => write!(f, "{id} stage {stage}"),
                (None, None) => f.write_str(id),
            },
            Self::VpcLink(id) => write!(f, "VPC link {id}"),
            Self::Domain(name) => f.write_str(name),
            Self::TargetGroup(path) => write!(f, "target group {}", name_in(path)),
            Self::LoadBalancer(path) => write!(f, "load balancer {}", name_in(path)),
        }
    }
}

impl Watched {
    /// Returns the resources of a target: those in `aws`, and those that the host of the target's
    /// URL names. `aws` contains the declarations of the target, which may have been completed by
    /// the configuration that was read.
    #[must_use]
    pub fn of(target: &Target, aws: &AwsDeclarations) -> Self {
        let function = aws.function.as_deref().and_then(FunctionName::parse);
        let host = target.url.host_str();
        let api_in_host = host.and_then(|host| host.split_once(".execute-api."));
        // An API id in the host takes precedence over a declared one, because the host receives the
        // request. The host of a VPC endpoint does not start with an API id, and its first label
        // contains a hyphen.
        let is_id = |id: &str| id.chars().all(|c| c.is_ascii_alphanumeric());
        let api_in_host = api_in_host.filter(|(id, _)| is_id(id));
        let api_in_host = api_in_host.map(|(id, _)| id.to_owned());
        let (function, qualifier) = match function {
            Some(FunctionName { name, qualifier }) => (Some(name), qualifier),
            None => (None, None),
        };
        let declared = aws.qualifier.clone();
        Self {
            function,
            qualifier: declared.filter(|it| it != "$LATEST").or(qualifier),
            api: api_in_host.or_else(|| aws.api_id.clone()),
            stage: aws.stage.clone(),
            host: host.map(str::to_owned),
            load_balancer_name: host.and_then(load_balancer_of_host),
            ..Self::default()
        }
    }

    /// Returns whether the target is known to use a service.
    pub(super) const fn uses(&self, service: Service) -> bool {
        match service {
            Service::Lambda => self.function.is_some(),
            Service::ApiGateway => self.api.is_some() || self.vpc_link.is_some(),
            Service::LoadBalancing => {
                !self.target_groups.is_empty()
                    || !self.load_balancers.is_empty()
                    || self.load_balancer_name.is_some()
            }
        }
    }

    /// Returns whether a change of the resource may affect the target. The names or ids must be
    /// equal. A qualifier, a stage or a route id must be equal only if both values are known.
    pub(super) fn is_concerned_by(&self, resource: &Resource) -> bool {
        match resource {
            Resource::Function(FunctionName { name, qualifier }) => {
                self.function.as_ref() == Some(name) && agree(qualifier, &self.qualifier)
            }
            Resource::Api {
                id,
                stage,
                route_id,
            } => {
                self.api.as_ref() == Some(id)
                    && agree(stage, &self.stage)
                    && agree(route_id, &self.route_id)
            }
            Resource::VpcLink(id) => self.vpc_link.as_ref() == Some(id),
            Resource::Domain(name) => self.host.as_ref() == Some(name),
            Resource::TargetGroup(path) => self.target_groups.contains(path),
            Resource::LoadBalancer(path) => {
                let known = self.load_balancer_name.as_deref();
                self.load_balancers.contains(path)
                    || known.is_some_and(|name| name.eq_ignore_ascii_case(name_in(path)))
            }
        }
    }

    /// Returns the effect on the target of a change whose effect on `resource` is `effect`. If it
    /// is not certain that the target uses exactly this resource, returns a weaker effect.
    pub(super) fn effect(&self, resource: &Resource, effect: ChangeEffect) -> ChangeEffect {
        match resource {
            Resource::Function(changed) => {
                let same = changed.qualifier == self.qualifier;
                let whole = changed.qualifier.is_none();
                match effect {
                    // A policy or a function URL belongs either to the function or to one alias. An
                    // alias runs published code, which only a change of the alias replaces.
                    ChangeEffect::PermissionRemoved
                    | ChangeEffect::CodeChanged
                    | ChangeEffect::FunctionUrlChanged
                        if !same =>
                    {
                        ChangeEffect::Other
                    }
                    ChangeEffect::FunctionDeleted if !same && !whole => ChangeEffect::Other,
                    effect => effect,
                }
            }
            Resource::Api {
                stage, route_id, ..
            } => match effect {
                ChangeEffect::RouteDeleted if !known_equal(route_id, &self.route_id) => {
                    ChangeEffect::RouteChanged
                }
                ChangeEffect::StageDeleted | ChangeEffect::StageStopped
                    if !known_equal(stage, &self.stage) =>
                {
                    ChangeEffect::StageChanged
                }
                effect => effect,
            },
            _ => effect,
        }
    }
}

/// Returns whether two values can be equal. `None` means that a value is not known, so it can be
/// equal to any value.
fn agree(one: &Option<String>, other: &Option<String>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// Returns whether two values are known and equal.
fn known_equal(one: &Option<String>, other: &Option<String>) -> bool {
    one.is_some() && one == other
}

/// Returns `NAME/ID` from the ARN of a target group; `None` for any other ARN.
fn target_group(arn: &str) -> Option<String> {
    let (_, path) = arn.split_once(":targetgroup/")?;
    Some(path.to_owned())
}

/// Returns `app/NAME/ID` from the ARN of a load balancer, listener or rule; `None` for any other
/// ARN.
fn load_balancer(arn: &str) -> Option<String> {
    let kinds = [":loadbalancer/", ":listener/", ":listener-rule/"];
    let (_, path) = kinds.iter().find_map(|kind| arn.split_once(kind))?;
    let parts: Vec<&str> = path.splitn(4, '/').take(3).collect();
    (parts.len() == 3).then(|| parts.join("/"))
}

/// Returns the name in the host name of an Application Load Balancer, in lower case; `None` for any
/// other host name. The host name has the form `NAME-NUMBER.REGION.elb.amazonaws.com`, in China
/// with `.cn` at the end. If the load balancer is internal, `internal-` precedes its name.
fn load_balancer_of_host(host: &str) -> Option<String> {
    let (first, domain) = host.split_once('.')?;
    let suffixes = [".elb.amazonaws.com", ".elb.amazonaws.com.cn"];
    let is_of_aws = suffixes.iter().any(|suffix| domain.ends_with(suffix));
    let (name, number) = first.rsplit_once('-')?;
    let name = name.strip_prefix("internal-").unwrap_or(name);
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    (is_of_aws && is_number && !name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// Returns the name in `NAME/ID` or `app/NAME/ID`.
fn name_in(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or(path)
}
