//! Simulates the AWS account that owns the APIs and functions: their configuration, and the changes
//! that caused the faults.
//!
//! Handles the read operations of Lambda, API Gateway (only for the HTTP API), CloudTrail and STS
//! that the daemon calls. The responses depend on the fault of each route. With the fault
//! `Permission`, the policy of the function lacks the statement that allows the API to invoke the
//! function. With the fault `Throttled`, the reserved concurrency of the function is 0. Faults in
//! the code of a function are not visible in the configuration. The real CloudTrail delivers an
//! event minutes after the change; the simulator delivers it at once.

mod function;
mod http_api;
#[cfg(test)]
mod tests;
mod trail;

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;
use url::form_urlencoded;

use self::function::Function;
use super::api::ApiType;
use super::gateway::Gateway;
use super::response::{RawResponse, json_error, json_response};
use crate::domain::function_name::FunctionName;

/// The simulated account.
#[derive(Debug)]
pub(super) struct Account {
    gateways: [Arc<Gateway>; 2],
}

/// The id of the simulated account: an example id from AWS's documentation.
const ACCOUNT_ID: &str = "123456789012";

impl Account {
    /// Creates the account that owns these APIs.
    pub(super) const fn new(gateways: [Arc<Gateway>; 2]) -> Self {
        Self { gateways }
    }

    /// Handles a GET request of Lambda or API Gateway. `path` and `query` are percent-encoded.
    pub(super) fn read(&self, path: &str, query: &str) -> RawResponse {
        let segments: Vec<String> = path.split('/').skip(1).map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let answer = match segments.as_slice() {
            ["v2", "apis", id, rest @ ..] => {
                let gateway = self.http_api(id);
                gateway.and_then(|gateway| http_api::read(gateway, rest))
            }
            ["2015-03-31" | "2019-09-30", "functions", name, resource] => {
                let function = self.function(name, query);
                function.and_then(|function| function.read(resource))
            }
            ["2016-08-19", "account-settings", ""] => Some(function::account_settings()),
            _ => None,
        };
        match answer {
            Some(answer) => json_response(&answer),
            None => json_error(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                "The resource you requested does not exist.",
            ),
        }
    }

    /// Handles an operation of CloudTrail.
    pub(super) fn look_up(&self, operation: &str, body: &[u8]) -> RawResponse {
        let error = |code: &str, message: &str| json_error(StatusCode::BAD_REQUEST, code, message);
        if operation != "LookupEvents" {
            let message = format!("{operation} is not supported; use LookupEvents");
            return error("UnknownOperationException", &message);
        }
        let request: Value = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(invalid) => return error("SerializationException", &invalid.to_string()),
        };
        match trail::look_up(&self.functions(), &request) {
            Ok(response) => json_response(&response),
            Err((code, message)) => error(code, &message),
        }
    }

    /// Handles an operation of STS. `form` contains its parameters, encoded as a form.
    pub(super) fn identity(&self, form: &[u8]) -> RawResponse {
        let mut parameters = form_urlencoded::parse(form);
        if !parameters.any(|(name, value)| name == "Action" && value == "GetCallerIdentity") {
            return json_error(
                StatusCode::BAD_REQUEST,
                "InvalidAction",
                "the simulator supports only the operation `GetCallerIdentity` of STS",
            );
        }
        let body = format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <GetCallerIdentityResult>\
             <Arn>arn:aws:sts::{ACCOUNT_ID}:assumed-role/probecause/simulated</Arn>\
             <UserId>AROASIMULATED:simulated</UserId>\
             <Account>{ACCOUNT_ID}</Account>\
             </GetCallerIdentityResult>\
             </GetCallerIdentityResponse>"
        );
        (StatusCode::OK, "text/xml", body.into_bytes())
    }

    fn http_api(&self, id: &str) -> Option<&Gateway> {
        let mut gateways = self.gateways.iter();
        let is_named =
            |gateway: &&Arc<Gateway>| gateway.api == ApiType::HttpApi && gateway.api.api_id() == id;
        gateways.find(is_named).map(Arc::as_ref)
    }

    /// Returns all functions. Each route of each API has its own function.
    fn functions(&self) -> Vec<Function> {
        let of_gateway = |gateway: &Arc<Gateway>| Function::all_of(gateway);
        self.gateways.iter().flat_map(of_gateway).collect()
    }

    /// Returns the function with this name or ARN; `None` if there is none. Also returns `None` if
    /// the name or the query contains a qualifier, because the functions have no versions or
    /// aliases.
    fn function(&self, name: &str, query: &str) -> Option<Function> {
        let name = FunctionName::parse(name)?;
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        if name.qualifier.is_some() || parameters.any(|(name, _)| name == "Qualifier") {
            return None;
        }
        let mut functions = self.functions().into_iter();
        functions.find(|function| function.name == name.name)
    }
}

/// Decodes a percent-encoded path segment. Uses a decoder for forms, which would also decode
/// characters such as `+`; the names in the simulator contain none of these.
fn decoded(segment: &str) -> String {
    let mut pairs = form_urlencoded::parse(segment.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}
