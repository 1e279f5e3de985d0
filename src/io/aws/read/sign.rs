//! Signs requests with AWS Signature Version 4, and explains missing credentials.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudwatch::error::DisplayErrorContext;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::error::ReadError;
use crate::io::aws::failure::denied;
use crate::io::aws::role::explain;

/// A request before it is signed.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    /// The headers to sign and send. Signing adds `host` and the headers of the signature.
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: &'a [u8],
}

/// Returns the error of a read for which the credentials provider returned `error`. `role` is the
/// ARN of the role that the provider assumes; `None` if it assumes no role.
pub(super) fn without_credentials(role: Option<&str>, error: &CredentialsError) -> ReadError {
    if let CredentialsError::ProviderTimedOut(late) = error {
        return ReadError::Unreachable(format!(
            "the credentials provider returned no AWS credentials within {:?}",
            late.timeout_duration()
        ));
    }
    let full_text = DisplayErrorContext(error).to_string();
    ReadError::Denied {
        action: None,
        text: match role {
            Some(role) => explain(role, &full_text),
            None => denied("", "", &full_text),
        },
    }
}

/// Signs a request for the service with this signing name in `region`. Returns all headers of the
/// request except `host`.
///
/// # Errors
/// Returns an error if the request cannot be signed, for example because the session token contains
/// a character that is not allowed in a header.
pub(super) fn signed_headers(
    credentials: Credentials,
    (service, region): (&str, &str),
    request: &Unsigned<'_>,
    now: SystemTime,
) -> Result<HeaderMap, ReadError> {
    let refused = |error: &dyn std::error::Error| {
        ReadError::Rejected(format!("the request cannot be signed: {error}"))
    };
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| refused(&error))?
        .into();
    let signed = request.headers.iter().map(|(name, value)| (*name, *value));
    let body = SignableBody::Bytes(request.body);
    let signable =
        SignableRequest::new(request.method.as_str(), request.url.as_str(), signed, body)
            .map_err(|error| refused(&error))?;
    let (instructions, _) = sign(signable, &params)
        .map_err(|error| refused(&error))?
        .into_parts();
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers {
        let value = HeaderValue::from_str(value).map_err(|error| refused(&error))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| refused(&error))?;
        let mut value = HeaderValue::from_str(value).map_err(|error| refused(&error))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
