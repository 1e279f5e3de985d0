//! Runs requests that are not probes: control requests, requests that ask the front door for the
//! cause of a failure, and requests through the layers of a target.
//!
//! The number of concurrent requests is limited. Scheduling a request never blocks. If the queue is
//! full, the request is dropped and counted. A target has at most one request of each kind in
//! progress. `domain` decides which requests are needed and interprets their results.

use std::collections::HashMap;
use std::sync::Arc;

use prometheus::IntCounter;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};

use crate::domain::follow_up::{FollowUp, FollowUpKind};
use crate::io::probe::Prober;
use crate::model::observation::Observation;
use crate::model::target::Target;

/// A prober that sends follow-up requests. Tests implement this trait to replace the daemon's
/// prober.
pub trait FollowUpProber: Clone + Send + 'static {
    /// Sends one request and returns its observation. Returns `None` if the target is not
    /// configured for this kind of request. The implementation must enforce a timeout.
    fn follow_up(&self, follow_up: &FollowUp) -> impl Future<Output = Option<Observation>> + Send;
}

/// The handle of the task that runs follow-up requests. The task ends when every clone of the
/// handle, or the receiver of the results, is dropped.
#[derive(Clone, Debug)]
pub struct FollowUpRequests {
    requests: mpsc::Sender<FollowUp>,
    dropped: IntCounter,
}

/// The result of a follow-up request.
#[derive(Clone, Debug)]
pub struct FollowUpResult {
    /// The target to which the request belongs.
    pub target: Arc<Target>,
    /// The kind of the request.
    pub kind: FollowUpKind,
    /// The observation of the request. `None` if the request was not sent, for example because it
    /// was no longer needed, or if its task panicked.
    pub observation: Option<Box<Observation>>,
}

struct Runner<P> {
    prober: P,
    results: mpsc::Sender<FollowUpResult>,
    limit: usize,
    running: JoinSet<Option<Observation>>,
    requests: HashMap<Id, FollowUp>,
}

impl FollowUpRequests {
    /// Starts the task that runs follow-up requests. At most `limit` requests run or are delayed at
    /// the same time, and at most `limit` more are queued. Any further request is dropped and
    /// counted in `dropped`.
    #[must_use]
    pub fn start<P: FollowUpProber>(
        prober: P,
        results: mpsc::Sender<FollowUpResult>,
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
            requests: HashMap::new(),
        };
        tokio::spawn(runner.run(receiver));
        Self { requests, dropped }
    }

    /// Schedules a request to run after its delay, without blocking. Returns false if no result
    /// will follow: the request was dropped, or it is a control request and the target has no
    /// control path. A request that is already in progress is not sent again.
    pub fn send(&self, request: FollowUp) -> bool {
        if request.kind == FollowUpKind::Control && request.target.aws.control_path.is_none() {
            return false;
        }
        let sent = self.requests.try_send(request).is_ok();
        if !sent {
            self.dropped.inc();
        }
        sent
    }

    /// Waits until the task has ended. While the daemon runs, the task ends only because of a bug.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }
}

impl FollowUpProber for Prober {
    fn follow_up(&self, follow_up: &FollowUp) -> impl Future<Output = Option<Observation>> + Send {
        Self::follow_up(self, follow_up)
    }
}

impl<P: FollowUpProber> Runner<P> {
    async fn run(mut self, mut requests: mpsc::Receiver<FollowUp>) {
        loop {
            tokio::select! {
                request = requests.recv(), if self.running.len() < self.limit => match request {
                    Some(request) => self.begin(request),
                    None => return,
                },
                Some(ended) = self.running.join_next_with_id() => {
                    // A request whose task panicked has no observation.
                    let (id, observation) = ended.unwrap_or_else(|error| (error.id(), None));
                    // The request is removed before its result is sent, because the receiver may
                    // send the same request again at once.
                    let Some(request) = self.requests.remove(&id) else { continue };
                    let result = FollowUpResult {
                        target: request.target,
                        kind: request.kind,
                        observation: observation.map(Box::new),
                    };
                    if self.results.send(result).await.is_err() {
                        return;
                    }
                }
                () = self.results.closed() => return,
            }
        }
    }

    fn begin(&mut self, request: FollowUp) {
        let is_same = |running: &FollowUp| {
            running.kind == request.kind && running.target.name == request.target.name
        };
        if self.requests.values().any(is_same) {
            return;
        }
        let (prober, sent) = (self.prober.clone(), request.clone());
        let task = self.running.spawn(async move {
            tokio::time::sleep(sent.after).await;
            if !sent.validity.is_needed() {
                return None;
            }
            Box::pin(prober.follow_up(&sent)).await
        });
        self.requests.insert(task.id(), request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use jiff::Timestamp;
    use tokio::time::Instant;

    use crate::domain::follow_up::Validity;

    /// A prober that takes one second per request and panics for the target named `crash`.
    #[derive(Clone)]
    struct Slow;

    impl FollowUpProber for Slow {
        async fn follow_up(&self, follow_up: &FollowUp) -> Option<Observation> {
            let target = &follow_up.target;
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(
                target.name.as_str() != "crash",
                "the test expects this panic"
            );
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

    fn control(target: Arc<Target>, seconds: u64) -> FollowUp {
        FollowUp {
            target,
            kind: FollowUpKind::Control,
            after: Duration::from_secs(seconds),
            validity: Validity::default(),
        }
    }

    fn start(limit: usize) -> (FollowUpRequests, mpsc::Receiver<FollowUpResult>) {
        let (sender, results) = mpsc::channel(8);
        let dropped = IntCounter::new("dropped", "Dropped requests.").unwrap();
        (
            FollowUpRequests::start(Slow, sender, limit, dropped),
            results,
        )
    }

    /// Returns the results of the next `seconds` seconds, each formatted as `target second`, with
    /// the suffix ` lost` if the result has no observation.
    async fn within(seconds: u64, results: &mut mpsc::Receiver<FollowUpResult>) -> Vec<String> {
        let started = Instant::now();
        let end = started + Duration::from_secs(seconds);
        let mut seen = Vec::new();
        while let Ok(Some(result)) = tokio::time::timeout_at(end, results.recv()).await {
            let lost = result.observation.map_or(" lost", |_| "");
            let second = started.elapsed().as_secs();
            seen.push(format!("{} {second}{lost}", result.target.name));
        }
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_runs_after_its_delay_and_a_target_has_one_of_each_kind_at_a_time() {
        let (controls, mut results) = start(4);
        controls.send(control(target("a"), 2));
        controls.send(control(target("a"), 0));
        controls.send(control(target("b"), 0));
        assert_eq!(within(9, &mut results).await, ["b 1", "a 3"]);
        let ask = FollowUp {
            kind: FollowUpKind::Ask {
                began: Timestamp::UNIX_EPOCH,
            },
            ..control(target("a"), 0)
        };
        assert!(controls.send(control(target("a"), 0)));
        assert!(controls.send(ask));
        assert_eq!(within(9, &mut results).await, ["a 1", "a 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_above_the_limit_is_dropped_and_counted() {
        let (controls, mut results) = start(1);
        controls.send(control(target("a"), 0));
        controls.send(control(target("b"), 0));
        assert_eq!(controls.dropped.get(), 1);
        assert_eq!(within(9, &mut results).await, ["a 1"]);
        controls.send(control(target("b"), 0));
        assert_eq!(within(9, &mut results).await, ["b 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_without_a_control_path_does_not_count_towards_the_limit() {
        let (controls, mut results) = start(1);
        let plain = Target::with_defaults("p", "http://localhost/".parse().unwrap());
        assert!(!controls.send(control(Arc::new(plain), 0)));
        controls.send(control(target("a"), 0));
        assert_eq!(
            (within(9, &mut results).await, controls.dropped.get()),
            (vec!["a 1".to_owned()], 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_no_longer_needed_after_its_delay_is_not_sent() {
        let (requests, mut results) = start(4);
        let owner = Arc::new(());
        for (name, seconds) in [("a", 0), ("b", 5)] {
            requests.send(FollowUp {
                validity: Validity::while_kept(&owner),
                ..control(target(name), seconds)
            });
        }
        assert_eq!(within(3, &mut results).await, ["a 1"]);
        drop(owner);
        assert_eq!(within(9, &mut results).await, ["b 2 lost"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_loses_one_result_only() {
        let (controls, mut results) = start(1);
        controls.send(control(target("crash"), 0));
        assert_eq!(within(3, &mut results).await, ["crash 1 lost"]);
        controls.send(control(target("a"), 0));
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
