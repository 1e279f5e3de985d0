//! Sends the first request of a probe, reads its response, and follows redirects.
//!
//! Results are written to the observation as they arrive, so that they are kept after a timeout.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use jiff::Timestamp;

use super::coding::BodyDecoder;
use super::connection::{Client, Connection};
use super::cookies::Jar;
use super::exchange::{self, Answer};
use super::redact::SentSecrets;
use super::redirect::{self, Hop};
use super::request::HopRequest;
use super::stopwatch::Stopwatch;
use super::{Shared, certificate, classify, proxy_answer};
use crate::domain::expectation;
use crate::model::observation::{
    EarlierTls, Fault, FaultKind, HttpVersion, Observation, Phase, Response,
};
use crate::model::target::{Target, shown_url};

/// Minimum value of the read limit in bytes. A probe stops reading a body when the number of
/// decoded bytes reaches the read limit. The value is large enough to measure the transfer, and
/// small enough to make a decompression bomb harmless.
const MIN_READ_LIMIT: u64 = 8 * 1024 * 1024;
/// The read limit is this factor times `body_limit`, the number of body bytes to keep, but at least
/// [`MIN_READ_LIMIT`].
const READ_LIMIT_FACTOR: u64 = 16;
/// Maximum number of response headers that are kept, to limit memory.
const MAX_KEPT_HEADERS: usize = 200;

/// Runs one probe: sends the first request and follows redirects.
///
/// Writes the results to `seen`. Adds the secrets of each request to `sent`.
///
/// # Errors
/// Returns the fault that ended the probe. `seen` contains the results before the fault.
pub(super) async fn run(
    shared: &Shared,
    client: Result<Arc<Client>, String>,
    target: &Target,
    watch: &Arc<Stopwatch>,
    (seen, sent): (&mut Observation, &mut SentSecrets),
) -> Result<(), Fault> {
    let client = client.map_err(|detail| fault(Phase::Connect, FaultKind::Local, detail))?;
    let mut jar = Jar::new(target.request.cookies);
    let mut hop = first_hop(target)?;
    loop {
        seen.final_url = shown_url(&hop.url);
        seen.left_connect_to |= client.leaves_connect_to(&hop.url);
        let request = HopRequest::prepare(shared, target, &hop, &jar).await?;
        sent.record(target, &request.headers);
        let resolvers = &shared.resolvers;
        let replaced = &mut seen.replaced_connections;
        let answer = exchange::send(&client, resolvers, &request, watch, replaced).await?;
        watch.enter(Phase::Transfer);
        let handshake = answer.connection.handshake.as_ref();
        seen.tls = handshake.map(certificate::facts);
        let status = answer.response.status();
        let location = redirect::location(answer.response.headers());
        jar.store(&hop.url, answer.response.headers(), Timestamp::now());
        if let Some(connection) = read_response(answer, target, watch, seen).await? {
            client.keep(&hop.url, connection);
        }
        if client.plain_proxy(&hop.url).is_some() {
            proxy_answer::check(target, seen.response.as_ref())?;
        }
        let Some(next) = next_hop(target, &hop, status, location.as_deref(), seen)? else {
            return Ok(());
        };
        if let Some(tls) = seen.tls.take() {
            let host = hop.url.host_str().unwrap_or_default().to_owned();
            seen.earlier_tls.push(EarlierTls { host, tls });
        }
        hop = next;
        seen.redirects += 1;
        seen.response = None;
    }
}

/// Returns the hop to which a redirect leads, or `None` if the response is the last one. Returns a
/// fault if the redirect is invalid or exceeds `request.max_redirects`.
fn next_hop(
    target: &Target,
    hop: &Hop,
    status: StatusCode,
    location: Option<&str>,
    seen: &Observation,
) -> Result<Option<Hop>, Fault> {
    let limit = target.request.max_redirects;
    if limit == 0 || !redirect::is_redirect(status) {
        return Ok(None);
    }
    let is_expected = expectation::is_expected_status(&target.expect, status.as_u16());
    if location.is_none() && is_expected {
        return Ok(None);
    }
    if seen.redirects >= limit {
        let detail = format!(
            "more than {limit} redirects; correct the endpoint or raise `request.max_redirects`"
        );
        return Err(fault(Phase::Transfer, FaultKind::TooManyRedirects, detail));
    }
    redirect::next_hop(hop, status, location)
        .map(Some)
        .map_err(|error| fault(Phase::Transfer, FaultKind::BadRedirect, error.to_string()))
}

const fn fault(phase: Phase, kind: FaultKind, detail: String) -> Fault {
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

/// Records the head of the response, and reads its body up to the read limit. Returns the
/// connection for reuse if the body was read completely.
async fn read_response(
    answer: Answer,
    target: &Target,
    watch: &Stopwatch,
    seen: &mut Observation,
) -> Result<Option<Connection>, Fault> {
    let Answer {
        response,
        connection,
    } = answer;
    let (head, mut body) = response.into_parts();
    let recorded = seen.response.insert(Response {
        status: head.status.as_u16(),
        reason: reason(&head),
        version: version(head.version),
        headers: header_pairs(&head.headers),
        body: Vec::new(),
        body_truncated: false,
        body_bytes: 0,
        content_length: content_length(&head.headers),
    });
    let limit = target.request.body_limit;
    let max_bytes = MIN_READ_LIMIT.max(READ_LIMIT_FACTOR.saturating_mul(limit as u64));
    let mut decoder = BodyDecoder::new(&head.headers, limit, max_bytes);
    let is_complete = loop {
        let Some(chunk) = next_chunk(&mut body, &connection, watch).await? else {
            break true;
        };
        let went_on = decoder.write(&chunk);
        let (bytes, count) = decoder.take();
        recorded.body.extend_from_slice(&bytes);
        recorded.body_bytes += count;
        if !went_on.map_err(|error| undecodable(error.to_string()))? {
            break false;
        }
    };
    if is_complete {
        let finished = decoder.finish();
        let (bytes, count) = decoder.take();
        recorded.body.extend_from_slice(&bytes);
        recorded.body_bytes += count;
        finished.map_err(|error| undecodable(error.to_string()))?;
    }
    recorded.body_truncated = !is_complete || recorded.body_bytes > recorded.body.len() as u64;
    if let Some(codings) = decoder.unsupported_codings()
        && expectation::body_is_unmet(&target.expect, recorded)
    {
        return Err(undecodable(format!(
            "the content coding `{codings}` is not supported, so `expect` was applied to the \
             encoded body"
        )));
    }
    Ok(is_complete.then_some(connection))
}

/// Returns the reason phrase of an HTTP/1 response. hyper keeps the phrase only if it differs from
/// the standard phrase, so the standard phrase is the default. HTTP/2 has no reason phrase.
fn reason(head: &http::response::Parts) -> Option<String> {
    if head.version > Version::HTTP_11 {
        return None;
    }
    let kept = head.extensions.get::<hyper::ext::ReasonPhrase>();
    let kept = kept.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
    kept.or_else(|| head.status.canonical_reason().map(str::to_owned))
}

fn undecodable(detail: String) -> Fault {
    fault(Phase::Transfer, FaultKind::Decode, detail)
}

/// Reads the next part of a body. Returns `None` at the end of the body.
async fn next_chunk(
    body: &mut Incoming,
    connection: &Connection,
    watch: &Stopwatch,
) -> Result<Option<bytes::Bytes>, Fault> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            watch.stop();
            classify::exchange(&error, Phase::Transfer, &connection.received())
        })?;
        // A frame without data contains trailers, which are ignored.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    let header = headers.get(http::header::CONTENT_LENGTH);
    header?.to_str().ok()?.parse().ok()
}

fn version(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_2 => HttpVersion::Http2,
        Version::HTTP_09 | Version::HTTP_10 => HttpVersion::Http10,
        _ => HttpVersion::Http11,
    }
}

/// Converts the first [`MAX_KEPT_HEADERS`] headers to pairs of name (in lowercase) and value.
/// Replaces invalid UTF-8 in the values.
fn header_pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    headers.iter().take(MAX_KEPT_HEADERS).map(pair).collect()
}
