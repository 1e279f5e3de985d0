//! Starts probes when they are due, limits how many run at the same time, and emits their
//! observations.
//!
//! The scheduler owns the schedule and the running probes. The monitor interprets results and
//! requests confirming probes. A probe that panics counts as a failed probe. All times are those
//! of the runtime's monotonic clock.

pub mod control_requests;
mod lateness;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use self::lateness::Lateness;
use crate::domain::report::Missed;
use crate::domain::schedule::{Action, Schedule};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::observation::{Fault, FaultKind, Observation, Phase};
use crate::model::target::{Target, TargetName};

/// A command to the scheduler.
#[derive(Debug)]
pub enum Command {
    /// Sets the targets, and the maximum number of probes that run at the same time.
    Configure(Vec<Arc<Target>>, usize),
    /// Probes a target again after this delay, before its next slot, to confirm a first failure.
    Confirm(TargetName, Duration),
    /// Stops the scheduler: no further probe starts, and running probes may finish within this
    /// time.
    Stop(Duration),
}

/// An event that the scheduler emits.
#[derive(Debug)]
pub enum Emission {
    /// A probe ended.
    Observed(Arc<Target>, Box<Observation>),
    /// A target was not probed in a slot.
    Missed(Missed),
}

/// The interface of a prober. Tests use another implementation than the daemon.
pub trait Probe: Clone + Send + 'static {
    /// Probes a target once. The future must complete by itself within the target's timeout.
    fn probe(&self, target: &Target) -> impl Future<Output = Observation> + Send;
}

/// The scheduler's task: [`Scheduler::run`] ends after [`Command::Stop`], or when either
/// channel is closed.
#[derive(Debug)]
pub struct Scheduler<P> {
    prober: P,
    emissions: mpsc::Sender<Emission>,
    metrics: DaemonMetrics,
    origin: Instant,
    lateness: Arc<Lateness>,
    schedule: Schedule,
    running: JoinSet<()>,
    /// The target and start time of each running task, to report its end or its panic.
    probes: HashMap<Id, (Arc<Target>, Timestamp)>,
    max_in_flight: usize,
}

/// Time for which the scheduler sleeps if no probe is scheduled. A command wakes it earlier, so any
/// long time is suitable.
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

    /// Runs probes until [`Command::Stop`], or until either channel is closed.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let lateness = Arc::clone(&self.lateness);
        // The measurement is a separate task, so that time spent in this loop is not measured
        // as lag.
        let mut lateness_task = JoinSet::new();
        lateness_task.spawn(async move { lateness.measure().await });
        loop {
            let wake = self.schedule.next_due().unwrap_or(self.now() + IDLE);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Configure(targets, max_in_flight)) => {
                        self.max_in_flight = max_in_flight;
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

    /// Starts the probes that are due. Returns an error if the receiver of events was dropped.
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
        self.probes.insert(task.id(), (target, Timestamp::now()));
        self.count_in_flight();
    }

    async fn finish(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.count_in_flight();
        let Some((target, started)) = self.probes.remove(&id) else {
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

    /// Waits until running probes finish, for at most the grace period, and then aborts the others.
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
mod tests {
    use super::*;
    use crate::domain::report::MissedReason;

    /// A prober whose probes take a fixed time, and that panics for a target named `crash`.
    #[derive(Clone)]
    struct Slow(Duration);

    impl Probe for Slow {
        async fn probe(&self, target: &Target) -> Observation {
            assert!(target.name.as_str() != "crash", "expected by the test");
            tokio::time::sleep(self.0).await;
            Observation::begun(Timestamp::UNIX_EPOCH, target.url.as_str())
        }
    }

    fn target(name: &str, interval: u64) -> Arc<Target> {
        let mut target = Target::with_defaults(name, "http://localhost/".parse().unwrap());
        target.interval = Duration::from_secs(interval);
        Arc::new(target)
    }

    struct Running {
        commands: mpsc::Sender<Command>,
        events: mpsc::Receiver<Emission>,
        task: tokio::task::JoinHandle<()>,
        metrics: DaemonMetrics,
    }

    /// Starts a scheduler whose probes take `seconds`.
    async fn start(targets: &[Arc<Target>], seconds: u64, max_in_flight: usize) -> Running {
        let (event_sender, events) = mpsc::channel(64);
        let (commands, receiver) = mpsc::channel(64);
        let metrics = DaemonMetrics::new().unwrap();
        let prober = Slow(Duration::from_secs(seconds));
        let scheduler = Scheduler::new(prober, event_sender, metrics.clone());
        let task = tokio::spawn(scheduler.run(receiver));
        let configure = Command::Configure(targets.to_vec(), max_in_flight);
        commands.send(configure).await.unwrap();
        Running {
            commands,
            events,
            task,
            metrics,
        }
    }

    impl Running {
        /// Returns the events of the next `seconds` seconds, as text.
        async fn within(&mut self, seconds: u64) -> Vec<String> {
            let end = Instant::now() + Duration::from_secs(seconds);
            let mut seen = Vec::new();
            while let Ok(Some(event)) = tokio::time::timeout_at(end, self.events.recv()).await {
                seen.push(match event {
                    Emission::Observed(target, observation) => {
                        let fault = observation.fault.map_or("ok", |fault| fault.kind.as_str());
                        format!("{} {fault}", target.name)
                    }
                    Emission::Missed(missed) => {
                        format!("{} missed {}", missed.target.name, missed.reason.as_str())
                    }
                });
            }
            seen
        }
    }

    #[tokio::test(start_paused = true)]
    async fn probes_run_at_their_interval() {
        let mut running = start(&[target("a", 10)], 1, 10).await;
        let seen = running.within(60).await;
        assert!((6..=7).contains(&seen.len()), "{seen:?}");
        assert!(seen.iter().all(|event| event == "a ok"));
        assert_eq!(
            running.metrics.schedule_lag.get_sample_count(),
            seen.len() as u64
        );
        assert!(running.metrics.schedule_lag.get_sample_sum() < 0.1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_a_failed_probe_and_other_probes_continue() {
        let mut running = start(&[target("crash", 10), target("b", 10)], 1, 10).await;
        let seen = running.within(30).await;
        assert!(seen.iter().filter(|event| *event == "crash local").count() >= 3);
        assert!(seen.iter().filter(|event| *event == "b ok").count() >= 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_above_the_limit_is_missed_and_its_target_is_probed_later() {
        let mut running = start(&[target("a", 60), target("b", 60)], 20, 1).await;
        let seen = running.within(50).await;
        let expected = format!("missed {}", MissedReason::NoCapacity.as_str());
        assert_eq!(
            seen.iter()
                .filter(|event| event.ends_with(&expected))
                .count(),
            1
        );
        assert_eq!(
            seen.iter().filter(|event| event.ends_with(" ok")).count(),
            2
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_confirming_probe_runs_before_the_next_slot() {
        let mut running = start(&[target("a", 600)], 1, 1).await;
        assert_eq!(running.within(10).await, ["a ok"]);
        let confirm = Command::Confirm(TargetName::new("a"), Duration::from_secs(10));
        running.commands.send(confirm).await.unwrap();
        assert_eq!(running.within(12).await, ["a ok"]);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_running_probes_within_the_grace_period() {
        for (seconds, grace, finished) in [(3, 10, 1), (30, 10, 0)] {
            let mut running = start(&[target("a", 600)], seconds, 1).await;
            while running.metrics.in_flight.get() == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let begun = Instant::now();
            let stop = Command::Stop(Duration::from_secs(grace));
            running.commands.send(stop).await.unwrap();
            running.task.await.unwrap();
            assert!(begun.elapsed() <= Duration::from_secs(grace) + Duration::from_millis(100));
            let mut seen = 0;
            while running.events.recv().await.is_some() {
                seen += 1;
            }
            assert_eq!(
                seen, finished,
                "a probe of {seconds} s with {grace} s of grace"
            );
        }
    }
}
