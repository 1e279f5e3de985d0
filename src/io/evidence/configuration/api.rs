//! Reads an API with one of its stages, and the VPC link of an integration.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::configuration::http_api::{self, HttpApiAnswers};
use crate::domain::configuration::plan::ApiPlan;
use crate::domain::configuration::rest_api::{self, RestApiAnswers};
use crate::domain::configuration::vpc_link::VpcLink;
use crate::domain::configuration::{Api, ApiKind, Lookup};
use crate::io::aws::read::Service;
use crate::io::evidence::operation::Operation;

use super::Source;
use super::parts::{PartReader, Resource, found};

/// Returns the configuration of an API from the cache, if it was read at `after` or later. Reads
/// the API otherwise. Returns `None` if the API cannot be read.
pub(super) async fn read_api(
    parts: &mut PartReader<'_>,
    source: Source<'_>,
    plan: &ApiPlan,
    after: Timestamp,
) -> Option<Api> {
    if let Some(api) = source.cache.get(source.scope, plan, after) {
        return Some(api);
    }
    let started = Timestamp::now();
    let api = read_either(parts, plan).await?;
    source.cache.put(source.scope, plan, started, &api);
    Some(api)
}

/// Reads an API of the planned type. If the type is not known, reads an HTTP API first, and then a
/// REST API if the first read does not succeed. Returns `None` if the API cannot be read.
async fn read_either(parts: &mut PartReader<'_>, plan: &ApiPlan) -> Option<Api> {
    if plan.kind != Some(ApiKind::Rest) {
        let operation = Operation::GetApi;
        let path = ["v2", "apis", plan.id.as_str()];
        let answer = parts.get(resource(operation, &plan.id, &path)).await;
        match answer {
            Some(Lookup::Found(api)) => return read_http_api(parts, plan, &api).await,
            // A throttled read does not show the type of the API. It is retried later.
            None if parts.was_throttled(operation) => return None,
            // The two types need different permissions, so a REST API may be readable although the
            // read of an HTTP API was denied.
            Some(Lookup::Missing) | None if plan.kind.is_none() => {
                let api = read_rest_api(parts, plan).await?;
                parts.forget(operation);
                return Some(api);
            }
            Some(Lookup::Missing) | None => return None,
        }
    }
    read_rest_api(parts, plan).await
}

async fn read_http_api(parts: &mut PartReader<'_>, plan: &ApiPlan, api: &Value) -> Option<Api> {
    let id = plan.id.as_str();
    let stage = read_stage(parts, plan, &["v2", "apis", id]).await?;
    let query = [("maxResults", "100")];
    let path = ["v2", "apis", id, "routes"];
    let routes = Resource {
        query: &query,
        ..resource(Operation::GetRoutes, id, &path)
    };
    let routes = parts.pages(routes, "nextToken").await?;
    let path = ["v2", "apis", id, "integrations"];
    let integrations = Resource {
        query: &query,
        ..resource(Operation::GetIntegrations, id, &path)
    };
    let integrations = parts.pages(integrations, "nextToken").await?;
    http_api::parse(&HttpApiAnswers {
        api,
        stage: &stage,
        routes: &routes,
        integrations: &integrations,
    })
}

async fn read_rest_api(parts: &mut PartReader<'_>, plan: &ApiPlan) -> Option<Api> {
    let id = plan.id.as_str();
    let stage = read_stage(parts, plan, &["restapis", id]).await?;
    let path = ["restapis", id, "resources"];
    let resources = Resource {
        query: &[("embed", "methods"), ("limit", "500")],
        ..resource(Operation::GetResources, id, &path)
    };
    let resources = parts.pages(resources, "position").await?;
    let path = ["restapis", id, "gatewayresponses"];
    let responses = Resource {
        query: &[("limit", "500")],
        ..resource(Operation::GetGatewayResponses, id, &path)
    };
    let responses = parts.pages(responses, "position").await;
    rest_api::parse(&RestApiAnswers {
        id,
        stage: &stage,
        resources: &resources,
        responses: responses.as_deref(),
    })
}

/// Reads the first of the planned stages that exists; `None` if there is none, or if a read fails.
/// `api` is the path of the API.
async fn read_stage(parts: &mut PartReader<'_>, plan: &ApiPlan, api: &[&str]) -> Option<Value> {
    for stage in &plan.stages {
        let path = [api, &["stages", stage.as_str()]].concat();
        let answer = parts
            .get(resource(Operation::GetStage, &plan.id, &path))
            .await;
        match answer? {
            Lookup::Found(stage) => return Some(stage),
            Lookup::Missing => {}
        }
    }
    None
}

/// Reads a VPC link. `kind` is the type of the API that uses the VPC link.
pub(super) async fn read_vpc_link(
    parts: &mut PartReader<'_>,
    kind: ApiKind,
    id: &str,
) -> Option<VpcLink> {
    let path: &[&str] = match kind {
        ApiKind::Http => &["v2", "vpclinks", id],
        ApiKind::Rest => &["vpclinks", id],
    };
    let answer = parts.get(resource(Operation::GetVpcLink, id, path)).await;
    found(answer).and_then(|answer| VpcLink::parse(&answer))
}

/// Returns a resource of API Gateway that is read without a query.
const fn resource<'a>(operation: Operation, name: &'a str, path: &'a [&'a str]) -> Resource<'a> {
    Resource {
        service: Service::ApiGateway,
        operation,
        name,
        path,
        query: &[],
    }
}
