//! Takes connections and serves them: each within bounds of its own, so that a client that
//! is slow, silent or many costs the probes nothing.

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

/// Connections at a time: far more than scrapers and people need, and few enough that
/// their buffers stay under fifty megabytes.
const CONNECTIONS: usize = 512;

/// How long a TLS handshake, and later each request's head, may take.
const HEAD: Duration = Duration::from_secs(10);

/// How long a connection is kept at most: then the client makes another one.
const LIFE: Duration = Duration::from_secs(600);

/// How long a connection that is to end may take with the answer under way.
const LAST: Duration = Duration::from_secs(10);

/// Bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;

/// After an error of the listener itself, such as too many open files.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until `shutdown` completes, then finishes the requests under way.
pub(super) async fn serve(
    listener: TcpListener,
    state: ServerState,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (closing, close) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    debug!(%error, "a connection to the daemon's endpoint failed");
                    sleep(BREATH).await;
                    continue;
                }
            },
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            debug!("the daemon's endpoint has no place for one more connection");
            continue;
        };
        let (state, router, close) = (state.clone(), router.clone(), close.clone());
        tokio::spawn(async move {
            greet(stream, &state, router, close).await;
            drop(place);
        });
    }
    drop(listener);
    drop(close);
    closing.send_replace(true);
    // Every connection holds a receiver until it has ended.
    closing.closed().await;
}

async fn greet(
    stream: TcpStream,
    state: &ServerState,
    router: Router,
    close: watch::Receiver<bool>,
) {
    let Some(acceptor) = state.entrance().tls.clone() else {
        return converse(stream, false, router, close).await;
    };
    match timeout(HEAD, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
            converse(stream, http2, router, close).await;
        }
        Ok(Err(error)) => debug!(%error, "a TLS handshake with the daemon's endpoint failed"),
        Err(_) => debug!("a TLS handshake with the daemon's endpoint took too long"),
    }
}

/// Serves one connection in the version that the handshake agreed on: to look at the first
/// bytes instead would wait for them without any bound.
async fn converse<S>(stream: S, http2: bool, router: Router, mut close: watch::Receiver<bool>)
where
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
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD)
        .keep_alive_timeout(HEAD)
        .max_header_list_size(16 * 1024)
        .max_concurrent_streams(16);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        result = connection.as_mut() => Some(result),
        // A sender that is gone means the same as one that says so.
        _ = close.wait_for(|close| *close) => None,
        () = sleep(LIFE) => None,
    };
    let result = match ended {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            match timeout(LAST, connection).await {
                Ok(result) => result,
                Err(_) => return debug!("a connection to the daemon's endpoint was cut"),
            }
        }
    };
    if let Err(error) = result {
        debug!(%error, "a connection to the daemon's endpoint ended badly");
    }
}
