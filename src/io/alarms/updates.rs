//! The channel on which sinks request updates of alarms.
//!
//! Sending a request never blocks. The executor receives requests even while its calls are in
//! progress, and keeps at most one update per alarm, so the queue of requests stays short.

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::reconciler::call::UpdateResult;
use crate::model::target::TargetName;

/// The sending end of the channel. It requests updates of the alarms of one destination.
#[derive(Clone, Debug)]
pub struct AlarmUpdates {
    requests: mpsc::UnboundedSender<Request>,
}

/// A request to the executor.
#[derive(Debug)]
pub(super) enum Request {
    /// Requests an annotation of a target's alarm; see [`AlarmUpdates::request`].
    Update {
        target: TargetName,
        annotation: Option<Annotation>,
        not_before: Instant,
    },
    /// Makes the pending update of a target urgent; see [`AlarmUpdates::mark_urgent`].
    MarkUrgent {
        target: TargetName,
        result: oneshot::Sender<UpdateResult>,
    },
    /// Sets the annotation of the heartbeat alarm; see [`AlarmUpdates::group`].
    Group(Option<Annotation>),
}

/// The receiving end of the channel.
#[derive(Debug)]
pub struct Requests(pub(super) mpsc::UnboundedReceiver<Request>);

/// Creates the channel and returns both of its ends.
#[must_use]
pub fn channel() -> (AlarmUpdates, Requests) {
    let (requests, receiver) = mpsc::unbounded_channel();
    (AlarmUpdates { requests }, Requests(receiver))
}

impl AlarmUpdates {
    /// Requests that `annotation` is written to a target's alarm. `None` means that no failure is
    /// known. The alarm is not written before `not_before`. The request replaces an earlier request
    /// for the same target.
    pub fn request(
        &self,
        target: &TargetName,
        annotation: Option<Annotation>,
        not_before: Instant,
    ) {
        self.send(Request::Update {
            target: target.clone(),
            annotation,
            not_before,
        });
    }

    /// Moves the pending update of a target ahead of updates that are not urgent. Until the
    /// returned receiver gets the result, or a time limit is reached, the caller holds back a
    /// datapoint that would make the target's alarm fire. The receiver is closed if the executor
    /// has ended.
    #[must_use]
    pub fn mark_urgent(&self, target: &TargetName) -> oneshot::Receiver<UpdateResult> {
        let (result, receiver) = oneshot::channel();
        self.send(Request::MarkUrgent {
            target: target.clone(),
            result,
        });
        receiver
    }

    /// Sets the annotation of the heartbeat alarm, which names the cause of the open incident of a
    /// group or of the prober. The heartbeat alarm is written first. The alarms of targets are not
    /// updated until `None` reports that the incident was closed.
    pub fn group(&self, annotation: Option<Annotation>) {
        self.send(Request::Group(annotation));
    }

    fn send(&self, request: Request) {
        // Sending fails only if the executor has ended, and then no alarm is written.
        let _ = self.requests.send(request);
    }
}

#[cfg(test)]
impl Requests {
    /// Replies to the next urgent update with a failure, as the executor does while its calls
    /// fail.
    pub(crate) async fn fail_urgent(&mut self) {
        while let Some(request) = self.0.recv().await {
            if let Request::MarkUrgent { result, .. } = request {
                result.send(UpdateResult::Failed).unwrap();
                return;
            }
        }
    }
}
