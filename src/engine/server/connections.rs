//! Accepts and serves HTTP connections.
//!
//! The number and age of connections and the size of request headers are limited, so that slow,
//! silent or numerous clients cannot delay the probes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::ServerState;

/// Maximum number of open connections. Scrapers and users need far fewer, and the buffers of this
/// many connections use less than 50 MB.
const MAX_CONNECTIONS: usize = 512;

/// Time limit for a TLS handshake, for receiving the headers of a request and for the response to
/// an HTTP/2 ping, so that a silent client does not occupy a connection indefinitely. Also the
/// interval of the pings.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum age of a connection. Older connections are closed and clients reconnect, so that changed
/// TLS settings apply to all clients within this time.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(600);

/// Time limit for finishing the responses of a connection that is being closed.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum total size in bytes of the header fields of a request. Browsers and scrapers send less.
const MAX_HEADER_BYTES: u16 = 16 * 1024;

/// Delay after a connection could not be accepted, for example because too many files are open. The
/// delay prevents a busy loop.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves connections until `shutdown` completes, then finishes the requests in progress.
pub(super) async fn serve(
    listener: TcpListener,
    state: ServerState,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (closing, close) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    debug!(%error, "accepting a connection failed");
                    sleep(ACCEPT_RETRY_DELAY).await;
                    continue;
                }
            },
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            debug!("connection rejected, too many open connections");
            continue;
        };
        let (state, router, close) = (state.clone(), router.clone(), close.clone());
        tokio::spawn(async move {
            handle(stream, &state, router, close).await;
            drop(permit);
        });
    }
    drop(listener);
    drop(close);
    closing.send_replace(true);
    // Wait until all connections are closed. Each open connection holds a receiver of this channel.
    closing.closed().await;
}

/// Performs the TLS handshake if TLS is configured, then serves the connection.
async fn handle(
    stream: TcpStream,
    state: &ServerState,
    router: Router,
    close: watch::Receiver<bool>,
) {
    let Some(acceptor) = state.access().tls.clone() else {
        return serve_connection(stream, false, router, close).await;
    };
    match timeout(HEADER_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
            serve_connection(stream, http2, router, close).await;
        }
        Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
        Err(_) => debug!("TLS handshake timed out"),
    }
}

/// Serves one connection with HTTP/2 if `http2` is true, otherwise with HTTP/1.1. The version is
/// not detected from the first bytes of the connection, because that detection has no timeout.
async fn serve_connection<S>(
    stream: S,
    http2: bool,
    router: Router,
    mut close: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = if http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_TIMEOUT)
        .keep_alive_timeout(HEADER_TIMEOUT)
        .max_header_list_size(MAX_HEADER_BYTES.into())
        .max_concurrent_streams(16);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        result = connection.as_mut() => Some(result),
        // An error means that the sender was dropped. In that case, the connection is closed, too.
        _ = close.wait_for(|close| *close) => None,
        () = sleep(MAX_CONNECTION_AGE) => None,
    };
    let result = match ended {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            match timeout(DRAIN_TIMEOUT, connection).await {
                Ok(result) => result,
                Err(_) => {
                    return debug!(
                        "connection aborted, because its response was not complete in time"
                    );
                }
            }
        }
    };
    if let Err(error) = result {
        debug!(%error, "connection failed");
    }
}
