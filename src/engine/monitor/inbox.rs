//! Where events come from, one at a time or what is ready at once.
//!
//! Configurations, answers and controls go before results of probes: they are few, and
//! must not wait behind a crowd.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{ConfigChange, Event};
use crate::domain::diagnosis::aws::EvidenceUpdate;
use crate::engine::scheduler::Emission;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::target::Target;

/// Where events come from.
#[derive(Debug)]
pub struct Inbox {
    /// Of the scheduler; the monitor ends with it.
    pub emissions: mpsc::Receiver<Emission>,
    /// Of control requests.
    pub control_requests: mpsc::Receiver<(Arc<Target>, Observation)>,
    /// Of AWS.
    pub answers: mpsc::Receiver<EvidenceUpdate>,
    /// Of whoever reads the configuration.
    pub configurations: mpsc::Receiver<(Arc<Settings>, oneshot::Sender<ConfigChange>)>,
}

impl Inbox {
    /// Waits for an event; `None` when the scheduler has ended.
    pub(super) async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            emission = self.emissions.recv() => emission.map(Event::Probing),
            Some((target, observation)) = self.control_requests.recv() => {
                Some(Event::Controlled(target, Box::new(observation)))
            }
            Some(answer) = self.answers.recv() => Some(Event::Evidence(answer)),
            Some((settings, done)) = self.configurations.recv() => {
                Some(Event::Configure(settings, done))
            }
        }
    }

    /// An event that is there already.
    pub(super) fn ready(&mut self) -> Option<Event> {
        if let Ok((settings, done)) = self.configurations.try_recv() {
            return Some(Event::Configure(settings, done));
        }
        if let Ok(answer) = self.answers.try_recv() {
            return Some(Event::Evidence(answer));
        }
        if let Ok((target, observation)) = self.control_requests.try_recv() {
            return Some(Event::Controlled(target, Box::new(observation)));
        }
        self.emissions.try_recv().ok().map(Event::Probing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[tokio::test]
    async fn what_is_ready_comes_without_waiting_and_results_come_last_and_in_order() {
        let (emit, emissions) = mpsc::channel(8);
        let (control, control_requests) = mpsc::channel(8);
        let (_answer, answers) = mpsc::channel(8);
        let (configure, configurations) = mpsc::channel(8);
        let mut inbox = Inbox {
            emissions,
            control_requests,
            answers,
            configurations,
        };
        assert!(inbox.ready().is_none());
        let url: url::Url = "https://x.example/".parse().unwrap();
        let target = Arc::new(Target::with_defaults("orders", url));
        for second in [1, 2] {
            let at = Timestamp::from_second(second).unwrap();
            let seen = Box::new(Observation::begun(at, "https://x.example/"));
            let emission = Emission::Observed(Arc::clone(&target), seen);
            emit.send(emission).await.unwrap();
        }
        let seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/");
        control.send((target, seen)).await.unwrap();
        let (done, _) = oneshot::channel();
        configure.send((Arc::default(), done)).await.unwrap();
        let ready = std::iter::from_fn(|| inbox.ready()).map(|event| match event {
            Event::Probing(Emission::Observed(_, seen)) => seen.started.as_second().to_string(),
            Event::Probing(Emission::Missed(_)) => "missed".to_owned(),
            Event::Controlled(..) => "control".to_owned(),
            Event::Evidence(_) => "answer".to_owned(),
            Event::Configure(..) => "configuration".to_owned(),
        });
        let ready: Vec<_> = ready.collect();
        assert_eq!(ready, ["configuration", "control", "1", "2"]);
        drop(emit);
        assert!(inbox.next().await.is_none(), "the scheduler has ended");
    }
}
