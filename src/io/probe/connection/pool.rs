//! Keeps idle connections for the next probe of targets that reuse connections.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use url::Origin;

use super::Connection;

/// Idle connections by origin.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: HashMap<Origin, Vec<(Connection, Instant)>>,
    swept: Option<Instant>,
}

/// Maximum time for which a connection stays idle, as in curl. Middleboxes forget connections
/// silently, and a request on such a connection would wait for the deadline.
const MAX_IDLE: Duration = Duration::from_secs(118);

/// Maximum number of idle connections to an origin.
const MAX_PER_ORIGIN: usize = 32;

/// Minimum time between two removals of outdated connections.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Maximum time that a connection has to become ready for the next request.
const READY_WITHIN: Duration = Duration::from_millis(100);

impl Pool {
    /// Takes a connection that is ready for a request; drops those that are closed or being
    /// closed.
    pub(super) async fn take(&self, origin: &Origin) -> Option<Connection> {
        // The end of a response and the end of its connection often arrive together. The task
        // that reads the connection runs first, so that it can see the latter.
        tokio::task::yield_now().await;
        while let Some(mut connection) = self.pop(origin) {
            let ready = timeout(READY_WITHIN, connection.ready()).await;
            if ready == Ok(true) && !connection.is_closed() {
                // What the connection received before belongs to earlier requests.
                connection.record.clear();
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose response has been read completely.
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
        // The newest connection is the least likely to be closed soon.
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
