//! Tests how long a datapoint waits for its alarm to name the cause: at most two seconds, and not
//! at all if the call that updates the alarm fails.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::advance;

use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::plan::tests::settings;
use crate::domain::diagnosis::{Diagnosis, Outcome, Verdict};
use crate::domain::health::HealthState;
use crate::domain::report::Report;
use crate::io::alarms::updates::{self, Requests};
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::aggregator::{Aggregator, Command, UPDATE_WAIT};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;
use crate::model::cause::{CauseId, Certainty, Owner};
use crate::model::observation::Observation;
use crate::model::target::Target;

/// Returns the report of a failed probe of a target that is down, with a named cause.
fn down(target: &Arc<Target>) -> Report {
    let now = Timestamp::now();
    let cause = CauseId::new("lambda-throttled").unwrap();
    let verdict = Arc::new(Verdict {
        cause,
        title: "The function had no capacity".to_owned(),
        owner: Owner::Service,
        hop: None,
        certainty: Certainty::Likely,
        candidates: Vec::new(),
        next: Vec::new(),
    });
    Report {
        target: Arc::clone(target),
        location: "local".into(),
        at: now,
        observation: Arc::new(Observation::begun(now, "https://orders.example/")),
        showing: Some(Arc::clone(&verdict)),
        floor: None,
        diagnosis: Arc::new(Diagnosis {
            outcome: Outcome::Failed,
            verdict: Some(verdict),
            evidence: Vec::new(),
            error: None,
        }),
        health: HealthState::Down,
        since: now,
        transition: None,
        incident: None,
        event: None,
        maintenance: false,
        prober_fault: false,
    }
}

/// Starts an aggregator and sends it the report of a failed probe. The caller replies to the
/// aggregator's request for an alarm update.
async fn failing() -> (Requests, DaemonMetrics, mpsc::Sender<Command>) {
    let mut settings = settings(|_, _| {});
    settings.cloudwatch.endpoint_url = Some("http://127.0.0.1:9".to_owned());
    let report = down(&settings.targets[0]);
    let metrics = DaemonMetrics::new().unwrap();
    let (_, watching) = watch::channel(Arc::new(DestinationView::of_all(&settings)));
    let (updates, requests) = updates::channel();
    let store = Store::disabled(metrics.store_metrics());
    let connection = Connection::new(None, metrics.cloudwatch_requests.clone());
    let aggregator = Aggregator::new(
        connection,
        updates,
        watching,
        metrics.clone(),
        (store, ""),
        UPDATE_WAIT,
    );
    let (commands, queue) = mpsc::channel(1);
    tokio::spawn(aggregator.run(queue));
    commands
        .send(Command::Report(Box::new(report)))
        .await
        .unwrap();
    advance(Duration::from_millis(100)).await;
    (requests, metrics, commands)
}

#[tokio::test(start_paused = true)]
async fn a_datapoint_waits_two_seconds_for_its_cause_and_no_longer() {
    let (_requests, metrics, _commands) = failing().await;
    tokio::time::sleep(Duration::from_millis(1800)).await;
    assert_eq!(metrics.alarm_updates_late.get(), 0, "released too early");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(metrics.alarm_updates_late.get(), 1, "held too long");
}

#[tokio::test(start_paused = true)]
async fn a_datapoint_never_waits_for_a_failing_call() {
    let (mut requests, metrics, _commands) = failing().await;
    requests.fail_urgent().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(metrics.alarm_updates_late.get(), 1);
}
