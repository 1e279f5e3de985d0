//! Reads HTTP APIs: their stages, routes and integrations. WebSocket APIs are only listed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::calls::{Calls, NEXT_TOKEN, Pages, Part};
use super::fields::{access_log, authorization, is_true, items, milliseconds, owned, text};
use super::variables;
use crate::domain::discovery::account::{Api, ApiType, Backend, Deployment, Route, Stage};
use crate::io::aws::read::{ReadError, Service};
use crate::model::target::Integration;

/// The query parameter that sets the maximum number of items in a page.
const PAGE: &[(&str, &str)] = &[("maxResults", "100")];

/// A route, and the id of its integration; `None` if it has no integration.
type Linked = (Route, Option<String>);

/// Reads all HTTP APIs and lists all WebSocket APIs. An API that cannot be read completely is
/// omitted, and recorded as not read unless it was deleted during the read.
pub(super) async fn read(calls: &mut Calls<'_>) -> Vec<Api> {
    calls.report("the list of HTTP APIs".to_owned());
    let mut apis = Vec::new();
    let request = list("GetApis", &["v2", "apis"]);
    let each = |page: &Value| apis.extend(items(page).iter().map(parse_api));
    if let Err(error) = calls.pages(&request, each).await {
        calls.record("HTTP APIs", &error, Part::Targets);
    }
    let total = apis.len();
    let mut read = Vec::new();
    for (index, mut api) in apis.into_iter().enumerate() {
        if api.api_type == ApiType::Http {
            let title = format!("HTTP API {} ({})", api.name, api.id);
            calls.report(format!("{title}, {} of {total}", index + 1));
            if let Err(error) = complete(calls, &mut api).await {
                calls.record_one(&title, &error, Part::Targets);
                continue;
            }
        }
        read.push(api);
    }
    read
}

const fn list<'a>(operation: &'a str, path: &'a [&'a str]) -> Pages<'a> {
    Pages {
        service: Service::ApiGateway,
        operation,
        path,
        query: PAGE,
        token: NEXT_TOKEN,
    }
}

/// Reads the routes, the integrations and the stages of an API, and adds them to `api`.
async fn complete(calls: &mut Calls<'_>, api: &mut Api) -> Result<(), ReadError> {
    let id = api.id.clone();
    let mut routes: Vec<Linked> = Vec::new();
    let path = ["v2", "apis", id.as_str(), "routes"];
    let request = list("GetRoutes", &path);
    let each = |page: &Value| routes.extend(items(page).iter().filter_map(parse_route));
    calls.pages(&request, each).await?;
    let mut backends: BTreeMap<String, Backend> = BTreeMap::new();
    let path = ["v2", "apis", id.as_str(), "integrations"];
    let request = list("GetIntegrations", &path);
    let each = |page: &Value| backends.extend(items(page).iter().filter_map(parse_integration));
    calls.pages(&request, each).await?;
    for (mut route, integration) in routes {
        route.backend = integration.and_then(|id| backends.get(&id).cloned());
        api.routes.push(route);
    }
    let used = variables::used(&api.routes);
    let path = ["v2", "apis", id.as_str(), "stages"];
    let request = list("GetStages", &path);
    let each = |page: &Value| {
        let stages = items(page).iter();
        api.stages
            .extend(stages.filter_map(|stage| parse_stage(stage, &used)));
    };
    calls.pages(&request, each).await
}

fn parse_api(api: &Value) -> Api {
    let is_http = text(api, "protocolType") != Some("WEBSOCKET");
    Api {
        api_type: if is_http {
            ApiType::Http
        } else {
            ApiType::WebSocket
        },
        id: owned(api, "apiId"),
        name: owned(api, "name"),
        endpoint_disabled: is_true(api, "disableExecuteApiEndpoint"),
        private: false,
        resource_policy: false,
        stages: Vec::new(),
        routes: Vec::new(),
    }
}

fn parse_route(route: &Value) -> Option<Linked> {
    let target = text(route, "target").and_then(|it| it.strip_prefix("integrations/"));
    let parsed = Route {
        key: text(route, "routeKey")?.to_owned(),
        authorization: authorization(route),
        api_key_required: is_true(route, "apiKeyRequired"),
        required_parameters: Vec::new(),
        backend: None,
    };
    Some((parsed, target.map(str::to_owned)))
}

/// Parses an integration. Returns the id of the integration and its backend; `None` if it has no
/// id.
fn parse_integration(integration: &Value) -> Option<(String, Backend)> {
    let is_private = text(integration, "connectionType") == Some("VPC_LINK");
    let kind = match text(integration, "integrationType") {
        // An integration with a subtype calls another AWS service.
        Some("AWS_PROXY") if text(integration, "integrationSubtype").is_none() => {
            Some(Integration::Lambda)
        }
        Some("HTTP_PROXY") if is_private => Some(Integration::VpcLink),
        Some("HTTP_PROXY") => Some(Integration::Http),
        _ => None,
    };
    let uri = text(integration, "integrationUri").filter(|_| kind == Some(Integration::Lambda));
    let backend = Backend {
        integration: kind,
        function_uri: uri.map(str::to_owned),
        timeout: milliseconds(integration, "timeoutInMillis"),
    };
    Some((text(integration, "integrationId")?.to_owned(), backend))
}

/// Parses a stage. Keeps only the stage variables in `used`.
fn parse_stage(stage: &Value, used: &[String]) -> Option<Stage> {
    Some(Stage {
        name: text(stage, "stageName")?.to_owned(),
        variables: variables::kept(stage.get("stageVariables"), used),
        access_log: access_log(stage),
        execution_log: false,
        deployment: deployment(stage),
    })
}

/// Returns what is known about the deployment of a stage. Only a stage with automatic deployment
/// certainly serves the routes that were read, and it reports the result of its last deployment. AWS
/// does not return the routes in a deployment.
fn deployment(stage: &Value) -> Deployment {
    let has_id = text(stage, "deploymentId").is_some();
    let message = text(stage, "lastDeploymentStatusMessage");
    let succeeded = message.map_or(has_id, |message| message.starts_with("Successfully"));
    if is_true(stage, "autoDeploy") && succeeded {
        Deployment::Present
    } else if has_id {
        Deployment::Unknown
    } else {
        Deployment::Missing
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    const URI: &str = "arn:aws:lambda:eu-west-1:1:function:orders";

    #[test]
    fn an_integration_has_a_kind_and_only_a_function_has_a_uri() {
        for (kind, other, expected) in [
            ("AWS_PROXY", json!({}), Some(Integration::Lambda)),
            (
                "AWS_PROXY",
                json!({ "integrationSubtype": "SQS-SendMessage" }),
                None,
            ),
            ("HTTP_PROXY", json!({}), Some(Integration::Http)),
            (
                "HTTP_PROXY",
                json!({ "connectionType": "VPC_LINK" }),
                Some(Integration::VpcLink),
            ),
            ("MOCK", json!({}), None),
        ] {
            let mut integration = json!({
                "integrationId": "i1",
                "integrationType": kind,
                "integrationUri": URI,
                "timeoutInMillis": 29_000,
            });
            for (key, value) in other.as_object().unwrap() {
                integration[key] = value.clone();
            }
            let (id, backend) = parse_integration(&integration).unwrap();
            let is_lambda = expected == Some(Integration::Lambda);
            assert_eq!(
                (id.as_str(), backend),
                (
                    "i1",
                    Backend {
                        integration: expected,
                        function_uri: is_lambda.then(|| URI.to_owned()),
                        timeout: Some(Duration::from_secs(29)),
                    }
                ),
                "{integration}"
            );
        }
    }

    #[test]
    fn a_stage_serves_the_routes_if_every_change_is_deployed_and_the_last_one_was() {
        let succeeded = "Successfully deployed stage with deployment ID 'd1'";
        let failed = "Deployment attempt failed: Unable to deploy API because no routes exist";
        for (more, expected) in [
            (json!({}), Deployment::Missing),
            (json!({ "autoDeploy": false }), Deployment::Missing),
            (json!({ "autoDeploy": true }), Deployment::Missing),
            (json!({ "deploymentId": "" }), Deployment::Missing),
            (
                json!({ "autoDeploy": true, "lastDeploymentStatusMessage": failed }),
                Deployment::Missing,
            ),
            (
                json!({ "autoDeploy": true, "lastDeploymentStatusMessage": succeeded }),
                Deployment::Present,
            ),
            (
                json!({ "autoDeploy": true, "deploymentId": "d1" }),
                Deployment::Present,
            ),
            (
                json!({
                    "autoDeploy": true, "deploymentId": "d1",
                    "lastDeploymentStatusMessage": failed,
                }),
                Deployment::Unknown,
            ),
            (json!({ "deploymentId": "d1" }), Deployment::Unknown),
            (
                json!({ "deploymentId": "d1", "lastDeploymentStatusMessage": succeeded }),
                Deployment::Unknown,
            ),
        ] {
            let mut stage = more.clone();
            stage["stageName"] = json!("prod");
            let parsed = parse_stage(&stage, &[]).unwrap();
            assert_eq!(parsed.deployment, expected, "{more}");
        }
    }

    #[test]
    fn a_stage_keeps_no_other_variables() {
        let stage = json!({
            "stageName": "prod",
            "stageVariables": { "alias": "live", "password": "hunter2" },
        });
        let stage = parse_stage(&stage, &["alias".to_owned()]).unwrap();
        assert_eq!(stage.name, "prod");
        assert!(!format!("{stage:?}").contains("hunter2"));
        assert_eq!(
            stage.variables.get("alias").map(String::as_str),
            Some("live")
        );
    }
}
