//! Reads REST APIs: their stages with the deployments that they serve, and their resources with
//! methods and integrations.
//!
//! AWS returns the resources as they were last edited. A stage may serve an older deployment. AWS
//! returns only a summary of a deployment: the methods with their authorization.

use std::collections::BTreeMap;

use serde_json::Value;

use super::calls::{Calls, POSITION, Pages, Part};
use super::fields::{access_log, authorization, is_true, items, milliseconds, owned, text};
use super::variables;
use crate::domain::discovery::account::{
    Api, ApiType, Backend, DeployedMethod, Deployment, Route, Stage,
};
use crate::io::aws::read::{ReadError, Service};
use crate::model::target::Integration;

/// A stage, and the id of the deployment that it serves; `None` if the stage was never deployed.
type Linked = (Stage, Option<String>);

/// Reads all REST APIs. An API that cannot be read completely is omitted, and recorded as not read
/// unless it was deleted meanwhile.
pub(super) async fn read(calls: &mut Calls<'_>) -> Vec<Api> {
    calls.report("the list of REST APIs".to_owned());
    let mut apis = Vec::new();
    let request = list("GetRestApis", &["restapis"], &[("limit", "500")]);
    let each = |page: &Value| apis.extend(items(page).iter().map(parse_api));
    if let Err(error) = calls.pages(&request, each).await {
        calls.record("REST APIs", &error, Part::Targets);
    }
    let total = apis.len();
    let mut read = Vec::new();
    for (index, mut api) in apis.into_iter().enumerate() {
        let title = format!("REST API {} ({})", api.name, api.id);
        calls.report(format!("{title}, {} of {total}", index + 1));
        match complete(calls, &mut api).await {
            Ok(()) => read.push(api),
            Err(error) => calls.record_one(&title, &error, Part::Targets),
        }
    }
    read
}

const fn list<'a>(
    operation: &'a str,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
) -> Pages<'a> {
    Pages {
        service: Service::ApiGateway,
        operation,
        path,
        query,
        token: POSITION,
    }
}

/// Reads the resources and the stages of an API, and the deployment of each stage, into `api`.
async fn complete(calls: &mut Calls<'_>, api: &mut Api) -> Result<(), ReadError> {
    let id = api.id.clone();
    let path = ["restapis", id.as_str(), "resources"];
    let request = list(
        "GetResources",
        &path,
        &[("embed", "methods"), ("limit", "500")],
    );
    let routes = &mut api.routes;
    let each = |page: &Value| routes.extend(items(page).iter().flat_map(parse_resource));
    calls.pages(&request, each).await?;
    let used = variables::used(&api.routes);
    let path = ["restapis", id.as_str(), "stages"];
    let request = list("GetStages", &path, &[]);
    let mut stages: Vec<Linked> = Vec::new();
    let each = |page: &Value| {
        let found = items(page).iter();
        stages.extend(found.filter_map(|stage| parse_stage(stage, &used)));
    };
    calls.pages(&request, each).await?;
    for (mut stage, deployment) in stages {
        if let Some(deployment) = deployment {
            stage.deployment = read_deployment(calls, &id, &deployment).await?;
        }
        api.stages.push(stage);
    }
    Ok(())
}

/// Reads the methods in a deployment.
///
/// # Errors
/// Returns the error of the call. If the deployment does not exist, returns
/// [`ReadError::Malformed`], because the stage got another deployment after the stage was read.
/// [`ReadError::NotFound`] would mean that the API was deleted.
async fn read_deployment(
    calls: &mut Calls<'_>,
    api: &str,
    id: &str,
) -> Result<Deployment, ReadError> {
    let path = ["restapis", api, "deployments", id];
    let request = list("GetDeployment", &path, &[("embed", "apisummary")]);
    let mut deployment = Deployment::Unknown;
    let each = |page: &Value| deployment = parse_deployment(page);
    let read = calls.pages(&request, each).await;
    match read {
        Ok(()) => Ok(deployment),
        Err(ReadError::NotFound(text)) => {
            Err(ReadError::Malformed(format!("deployment {id}: {text}")))
        }
        Err(error) => Err(error),
    }
}

fn parse_api(api: &Value) -> Api {
    let types = api.get("endpointConfiguration");
    let types = types.and_then(|it| it.get("types")?.as_array());
    let mut types = types.into_iter().flatten().filter_map(Value::as_str);
    Api {
        api_type: ApiType::Rest,
        id: owned(api, "id"),
        name: owned(api, "name"),
        endpoint_disabled: is_true(api, "disableExecuteApiEndpoint"),
        private: types.any(|kind| kind == "PRIVATE"),
        resource_policy: text(api, "policy").is_some(),
        stages: Vec::new(),
        routes: Vec::new(),
    }
}

fn parse_resource(resource: &Value) -> Vec<Route> {
    let path = text(resource, "path").unwrap_or("/");
    let methods = resource.get("resourceMethods").and_then(Value::as_object);
    let methods = methods.into_iter().flatten();
    let routes = methods.map(|(method, settings)| Route {
        key: format!("{method} {path}"),
        authorization: authorization(settings),
        api_key_required: is_true(settings, "apiKeyRequired"),
        required_parameters: required_parameters(settings),
        backend: settings.get("methodIntegration").map(parse_integration),
    });
    routes.collect()
}

/// Returns the names of the query parameters and headers that a method requires, sorted. Path
/// parameters are omitted, because the path of the resource contains them.
fn required_parameters(method: &Value) -> Vec<String> {
    let parameters = method.get("requestParameters").and_then(Value::as_object);
    let required = parameters
        .into_iter()
        .flatten()
        .filter(|(_, required)| required.as_bool() == Some(true));
    let names = required.filter_map(|(name, _)| {
        let (place, name) = name.strip_prefix("method.request.")?.split_once('.')?;
        (place != "path").then(|| name.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn parse_integration(integration: &Value) -> Backend {
    let is_private = text(integration, "connectionType") == Some("VPC_LINK");
    let uri = text(integration, "uri").filter(|uri| uri.contains(":lambda:path/"));
    let kind = match text(integration, "type") {
        Some("AWS" | "AWS_PROXY") if uri.is_some() => Some(Integration::Lambda),
        Some("HTTP" | "HTTP_PROXY") if is_private => Some(Integration::VpcLink),
        Some("HTTP" | "HTTP_PROXY") => Some(Integration::Http),
        _ => None,
    };
    let uri = uri.filter(|_| kind == Some(Integration::Lambda));
    Backend {
        integration: kind,
        function_uri: uri.map(str::to_owned),
        timeout: milliseconds(integration, "timeoutInMillis"),
    }
}

/// Parses a stage, without its deployment. Keeps only the stage variables in `used`. Returns the
/// stage and the id of its deployment, or `None` if the stage has no name.
fn parse_stage(stage: &Value, used: &[String]) -> Option<Linked> {
    let settings = stage.get("methodSettings").and_then(Value::as_object);
    let mut settings = settings.into_iter().flat_map(|all| all.values());
    let logs = |one: &Value| matches!(text(one, "loggingLevel"), Some("INFO" | "ERROR"));
    let parsed = Stage {
        name: text(stage, "stageName")?.to_owned(),
        variables: variables::kept(stage.get("variables"), used),
        access_log: access_log(stage),
        execution_log: settings.any(logs),
        deployment: Deployment::Missing,
    };
    Some((parsed, text(stage, "deploymentId").map(str::to_owned)))
}

/// Parses the methods in the summary of a deployment. Returns [`Deployment::Unknown`] if there are
/// none. A method without an authorization type is treated as not public.
fn parse_deployment(deployment: &Value) -> Deployment {
    let paths = deployment.get("apiSummary").and_then(Value::as_object);
    let methods = paths.into_iter().flatten().flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, settings)| {
            let parsed = DeployedMethod {
                public: text(settings, "authorizationType") == Some("NONE"),
                api_key_required: is_true(settings, "apiKeyRequired"),
            };
            (format!("{method} {path}"), parsed)
        })
    });
    let methods: BTreeMap<String, DeployedMethod> = methods.collect();
    if methods.is_empty() {
        Deployment::Unknown
    } else {
        Deployment::Methods(methods)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn every_method_of_a_resource_is_a_route() {
        let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/\
                   arn:aws:lambda:eu-west-1:1:function:orders/invocations";
        let resource = json!({
            "path": "/orders",
            "resourceMethods": {
                "GET": {
                    "authorizationType": "NONE",
                    "methodIntegration": {
                        "type": "AWS_PROXY", "uri": uri, "timeoutInMillis": 29_000,
                        "credentials": "hunter2",
                    },
                },
                "POST": { "authorizationType": "AWS_IAM", "apiKeyRequired": true },
            },
        });
        let routes = parse_resource(&resource);
        let keys: Vec<&str> = routes.iter().map(|route| route.key.as_str()).collect();
        assert_eq!(keys, ["GET /orders", "POST /orders"]);
        let backend = Backend {
            integration: Some(Integration::Lambda),
            function_uri: Some(uri.to_owned()),
            timeout: Some(Duration::from_secs(29)),
        };
        assert_eq!(routes[0].backend, Some(backend));
        assert_eq!(
            (&routes[1].backend, routes[1].api_key_required),
            (&None, true)
        );
        assert!(parse_resource(&json!({ "path": "/" })).is_empty());
    }

    #[test]
    fn an_integration_without_a_function_has_no_uri() {
        for (kind, uri, connection, expected) in [
            ("AWS", "arn:aws:apigateway:eu-west-1:sqs:path/1/q", "", None),
            ("HTTP", "https://x", "", Some(Integration::Http)),
            (
                "HTTP_PROXY",
                "https://x",
                "VPC_LINK",
                Some(Integration::VpcLink),
            ),
            ("MOCK", "", "", None),
        ] {
            let integration = json!({ "type": kind, "uri": uri, "connectionType": connection });
            let backend = parse_integration(&integration);
            assert_eq!(backend.integration, expected, "{kind}");
            assert_eq!(backend.function_uri, None, "{kind}");
        }
    }

    #[test]
    fn required_parameters_outside_the_path_are_named() {
        let resource = json!({ "path": "/a/{id}", "resourceMethods": { "GET": {
            "requestParameters": {
                "method.request.path.id": true,
                "method.request.querystring.page": true,
                "method.request.querystring.size": false,
                "method.request.header.x-tenant": true,
            },
        } } });
        let routes = parse_resource(&resource);
        assert_eq!(routes[0].required_parameters, ["page", "x-tenant"]);
    }

    #[test]
    fn private_apis_and_resource_policies_are_known() {
        let private = json!({ "id": "a", "endpointConfiguration": { "types": ["PRIVATE"] } });
        assert!(parse_api(&private).private);
        let regional = json!({
            "id": "a", "policy": "{}", "endpointConfiguration": { "types": ["REGIONAL"] },
        });
        let api = parse_api(&regional);
        assert!(!api.private && api.resource_policy);
    }

    #[test]
    fn a_stage_writes_execution_logs_if_a_level_is_set() {
        for (level, expected) in [("INFO", true), ("ERROR", true), ("OFF", false)] {
            let stage = json!({
                "stageName": "prod", "methodSettings": { "*/*": { "loggingLevel": level } },
            });
            let (stage, _) = parse_stage(&stage, &[]).unwrap();
            assert_eq!(stage.execution_log, expected);
        }
        let (stage, _) = parse_stage(&json!({ "stageName": "p" }), &[]).unwrap();
        assert!(!stage.execution_log);
    }

    #[test]
    fn the_summary_of_a_deployment_names_its_methods() {
        let method =
            |kind: &str, key: bool| json!({ "authorizationType": kind, "apiKeyRequired": key });
        let summary = json!({ "id": "d1", "apiSummary": {
            "/orders": { "GET": method("NONE", false), "POST": method("AWS_IAM", false) },
            "/keys": { "GET": method("NONE", true) },
            "/new": { "GET": { "apiKeyRequired": false } },
            "/empty": {},
        } });
        let deployed = |public, api_key_required| DeployedMethod {
            public,
            api_key_required,
        };
        let expected = [
            ("GET /keys", deployed(true, true)),
            ("GET /new", deployed(false, false)),
            ("GET /orders", deployed(true, false)),
            ("POST /orders", deployed(false, false)),
        ];
        let expected = expected.map(|(key, method)| (key.to_owned(), method));
        assert_eq!(
            parse_deployment(&summary),
            Deployment::Methods(BTreeMap::from(expected))
        );
        for unknown in [
            json!({ "id": "d1" }),
            json!({ "apiSummary": {} }),
            json!({ "apiSummary": null }),
            json!({ "apiSummary": { "/empty": {} } }),
        ] {
            assert_eq!(parse_deployment(&unknown), Deployment::Unknown, "{unknown}");
        }
    }
}
