//! Measures the phases of a probe from inside the HTTP client.
//!
//! `reqwest` does not report when it resolves, connects or performs the TLS handshake. Instead, the
//! resolver, connector, session store and certificate verifier contain hooks, which report to the
//! stopwatch of the current task. The hooks do nothing for a connection that is opened in the
//! background, where no stopwatch exists.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::observation::{Phase, Phases};

tokio::task_local! {
    /// The stopwatch of the probe that runs in this task.
    static CURRENT: Arc<Stopwatch>;
}

/// Measures the phases of one probe and keeps the facts of its TLS handshake.
#[derive(Debug, Default)]
pub struct Stopwatch {
    state: Mutex<State>,
}

/// The facts of the TLS handshake of the current hop, not parsed.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshake {
    /// The presented certificate chain in DER, leaf first.
    pub(super) chain: Vec<Vec<u8>>,
    /// The TLS version. `None` until the server has signed with its key.
    pub(super) version: Option<&'static str>,
}

#[derive(Debug, Default)]
struct State {
    phases: Phases,
    running: Option<Running>,
    handshake: Option<Handshake>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    phase: Phase,
    since: Instant,
    /// Whether the phase may still change, because no hook has run since the hop began. The time
    /// counts for the first phase that is entered, or for processing if the connection is reused.
    provisional: bool,
}

impl Stopwatch {
    /// Creates a stopwatch that has not measured any phase.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the current phase and its time so far in this hop. Returns `None` before the request
    /// begins and after it ends.
    #[must_use]
    pub fn running(&self) -> Option<(Phase, Duration)> {
        let running = self.with(|state| state.running)?;
        Some((running.phase, running.since.elapsed()))
    }

    /// Begins a hop and discards the handshake of the previous hop.
    pub(super) fn begin_hop(&self) {
        self.with(|state| {
            state.stop(Instant::now());
            state.handshake = None;
            state.running = Some(Running {
                phase: Phase::Processing,
                since: Instant::now(),
                provisional: true,
            });
        });
    }

    /// Records that the client begins to open a connection. If the host is a name, the hook in the
    /// resolver then enters the resolve phase.
    pub(super) fn begin_connect(&self) {
        self.with(|state| {
            if let Some(running) = state.running.as_mut().filter(|now| now.provisional) {
                running.phase = Phase::Connect;
            }
        });
    }

    /// Ends the current phase and starts `phase` at the same instant.
    pub(super) fn enter(&self, phase: Phase) {
        self.with(|state| {
            let now = Instant::now();
            match &mut state.running {
                Some(running) if running.provisional && phase == Phase::Resolve => {
                    running.phase = phase;
                    running.provisional = false;
                }
                _ => {
                    state.stop(now);
                    state.running = Some(Running {
                        phase,
                        since: now,
                        provisional: false,
                    });
                }
            }
        });
    }

    /// Ends the current phase and returns the phase with its time. Returns `None` if no phase is
    /// running.
    pub(super) fn stop(&self) -> Option<(Phase, Duration)> {
        self.with(|state| state.stop(Instant::now()))
    }

    /// Returns the times of all phases that have ended.
    pub(super) fn phases(&self) -> Phases {
        self.with(|state| state.phases)
    }

    /// Records the certificate chain that the server presented, in DER, leaf first.
    pub(super) fn record_chain(&self, chain: Vec<Vec<u8>>) {
        self.with(|state| state.handshake.get_or_insert_default().chain = chain);
    }

    /// Records the TLS version of the handshake that the server signed.
    pub(super) fn record_version(&self, version: &'static str) {
        self.with(|state| state.handshake.get_or_insert_default().version = Some(version));
    }

    /// Returns the handshake of the current hop, or `None` if there was none.
    pub(super) fn handshake(&self) -> Option<Handshake> {
        self.with(|state| state.handshake.clone())
    }

    /// Runs a future. The hooks that it calls report to this stopwatch.
    pub(super) async fn scope<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A poisoned lock only means that a probe panicked between two assignments.
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Calls `act` with the stopwatch of the current task. Does nothing if the task has no stopwatch.
pub(super) fn with_current(act: impl FnOnce(&Stopwatch)) {
    let _ = CURRENT.try_with(|stopwatch| act(stopwatch));
}

impl State {
    fn stop(&mut self, now: Instant) -> Option<(Phase, Duration)> {
        let running = self.running.take()?;
        let time = now.duration_since(running.since);
        self.phases.add(running.phase, time);
        Some((running.phase, time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(steps: &[(Option<Phase>, u64)], want: &[(Phase, u64)]) {
        let stopwatch = Stopwatch::new();
        for (phase, millis) in steps {
            match phase {
                None => stopwatch.begin_hop(),
                Some(phase) => stopwatch.enter(*phase),
            }
            tokio::time::advance(Duration::from_millis(*millis)).await;
        }
        stopwatch.stop();
        let phases = stopwatch.phases();
        for phase in Phase::ALL {
            let want = want.iter().find(|(name, _)| *name == phase);
            let want = want.map(|(_, millis)| Duration::from_millis(*millis));
            assert_eq!(phases.get(phase), want, "{phase:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_phase_includes_the_time_since_the_hop_began() {
        let steps = [
            (None, 2),
            (Some(Phase::Resolve), 3),
            (Some(Phase::Connect), 4),
        ];
        check(&steps, &[(Phase::Resolve, 5), (Phase::Connect, 4)]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn on_a_reused_connection_all_time_before_the_response_is_processing() {
        let steps = [(None, 7), (Some(Phase::Transfer), 1)];
        check(&steps, &[(Phase::Processing, 7), (Phase::Transfer, 1)]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_times_of_all_hops_are_summed() {
        let hop = [
            (None, 1),
            (Some(Phase::Resolve), 1),
            (Some(Phase::Transfer), 5),
        ];
        check(
            &[hop, hop].concat(),
            &[(Phase::Resolve, 4), (Phase::Transfer, 10)],
        )
        .await;
    }

    #[tokio::test]
    async fn a_hook_outside_a_probe_does_nothing() {
        with_current(|_| panic!("no probe is running"));
    }
}
