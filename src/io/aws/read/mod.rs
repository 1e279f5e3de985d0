//! Reads the configuration of AWS resources with signed requests.
//!
//! The reader signs requests of the services Lambda, API Gateway, Elastic Load Balancing,
//! CloudTrail, CloudFront and STS itself, because an SDK crate for each service would multiply the
//! build time. The callers decide which resources to read and what their configuration means.
//! Responses may contain secrets, such as a function's environment variables, so callers keep only
//! the fields they need.

mod endpoint;
mod error;
mod limits;
mod service;
mod sign;
mod transport;
mod xml;

use std::fmt;
use std::time::SystemTime;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use http::Method;
use reqwest::Request;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use endpoint::{Endpoint, encode_pairs};
use sign::{Unsigned, signed_headers, without_credentials};
use transport::Response;

use crate::io::aws::CredentialsCache;

pub use error::ReadError;
pub use limits::RateLimits;
pub use service::Service;
pub use transport::Transport;

/// Reads AWS resources in one region with the credentials of one role or of the daemon itself.
pub struct AwsReader {
    transport: Transport,
    endpoint: Endpoint,
    credentials: CredentialsCache,
    /// The ARN of the assumed role whose credentials are used; `None` if no role is assumed.
    role: Option<String>,
    /// The id of the account that the credentials belong to; empty until it is needed.
    account: OnceCell<String>,
}

/// A call of an AWS operation, before its request is signed.
struct Call<'a> {
    service: Service,
    /// The name of the operation, such as `GetPolicy`.
    operation: &'a str,
    method: Method,
    url: Url,
    headers: &'a [(&'static str, &'a str)],
    body: Vec<u8>,
}

impl AwsReader {
    /// Creates a reader with the region, the credentials, the endpoint and the FIPS setting of
    /// `config`. `role` is the ARN of the assumed role whose credentials `config` contains, if any.
    /// The ARN is used in error messages and to determine the account. The endpoint applies to all
    /// services; endpoints of single services, such as `AWS_ENDPOINT_URL_LAMBDA`, are not used.
    ///
    /// # Errors
    /// Returns an error if `config` has no region or no credentials, or if its region or endpoint
    /// is unusable.
    pub fn new(
        transport: Transport,
        config: &SdkConfig,
        role: Option<&str>,
    ) -> Result<Self, ReadError> {
        let region = config.region().map(Region::as_ref).ok_or_else(|| {
            ReadError::Rejected(
                "no AWS region is known; set `aws.region` of the target, `cloudwatch.region` or \
                 the environment variable `AWS_REGION`"
                    .to_owned(),
            )
        })?;
        let provider = config
            .credentials_provider()
            .ok_or_else(|| ReadError::Denied {
                action: None,
                text: "no AWS credentials to sign requests; give the daemon a role or a profile, \
                       or set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
                    .to_owned(),
            })?;
        let fips = config.use_fips().unwrap_or(false);
        Ok(Self {
            transport,
            endpoint: Endpoint::new(region, fips, config.endpoint_url())?,
            credentials: CredentialsCache::new(provider),
            role: role.map(str::to_owned),
            account: OnceCell::new(),
        })
    }

    /// Returns the region in which the resources are read.
    #[must_use]
    pub fn region(&self) -> &str {
        self.endpoint.region()
    }

    /// Returns the id of the account that the credentials belong to. It is taken from the ARN of
    /// the role, else from the credentials, else from the response of `sts:GetCallerIdentity`,
    /// which needs no permission.
    ///
    /// # Errors
    /// Returns a [`ReadError`] if there are no credentials, or if STS does not return the account.
    pub async fn account(&self) -> Result<String, ReadError> {
        let account = self.account.get_or_try_init(|| self.find_account()).await?;
        Ok(account.clone())
    }

    async fn find_account(&self) -> Result<String, ReadError> {
        let of_role = self.role.as_deref().and_then(account_of_arn);
        if let Some(account) = of_role {
            return Ok(account.to_owned());
        }
        if let Some(account) = self.credentials().await?.account_id() {
            return Ok(account.as_str().to_owned());
        }
        let document = self
            .query(Service::Sts, "GetCallerIdentity", "2011-06-15", &[])
            .await?;
        let account = xml::text(&document, "Account").filter(|account| is_account(account));
        account.ok_or_else(|| {
            ReadError::Malformed(
                "the response of GetCallerIdentity contains no account id".to_owned(),
            )
        })
    }

    async fn credentials(&self) -> Result<Credentials, ReadError> {
        let credentials = self.credentials.get(SystemTime::now()).await;
        credentials.map_err(|error| without_credentials(self.role.as_deref(), &error))
    }

    /// Reads a resource of a REST service: Lambda or API Gateway. `operation` is the name of the
    /// operation, such as `GetPolicy`. The segments of `path` and the parameters of `query` are
    /// encoded; an empty last segment gives a path that ends with a slash.
    ///
    /// # Errors
    /// Returns a [`ReadError`] if no JSON document is received.
    pub async fn get(
        &self,
        service: Service,
        operation: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Value, ReadError> {
        let call = Call {
            service,
            operation,
            method: Method::GET,
            url: self.endpoint.url(service, path, query)?,
            // Without this header, API Gateway answers with HAL documents for REST APIs.
            headers: &[("accept", "application/json")],
            body: Vec::new(),
        };
        parse_json(&self.call(call).await?)
    }

    /// Reads a resource of a REST service that responds with XML: CloudFront. Returns the XML
    /// document. The arguments are those of [`get`](Self::get).
    ///
    /// # Errors
    /// Returns a [`ReadError`] if no text is received.
    pub async fn get_xml(
        &self,
        service: Service,
        operation: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<String, ReadError> {
        let call = Call {
            service,
            operation,
            method: Method::GET,
            url: self.endpoint.url(service, path, query)?,
            headers: &[],
            body: Vec::new(),
        };
        parse_text(self.call(call).await?)
    }

    /// Calls a reading operation of a service that uses AWS's JSON 1.1 protocol: CloudTrail.
    /// `target` is the operation with its prefix, such as
    /// `com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents`.
    ///
    /// # Errors
    /// Returns a [`ReadError`] if no JSON document is received.
    pub async fn post_json(
        &self,
        service: Service,
        target: &str,
        body: &Value,
    ) -> Result<Value, ReadError> {
        let call = Call {
            service,
            operation: target.rsplit('.').next().unwrap_or(target),
            method: Method::POST,
            url: self.endpoint.url(service, &[], &[])?,
            headers: &[
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amz-target", target),
            ],
            body: body.to_string().into_bytes(),
        };
        parse_json(&self.call(call).await?)
    }

    /// Calls a reading operation of a service that uses AWS's query protocol: Elastic Load
    /// Balancing or STS. `version` is the version of the API, such as `2015-12-01`. Returns the XML
    /// document.
    ///
    /// # Errors
    /// Returns a [`ReadError`] if no text is received.
    pub async fn query(
        &self,
        service: Service,
        action: &str,
        version: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, ReadError> {
        let fixed = [("Action", action), ("Version", version)];
        let form = encode_pairs(fixed.into_iter().chain(parameters.iter().copied()));
        let call = Call {
            service,
            operation: action,
            method: Method::POST,
            url: self.endpoint.url(service, &[], &[])?,
            headers: &[(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )],
            body: form.into_bytes(),
        };
        parse_text(self.call(call).await?)
    }

    /// Makes a call and returns the body of a response with a status 2xx. Drops the cached
    /// credentials if AWS did not accept them.
    async fn call(&self, call: Call<'_>) -> Result<Vec<u8>, ReadError> {
        let (service, action) = (call.service, call.service.action(call.operation));
        self.transport.wait_for_turn(service).await?;
        let request = self.sign(call).await?;
        let response = self.transport.send(service, request).await?;
        let result = body_of(&action, response);
        if matches!(&result, Err(ReadError::Denied { action: None, .. })) {
            self.credentials.forget().await;
        }
        result
    }

    async fn sign(&self, call: Call<'_>) -> Result<Request, ReadError> {
        let credentials = self.credentials().await?;
        let unsigned = Unsigned {
            method: &call.method,
            url: &call.url,
            headers: call.headers,
            body: &call.body,
        };
        let region = self.endpoint.signing_region(call.service);
        let scope = (call.service.name(), region);
        let headers = signed_headers(credentials, scope, &unsigned, SystemTime::now())?;
        let mut request = Request::new(call.method, call.url);
        *request.headers_mut() = headers;
        if !call.body.is_empty() {
            *request.body_mut() = Some(call.body.into());
        }
        Ok(request)
    }
}

/// Formats only the region, because the credentials are secret and the endpoint may contain a
/// token.
impl fmt::Debug for AwsReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsReader")
            .field("region", &self.endpoint.region())
            .finish_non_exhaustive()
    }
}

/// Returns the account in the ARN of a role; `None` if the text is not such an ARN.
fn account_of_arn(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| is_account(account))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn body_of(action: &str, response: Response) -> Result<Vec<u8>, ReadError> {
    if (200..300).contains(&response.status) {
        return Ok(response.body);
    }
    let error_type = response.error_type.as_deref();
    Err(ReadError::of_response(
        action,
        response.status,
        error_type,
        &response.body,
    ))
}

fn parse_text(body: Vec<u8>) -> Result<String, ReadError> {
    String::from_utf8(body)
        .map_err(|_| ReadError::Malformed("the response is not UTF-8 text".to_owned()))
}

/// Parses a response. The error does not contain the parser's message, which may quote the
/// document.
fn parse_json(body: &[u8]) -> Result<Value, ReadError> {
    serde_json::from_slice(body).map_err(|error| {
        ReadError::Malformed(format!(
            "the response is not JSON: line {}, column {}",
            error.line(),
            error.column()
        ))
    })
}

#[cfg(test)]
mod tests;
