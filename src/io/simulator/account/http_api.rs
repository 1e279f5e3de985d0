//! Simulates API Gateway's read operations for the HTTP API: GetApi, GetStage, GetRoutes and
//! GetIntegrations.

use serde_json::{Value, json};

use super::ACCOUNT_ID;
use super::function::Function;
use crate::io::simulator::REGION;
use crate::io::simulator::api::UNLOGGED_STAGE;
use crate::io::simulator::gateway::Gateway;
use crate::io::simulator::telemetry::route_key;

/// The format of the access log, with the keys of the lines that `telemetry` writes.
const ACCESS_LOG_FORMAT: &str = concat!(
    r#"{"requestId":"$context.requestId","requestTime":"$context.requestTime","#,
    r#""routeKey":"$context.routeKey","stage":"$context.stage","apiId":"$context.apiId","#,
    r#""status":"$context.status","responseLength":"$context.responseLength","#,
    r#""responseLatency":"$context.responseLatency","#,
    r#""integrationErrorMessage":"$context.integrationErrorMessage","#,
    r#""integrationStatus":"$context.integration.integrationStatus","#,
    r#""integrationLatency":"$context.integration.latency","#,
    r#""integrationRequestId":"$context.integration.requestId"}"#,
);

/// Returns the response to a read of the API or of a resource in it. `path` contains the segments
/// of the request path after the id of the API. Returns `None` if there is no such resource. Each
/// list is returned in one page.
pub(super) fn read(gateway: &Gateway, path: &[&str]) -> Option<Value> {
    match path {
        [] => Some(api(gateway)),
        ["stages", name] => stage(gateway, name),
        ["routes"] => Some(list(gateway, route)),
        ["integrations"] => Some(list(gateway, integration)),
        _ => None,
    }
}

fn api(gateway: &Gateway) -> Value {
    let id = gateway.api.api_id();
    json!({
        "apiId": id,
        "name": gateway.api.api_name(),
        "protocolType": "HTTP",
        "apiEndpoint": format!("https://{}", gateway.api.host()),
        "disableExecuteApiEndpoint": false,
        "routeSelectionExpression": "$request.method $request.path",
    })
}

fn stage(gateway: &Gateway, name: &str) -> Option<Value> {
    let mut stage = json!({
        "stageName": name,
        "autoDeploy": true,
        "lastDeploymentStatusMessage": "Successfully deployed stage with deployment ID 'simul1'",
        "defaultRouteSettings": { "detailedMetricsEnabled": true },
    });
    if name == gateway.api.stage() {
        let group = gateway.api.log_group();
        stage["accessLogSettings"] = json!({
            "destinationArn": format!("arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{group}"),
            "format": ACCESS_LOG_FORMAT,
        });
        return Some(stage);
    }
    (name == UNLOGGED_STAGE).then_some(stage)
}

/// Returns a list with one `item` for each route. Each route has its own integration and function.
fn list(gateway: &Gateway, item: impl Fn(&Gateway, &Function) -> Value) -> Value {
    let functions = Function::all_of(gateway);
    let items: Vec<Value> = functions.iter().map(|one| item(gateway, one)).collect();
    json!({ "items": items })
}

/// Returns a route. The name of the function serves as the id of the route and of the integration.
fn route(_: &Gateway, function: &Function) -> Value {
    let id = &function.name;
    json!({
        "routeId": id,
        "routeKey": route_key(&function.state.route),
        "target": format!("integrations/{id}"),
        "authorizationType": "NONE",
        "apiKeyRequired": false,
    })
}

fn integration(gateway: &Gateway, function: &Function) -> Value {
    let timeout = u64::try_from(gateway.integration_timeout.as_millis());
    json!({
        "integrationId": function.name,
        "integrationType": "AWS_PROXY",
        "integrationMethod": "POST",
        "integrationUri": function.arn(),
        "connectionType": "INTERNET",
        "payloadFormatVersion": "2.0",
        "timeoutInMillis": timeout.unwrap_or(u64::MAX),
    })
}
