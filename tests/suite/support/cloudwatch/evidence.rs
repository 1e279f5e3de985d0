//! Evidence requests about failed probes and the updates that answer them, for tests of
//! `io::evidence`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use probecause::model::settings::Settings;
use probecause::model::target::Target;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A target in eu-west-1; `configure` sets the rest of its configuration.
pub(crate) fn target(name: &str, configure: impl FnOnce(&mut Target)) -> Arc<Target> {
    let url = "https://a1.execute-api.eu-west-1.amazonaws.com/orders";
    let mut target = Target::with_defaults(name, url.parse().unwrap());
    configure(&mut target);
    Arc::new(target)
}

/// Settings that send evidence requests to an endpoint, at up to 20 requests a second.
pub(crate) fn settings(endpoint: &str, targets: &[Arc<Target>]) -> Settings {
    let mut settings = Settings {
        targets: targets.to_vec(),
        ..Settings::default()
    };
    settings.evidence.endpoint_url = Some(endpoint.to_owned());
    settings.evidence.max_requests_per_second = 20;
    settings
}

/// An evidence request about a probe that took 400 ms and ended `age` before now.
pub(crate) fn request(target: &Arc<Target>, id: Option<&str>, age: Duration) -> EvidenceRequest {
    let ended = Timestamp::now() - age;
    let began = ended - Duration::from_millis(400);
    EvidenceRequest {
        target: Arc::clone(target),
        request_id: id.map(str::to_owned),
        began,
        ended,
        own_requests: vec![began],
    }
}

/// Waits for the next update.
pub(crate) async fn next_update(
    updates: &mut mpsc::Receiver<EvidenceUpdate>,
    patience: Duration,
) -> EvidenceUpdate {
    timeout(patience, updates.recv())
        .await
        .expect("timed out waiting for an update")
        .expect("the evidence collector stopped")
}

/// Waits for the last update; also returns the number of updates before it.
pub(crate) async fn last_update(
    updates: &mut mpsc::Receiver<EvidenceUpdate>,
    patience: Duration,
) -> (EvidenceUpdate, usize) {
    let mut before = 0;
    loop {
        let update = next_update(updates, patience).await;
        if update.last {
            return (update, before);
        }
        before += 1;
    }
}
