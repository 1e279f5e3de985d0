//! Merges the monitor's input channels into one stream of events.
//!
//! Configurations, evidence and follow-up results are few, and a long queue of probe results must
//! not delay them. Therefore `try_next` returns them before probe results.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{ConfigChange, Event};
use crate::domain::diagnosis::aws::EvidenceUpdate;
use crate::engine::scheduler::Emission;
use crate::engine::scheduler::follow_up_requests::FollowUpResult;
use crate::io::evidence::changes::ChangeUpdate;
use crate::model::settings::Settings;

/// The input channels of the monitor.
#[derive(Debug)]
pub struct Inbox {
    /// Events of the scheduler. The monitor ends when this channel closes.
    pub emissions: mpsc::Receiver<Emission>,
    /// Results of control requests and other follow-up requests.
    pub follow_ups: mpsc::Receiver<FollowUpResult>,
    /// Updates with the evidence that was found in AWS.
    pub evidence: mpsc::Receiver<EvidenceUpdate>,
    /// Changes that were found in AWS accounts, each update for one incident.
    pub changes: mpsc::Receiver<ChangeUpdate>,
    /// Configurations to apply, each with a channel for the reply.
    pub configurations: mpsc::Receiver<(Arc<Settings>, oneshot::Sender<ConfigChange>)>,
}

impl Inbox {
    /// Waits for the next event of any channel. Returns `None` once the scheduler has ended.
    pub(super) async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            emission = self.emissions.recv() => emission.map(Event::Probing),
            Some(result) = self.follow_ups.recv() => Some(Event::FollowedUp(result)),
            Some(update) = self.evidence.recv() => Some(Event::Evidence(update)),
            Some(update) = self.changes.recv() => Some(Event::AccountChanges(update)),
            Some((settings, done)) = self.configurations.recv() => {
                Some(Event::Configure(settings, done))
            }
        }
    }

    /// Returns the next queued event, or `None` if no event is queued. Events of the scheduler are
    /// returned last.
    pub(super) fn try_next(&mut self) -> Option<Event> {
        if let Ok((settings, done)) = self.configurations.try_recv() {
            return Some(Event::Configure(settings, done));
        }
        if let Ok(update) = self.evidence.try_recv() {
            return Some(Event::Evidence(update));
        }
        if let Ok(update) = self.changes.try_recv() {
            return Some(Event::AccountChanges(update));
        }
        if let Ok(result) = self.follow_ups.try_recv() {
            return Some(Event::FollowedUp(result));
        }
        self.emissions.try_recv().ok().map(Event::Probing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    use crate::domain::follow_up::FollowUpKind;
    use crate::model::observation::Observation;
    use crate::model::target::Target;

    #[tokio::test]
    async fn queued_probe_results_come_last_and_in_order() {
        let (emit, emissions) = mpsc::channel(8);
        let (follow_up, follow_ups) = mpsc::channel(8);
        let (_evidence_sender, evidence) = mpsc::channel(8);
        let (_changes_sender, changes) = mpsc::channel(8);
        let (configure, configurations) = mpsc::channel(8);
        let mut inbox = Inbox {
            emissions,
            follow_ups,
            evidence,
            changes,
            configurations,
        };
        assert!(inbox.try_next().is_none());
        let url: url::Url = "https://x.example/".parse().unwrap();
        let target = Arc::new(Target::with_defaults("orders", url));
        for second in [1, 2] {
            let at = Timestamp::from_second(second).unwrap();
            let seen = Box::new(Observation::begun(at, "https://x.example/"));
            let emission = Emission::Observed(Arc::clone(&target), seen);
            emit.send(emission).await.unwrap();
        }
        let result = FollowUpResult {
            target,
            kind: FollowUpKind::Control,
            observation: None,
        };
        follow_up.send(result).await.unwrap();
        let (done, _) = oneshot::channel();
        configure.send((Arc::default(), done)).await.unwrap();
        let queued = std::iter::from_fn(|| inbox.try_next()).map(|event| match event {
            Event::Probing(Emission::Observed(_, seen)) => seen.started.as_second().to_string(),
            Event::Probing(Emission::Missed(_)) => "missed".to_owned(),
            Event::FollowedUp(_) => "follow-up".to_owned(),
            Event::Evidence(_) => "evidence".to_owned(),
            Event::AccountChanges(_) => "account changes".to_owned(),
            Event::Configure(..) => "configuration".to_owned(),
        });
        let queued: Vec<_> = queued.collect();
        assert_eq!(queued, ["configuration", "follow-up", "1", "2"]);
        drop(emit);
        assert!(inbox.next().await.is_none());
    }
}
