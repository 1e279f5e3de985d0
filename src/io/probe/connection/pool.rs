//! Keeps the idle connections of targets that reuse connections, for their next probes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use url::Origin;

use super::Connection;

/// The idle connections of a client, by origin.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: HashMap<Origin, Vec<(Connection, Instant)>>,
    swept: Option<Instant>,
}

/// Maximum idle time of a connection, as in curl. Middleboxes drop idle connections silently, and a
/// request on a dropped connection would wait until the timeout of the probe.
const MAX_IDLE: Duration = Duration::from_secs(118);

/// Maximum number of idle connections per origin.
const MAX_PER_ORIGIN: usize = 32;

/// Minimum time between two sweeps. A sweep drops the idle connections that are closed or idle for
/// [`MAX_IDLE`] or longer.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Maximum time to wait until a connection is ready for the next request. A connection that is not
/// ready within this time is dropped.
const READY_WITHIN: Duration = Duration::from_millis(100);

impl Pool {
    /// Removes and returns a connection to `origin` that is ready for a request. Drops connections
    /// that are closed, idle for [`MAX_IDLE`] or longer, or not ready within [`READY_WITHIN`].
    /// Returns `None` if no connection is left.
    pub(super) async fn take(&self, origin: &Origin) -> Option<Connection> {
        // The end of a response and the end of its connection often arrive together. Let the task
        // that reads the connection run first, so that it can detect the end of the connection.
        tokio::task::yield_now().await;
        while let Some(mut connection) = self.pop(origin) {
            let ready = timeout(READY_WITHIN, connection.ready()).await;
            if ready == Ok(true) && !connection.is_closed() {
                // The data that was recorded until now belongs to earlier requests.
                connection.record.clear();
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose response has been read completely. Drops the connection if it is
    /// closed, or if the origin has [`MAX_PER_ORIGIN`] idle connections.
    pub(super) fn put(&self, origin: Origin, connection: Connection) {
        if connection.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle
            .swept
            .is_none_or(|at| now.duration_since(at) >= SWEEP_INTERVAL)
        {
            idle.swept = Some(now);
            idle.connections.retain(|_, list| {
                list.retain(|(connection, since)| is_fresh(*since) && !connection.is_closed());
                !list.is_empty()
            });
        }
        let list = idle.connections.entry(origin).or_default();
        if list.len() < MAX_PER_ORIGIN {
            list.push((connection, now));
        }
    }

    fn pop(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let list = idle.connections.get_mut(origin)?;
        // The most recently used connection is the least likely to be closed soon.
        while let Some((connection, since)) = list.pop() {
            if is_fresh(since) && !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }
}

fn is_fresh(since: Instant) -> bool {
    since.elapsed() < MAX_IDLE
}
