//! Sends one request and waits for the head of its response, on a reused or a new connection.
//!
//! A server may close an idle connection just when a request is sent. A reused connection that ends
//! before the first byte of a response is therefore replaced once by a new connection, as in curl.
//! A new connection is never replaced, because its end is a fault of the endpoint.

use std::sync::Arc;

use hyper::body::Incoming;

use super::classify;
use super::connection::resolve::Resolvers;
use super::connection::{Client, Connection};
use super::request::HopRequest;
use super::stopwatch::Stopwatch;
use crate::model::observation::{Fault, FaultKind, Phase};

/// A response and its connection.
pub(super) struct Answer {
    /// The response. Its body has not been read yet.
    pub(super) response: http::Response<Incoming>,
    /// The connection. It can be reused after the body has been read.
    pub(super) connection: Connection,
}

/// Sends a request and waits for the head of its response. Increments `replaced` if a reused
/// connection was replaced.
///
/// # Errors
/// Returns the fault that prevented a response.
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

/// Returns whether a response on a reused connection only reports that the connection was idle for
/// too long. Some servers send such a response before they close a connection.
fn is_idle_timeout(response: &http::Response<Incoming>) -> bool {
    let connection = response.headers().get(http::header::CONNECTION);
    let closes = connection.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    response.status() == http::StatusCode::REQUEST_TIMEOUT && closes
}

/// The failure of a request that received no response.
struct Failed {
    fault: Fault,
    /// Whether the connection ended before the first byte of a response was received.
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
            // On HTTP/2, the first bytes may belong to frames that are not part of a response, so
            // they do not show that a response began.
            let is_lost = ended && (is_http2 || received.first.is_empty());
            Err(Failed { fault, is_lost })
        }
    }
}
