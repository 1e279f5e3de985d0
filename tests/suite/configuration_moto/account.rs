//! Creates the resources of an AWS account in moto: functions with policies, APIs with routes and
//! integrations, custom domains, and a load balancer.

use reqwest::Method;
use serde_json::{Value, json};

use super::moto::{Moto, REGION};

/// The account of moto's resources.
pub(super) const ACCOUNT: &str = "123456789012";

/// Another account.
pub(super) const OTHER_ACCOUNT: &str = "999999999999";

/// A value of an environment variable, which must not appear anywhere.
pub(super) const SECRET: &str = "hunter2";

/// The stage of the APIs.
pub(super) const STAGE: &str = "prod";

/// An account in a server of its own.
pub(super) struct Account {
    pub(super) moto: Moto,
}

/// A REST API. Its id is part of its host name.
pub(super) struct RestApi {
    pub(super) id: String,
    root: String,
}

impl Account {
    /// Starts a server with the role that all functions have.
    pub(super) async fn start() -> Self {
        let moto = Moto::start().await;
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "lambda.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }],
        })
        .to_string();
        let parameters = [
            ("RoleName", "run"),
            ("AssumeRolePolicyDocument", trust.as_str()),
        ];
        let operation = ("CreateRole", "2010-05-08");
        moto.query("iam", operation, &parameters).await;
        Self { moto }
    }

    /// Creates a function without a policy.
    pub(super) async fn function(&self, name: &str) {
        let body = json!({
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": format!("arn:aws:iam::{ACCOUNT}:role/run"),
            "Code": { "ZipFile": "UEsFBg==" },
            "Environment": { "Variables": { "PASSWORD": SECRET } },
        });
        self.lambda(Method::POST, "/2015-03-31/functions", &body)
            .await;
    }

    /// Creates an alias of the newest code of a function.
    pub(super) async fn alias(&self, function: &str, name: &str) {
        let path = format!("/2015-03-31/functions/{function}/aliases");
        let body = json!({ "Name": name, "FunctionVersion": "$LATEST" });
        self.lambda(Method::POST, &path, &body).await;
    }

    /// Reserves no concurrency for a function, so that it cannot run.
    pub(super) async fn stop(&self, function: &str) {
        let path = format!("/2017-10-31/functions/{function}/concurrency");
        let body = json!({ "ReservedConcurrentExecutions": 0 });
        self.lambda(Method::PUT, &path, &body).await;
    }

    /// Allows API Gateway to invoke a function. `source` is the part of the source ARN from the id
    /// of the API on.
    pub(super) async fn allow(&self, function: &str, source: &str) {
        let arn = source_arn(source);
        self.add_statement(function, "Allow", &json!({ "SourceArn": arn }))
            .await;
    }

    /// Adds a statement about API Gateway to the policy of a function. `conditions` has members of
    /// AddPermission, such as `SourceArn`. AWS has no operation that adds a statement with the effect
    /// `Deny`, but moto keeps this member.
    pub(super) async fn add_statement(&self, function: &str, effect: &str, conditions: &Value) {
        let body = json!({
            "StatementId": effect,
            "Effect": effect,
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
        });
        let path = format!("/2015-03-31/functions/{function}/policy");
        self.lambda(Method::POST, &path, &merged(body, conditions))
            .await;
    }

    async fn lambda(&self, method: Method, path: &str, body: &Value) -> Value {
        self.moto.call("lambda", method, path, body).await
    }

    /// Calls an operation of API Gateway.
    pub(super) async fn gateway(&self, method: Method, path: &str, body: &Value) -> Value {
        self.moto.call("apigateway", method, path, body).await
    }

    /// Creates an HTTP API. Returns its id.
    pub(super) async fn http_api(&self, name: &str) -> String {
        let body = json!({ "name": name, "protocolType": "HTTP" });
        let api = self.gateway(Method::POST, "/v2/apis", &body).await;
        owned(&api, "apiId")
    }

    /// Creates the stage of an HTTP API, which deploys every change.
    pub(super) async fn stage(&self, api: &str, name: &str, more: &Value) {
        let body = json!({ "stageName": name, "autoDeploy": true });
        let path = format!("/v2/apis/{api}/stages");
        self.gateway(Method::POST, &path, &merged(body, more)).await;
    }

    /// Creates a Lambda integration of an HTTP API. Returns the value of `target` of a route.
    pub(super) async fn integration(&self, api: &str, uri: &str, more: &Value) -> String {
        let body = json!({
            "integrationType": "AWS_PROXY",
            "integrationUri": uri,
            "payloadFormatVersion": "2.0",
        });
        let path = format!("/v2/apis/{api}/integrations");
        let body = merged(body, more);
        let created = self.gateway(Method::POST, &path, &body).await;
        format!("integrations/{}", owned(&created, "integrationId"))
    }

    /// Creates a route of an HTTP API. Returns its id.
    pub(super) async fn route(&self, api: &str, key: &str, target: &str, more: &Value) -> String {
        let body = json!({ "routeKey": key, "target": target });
        let path = format!("/v2/apis/{api}/routes");
        let body = merged(body, more);
        let route = self.gateway(Method::POST, &path, &body).await;
        owned(&route, "routeId")
    }

    /// Creates a route of an HTTP API that invokes a function.
    pub(super) async fn invoking_route(&self, api: &str, key: &str, uri: &str, more: &Value) {
        let target = self.integration(api, uri, more).await;
        self.route(api, key, &target, &json!({})).await;
    }

    /// Creates a REST API without resources.
    pub(super) async fn rest_api(&self, name: &str) -> RestApi {
        let body = json!({ "name": name });
        let api = self.gateway(Method::POST, "/restapis", &body).await;
        RestApi {
            id: owned(&api, "id"),
            root: owned(&api, "rootResourceId"),
        }
    }

    /// Creates a resource of a REST API below its root. Returns its id.
    pub(super) async fn resource(&self, api: &RestApi, part: &str) -> String {
        let path = format!("/restapis/{}/resources/{}", api.id, api.root);
        let body = json!({ "pathPart": part });
        let resource = self.gateway(Method::POST, &path, &body).await;
        owned(&resource, "id")
    }

    /// Creates a method of a REST API that invokes a function. `authorization` is its type.
    pub(super) async fn method(
        &self,
        api: &RestApi,
        resource: &str,
        (method, authorization): (&str, &str),
        (function, timeout): (&str, u64),
    ) {
        let path = format!("/restapis/{}/resources/{resource}/methods/{method}", api.id);
        let body = json!({ "authorizationType": authorization });
        self.gateway(Method::PUT, &path, &body).await;
        let arn = function_arn(ACCOUNT, function);
        let body = json!({
            "type": "AWS_PROXY",
            "httpMethod": "POST",
            "uri": format!(
                "arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
            ),
            "timeoutInMillis": timeout,
        });
        let path = format!("{path}/integration");
        self.gateway(Method::PUT, &path, &body).await;
    }

    /// Deploys a REST API to the stage.
    pub(super) async fn deploy(&self, api: &RestApi) {
        let path = format!("/restapis/{}/deployments", api.id);
        let body = json!({ "stageName": STAGE });
        self.gateway(Method::POST, &path, &body).await;
    }

    /// Creates a load balancer whose only target group has no targets. Returns its host name.
    pub(super) async fn load_balancer(&self) -> String {
        let operation = ("DescribeSubnets", "2016-11-15");
        let subnets = self.moto.query("ec2", operation, &[]).await;
        let subnet = element(&subnets, "subnetId");
        let vpc = element(&subnets, "vpcId");
        let parameters = [
            ("Name", "shop"),
            ("Subnets.member.1", subnet),
            ("Scheme", "internet-facing"),
            ("Type", "application"),
        ];
        let balancer = self.load_balancing("CreateLoadBalancer", &parameters).await;
        let parameters = [
            ("Name", "orders"),
            ("Protocol", "HTTP"),
            ("Port", "80"),
            ("VpcId", vpc),
            ("TargetType", "instance"),
        ];
        let group = self.load_balancing("CreateTargetGroup", &parameters).await;
        let parameters = [
            ("LoadBalancerArn", element(&balancer, "LoadBalancerArn")),
            ("Protocol", "HTTP"),
            ("Port", "80"),
            ("DefaultActions.member.1.Type", "forward"),
            (
                "DefaultActions.member.1.TargetGroupArn",
                element(&group, "TargetGroupArn"),
            ),
        ];
        self.load_balancing("CreateListener", &parameters).await;
        element(&balancer, "DNSName").to_owned()
    }

    async fn load_balancing(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let operation = (action, "2015-12-01");
        self.moto
            .query("elasticloadbalancing", operation, parameters)
            .await
    }
}

/// Returns an object with the members of both.
fn merged(mut body: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// Returns the ARN of a function, which may have a qualifier.
pub(super) fn function_arn(account: &str, function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{account}:function:{function}")
}

/// Returns the ARN from which a route invokes functions.
fn source_arn(source: &str) -> String {
    format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{source}")
}

/// Returns the default host name of an API.
pub(super) fn api_host(api: &str) -> String {
    format!("{api}.execute-api.{REGION}.amazonaws.com")
}

/// Returns the text of a member.
fn owned(value: &Value, key: &str) -> String {
    let text = value[key].as_str();
    text.unwrap_or_else(|| panic!("no {key} in {value}"))
        .to_owned()
}

/// Returns the text of the first element with this name.
fn element<'a>(document: &'a str, name: &str) -> &'a str {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let after = document.split_once(&start).map(|(_, after)| after);
    let found = after.and_then(|after| after.split_once(&end));
    found.unwrap_or_else(|| panic!("no {name} in {document}")).0
}
