//! Measures the phases of a probe, and records facts about its connections.
//!
//! A timeout drops the futures of a probe, so everything that is needed after a timeout is recorded
//! here: the current phase, the attempts to connect, and the TLS handshake. `classify` determines
//! the kind of a fault.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::observation::{Phase, Phases};

/// Measures the phases of one probe, and records facts about its connections.
#[derive(Debug, Default)]
pub struct Stopwatch {
    state: Mutex<State>,
}

/// The recorded facts of one TLS handshake. The certificates are not parsed.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshake {
    /// The presented certificate chain in DER, leaf first.
    pub(super) chain: Vec<Vec<u8>>,
    /// The TLS version; `None` until the server has sent its handshake signature.
    pub(super) version: Option<&'static str>,
    /// The expiry time of the verified certificate path, in seconds since the Unix epoch; `None`
    /// unless verification succeeded.
    pub(super) path_expiry: Option<i64>,
    /// Whether the server requested a client certificate.
    pub(super) client_certificate_requested: bool,
}

/// An attempt to connect to one address.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) address: SocketAddr,
    pub(super) began: Instant,
    pub(super) state: AttemptState,
}

/// The state of an attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AttemptState {
    /// The address has not answered yet.
    Pending,
    /// The connection was established.
    Connected,
    /// Another address answered first. The duration is the time that this attempt had until then.
    Overtaken(Duration),
    /// The attempt failed for this reason.
    Failed(String),
}

/// Maximum number of attempts to connect that are recorded for one probe.
const MAX_ATTEMPTS: usize = 64;

#[derive(Debug, Default)]
struct State {
    phases: Phases,
    running: Option<(Phase, Instant)>,
    handshake: Option<Handshake>,
    remote: Option<SocketAddr>,
    attempts: Vec<Attempt>,
}

impl Stopwatch {
    /// Creates a stopwatch that has not measured any phase.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the current phase and the time since the phase started. Returns `None` if no phase
    /// is running.
    #[must_use]
    pub fn running(&self) -> Option<(Phase, Duration)> {
        let (phase, since) = self.with(|state| state.running)?;
        Some((phase, since.elapsed()))
    }

    /// Ends the current phase, and discards the facts of the previous connection. `exchange` calls
    /// this method before it reuses or opens a connection.
    pub(super) fn begin_connection(&self) {
        self.with(|state| {
            state.stop(Instant::now());
            state.handshake = None;
            state.remote = None;
        });
    }

    /// Ends the current phase and starts `phase` at the same instant.
    pub(super) fn enter(&self, phase: Phase) {
        self.with(|state| {
            let now = Instant::now();
            state.stop(now);
            state.running = Some((phase, now));
        });
    }

    /// Ends the current phase and returns the phase with its duration. Returns `None` if no phase
    /// is running.
    pub(super) fn stop(&self) -> Option<(Phase, Duration)> {
        self.with(|state| state.stop(Instant::now()))
    }

    /// Returns the total time of each phase over all requests of the probe, without the time since
    /// the current phase started.
    pub(super) fn phases(&self) -> Phases {
        self.with(|state| state.phases)
    }

    /// Updates the facts of the current handshake.
    pub(super) fn record_handshake(&self, change: impl FnOnce(&mut Handshake)) {
        self.with(|state| change(state.handshake.get_or_insert_default()));
    }

    /// Discards the facts of a handshake with a proxy, because only the handshake with the endpoint
    /// is reported.
    pub(super) fn forget_handshake(&self) {
        self.with(|state| state.handshake = None);
    }

    /// Returns the facts of the handshake of the current connection, or `None` if there was no
    /// handshake.
    pub(super) fn handshake(&self) -> Option<Handshake> {
        self.with(|state| state.handshake.clone())
    }

    /// Records the peer address of the current connection.
    pub(super) fn record_remote(&self, address: SocketAddr) {
        self.with(|state| state.remote = Some(address));
    }

    /// Returns the peer address of the current connection, or `None` if there is no connection.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.with(|state| state.remote)
    }

    /// Records the start of an attempt to connect to an address.
    pub(super) fn begin_attempt(&self, address: SocketAddr) {
        self.with(|state| {
            if state.attempts.len() < MAX_ATTEMPTS {
                state.attempts.push(Attempt {
                    address,
                    began: Instant::now(),
                    state: AttemptState::Pending,
                });
            }
        });
    }

    /// Records that a pending attempt failed.
    pub(super) fn fail_attempt(&self, address: SocketAddr, reason: &str) {
        self.with(|state| {
            let mut pending = state.pending();
            if let Some(attempt) = pending.find(|attempt| attempt.address == address) {
                attempt.state = AttemptState::Failed(reason.to_owned());
            }
        });
    }

    /// Records that an address answered, which ends all other pending attempts. An attempt that
    /// began earlier is marked as overtaken. An attempt that began later is discarded: it had less
    /// time, so its address may work.
    pub(super) fn win_attempt(&self, address: SocketAddr) {
        self.with(|state| {
            state.remote = Some(address);
            let mut has_won = false;
            state.attempts.retain_mut(|attempt| {
                if attempt.state != AttemptState::Pending {
                    return true;
                }
                if attempt.address == address {
                    attempt.state = AttemptState::Connected;
                    has_won = true;
                } else if !has_won {
                    attempt.state = AttemptState::Overtaken(attempt.began.elapsed());
                }
                attempt.state != AttemptState::Pending
            });
        });
    }

    /// Discards the pending attempt to connect to an address, because its failure was caused by
    /// this host.
    pub(super) fn forget_attempt(&self, address: SocketAddr) {
        self.with(|state| {
            let is_it = |attempt: &Attempt| {
                attempt.address == address && attempt.state == AttemptState::Pending
            };
            state.attempts.retain(|attempt| !is_it(attempt));
        });
    }

    /// Returns the recorded attempts to connect of all requests of the probe.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.with(|state| state.attempts.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A panic between two assignments leaves the state usable, so a poisoned lock is ignored.
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn stop(&mut self, now: Instant) -> Option<(Phase, Duration)> {
        let (phase, since) = self.running.take()?;
        let time = now.duration_since(since);
        self.phases.add(phase, time);
        Some((phase, time))
    }

    fn pending(&mut self) -> impl Iterator<Item = &mut Attempt> {
        let attempts = self.attempts.iter_mut();
        attempts.filter(|attempt| attempt.state == AttemptState::Pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_times_of_all_hops_are_summed() {
        let stopwatch = Stopwatch::new();
        for _ in 0..2 {
            stopwatch.begin_connection();
            for (phase, millis) in [(Phase::Resolve, 2), (Phase::Transfer, 5)] {
                stopwatch.enter(phase);
                tokio::time::advance(Duration::from_millis(millis)).await;
            }
        }
        stopwatch.stop();
        let phases = stopwatch.phases();
        assert_eq!(phases.get(Phase::Resolve), Some(Duration::from_millis(4)));
        assert_eq!(phases.get(Phase::Transfer), Some(Duration::from_millis(10)));
        assert_eq!(phases.get(Phase::Connect), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_another_one_overtakes_keeps_its_time() {
        let stopwatch = Stopwatch::new();
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        for port in 1..=5 {
            stopwatch.begin_attempt(address(port));
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        stopwatch.fail_attempt(address(2), "refused");
        stopwatch.forget_attempt(address(5));
        stopwatch.win_attempt(address(3));
        let states: Vec<_> = stopwatch
            .attempts()
            .into_iter()
            .map(|at| at.state)
            .collect();
        assert_eq!(
            states,
            [
                AttemptState::Overtaken(Duration::from_millis(500)),
                AttemptState::Failed("refused".to_owned()),
                AttemptState::Connected,
            ]
        );
        assert_eq!(stopwatch.remote(), Some(address(3)));
    }
}
