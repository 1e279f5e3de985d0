//! Accepts TCP connections and serves each connection in a separate task.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The delay after a failed attempt to accept a connection. The delay prevents a busy loop while
/// file descriptors are exhausted, and is short enough not to slow down tests.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and runs `serve` on each, until this task is aborted. Aborting the task also
/// closes the connections.
pub(super) async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}
