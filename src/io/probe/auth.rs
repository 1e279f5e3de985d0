//! Adds the target's credentials to a request: basic, bearer or AWS Signature Version 4.
//!
//! AWS credentials come from the SDK's default credential chain, which is loaded when the first
//! request is signed. The SDK caches the credentials.

use std::time::SystemTime;

use aws_config::BehaviorVersion;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::OnceCell;

use super::redirect::Hop;
use crate::model::target::Auth;

/// The source of the AWS credentials with which requests are signed, loaded on first use.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    provider: OnceCell<SharedCredentialsProvider>,
}

impl Credentials {
    /// Creates a source that uses `provider` instead of the SDK's default credential chain.
    pub(super) fn from_provider(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider: OnceCell::new_with(Some(provider)),
        }
    }

    /// Adds the authorization headers of `auth` to `headers`.
    ///
    /// A signature covers only the `host` header of the existing headers, because a proxy may
    /// change the others.
    ///
    /// # Errors
    /// Returns a message without secrets that says what is wrong and what to do.
    pub(super) async fn apply(
        &self,
        auth: &Auth,
        hop: &Hop,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), String> {
        match auth {
            Auth::Basic { username, password } => {
                let pair = format!("{username}:{}", password.expose());
                insert_secret(headers, &format!("Basic {}", STANDARD.encode(pair)))
            }
            Auth::Bearer(token) => insert_secret(headers, &format!("Bearer {}", token.expose())),
            Auth::SigV4 { service, region } => {
                let credentials = self.aws().await?;
                let scope = (service.as_str(), region.as_str());
                sign_v4(credentials, scope, hop, headers, body)
            }
        }
    }

    async fn aws(&self) -> Result<aws_credential_types::Credentials, String> {
        let provider = self
            .provider
            .get_or_try_init(|| async {
                let config = Box::pin(aws_config::load_defaults(BehaviorVersion::latest())).await;
                config.credentials_provider().ok_or_else(|| {
                    "no AWS credentials to sign with; set AWS_PROFILE, the AWS_* variables or an \
                     instance role"
                        .to_owned()
                })
            })
            .await?;
        provider.provide_credentials().await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!(
                "no AWS credentials to sign with: {error}{}; set AWS_PROFILE, the AWS_* \
                 variables or an instance role",
                cause.map(|cause| format!(" ({cause})")).unwrap_or_default()
            )
        })
    }
}

fn insert_secret(headers: &mut HeaderMap, text: &str) -> Result<(), String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        "the credentials contain a character that is not allowed in a header, such as a line \
         break; use a secret of one line"
            .to_owned()
    })?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}

fn sign_v4(
    credentials: aws_credential_types::Credentials,
    (service, region): (&str, &str),
    hop: &Hop,
    headers: &mut HeaderMap,
    body: &[u8],
) -> Result<(), String> {
    let refused = |error: &dyn std::error::Error| {
        format!("the request cannot be signed: {error}; correct `auth.sigv4` and `url`")
    };
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .map_err(|error| refused(&error))?
        .into();
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = host.map(|host| ("host", host.to_owned()));
    let signed = host.iter().map(|(name, value)| (*name, value.as_str()));
    let body = SignableBody::Bytes(body);
    let request = SignableRequest::new(hop.method.as_str(), hop.url.as_str(), signed, body)
        .map_err(|error| refused(&error))?;
    let (instructions, _) = sign(request, &params)
        .map_err(|error| refused(&error))?
        .into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| refused(&error))?;
        let mut value = HeaderValue::from_str(value).map_err(|error| refused(&error))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(())
}
