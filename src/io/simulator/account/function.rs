//! Simulates read operations of Lambda: GetFunctionConfiguration, GetPolicy and
//! GetFunctionConcurrency for a function, and GetAccountSettings for the account.

use serde_json::{Value, json};

use super::ACCOUNT_ID;
use crate::io::simulator::api::ApiType;
use crate::io::simulator::gateway::{Gateway, RouteState};
use crate::io::simulator::{REGION, RouteFault, function};

/// A simulated function with the route that invokes it.
#[derive(Debug)]
pub(super) struct Function {
    api: ApiType,
    /// The name of the function.
    pub(super) name: String,
    pub(super) state: RouteState,
}

/// The number of concurrent executions that Lambda allows in an account by default.
const ACCOUNT_CONCURRENCY: u64 = 1000;

/// Returns the response to GetAccountSettings.
pub(super) fn account_settings() -> Value {
    json!({ "AccountLimit": { "ConcurrentExecutions": ACCOUNT_CONCURRENCY } })
}

impl Function {
    /// Returns the functions behind the routes of an API.
    pub(super) fn all_of(gateway: &Gateway) -> Vec<Self> {
        let routes = gateway.routes().into_iter();
        routes
            .map(|state| Self {
                api: gateway.api,
                name: gateway.api.function_of(&state.route),
                state,
            })
            .collect()
    }

    /// Returns the ARN of the function.
    pub(super) fn arn(&self) -> String {
        format!(
            "arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}",
            self.name
        )
    }

    /// Returns the response to a read of the function. `resource` is the last segment of the
    /// request path, such as `policy`. Returns `None` if there is no such resource.
    pub(super) fn read(&self, resource: &str) -> Option<Value> {
        match resource {
            "configuration" => Some(self.configuration()),
            "policy" => Some(self.policy()),
            "concurrency" => Some(self.concurrency()),
            _ => None,
        }
    }

    fn configuration(&self) -> Value {
        json!({
            "FunctionName": self.name,
            "FunctionArn": self.arn(),
            "Version": "$LATEST",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Timeout": function::timeout(self.state.fault).as_secs(),
            "RevisionId": self.revision(),
        })
    }

    /// Returns the function's policy. The policy always allows a schedule to invoke the function,
    /// so that it is not empty if the fault removes the statement that allows the API to do so.
    fn policy(&self) -> Value {
        let schedule = format!("arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/keep-warm");
        let mut statements = vec![self.statement("schedule", "events.amazonaws.com", &schedule)];
        if self.state.fault != RouteFault::Permission {
            let route = &self.state.route;
            let method = if route.starts_with('/') { "GET" } else { "" };
            let id = self.api.api_id();
            let source =
                format!("arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{id}/*/{method}{route}");
            statements.push(self.statement("api", "apigateway.amazonaws.com", &source));
        }
        let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
        json!({ "Policy": policy.to_string(), "RevisionId": self.revision() })
    }

    fn statement(&self, id: &str, service: &str, source: &str) -> Value {
        json!({
            "Sid": id,
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "lambda:InvokeFunction",
            "Resource": self.arn(),
            "Condition": { "ArnLike": { "AWS:SourceArn": source } },
        })
    }

    /// Returns the response to GetFunctionConcurrency: an empty object if no concurrency is
    /// reserved.
    fn concurrency(&self) -> Value {
        if self.state.fault == RouteFault::Throttled {
            json!({ "ReservedConcurrentExecutions": 0 })
        } else {
            json!({})
        }
    }

    /// Returns the revision id, which is different after each change of the fault.
    fn revision(&self) -> String {
        format!("{}-{}", self.name, self.state.changed.as_millisecond())
    }
}
