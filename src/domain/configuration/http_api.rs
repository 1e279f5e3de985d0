//! Parses the answers of API Gateway about an HTTP API: GetApi, GetStage, GetRoutes and
//! GetIntegrations.
//!
//! The type of a route's authorizer is part of the route, so GetAuthorizers is not needed.

use serde_json::Value;

use super::function::FunctionRef;
use super::stage_variables::resolved;
use super::values::{access_log, is_zero, items, milliseconds, text};
use super::{Api, ApiKind, AuthorizerKind, Backend, Route};

/// The answers about one HTTP API and one of its stages.
#[derive(Clone, Copy, Debug)]
pub struct HttpApiAnswers<'a> {
    /// The response of `GetApi`.
    pub api: &'a Value,
    /// The response of `GetStage`.
    pub stage: &'a Value,
    /// The pages of GetRoutes.
    pub routes: &'a [Value],
    /// The pages of GetIntegrations.
    pub integrations: &'a [Value],
}

/// Parses the answers. `None` if they do not describe an HTTP API completely, as for a WebSocket
/// API or if a page is missing.
#[must_use]
pub fn parse(answers: &HttpApiAnswers<'_>) -> Option<Api> {
    let HttpApiAnswers { api, stage, .. } = answers;
    if text(api, "protocolType") != Some("HTTP") {
        return None;
    }
    let integrations = items(answers.integrations)?;
    let routes = items(answers.routes)?
        .into_iter()
        .map(|route| parse_route(route, stage, &integrations))
        .collect::<Option<Vec<Route>>>()?;
    let (access_log_group, account) = access_log(stage);
    Some(Api {
        kind: ApiKind::Http,
        id: text(api, "apiId")?.to_owned(),
        stage: text(stage, "stageName")?.to_owned(),
        account,
        deployed: is_deployed(stage),
        endpoint_disabled: Some(
            api.get("disableExecuteApiEndpoint")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        ),
        answers_preflight: api.get("corsConfiguration").is_some_and(Value::is_object),
        responses_customized: None,
        access_log_group,
        paths: Vec::new(),
        routes,
    })
}

/// Returns whether the stage deploys every change automatically, and the last deployment did not
/// fail.
fn is_deployed(stage: &Value) -> bool {
    let automatic = stage.get("autoDeploy").and_then(Value::as_bool) == Some(true);
    let message = text(stage, "lastDeploymentStatusMessage");
    automatic && message.is_none_or(|message| message.starts_with("Successfully"))
}

fn parse_route(route: &Value, stage: &Value, integrations: &[&Value]) -> Option<Route> {
    let key = text(route, "routeKey")?;
    let target = text(route, "target").and_then(|it| it.strip_prefix("integrations/"));
    let integration = integrations
        .iter()
        .find(|one| target.is_some() && text(one, "integrationId") == target);
    let variables = stage.get("stageVariables");
    Some(Route {
        key: key.to_owned(),
        backend: integration.and_then(|one| parse_backend(one, variables)),
        timeout: integration.and_then(|one| milliseconds(one, "timeoutInMillis")),
        authorizer: text(route, "authorizationType").and_then(AuthorizerKind::of_type),
        rejects_all: rejects_all(stage, key),
    })
}

fn parse_backend(integration: &Value, variables: Option<&Value>) -> Option<Backend> {
    let is_private = text(integration, "connectionType") == Some("VPC_LINK");
    let in_stage = |key| text(integration, key).and_then(|value| resolved(value, variables));
    match text(integration, "integrationType")? {
        // An integration with a subtype calls another AWS service.
        "AWS_PROXY" if text(integration, "integrationSubtype").is_some() => Some(Backend::Aws),
        "AWS_PROXY" => Some(Backend::Lambda {
            function: in_stage("integrationUri").and_then(|uri| FunctionRef::of_uri(&uri)),
            by_role: text(integration, "credentialsArn").is_some(),
            method: None,
        }),
        "HTTP_PROXY" if is_private => Some(Backend::VpcLink {
            id: in_stage("connectionId"),
        }),
        "HTTP_PROXY" => Some(Backend::Http),
        "MOCK" => Some(Backend::Mock),
        _ => None,
    }
}

/// Returns whether a throttling limit of the route is 0. The limits of the route take precedence
/// over those of the stage.
fn rejects_all(stage: &Value, key: &str) -> bool {
    let of_route = stage.get("routeSettings").and_then(|all| all.get(key));
    let of_stage = stage.get("defaultRouteSettings");
    ["throttlingBurstLimit", "throttlingRateLimit"]
        .iter()
        .any(|limit| {
            of_route
                .and_then(|settings| is_zero(settings, limit))
                .or_else(|| of_stage.and_then(|settings| is_zero(settings, limit)))
                .unwrap_or(false)
        })
}
