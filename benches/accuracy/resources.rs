//! The configuration of the AWS resources behind one simulated target, as AWS would answer.
//!
//! `configuration` draws the values. This module writes them as the answers of API Gateway and
//! Lambda, and parses the answers with the daemon's own parsers, in the order in which the daemon
//! reads them.

use probecause::domain::configuration::function::{
    Concurrency, Function, FunctionRef, FunctionSettings, Policy,
};
use probecause::domain::configuration::http_api::{self, HttpApiAnswers};
use probecause::domain::configuration::rest_api::{self, RestApiAnswers};
use probecause::domain::configuration::serving::{Serving, invocation, narrowed, serving};
use probecause::domain::configuration::vpc_link::{VpcLink, VpcLinkState};
use probecause::domain::configuration::{Api, ApiKind, Backend, Configuration, Lookup};
use probecause::domain::diagnosis::aws::permission::Invocation;
use probecause::model::target::{Integration, Target};
use serde_json::{Value, json};

/// The id of the API, as in the URLs of the front doors.
pub(crate) const API: &str = "a1b2";
/// The alias of the function, if the integration names one.
pub(crate) const ALIAS: &str = "live";
/// The name of the function.
pub(crate) const FUNCTION: &str = "orders";
/// The Region of all resources.
pub(crate) const REGION: &str = "eu-west-1";

const ACCOUNT: &str = "123456789012";
const OTHER_ACCOUNT: &str = "999999999999";
const LINK: &str = "v1";

/// The values in the answers of AWS.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    /// The type of the API.
    pub(crate) kind: ApiKind,
    /// The key of the route that serves the request; `None` if the API has no such route.
    pub(crate) route: Option<&'static str>,
    /// The integration of the route.
    pub(crate) integration: Integration,
    /// The integration timeout, in seconds.
    pub(crate) limit: f64,
    /// The authorization type of the route.
    pub(crate) authorization: &'static str,
    /// Whether a role decides about the invocation instead of the function's policy.
    pub(crate) by_role: bool,
    /// Whether the function belongs to another account.
    pub(crate) cross_account: bool,
    /// Whether the integration names an alias of the function.
    pub(crate) alias: bool,
    /// Whether the stage of an HTTP API deploys every change automatically.
    pub(crate) automatic: bool,
    /// Whether a throttling limit of the stage is 0.
    pub(crate) rejects_all: bool,
    /// Whether the default host name of an HTTP API is disabled.
    pub(crate) endpoint_disabled: bool,
    /// Whether a REST API replaces its response to a failed integration.
    pub(crate) customized: bool,
    /// The state of the VPC link of a private integration.
    pub(crate) link: VpcLinkState,
    /// The state of the function; `None` if the function or its alias does not exist.
    pub(crate) state: Option<&'static str>,
    /// The function's timeout, in seconds.
    pub(crate) function_timeout: f64,
    /// The reserved concurrency of the function; `None` if none is reserved.
    pub(crate) reserved: Option<u64>,
    /// The number of concurrent executions that Lambda allows in the account.
    pub(crate) account_limit: u64,
    /// The statements of the function's policy; `None` if the function has no policy.
    pub(crate) policy: Option<Vec<Value>>,
    /// The revision of the function's policy.
    pub(crate) revision: &'static str,
}

/// The parts that can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// The API, its stage, and its VPC link.
    pub(crate) api: bool,
    /// The function's settings and concurrency.
    pub(crate) function: bool,
    /// The function's policy.
    pub(crate) policy: bool,
}

/// Returns a statement that lets API Gateway invoke the function from the source, such as
/// `a1b2/*/GET/orders`.
pub(crate) fn statement(effect: &str, source: &str) -> Value {
    json!({
        "Effect": effect,
        "Principal": { "Service": "apigateway.amazonaws.com" },
        "Action": "lambda:InvokeFunction",
        "Condition": { "ArnLike": {
            "AWS:SourceArn": format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{source}")
        } }
    })
}

/// Adds a condition to a statement that the daemon does not interpret.
pub(crate) fn with_condition(mut statement: Value) -> Value {
    statement["Condition"]["StringEquals"] = json!({ "aws:PrincipalOrgID": "o-1" });
    statement
}

/// Returns the source of a statement that allows exactly this route, as deployment tools write it.
pub(crate) fn source_of(route: &str) -> String {
    match route.split_once(' ') {
        None => format!("{API}/*/{route}"),
        Some(("ANY", path)) => format!("{API}/*/*{path}"),
        Some((method, path)) => format!("{API}/*/{method}{path}"),
    }
}

/// Returns the name of the stage.
pub(crate) const fn stage_name(kind: ApiKind) -> &'static str {
    match kind {
        ApiKind::Http => "$default",
        ApiKind::Rest => "prod",
    }
}

impl Resources {
    /// Reads the configuration of the resources behind the target.
    pub(crate) fn read(&self, target: &Target, access: Access) -> Configuration {
        let api = if access.api { self.api() } else { None };
        let mut configuration = Configuration {
            account: Some(ACCOUNT.to_owned()),
            api: api.map(|api| narrowed(target, api)),
            ..Configuration::default()
        };
        let declared = FunctionRef::declared(&target.aws);
        let (mut function, mut decided, mut has_link) = (None, None, false);
        match configuration
            .api
            .as_ref()
            .map_or(Serving::Unknown, |api| serving(target, api))
        {
            Serving::Route(route) => match &route.backend {
                Some(Backend::Lambda {
                    function: Some(reference),
                    by_role,
                    ..
                }) => {
                    decided =
                        invocation(target, &configuration, route, reference).filter(|_| !by_role);
                    function = Some(reference.clone());
                }
                Some(Backend::VpcLink { .. }) => has_link = true,
                _ => {}
            },
            Serving::NoRoute => {}
            Serving::Unknown => function = declared,
        }
        if has_link {
            configuration.vpc_link = Some(VpcLink {
                id: LINK.to_owned(),
                state: self.link,
            });
        }
        if let Some(reference) = function {
            configuration.function = Some(self.function(reference, decided.as_ref(), access));
            configuration.account_concurrency = access.function.then_some(self.account_limit);
        }
        configuration
    }

    fn function(
        &self,
        reference: FunctionRef,
        invocation: Option<&Invocation>,
        access: Access,
    ) -> Function {
        let settings = match self.state {
            None => Some(Lookup::Missing),
            Some(state) => FunctionSettings::parse(&json!({
                "FunctionName": FUNCTION, "State": state, "RevisionId": "1",
                "Timeout": self.function_timeout as u64
            }))
            .map(Lookup::Found),
        };
        let mut function = Function {
            reference,
            settings: settings.filter(|_| access.function),
            policy: None,
            concurrency: None,
        };
        if function.settings == Some(Lookup::Missing) {
            return function;
        }
        if invocation.is_some() && access.policy {
            // AWS gives the same answer for a function without a policy and for a missing one.
            function.policy = match self.policy.as_ref().filter(|_| self.state.is_some()) {
                None => Some(Lookup::Missing),
                Some(statements) => {
                    let text = json!({ "Statement": statements }).to_string();
                    let answer = json!({ "Policy": text, "RevisionId": self.revision });
                    Policy::parse(&answer, invocation).map(Lookup::Found)
                }
            };
        }
        if access.function {
            let answer = json!({ "ReservedConcurrentExecutions": self.reserved });
            function.concurrency = Concurrency::parse(&answer);
        }
        function
    }

    fn api(&self) -> Option<Api> {
        match self.kind {
            ApiKind::Http => self.http_api(),
            ApiKind::Rest => self.rest_api(),
        }
    }

    /// The API has another route, too, so that it is not empty without this one.
    fn http_api(&self) -> Option<Api> {
        let route = |key: &str| {
            json!({
                "routeKey": key, "target": "integrations/i1",
                "authorizationType": self.authorization
            })
        };
        let mut integration = match self.integration {
            Integration::Lambda => json!({
                "integrationType": "AWS_PROXY", "integrationUri": self.function_arn(),
                "credentialsArn": self.role()
            }),
            Integration::Http => json!({ "integrationType": "HTTP_PROXY" }),
            Integration::VpcLink => json!({
                "integrationType": "HTTP_PROXY", "connectionType": "VPC_LINK",
                "connectionId": LINK
            }),
        };
        integration["integrationId"] = json!("i1");
        integration["timeoutInMillis"] = json!(self.milliseconds());
        let routes: Vec<Value> = std::iter::once("GET /health")
            .chain(self.route)
            .map(route)
            .collect();
        http_api::parse(&HttpApiAnswers {
            api: &json!({
                "apiId": API, "protocolType": "HTTP",
                "disableExecuteApiEndpoint": self.endpoint_disabled
            }),
            stage: &json!({
                "stageName": stage_name(self.kind), "autoDeploy": self.automatic,
                "defaultRouteSettings": { "throttlingBurstLimit": self.burst_limit() }
            }),
            routes: &[json!({ "items": routes })],
            integrations: &[json!({ "items": [integration] })],
        })
    }

    fn rest_api(&self) -> Option<Api> {
        let mut integration = match self.integration {
            Integration::Lambda => {
                let function = self.function_arn();
                json!({
                    "type": "AWS_PROXY", "httpMethod": "POST", "credentials": self.role(),
                    "uri": format!(
                        "arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
                    )
                })
            }
            Integration::Http => json!({ "type": "HTTP_PROXY", "httpMethod": "GET" }),
            Integration::VpcLink => json!({
                "type": "HTTP_PROXY", "httpMethod": "GET", "connectionType": "VPC_LINK",
                "connectionId": LINK
            }),
        };
        integration["timeoutInMillis"] = json!(self.milliseconds());
        let resource = |key: &str| {
            let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
            json!({
                "path": path,
                "resourceMethods": { method: {
                    "authorizationType": self.authorization, "methodIntegration": integration
                } }
            })
        };
        let resources: Vec<Value> = std::iter::once("GET /health")
            .chain(self.route)
            .map(resource)
            .collect();
        rest_api::parse(&RestApiAnswers {
            id: API,
            stage: &json!({
                "stageName": stage_name(self.kind),
                "methodSettings": { "*/*": { "throttlingBurstLimit": self.burst_limit() } }
            }),
            resources: &[json!({ "items": resources })],
            responses: Some(&[json!({ "items": [{
                "responseType": "INTEGRATION_FAILURE", "defaultResponse": !self.customized
            }] })]),
        })
    }

    fn function_arn(&self) -> String {
        let account = if self.cross_account {
            OTHER_ACCOUNT
        } else {
            ACCOUNT
        };
        let arn = format!("arn:aws:lambda:{REGION}:{account}:function:{FUNCTION}");
        if self.alias {
            format!("{arn}:{ALIAS}")
        } else {
            arn
        }
    }

    /// The role of the integration; null without a role.
    fn role(&self) -> Value {
        if self.by_role {
            json!(format!("arn:aws:iam::{ACCOUNT}:role/invoke"))
        } else {
            Value::Null
        }
    }

    const fn burst_limit(&self) -> u64 {
        if self.rejects_all { 0 } else { 5000 }
    }

    fn milliseconds(&self) -> u64 {
        (self.limit * 1000.0).round() as u64
    }
}
