//! Runs control requests in parallel with the probes, and limits how many run at the same time.
//!
//! Scheduling a request never blocks: if the queue is full, the request is dropped and counted,
//! and the next failed probe schedules another one. A target has at most one control request in
//! progress. The baseline decides when a control request is needed and what its result means.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};

use crate::io::probe::Prober;
use crate::model::observation::Observation;
use crate::model::target::{Target, TargetName};

/// The interface of a prober that sends control requests. Tests use another implementation than
/// the daemon.
pub trait ControlProber: Clone + Send + 'static {
    /// Sends one control request. Returns `None` if the target has no control path. The future must
    /// complete by itself within a limited time.
    fn control(&self, target: &Target) -> impl Future<Output = Option<Observation>> + Send;
}

/// The handle of the task that runs control requests. The task ends when every clone of the
/// handle, or the receiver of the results, is dropped.
#[derive(Clone, Debug)]
pub struct ControlRequests {
    requests: mpsc::Sender<Request>,
    dropped: IntCounter,
}

type Request = (Arc<Target>, Duration);

/// The result of a control request, with its target.
type ControlObservation = (Arc<Target>, Observation);

struct Runner<P> {
    prober: P,
    results: mpsc::Sender<ControlObservation>,
    limit: usize,
    running: JoinSet<Option<ControlObservation>>,
    names: HashMap<Id, TargetName>,
}

impl ControlRequests {
    /// Starts the task. At most `limit` control requests run or wait for their delay, and another
    /// `limit` requests are queued. Any further request is dropped and counted in `dropped`.
    #[must_use]
    pub fn start<P: ControlProber>(
        prober: P,
        results: mpsc::Sender<ControlObservation>,
        limit: usize,
        dropped: IntCounter,
    ) -> Self {
        let limit = limit.max(1);
        let (requests, receiver) = mpsc::channel(limit);
        let runner = Runner {
            prober,
            results,
            limit,
            running: JoinSet::new(),
            names: HashMap::new(),
        };
        tokio::spawn(runner.run(receiver));
        Self { requests, dropped }
    }

    /// Schedules a request to the target's control path after a delay, and returns at once.
    /// Does nothing if the target has no control path or a control request is in progress.
    pub fn request(&self, target: Arc<Target>, after: Duration) {
        if target.aws.control_path.is_some() && self.requests.try_send((target, after)).is_err() {
            self.dropped.inc();
        }
    }

    /// Waits until the task has ended. The task does not end while the daemon runs without a
    /// fault.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }
}

impl ControlProber for Prober {
    fn control(&self, target: &Target) -> impl Future<Output = Option<Observation>> + Send {
        Self::control_request(self, target)
    }
}

impl<P: ControlProber> Runner<P> {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            tokio::select! {
                request = requests.recv(), if self.running.len() < self.limit => match request {
                    Some((target, after)) => self.begin(target, after),
                    None => return,
                },
                Some(ended) = self.running.join_next_with_id() => {
                    // A request that panicked has no result.
                    let (id, result) = ended.unwrap_or_else(|error| (error.id(), None));
                    // The name is removed before the result is sent, since the receiver may
                    // request the target's next control request at once.
                    self.names.remove(&id);
                    if let Some(result) = result
                        && self.results.send(result).await.is_err()
                    {
                        return;
                    }
                }
                () = self.results.closed() => return,
            }
        }
    }

    fn begin(&mut self, target: Arc<Target>, after: Duration) {
        if self.names.values().any(|name| *name == target.name) {
            return;
        }
        let name = target.name.clone();
        let prober = self.prober.clone();
        let task = self.running.spawn(async move {
            tokio::time::sleep(after).await;
            let observation = Box::pin(prober.control(&target)).await?;
            Some((target, observation))
        });
        self.names.insert(task.id(), name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use tokio::time::Instant;

    /// A prober whose requests take a second, and that panics for a target named `crash`.
    #[derive(Clone)]
    struct Slow;

    impl ControlProber for Slow {
        async fn control(&self, target: &Target) -> Option<Observation> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(target.name.as_str() != "crash", "expected by the test");
            target.aws.control_path.as_ref()?;
            Some(Observation::begun(
                Timestamp::UNIX_EPOCH,
                target.url.as_str(),
            ))
        }
    }

    fn target(name: &str) -> Arc<Target> {
        let mut target = Target::with_defaults(name, "http://localhost/".parse().unwrap());
        target.aws.control_path = Some("/none".to_owned());
        Arc::new(target)
    }

    fn start(limit: usize) -> (ControlRequests, mpsc::Receiver<ControlObservation>) {
        let (sender, results) = mpsc::channel(8);
        let dropped = IntCounter::new("dropped", "Dropped requests.").unwrap();
        (
            ControlRequests::start(Slow, sender, limit, dropped),
            results,
        )
    }

    /// Returns the results of the next `seconds` seconds, as `target second`.
    async fn within(seconds: u64, results: &mut mpsc::Receiver<ControlObservation>) -> Vec<String> {
        let started = Instant::now();
        let end = started + Duration::from_secs(seconds);
        let mut seen = Vec::new();
        while let Ok(Some((target, _))) = tokio::time::timeout_at(end, results.recv()).await {
            seen.push(format!("{} {}", target.name, started.elapsed().as_secs()));
        }
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn a_control_request_runs_after_its_delay_and_a_target_has_one_at_a_time() {
        let (controls, mut results) = start(4);
        controls.request(target("a"), Duration::from_secs(2));
        controls.request(target("a"), Duration::ZERO);
        controls.request(target("b"), Duration::ZERO);
        assert_eq!(within(9, &mut results).await, ["b 1", "a 3"]);
        controls.request(target("a"), Duration::ZERO);
        assert_eq!(within(9, &mut results).await, ["a 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_above_the_limit_is_dropped_and_counted() {
        let (controls, mut results) = start(1);
        controls.request(target("a"), Duration::ZERO);
        controls.request(target("b"), Duration::ZERO);
        assert_eq!(controls.dropped.get(), 1);
        assert_eq!(within(9, &mut results).await, ["a 1"]);
        controls.request(target("b"), Duration::ZERO);
        assert_eq!(within(9, &mut results).await, ["b 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_without_a_control_path_does_not_count_towards_the_limit() {
        let (controls, mut results) = start(1);
        let plain = Target::with_defaults("p", "http://localhost/".parse().unwrap());
        controls.request(Arc::new(plain), Duration::ZERO);
        controls.request(target("a"), Duration::ZERO);
        assert_eq!(
            (within(9, &mut results).await, controls.dropped.get()),
            (vec!["a 1".to_owned()], 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_loses_one_result_only() {
        let (controls, mut results) = start(1);
        controls.request(target("crash"), Duration::ZERO);
        assert!(within(3, &mut results).await.is_empty());
        controls.request(target("a"), Duration::ZERO);
        assert_eq!(within(3, &mut results).await, ["a 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_task_is_reported() {
        let (controls, results) = start(1);
        drop(results);
        tokio::time::timeout(Duration::from_secs(1), controls.ended())
            .await
            .unwrap();
    }
}
