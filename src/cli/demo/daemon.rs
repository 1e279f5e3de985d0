//! The daemon that the demo watches: the one place where demo and engine meet.

use std::net::SocketAddr;

use super::Row;
use crate::settings::Settings;

/// A running daemon.
#[derive(Debug)]
pub(super) enum Daemon {}

impl Daemon {
    /// Starts the engine.
    ///
    /// # Errors
    /// Why it cannot start, for the user.
    pub(super) async fn start(_settings: Settings) -> Result<Self, String> {
        Err("the engine is being built".to_owned())
    }

    /// Where its page and metrics are.
    pub(super) fn address(&self) -> SocketAddr {
        match *self {}
    }

    /// Every target as it stands now, in the order of the configuration.
    pub(super) fn rows(&self) -> Vec<Row> {
        match *self {}
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        match self {}
    }
}
