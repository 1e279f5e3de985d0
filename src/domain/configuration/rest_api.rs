//! Parses the answers of API Gateway about a REST API: GetStage, GetResources and
//! GetGatewayResponses.
//!
//! GetResources describes the draft of the API. The stage runs a deployment, which may be older, so
//! nothing here proves what happened to a request.

use serde_json::Value;

use super::function::FunctionRef;
use super::stage_variables::resolved;
use super::values::{access_log, is_zero, items, milliseconds, text};
use super::{Api, ApiKind, AuthorizerKind, Backend, Route};

/// The answers about one REST API and one of its stages.
#[derive(Clone, Copy, Debug)]
pub struct RestApiAnswers<'a> {
    /// The id of the API.
    pub id: &'a str,
    /// The response of `GetStage`.
    pub stage: &'a Value,
    /// The pages of GetResources with `embed=methods`. If a method has no `methodIntegration`, the
    /// caller may insert the response of `GetIntegration` there.
    pub resources: &'a [Value],
    /// The pages of GetGatewayResponses; `None` if they were not read.
    pub responses: Option<&'a [Value]>,
}

/// Types of gateway responses that apply if an integration fails, the more specific one first.
const FAILURE_RESPONSES: &[&str] = &["INTEGRATION_FAILURE", "DEFAULT_5XX"];

/// Parses the answers. `None` if they do not describe a REST API completely.
#[must_use]
pub fn parse(answers: &RestApiAnswers<'_>) -> Option<Api> {
    let stage = answers.stage;
    let (mut paths, mut routes) = (Vec::new(), Vec::new());
    for resource in items(answers.resources)? {
        let path = text(resource, "path")?;
        paths.push(path.to_owned());
        let methods = resource.get("resourceMethods").and_then(Value::as_object);
        for (method, settings) in methods.into_iter().flatten() {
            routes.push(parse_method(path, method, settings, stage));
        }
    }
    let (access_log_group, account) = access_log(stage);
    Some(Api {
        kind: ApiKind::Rest,
        id: answers.id.to_owned(),
        stage: text(stage, "stageName")?.to_owned(),
        account,
        deployed: false,
        endpoint_disabled: None,
        answers_preflight: false,
        responses_customized: answers.responses.and_then(are_customized),
        access_log_group,
        paths,
        routes,
    })
}

fn parse_method(path: &str, method: &str, settings: &Value, stage: &Value) -> Route {
    let integration = settings.get("methodIntegration");
    let variables = stage.get("variables");
    Route {
        key: format!("{method} {path}"),
        backend: integration.and_then(|one| parse_backend(one, variables)),
        timeout: integration.and_then(|one| milliseconds(one, "timeoutInMillis")),
        authorizer: text(settings, "authorizationType").and_then(AuthorizerKind::of_type),
        rejects_all: rejects_all(stage, path, method),
    }
}

fn parse_backend(integration: &Value, variables: Option<&Value>) -> Option<Backend> {
    let is_private = text(integration, "connectionType") == Some("VPC_LINK");
    let in_stage = |key| text(integration, key).and_then(|value| resolved(value, variables));
    match text(integration, "type")? {
        "AWS" | "AWS_PROXY" => {
            let uri = text(integration, "uri")?;
            if !uri.contains(":lambda:path/") {
                return Some(Backend::Aws);
            }
            Some(Backend::Lambda {
                function: in_stage("uri").and_then(|uri| FunctionRef::of_uri(&uri)),
                by_role: text(integration, "credentials").is_some(),
                method: text(integration, "httpMethod").map(str::to_owned),
            })
        }
        "HTTP" | "HTTP_PROXY" if is_private => Some(Backend::VpcLink {
            id: in_stage("connectionId"),
        }),
        "HTTP" | "HTTP_PROXY" => Some(Backend::Http),
        "MOCK" => Some(Backend::Mock),
        _ => None,
    }
}

/// Returns whether the API replaces its response to a failed integration; `None` if the list is not
/// complete.
fn are_customized(pages: &[Value]) -> Option<bool> {
    let customized = items(pages)?.into_iter().any(|response| {
        let applies =
            text(response, "responseType").is_some_and(|it| FAILURE_RESPONSES.contains(&it));
        applies && response.get("defaultResponse").and_then(Value::as_bool) != Some(true)
    });
    Some(customized)
}

/// Returns whether a throttling limit of the method is 0. The limits of the method take precedence
/// over the limits for all methods, which have the key `*/*`.
fn rejects_all(stage: &Value, path: &str, method: &str) -> bool {
    let Some(all) = stage.get("methodSettings").and_then(Value::as_object) else {
        return false;
    };
    // A key consists of a path, a `/` and a method. In the path, `~1` may stand for `/`.
    let wanted = format!("{path}/{method}");
    let wanted = wanted.trim_start_matches('/');
    let of_method = all
        .iter()
        .find(|(key, _)| key.replace("~1", "/").trim_start_matches('/') == wanted)
        .map(|(_, settings)| settings);
    let of_stage = all.get("*/*");
    ["throttlingBurstLimit", "throttlingRateLimit"]
        .iter()
        .any(|limit| {
            of_method
                .and_then(|settings| is_zero(settings, limit))
                .or_else(|| of_stage.and_then(|settings| is_zero(settings, limit)))
                .unwrap_or(false)
        })
}
