//! Starts probes when they are due, limits the number of concurrent probes, and emits the
//! observations.
//!
//! The scheduler owns the schedule and the running probes. The monitor interprets results and
//! requests confirming probes. A probe that panics counts as a failed probe. The schedule uses the
//! monotonic clock of the runtime.

pub mod follow_up_requests;
mod lateness;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use self::lateness::Lateness;
use crate::domain::report::Missed;
use crate::domain::schedule::{Action, Schedule};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::observation::{Fault, FaultKind, Observation, Phase};
use crate::model::target::{Target, TargetName};

/// A command for the scheduler.
#[derive(Debug)]
pub enum Command {
    /// Sets the targets, and the maximum number of probes that run at the same time.
    Configure(Vec<Arc<Target>>, usize),
    /// Probes a target again after this delay, to confirm a first failed or degraded result before
    /// the next slot.
    Confirm(TargetName, Duration),
    /// Stops the scheduler. No further probe starts, and running probes may finish within this
    /// time.
    Stop(Duration),
}

/// An event that the scheduler emits.
#[derive(Debug)]
pub enum Emission {
    /// A probe of the target ended. The observation is the result.
    Observed(Arc<Target>, Box<Observation>),
    /// A target was not probed in a scheduled slot.
    Missed(Missed),
}

/// A prober. Tests implement this trait to replace the daemon's prober.
pub trait Probe: Clone + Send + 'static {
    /// Probes a target once. The implementation must enforce the target's timeout.
    fn probe(&self, target: &Target) -> impl Future<Output = Observation> + Send;
}

/// The state of the scheduler. [`Scheduler::run`] runs the scheduler's task.
#[derive(Debug)]
pub struct Scheduler<P> {
    prober: P,
    emissions: mpsc::Sender<Emission>,
    metrics: DaemonMetrics,
    origin: Instant,
    lateness: Arc<Lateness>,
    schedule: Schedule,
    running: JoinSet<()>,
    /// The running probes by task id, to report which probe has ended or panicked.
    probes: HashMap<Id, RunningProbe>,
    max_in_flight: usize,
}

/// A running probe.
#[derive(Debug)]
struct RunningProbe {
    target: Arc<Target>,
    started: Timestamp,
    task: AbortHandle,
}

/// Time for which the scheduler sleeps if no probe is scheduled. Any long time is suitable, because
/// a command wakes the scheduler earlier.
const IDLE: Duration = Duration::from_secs(3600);

impl<P: Probe> Scheduler<P> {
    /// Creates a scheduler without targets.
    #[must_use]
    pub fn new(prober: P, emissions: mpsc::Sender<Emission>, metrics: DaemonMetrics) -> Self {
        Self {
            prober,
            emissions,
            lateness: Arc::new(Lateness::new(metrics.runtime_lag.clone())),
            metrics,
            origin: Instant::now(),
            schedule: Schedule::default(),
            running: JoinSet::new(),
            probes: HashMap::new(),
            max_in_flight: 0,
        }
    }

    /// Runs probes until [`Command::Stop`] is received or the channel of commands is closed. Also
    /// ends if a missed slot cannot be reported because the receiver of emissions was dropped.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let lateness = Arc::clone(&self.lateness);
        // A separate task measures the lateness, so that the time that this loop spends on its own
        // work is not included.
        let mut lateness_task = JoinSet::new();
        lateness_task.spawn(async move { lateness.measure().await });
        loop {
            let wake = self.schedule.next_due().unwrap_or(self.now() + IDLE);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Configure(targets, max_in_flight)) => {
                        self.max_in_flight = max_in_flight;
                        self.abort_moved(&targets);
                        let now = self.now();
                        self.schedule.configure(&targets, now);
                    }
                    Some(Command::Confirm(name, after)) => {
                        let at = self.now() + after;
                        self.schedule.confirm(&name, at);
                    }
                    Some(Command::Stop(grace)) => return self.stop(grace).await,
                    None => return self.stop(Duration::ZERO).await,
                },
                Some(ended) = self.running.join_next_with_id() => {
                    self.finish(ended).await;
                }
                Some(ended) = lateness_task.join_next() => {
                    tracing::error!(?ended, "lag measurement stopped");
                }
                () = sleep_until(self.origin + wake) => {}
            }
            if self.start_due().await.is_err() {
                return;
            }
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Aborts the running probes of targets whose URL has changed, because a probe of the old URL
    /// would delay the first probe of the new URL.
    fn abort_moved(&self, targets: &[Arc<Target>]) {
        if self.probes.is_empty() {
            return;
        }
        let urls: HashMap<_, _> = targets
            .iter()
            .map(|target| (&target.name, &target.url))
            .collect();
        for running in self.probes.values() {
            let url = urls.get(&running.target.name);
            if url.is_some_and(|url| **url != running.target.url) {
                running.task.abort();
            }
        }
    }

    /// Starts the probes that are due and reports missed slots. Returns an error if a missed slot
    /// cannot be reported because the receiver of emissions was dropped.
    async fn start_due(&mut self) -> Result<(), mpsc::error::SendError<Emission>> {
        let now = self.now();
        let is_due = self.schedule.next_due().is_some_and(|due| due <= now);
        if !is_due && !self.schedule.has_waiting() {
            return Ok(());
        }
        let free = self.max_in_flight.saturating_sub(self.running.len());
        for action in self.schedule.due(now, free) {
            match action {
                Action::Start(target, slot) => self.start(target, slot),
                Action::Missed(target, _, reason) => {
                    let missed = Missed { target, reason };
                    self.emissions.send(Emission::Missed(missed)).await?;
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, target: Arc<Target>, slot: Duration) {
        let lag = self.now().saturating_sub(slot);
        self.metrics.schedule_lag.observe(lag.as_secs_f64());
        let (prober, emissions) = (self.prober.clone(), self.emissions.clone());
        let probed = Arc::clone(&target);
        let (lateness, lagged) = (Arc::clone(&self.lateness), self.metrics.lagged.clone());
        let task = self.running.spawn(async move {
            let started = Instant::now();
            let mut observation = Box::pin(prober.probe(&probed)).await;
            let lag = lateness.longest_stall_since(started);
            if !lag.is_zero() {
                lagged.inc();
                observation.record_lag(lag, probed.timeout);
            }
            let observed = Emission::Observed(probed, Box::new(observation));
            // The send fails only while the daemon stops.
            let _ = emissions.send(observed).await;
        });
        let id = task.id();
        let started = Timestamp::now();
        let running = RunningProbe {
            target,
            started,
            task,
        };
        self.probes.insert(id, running);
        self.count_in_flight();
    }

    async fn finish(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.count_in_flight();
        let Some(RunningProbe {
            target, started, ..
        }) = self.probes.remove(&id)
        else {
            return;
        };
        let now = self.now();
        self.schedule.finished(&target.name, now);
        if let Err(error) = ended
            && error.is_panic()
        {
            let observation = panicked(&target, started);
            // The send fails only while the daemon stops.
            let _ = self
                .emissions
                .send(Emission::Observed(target, Box::new(observation)))
                .await;
        }
    }

    /// Waits until the running probes have finished, but at most for the grace period. Then aborts
    /// the remaining probes.
    async fn stop(mut self, grace: Duration) {
        let finish = async { while self.running.join_next().await.is_some() {} };
        if timeout(grace, finish).await.is_err() {
            let aborted = self.running.len();
            tracing::info!(aborted, "grace period ended, running probes aborted");
            self.running.shutdown().await;
        }
        self.metrics.in_flight.set(0);
    }

    fn count_in_flight(&self) {
        let running = i64::try_from(self.running.len()).unwrap_or(i64::MAX);
        self.metrics.in_flight.set(running);
    }
}

fn panicked(target: &Target, started: Timestamp) -> Observation {
    let mut observation = Observation::begun(started, target.url.as_str());
    let elapsed = Timestamp::now().duration_since(started);
    observation.duration = Duration::try_from(elapsed).unwrap_or_default();
    observation.fault = Some(Fault {
        phase: Phase::Resolve,
        kind: FaultKind::Local,
        detail: "the probe panicked; this is a bug in the prober, please report it".to_owned(),
    });
    observation
}

#[cfg(test)]
mod tests;
