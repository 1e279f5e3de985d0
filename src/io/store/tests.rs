use std::path::Path;
use std::sync::LazyLock;

use prometheus::{IntCounter, IntGauge};

use super::*;
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::diagnosis::{Candidate, Evidence, Verdict};
use crate::domain::health::HealthState;
use crate::domain::incident::{Incident, IncidentId, Proof, ProofSource, Revision};
use crate::domain::layers::{LayerFindings, LayerResult, LayerState};
use crate::model::cause::{CauseId, Certainty, Owner};
use crate::model::scope::Scope;
use crate::model::target::TargetName;

fn store_metrics() -> StoreMetrics {
    StoreMetrics {
        up: IntGauge::new("up", "up").unwrap(),
        failures: IntCounter::new("failures", "failures").unwrap(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn incident(name: &str, opened: i64, resolved: Option<i64>) -> StoredIncident {
    let cause = CauseId::new("lambda-throttled").unwrap();
    let scope = Scope::parse(name);
    let incident = Incident {
        id: IncidentId::new(&scope, at(opened)),
        scope,
        verdict: Arc::new(Verdict {
            cause: cause.clone(),
            title: "The function \"is\" throttled".to_owned(),
            owner: Owner::Service,
            hop: None,
            certainty: Certainty::Likely,
            candidates: vec![Candidate {
                cause: cause.clone(),
                share: 0.93,
            }],
            next: vec!["Raise the limit".to_owned()],
        }),
        evidence: [
            Evidence {
                fact: "body.message".to_owned(),
                value: FactValue::Text("30.5".to_owned()),
            },
            Evidence {
                fact: "phase.processing".to_owned(),
                value: FactValue::Number(0.173),
            },
        ]
        .into(),
        also: vec![CauseId::new("too-slow").unwrap()],
        opened: at(opened),
        resolved: resolved.map(at),
        history: vec![Revision {
            at: at(opened),
            cause,
            certainty: Certainty::Possible,
            note: "opened".to_owned(),
        }],
        layers: Some(Arc::new(LayerFindings {
            at: at(opened),
            results: vec![LayerResult {
                name: "front".to_owned(),
                state: LayerState::Failing,
                detail: "status 503".to_owned(),
            }],
            repeated: true,
        })),
        proof: Some(Proof {
            request_id: Some("c6a5".to_owned()),
            time: at(opened),
            source: ProofSource::Aws,
            statement: "Rate Exceeded.".to_owned(),
        }),
        changes: change_document::example(),
    };
    StoredIncident {
        location: "eu-west-1".into(),
        incident: Arc::new(incident),
        health: HealthState::Down,
        since: at(opened),
    }
}

/// The Unix time in seconds to which the tests add the offset of each datapoint. It is recent
/// enough for CloudWatch to accept the datapoints.
static BASE: LazyLock<i64> = LazyLock::new(|| Timestamp::now().as_second() - 3600);

fn next_id(store: &Store) -> u64 {
    store.ids().fetch_add(1, Ordering::Relaxed)
}

fn row(store: &Store, second: i64) -> SpoolRow {
    SpoolRow {
        id: next_id(store),
        destination: "".into(),
        series: "Down|orders".to_owned(),
        at: at(*BASE + second),
        values: vec![(1.0, 3.0), (0.25, 1.0)],
        maybe_arrived: false,
    }
}

async fn open(directory: &Path) -> (Store, RestoredState) {
    Store::open(directory, store_metrics()).await
}

#[tokio::test]
async fn incidents_are_restored_as_saved() {
    let directory = tempfile::tempdir().unwrap();
    let (store, state) = open(directory.path()).await;
    assert!(state.open.is_empty() && state.resolved.is_empty());
    let (open_one, other) = (incident("orders", 100, None), incident("users", 50, None));
    assert!(store.save_incidents(vec![open_one.clone(), other]).await);
    let resolved = incident("users", 50, Some(Timestamp::now().as_second()));
    assert!(store.save_incidents(vec![resolved.clone()]).await);
    store.close().await;
    let (_store, state) = open(directory.path()).await;
    assert_eq!(state.open, [open_one]);
    assert_eq!(state.resolved, [resolved]);
}

#[tokio::test]
async fn baselines_are_restored_with_the_hash_of_their_settings() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path()).await;
    let kept = StoredBaseline {
        target: TargetName::new("orders"),
        settings: u64::MAX,
        learned: crate::domain::baseline::BaselineSnapshot {
            healthy: vec![(60_000, Some(1_000)), (61_000, None)],
            newest: Some(at(9)),
            controls: vec![(at(5), Some(Duration::from_millis(20))), (at(7), None)],
            not_gateway_at: Some(at(3)),
            good: good_document::example(),
        },
    };
    store.save_baselines(vec![kept.clone()]);
    store.close().await;
    let (store, state) = open(directory.path()).await;
    assert_eq!(state.baselines, [kept]);
    store.delete_baselines(vec![TargetName::new("orders")]);
    store.close().await;
    assert_eq!(open(directory.path()).await.1.baselines, []);
}

#[tokio::test]
async fn datapoints_of_this_process_join_the_backlog_only_when_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path()).await;
    let rows: Vec<_> = [30, 10, 20].map(|second| row(&store, second)).to_vec();
    assert!(store.save_datapoints(rows.clone()).await);
    assert_eq!(store.count_datapoints("").await, Some(0));
    store.return_datapoints_to_backlog(vec![rows[0].id, rows[1].id], true);
    let oldest = store.oldest_datapoints("", 10).await.unwrap();
    let seen: Vec<_> = oldest
        .iter()
        .map(|row| row.at.as_second() - *BASE)
        .collect();
    assert_eq!(seen, [10, 30]);
    assert!(oldest[0].maybe_arrived);
    assert_eq!(oldest[0].values, rows[1].values);
    assert_eq!(store.oldest_datapoints("elsewhere", 10).await.unwrap(), []);
    store.delete_datapoints(vec![rows[1].id]);
    assert_eq!(store.count_datapoints("").await, Some(1));
}

#[tokio::test]
async fn datapoints_of_an_earlier_process_are_the_backlog_and_may_have_arrived() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path()).await;
    let mut rows: Vec<_> = [1, 2].map(|second| row(&store, second)).to_vec();
    assert!(store.save_datapoints(rows.clone()).await);
    // A second save replaces the values.
    rows[1].values = vec![(0.0, 7.0)];
    assert!(store.save_datapoints(vec![rows[1].clone()]).await);
    store.mark_datapoints_sending(vec![rows[0].id]);
    store.close().await;
    let (store, state) = open(directory.path()).await;
    assert_eq!(state.datapoints, 2);
    rows[0].maybe_arrived = true;
    assert_eq!(store.oldest_datapoints("", 10).await.unwrap(), rows);
    assert!(next_id(&store) > rows[1].id, "ids of two processes differ");
}

#[tokio::test]
async fn old_and_surplus_datapoints_are_deleted_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path()).await;
    let rows: Vec<_> = (0..10).map(|second| row(&store, second)).collect();
    let ids = rows.iter().map(|row| row.id).collect();
    assert!(store.save_datapoints(rows).await);
    store.return_datapoints_to_backlog(ids, false);
    assert_eq!(store.trim_datapoints("", at(*BASE + 3), 5).await, Some(5));
    let left = store.oldest_datapoints("", 10).await.unwrap();
    let seen: Vec<_> = left.iter().map(|row| row.at.as_second() - *BASE).collect();
    assert_eq!(seen, [5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn datapoints_that_are_not_known_after_a_recovery_join_the_backlog() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path()).await;
    let rows = vec![row(&store, 1), row(&store, 2), row(&store, 3)];
    assert!(store.save_datapoints(rows.clone()).await);
    store.reconcile_datapoints("", vec![rows[1].id]);
    let left = store.oldest_datapoints("", 9).await.unwrap();
    let left: Vec<_> = left.iter().map(|row| (row.id, row.maybe_arrived)).collect();
    assert_eq!(left, [(rows[0].id, true), (rows[2].id, true)]);
}

#[tokio::test]
async fn datapoints_too_old_for_cloudwatch_are_not_restored() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path()).await;
    let two_weeks = 14 * 24 * 3600;
    let rows = [-two_weeks, 5].map(|second| row(&store, second)).to_vec();
    assert!(store.save_datapoints(rows.clone()).await);
    store.close().await;
    let (store, state) = open(directory.path()).await;
    assert_eq!(state.datapoints, 1);
    let left = store.oldest_datapoints("", 10).await.unwrap();
    assert_eq!((left.len(), left[0].at), (1, rows[1].at));
}

#[tokio::test]
async fn jobs_are_executed_but_not_awaited_while_the_disk_is_unresponsive() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = store_metrics();
    let (store, _) = Store::open(directory.path(), metrics.clone()).await;
    // Simulates that a job has just taken too long.
    store.unresponsive.store(true, Ordering::Relaxed);
    assert!(!store.is_healthy());
    let kept = vec![incident("orders", 100, None)];
    assert!(!store.save_incidents(kept.clone()).await, "job was awaited");
    while store.unresponsive.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(store.is_healthy());
    store.close().await;
    assert_eq!(open(directory.path()).await.1.open, kept);
}

#[tokio::test]
async fn a_second_process_cannot_use_the_database_until_the_first_has_closed_it() {
    let directory = tempfile::tempdir().unwrap();
    let (first, _) = open(directory.path()).await;
    let second = store_metrics();
    let (store, state) = Store::open(directory.path(), second.clone()).await;
    assert_eq!(state.datapoints, 0);
    assert_eq!(second.up.get(), 0);
    assert!(
        !store
            .save_incidents(vec![incident("orders", 1, None)])
            .await
    );
    assert!(second.failures.get() > 0);
    assert!(
        first
            .save_incidents(vec![incident("orders", 1, None)])
            .await
    );
    first.close().await;
    let (third, state) = open(directory.path()).await;
    assert!(third.is_healthy());
    assert_eq!(state.open.len(), 1);
}

#[tokio::test]
async fn a_corrupt_database_is_moved_aside_and_replaced() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        std::fs::write(
            directory.path().join(DATABASE_FILE),
            "text instead of a database",
        )
        .unwrap();
        let metrics = store_metrics();
        let (store, _) = Store::open(directory.path(), metrics.clone()).await;
        assert_eq!(metrics.up.get(), 1);
        assert!(
            store
                .save_incidents(vec![incident("orders", 1, None)])
                .await
        );
        store.close().await;
    }
    let names = std::fs::read_dir(directory.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    let moved = names
        .iter()
        .filter(|name| name.to_string_lossy().contains(".broken-"));
    assert_eq!(moved.count(), 1, "{names:?}");
}

#[tokio::test]
async fn damage_inside_the_file_is_found_at_startup() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path()).await;
    let many: Vec<_> = (0..500)
        .map(|at| incident(&format!("t{at}"), at, None))
        .collect();
    assert!(store.save_incidents(many).await);
    store.close().await;
    let path = directory.path().join(DATABASE_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let metrics = store_metrics();
    let (store, state) = Store::open(directory.path(), metrics.clone()).await;
    assert!(state.open.is_empty());
    assert_eq!(metrics.up.get(), 1);
    assert!(
        store
            .save_incidents(vec![incident("orders", 1, None)])
            .await
    );
}

#[tokio::test]
async fn a_full_disk_fails_jobs_at_once_and_keeps_its_data() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = store_metrics();
    let max_bytes = 256 * 1024;
    let (store, _) = Store::open_limited(directory.path(), metrics.clone(), max_bytes).await;
    assert!(
        store
            .save_incidents(vec![incident("orders", 1, None)])
            .await
    );
    let mut full = false;
    for round in 0..200 {
        let rows = (0..100).map(|second| row(&store, round * 100 + second));
        if !store.save_datapoints(rows.collect()).await {
            full = true;
            break;
        }
    }
    assert!(full, "20,000 rows do not fit into 256 KB");
    assert_eq!(metrics.up.get(), 0);
    assert!(metrics.failures.get() > 0);
    store.close().await;
    let (_store, state) = open(directory.path()).await;
    assert_eq!(state.open.len(), 1);
}

#[tokio::test]
async fn a_directory_that_cannot_be_created_fails_jobs_only() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let metrics = store_metrics();
    let (store, _) = Store::open(&file.join("state"), metrics.clone()).await;
    assert!(
        !store
            .save_incidents(vec![incident("orders", 1, None)])
            .await
    );
    assert_eq!(store.oldest_datapoints("", 1).await, None);
    assert_eq!(metrics.up.get(), 0);
}

#[tokio::test]
async fn a_database_of_a_later_release_is_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path()).await;
    store.close().await;
    let path = directory.path().join(DATABASE_FILE);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    let metrics = store_metrics();
    let (_store, _) = Store::open(directory.path(), metrics.clone()).await;
    assert_eq!(metrics.up.get(), 0);
    let other = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = other
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}
