//! Adds the target's authentication to a request: basic, bearer or AWS Signature Version 4.
//!
//! The AWS credentials are those of the SDK's default credential chain, which is loaded when the
//! first request is signed. The SDK caches the credentials.

use std::time::SystemTime;

use aws_config::BehaviorVersion;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::OnceCell;
use url::Url;

use super::redirect::Hop;
use crate::io::aws::CredentialsCache;
use crate::model::target::Auth;

/// The source of the AWS credentials that sign requests. It is loaded on first use.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    cache: OnceCell<CredentialsCache>,
}

impl Credentials {
    /// Creates a source that uses `provider` instead of the SDK's default credential chain.
    pub(super) fn from_provider(provider: SharedCredentialsProvider) -> Self {
        Self {
            cache: OnceCell::new_with(Some(CredentialsCache::new(provider))),
        }
    }

    /// Adds the authorization headers of `auth` to `headers`.
    ///
    /// Of the headers that already exist, a signature covers only `host`, because a proxy may
    /// change the other headers.
    ///
    /// # Errors
    /// Returns a message without secrets that says what is wrong and how to fix it.
    pub(super) async fn apply(
        &self,
        auth: &Auth,
        hop: &Hop,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), String> {
        match auth {
            Auth::Basic { username, password } => {
                let value = basic(username.as_bytes(), password.expose().as_bytes());
                headers.insert(AUTHORIZATION, value);
                Ok(())
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
        let cache = self
            .cache
            .get_or_try_init(|| async {
                let config = Box::pin(aws_config::load_defaults(BehaviorVersion::latest())).await;
                let provider = config.credentials_provider();
                provider.map(CredentialsCache::new).ok_or_else(|| {
                    "no AWS credentials to sign the request; set `AWS_PROFILE`, set `AWS_ACCESS_KEY_ID` \
                     and `AWS_SECRET_ACCESS_KEY`, or attach an IAM role"
                        .to_owned()
                })
            })
            .await?;
        cache.get(SystemTime::now()).await.map_err(|error| {
            let cause = std::error::Error::source(&*error).map(ToString::to_string);
            format!(
                "no AWS credentials to sign the request: {error}{}; set `AWS_PROFILE`, set \
                 `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or attach an IAM role",
                cause.map(|cause| format!(" ({cause})")).unwrap_or_default()
            )
        })
    }
}

/// Returns the value of the `Authorization` or `Proxy-Authorization` header for basic
/// authentication.
pub(super) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    let mut text = "Basic ".to_owned();
    STANDARD.encode_string([user, password].join(&b':'), &mut text);
    // Base64 contains only characters that are allowed in a header, so the fallback is never used.
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// Returns the header value for basic authentication with the user and password in a URL. Returns
/// `None` if the URL contains neither.
pub(super) fn of_url(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user = percent_decoded(url.username());
    let password = percent_decoded(url.password().unwrap_or_default());
    Some(basic(&user, &password))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = (digit(bytes.get(at + 1)), digit(bytes.get(at + 2)));
        match (byte, pair) {
            (b'%', (Some(high), Some(low))) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

fn insert_secret(headers: &mut HeaderMap, text: &str) -> Result<(), String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        "the token of `auth.bearer` contains a character that is not allowed in a header, such as \
         a line break; remove that character from the token"
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
        format!("the request cannot be signed: {error}; check `auth.sigv4` and `url`")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_decoded() {
        for (text, expected) in [
            ("a%40b", "a@b"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%20", "%zz "),
        ] {
            assert_eq!(percent_decoded(text), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn the_credentials_of_a_url_become_a_header() {
        let header = |url: &str| of_url(&url.parse().unwrap());
        assert_eq!(header("https://a.example/"), None);
        assert_eq!(
            header("https://u:p%40@a.example/").unwrap(),
            "Basic dTpwQA=="
        );
        assert_eq!(header("https://u@a.example/").unwrap(), "Basic dTo=");
    }
}
