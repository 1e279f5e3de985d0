//! Runs the hops of one probe: sends the request, reads the response, follows redirects.
//!
//! Results are written to the observation as they arrive, so that they are kept after a timeout.
//! This module follows redirects itself, because the HTTP client does not know which headers must
//! not be sent to another origin.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::classify::classify;
use super::client::SharedClient;
use super::redact::SentSecrets;
use super::redirect::{self, Hop};
use super::stopwatch::Stopwatch;
use super::{Shared, address, certificate};
use crate::model::observation::{Fault, FaultKind, HttpVersion, Observation, Phase, Response};
use crate::model::target::{Target, shown_url};

/// Minimum value of the read limit: the number of bytes of a decompressed body after which a probe
/// stops reading. It is large enough to time a transfer, and small enough to make a decompression
/// bomb harmless.
const MIN_READ_LIMIT: u64 = 8 * 1024 * 1024;
/// Ratio of the read limit to `body_limit`, the number of body bytes to keep. Does not apply below
/// [`MIN_READ_LIMIT`].
const READ_LIMIT_FACTOR: u64 = 16;

/// Runs one probe, hop by hop.
///
/// Writes the results to `seen` and the secrets that were sent to `sent`.
///
/// # Errors
/// Returns the fault that ended the probe; `seen` contains the results before the fault.
pub(super) async fn run(
    shared: &Shared,
    client: Result<Arc<SharedClient>, String>,
    target: &Target,
    watch: &Arc<Stopwatch>,
    (seen, sent): (&mut Observation, &mut SentSecrets),
) -> Result<(), Fault> {
    let client = client.map_err(|detail| fault(Phase::Connect, FaultKind::Local, detail))?;
    let mut hop = first_hop(target)?;
    loop {
        seen.final_url = shown_url(&hop.url);
        let request = prepare(shared, target, &client, &hop).await?;
        sent.record(target, request.headers());
        watch.begin_hop();
        let response = send(target, &client, request, watch).await?;
        watch.enter(Phase::Transfer);
        seen.remote = response.remote_addr();
        let fresh = watch.handshake().map(|seen| certificate::facts(&seen));
        seen.tls = client.tls_facts(&hop.url, fresh);
        let status = response.status();
        let follow = target.request.max_redirects > 0 && redirect::is_redirect(status);
        let location = response.headers().get(http::header::LOCATION).cloned();
        read_response(response, target, watch, seen).await?;
        if !follow {
            return Ok(());
        }
        if seen.redirects >= target.request.max_redirects {
            let detail = format!(
                "more than {} redirects; correct the endpoint or raise `request.max_redirects`",
                target.request.max_redirects
            );
            return Err(fault(Phase::Transfer, FaultKind::TooManyRedirects, detail));
        }
        let location = location.as_ref().and_then(|value| value.to_str().ok());
        hop = redirect::next_hop(&hop, status, location)
            .map_err(|error| fault(Phase::Transfer, FaultKind::BadRedirect, error.to_string()))?;
        seen.redirects += 1;
        seen.response = None;
    }
}

fn fault(phase: Phase, kind: FaultKind, detail: String) -> Fault {
    Fault {
        phase,
        kind,
        detail,
    }
}

fn first_hop(target: &Target) -> Result<Hop, Fault> {
    let method = Method::from_bytes(target.request.method.as_bytes());
    let method = method.map_err(|error| {
        let detail = format!("invalid method: {error}; correct `request.method`");
        fault(Phase::Processing, FaultKind::Local, detail)
    })?;
    Ok(Hop {
        url: target.url.clone(),
        method,
        trusted: true,
        with_body: !target.request.body.is_empty(),
    })
}

/// Builds the request of a hop after checking that its address is allowed.
async fn prepare(
    shared: &Shared,
    target: &Target,
    client: &SharedClient,
    hop: &Hop,
) -> Result<reqwest::Request, Fault> {
    if let Some(literal) = address::literal_address(&hop.url) {
        let is_target_address = address::literal_address(&target.url) == Some(literal);
        if !is_target_address {
            address::check_allowed(literal, &target.request.allow_addresses).map_err(|error| {
                fault(Phase::Connect, FaultKind::AddressRefused, error.to_string())
            })?;
        }
    }
    let body: &[u8] = if hop.with_body {
        &target.request.body
    } else {
        &[]
    };
    let mut headers = HeaderMap::new();
    if hop.trusted {
        add_configured_headers(target, &mut headers)?;
        if let Some(auth) = &target.auth {
            let signed = shared.credentials.apply(auth, hop, &mut headers, body);
            Box::pin(signed)
                .await
                .map_err(|detail| fault(Phase::Processing, FaultKind::Credentials, detail))?;
        }
    }
    let mut builder = client.http.request(hop.method.clone(), hop.url.clone());
    if !body.is_empty() {
        builder = builder.body(body.to_vec());
    }
    builder.headers(headers).build().map_err(|error| {
        let detail = error.without_url().to_string();
        fault(Phase::Processing, FaultKind::Local, detail)
    })
}

fn add_configured_headers(target: &Target, headers: &mut HeaderMap) -> Result<(), Fault> {
    for (name, text) in &target.request.headers {
        let bad = || {
            let detail = format!(
                "the header `{name}` contains a character that is not allowed in a header, such \
                 as a line break; remove it"
            );
            fault(Phase::Processing, FaultKind::Local, detail)
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(text.expose()).map_err(|_| bad())?;
        value.set_sensitive(matches!(text, crate::model::target::HeaderText::Secret(_)));
        headers.append(key, value);
    }
    Ok(())
}

async fn send(
    target: &Target,
    client: &SharedClient,
    request: reqwest::Request,
    watch: &Stopwatch,
) -> Result<reqwest::Response, Fault> {
    client.http.execute(request).await.map_err(|error| {
        let phase = watch.stop().map_or(Phase::Processing, |(phase, _)| phase);
        classify(&error, phase, target.request.proxy.is_some())
    })
}

/// Records the head of the response, then reads its body up to the read limit (see
/// [`MIN_READ_LIMIT`]).
async fn read_response(
    mut response: reqwest::Response,
    target: &Target,
    watch: &Stopwatch,
    seen: &mut Observation,
) -> Result<(), Fault> {
    let limit = target.request.body_limit;
    let max_bytes = MIN_READ_LIMIT.max(READ_LIMIT_FACTOR.saturating_mul(limit as u64));
    let recorded = seen.response.insert(Response {
        status: response.status().as_u16(),
        reason: reason(&response),
        version: version(response.version()),
        headers: header_pairs(response.headers()),
        body: Vec::new(),
        body_truncated: false,
        body_bytes: 0,
        content_length: content_length(&response),
    });
    loop {
        let chunk = response.chunk().await.map_err(|error| {
            let phase = watch.stop().map_or(Phase::Transfer, |(phase, _)| phase);
            classify(&error, phase, target.request.proxy.is_some())
        })?;
        let Some(chunk) = chunk else {
            return Ok(());
        };
        recorded.body_bytes += chunk.len() as u64;
        let room = limit - recorded.body.len();
        recorded
            .body
            .extend_from_slice(&chunk[..chunk.len().min(room)]);
        recorded.body_truncated |= chunk.len() > room;
        if recorded.body_bytes >= max_bytes {
            recorded.body_truncated = true;
            return Ok(());
        }
    }
}

/// The reason phrase of an HTTP/1 response. hyper keeps it only if it is not the usual one.
fn reason(response: &reqwest::Response) -> Option<String> {
    if response.version() > Version::HTTP_11 {
        return None;
    }
    let kept = response.extensions().get::<hyper::ext::ReasonPhrase>();
    let kept = kept.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
    kept.or_else(|| response.status().canonical_reason().map(str::to_owned))
}

fn content_length(response: &reqwest::Response) -> Option<u64> {
    let header = response.headers().get(http::header::CONTENT_LENGTH);
    header?.to_str().ok()?.parse().ok()
}

fn version(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_2 => HttpVersion::Http2,
        Version::HTTP_09 | Version::HTTP_10 => HttpVersion::Http10,
        _ => HttpVersion::Http11,
    }
}

/// Converts the headers to text. The names are already lowercase. Replaces invalid UTF-8.
fn header_pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    headers.iter().map(pair).collect()
}
