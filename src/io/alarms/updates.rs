//! The channel through which the publisher requests updates of alarms.
//!
//! Requests never wait: they are queued for the executor, which takes them while its calls
//! are under way. The executor keeps one update per alarm, so the queue stays short.

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::reconciler::call::UpdateResult;
use crate::model::target::TargetName;

/// Requests updates of the alarms of one destination.
#[derive(Clone, Debug)]
pub struct AlarmUpdates {
    requests: mpsc::UnboundedSender<Request>,
}

/// A request to the executor.
#[derive(Debug)]
pub(super) enum Request {
    Update {
        target: TargetName,
        annotation: Option<Annotation>,
        not_before: Instant,
    },
    Hurry {
        target: TargetName,
        result: oneshot::Sender<UpdateResult>,
    },
    Group(Option<Annotation>),
}

/// The receiving end of the requests.
#[derive(Debug)]
pub struct Requests(pub(super) mpsc::UnboundedReceiver<Request>);

/// A queue of requests.
#[must_use]
pub fn channel() -> (AlarmUpdates, Requests) {
    let (requests, receiver) = mpsc::unbounded_channel();
    (AlarmUpdates { requests }, Requests(receiver))
}

impl AlarmUpdates {
    /// Requests an annotation of a target's alarm (`None`: no failure is known). It is written
    /// at the given time at the earliest, and replaces an earlier request for the target.
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

    /// Moves the requested update of a target before those that are not urgent, because its
    /// alarm is about to fire. The receiver gets the result; it is closed if the executor has
    /// ended.
    #[must_use]
    pub fn hurry(&self, target: &TargetName) -> oneshot::Receiver<UpdateResult> {
        let (result, receiver) = oneshot::channel();
        self.send(Request::Hurry {
            target: target.clone(),
            result,
        });
        receiver
    }

    /// Opens, rewrites or (`None`) closes a group incident: the heartbeat's alarm names it
    /// before anything else is written, and updates of targets are suppressed meanwhile.
    pub fn group(&self, annotation: Option<Annotation>) {
        self.send(Request::Group(annotation));
    }

    fn send(&self, request: Request) {
        // It fails only if the executor has ended, and then no alarm is written.
        let _ = self.requests.send(request);
    }
}

#[cfg(test)]
impl Requests {
    /// Fails the next hurried update, as the executor does while its calls fail.
    pub(crate) async fn fail_hurried(&mut self) {
        while let Some(request) = self.0.recv().await {
            if let Request::Hurry { result, .. } = request {
                result.send(UpdateResult::Failed).unwrap();
                return;
            }
        }
    }
}
