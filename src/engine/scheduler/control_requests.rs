//! Runs control requests beside the probes, a few at a time.
//!
//! Whoever asks never waits: a full queue loses the request and counts it, and the next
//! failing probe asks again. One target has at most one control under way. Which answer
//! counts, and when another is wanted, is the baseline's business.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};

use crate::io::probe::Prober;
use crate::model::observation::Observation;
use crate::model::target::{Target, TargetName};

/// What makes a control request: the real prober, or a stand-in of a test's choosing.
pub trait ControlProber: Clone + Send + 'static {
    /// Makes one control request; `None` where the target names no control path. Must end
    /// by itself.
    fn control(&self, target: &Target) -> impl Future<Output = Option<Observation>> + Send;
}

/// The way to the task that runs control requests. It ends when every clone is dropped,
/// or when nobody takes its results any more.
#[derive(Clone, Debug)]
pub struct ControlRequests {
    requests: mpsc::Sender<Request>,
    dropped: IntCounter,
}

type Request = (Arc<Target>, Duration);

/// An answer, and whose.
type ControlAnswer = (Arc<Target>, Observation);

struct Runner<P> {
    prober: P,
    results: mpsc::Sender<ControlAnswer>,
    limit: usize,
    running: JoinSet<Option<ControlAnswer>>,
    names: HashMap<Id, TargetName>,
}

impl ControlRequests {
    /// Starts the task: at most `limit` controls are under way, those that wait for their
    /// moment included, and as many more are queued. What finds no place is `dropped`.
    #[must_use]
    pub fn start<P: ControlProber>(
        prober: P,
        results: mpsc::Sender<ControlAnswer>,
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

    /// Asks for a control request to a target's control path in so long; returns at once.
    /// A target without a control path is not asked, nor is one that waits for an answer.
    pub fn request(&self, target: Arc<Target>, after: Duration) {
        if target.aws.control_path.is_some() && self.requests.try_send((target, after)).is_err() {
            self.dropped.inc();
        }
    }

    /// Resolves when the task has ended, which it does not while the daemon runs.
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
                    // One that panicked is one without an answer: the next one is asked for.
                    let (id, answer) = ended.unwrap_or_else(|error| (error.id(), None));
                    // Its name goes first: whoever takes the answer may ask again at once.
                    self.names.remove(&id);
                    if let Some(answer) = answer
                        && self.results.send(answer).await.is_err()
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

    /// Takes a second; panics for a target named `crash`.
    #[derive(Clone)]
    struct Slow;

    impl ControlProber for Slow {
        async fn control(&self, target: &Target) -> Option<Observation> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(target.name.as_str() != "crash", "as the test wants it");
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

    fn start(limit: usize) -> (ControlRequests, mpsc::Receiver<ControlAnswer>) {
        let (sender, results) = mpsc::channel(8);
        let dropped = IntCounter::new("dropped", "As the test counts them.").unwrap();
        (
            ControlRequests::start(Slow, sender, limit, dropped),
            results,
        )
    }

    /// Whose answers come within so many seconds, and after how many.
    async fn within(seconds: u64, results: &mut mpsc::Receiver<ControlAnswer>) -> Vec<String> {
        let begun = Instant::now();
        let end = begun + Duration::from_secs(seconds);
        let mut seen = Vec::new();
        while let Ok(Some((target, _))) = tokio::time::timeout_at(end, results.recv()).await {
            seen.push(format!("{} {}", target.name, begun.elapsed().as_secs()));
        }
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn a_control_runs_after_its_pause_and_a_target_has_one_at_a_time() {
        let (controls, mut results) = start(4);
        controls.request(target("a"), Duration::from_secs(2));
        controls.request(target("a"), Duration::ZERO);
        controls.request(target("b"), Duration::ZERO);
        assert_eq!(within(9, &mut results).await, ["b 1", "a 3"]);
        controls.request(target("a"), Duration::ZERO);
        assert_eq!(within(9, &mut results).await, ["a 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_place_is_dropped_and_counted() {
        let (controls, mut results) = start(1);
        controls.request(target("a"), Duration::ZERO);
        controls.request(target("b"), Duration::ZERO);
        assert_eq!(controls.dropped.get(), 1);
        assert_eq!(within(9, &mut results).await, ["a 1"]);
        controls.request(target("b"), Duration::ZERO);
        assert_eq!(within(9, &mut results).await, ["b 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_without_a_control_path_costs_no_place() {
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
    async fn a_panic_is_one_lost_answer() {
        let (controls, mut results) = start(1);
        controls.request(target("crash"), Duration::ZERO);
        assert!(within(3, &mut results).await.is_empty());
        controls.request(target("a"), Duration::ZERO);
        assert_eq!(within(3, &mut results).await, ["a 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_task_is_noticed() {
        let (controls, results) = start(1);
        drop(results);
        tokio::time::timeout(Duration::from_secs(1), controls.ended())
            .await
            .unwrap();
    }
}
