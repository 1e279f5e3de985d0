//! Sends one request and waits for the head of its response, on a kept or a new connection.
//!
//! A server may close an idle connection at the very moment at which a request is sent. A reused
//! connection that ends before the first byte of a response is therefore replaced once by a new
//! one, as in curl. A new connection is never replaced: its end is the endpoint's fault.

use std::sync::Arc;

use hyper::body::Incoming;

use super::classify;
use super::connection::resolve::Resolvers;
use super::connection::{Client, Connection};
use super::request::HopRequest;
use super::stopwatch::Stopwatch;
use crate::model::observation::{Fault, FaultKind, Phase};

/// The response to a request, with the connection that it arrives on.
pub(super) struct Answer {
    /// The response; its body has not been read.
    pub(super) response: http::Response<Incoming>,
    /// The connection, which can be kept after the body has been read.
    pub(super) connection: Connection,
}

/// Sends a request. Counts a replaced connection in `replaced`.
///
/// # Errors
/// The fault that prevented a response.
pub(super) async fn send(
    client: &Client,
    resolvers: &Resolvers,
    request: &HopRequest,
    watch: &Arc<Stopwatch>,
    replaced: &mut u32,
) -> Result<Answer, Fault> {
    watch.begin_connection();
    if let Some(connection) = client.take_idle(&request.url).await {
        watch.record_remote(connection.remote);
        watch.enter(Phase::Processing);
        match send_on(client, connection, request).await {
            Err(Failed { fault, is_lost }) if !is_lost => return Err(fault),
            Ok(answer) if !is_idle_timeout(&answer.response) => return Ok(answer),
            _ => {
                *replaced += 1;
                watch.begin_connection();
            }
        }
    }
    let connection = client.connect(&request.url, resolvers, watch).await?;
    let sent = send_on(client, connection, request).await;
    sent.map_err(|failed| failed.fault)
}

/// Whether a response on a reused connection is the server's message that the connection was idle
/// for too long, which some servers send before they close it.
fn is_idle_timeout(response: &http::Response<Incoming>) -> bool {
    let connection = response.headers().get(http::header::CONNECTION);
    let closes = connection.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    response.status() == http::StatusCode::REQUEST_TIMEOUT && closes
}

/// A request without a response.
struct Failed {
    fault: Fault,
    /// Whether the connection ended before the first byte of a response.
    is_lost: bool,
}

async fn send_on(
    client: &Client,
    mut connection: Connection,
    request: &HopRequest,
) -> Result<Answer, Failed> {
    let is_http2 = connection.is_http2();
    let sent = request.for_connection(is_http2, client.plain_proxy(&request.url));
    let sent = sent.map_err(|fault| Failed {
        fault,
        is_lost: false,
    })?;
    match connection.send(sent).await {
        Ok(response) => Ok(Answer {
            response,
            connection,
        }),
        Err(error) => {
            let received = connection.received();
            let fault = classify::exchange(&error, Phase::Processing, &received);
            let ended = matches!(
                fault.kind,
                FaultKind::ConnectionReset | FaultKind::ConnectionClosed
            );
            // HTTP/2 receives frames that are no part of a response.
            let is_lost = ended && (is_http2 || received.first.is_empty());
            Err(Failed { fault, is_lost })
        }
    }
}
