//! Questions about failed requests, and the answers to them, for tests of `evidence`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use probecause::model::settings::Settings;
use probecause::model::target::Target;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A target in eu-west-1, with what its user declares.
pub(crate) fn target(name: &str, declare: impl FnOnce(&mut Target)) -> Arc<Target> {
    let url = "https://a1.execute-api.eu-west-1.amazonaws.com/orders";
    let mut target = Target::with_defaults(name, url.parse().unwrap());
    declare(&mut target);
    Arc::new(target)
}

/// Settings for an endpoint, in a hurry.
pub(crate) fn settings(endpoint: &str, targets: &[Arc<Target>]) -> Settings {
    let mut settings = Settings {
        targets: targets.to_vec(),
        ..Settings::default()
    };
    settings.evidence.endpoint_url = Some(endpoint.to_owned());
    settings.evidence.max_requests_per_second = 20;
    settings
}

/// A question about a request of 400 ms that ended so long ago.
pub(crate) fn question(target: &Arc<Target>, id: Option<&str>, ago: Duration) -> EvidenceRequest {
    let ended = Timestamp::now() - ago;
    let began = ended - Duration::from_millis(400);
    EvidenceRequest {
        target: Arc::clone(target),
        request_id: id.map(str::to_owned),
        began,
        ended,
        ours: vec![began],
    }
}

/// The next answer.
pub(crate) async fn next(
    answers: &mut mpsc::Receiver<EvidenceUpdate>,
    patience: Duration,
) -> EvidenceUpdate {
    timeout(patience, answers.recv())
        .await
        .expect("an answer in time")
        .expect("a task that answers")
}

/// The last answer, and how many came before it.
pub(crate) async fn last(
    answers: &mut mpsc::Receiver<EvidenceUpdate>,
    patience: Duration,
) -> (EvidenceUpdate, usize) {
    let mut before = 0;
    loop {
        let answer = next(answers, patience).await;
        if answer.last {
            return (answer, before);
        }
        before += 1;
    }
}
