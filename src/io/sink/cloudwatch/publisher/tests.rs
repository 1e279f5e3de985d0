use super::*;
use crate::io::aws::{CallError, FailureKind};
use crate::model::settings::Settings;

fn publisher(store: Store, metrics: &DaemonMetrics) -> Publisher {
    let connection = Connection::new(None, metrics.cloudwatch_requests.clone());
    let view = Arc::new(DestinationView::of_all(&Settings::default()));
    Publisher::new(connection, view, metrics.clone(), store, "here/".into())
}

/// Returns a datapoint whose row id and value are `number`.
fn datapoint(number: u32) -> Datapoint {
    let row = u64::from(number);
    Datapoint::new(row, Series::Heartbeat, Timestamp::now(), f64::from(number))
}

fn failure(kind: FailureKind) -> CallError {
    CallError {
        operation: "PutMetricData",
        kind,
        text: "no".to_owned(),
    }
}

/// Takes the next fresh batch, finishes the request with `result`, and returns the row ids of the
/// batch.
fn send(
    publisher: &mut Publisher,
    result: impl FnOnce(&[u64]) -> Result<(), CallError>,
) -> Vec<u64> {
    let limit = publisher.lanes[Lane::Fresh as usize].limit;
    let batch = publisher.queue.take(Lane::Fresh, limit, "here");
    let rows: Vec<_> = batch.iter().map(|point| point.row).collect();
    let outcome = Outcome {
        lane: Lane::Fresh,
        result: result(&rows),
        batch,
        unreadable: Vec::new(),
        from_spool: false,
    };
    publisher.handle(Event::Request(outcome), &mut Aggregation::default());
    rows
}

fn dropped(metrics: &DaemonMetrics) -> u64 {
    metrics.sink_dropped.with_label_values(&[SINK]).get()
}

#[tokio::test]
async fn a_rejected_datapoint_is_found_and_only_it_is_dropped() {
    let metrics = DaemonMetrics::new().unwrap();
    let mut publisher = publisher(Store::disabled(metrics.store_metrics()), &metrics);
    for number in 1..=20 {
        publisher.push(datapoint(number));
    }
    let mut sent = Vec::new();
    while publisher.has_fresh() {
        let mut rejected = false;
        let rows = send(&mut publisher, |rows| {
            rejected = rows.contains(&13);
            if rejected {
                Err(failure(FailureKind::Rejected))
            } else {
                Ok(())
            }
        });
        if !rejected {
            sent.extend(rows);
        }
    }
    assert_eq!(sent, (1..=20).filter(|n| *n != 13).collect::<Vec<_>>());
    assert_eq!(dropped(&metrics), 1);
}

#[tokio::test]
async fn a_batch_without_a_response_is_sent_again_in_halves() {
    let metrics = DaemonMetrics::new().unwrap();
    let mut publisher = publisher(Store::disabled(metrics.store_metrics()), &metrics);
    let limit = |publisher: &Publisher| publisher.lanes[Lane::Backlog as usize].limit;
    let before = limit(&publisher);
    for number in 1..=20 {
        publisher.push(datapoint(number));
    }
    send(&mut publisher, |_| Err(failure(FailureKind::Failed)));
    assert_eq!(
        limit(&publisher),
        before,
        "an error response does not reduce the batch size"
    );
    for number in 21..=40 {
        publisher.push(datapoint(number));
    }
    send(&mut publisher, |_| Err(failure(FailureKind::Lost)));
    assert_eq!(limit(&publisher), 10);
}

#[tokio::test]
async fn a_failed_batch_leaves_memory_once_it_is_saved() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = DaemonMetrics::new().unwrap();
    let (store, _) = Store::open(directory.path(), metrics.store_metrics()).await;
    let mut publisher = publisher(store, &metrics);
    publisher.push(datapoint(1));
    send(&mut publisher, |_| Err(failure(FailureKind::Failed)));
    assert_eq!((publisher.queue.len(), publisher.spool.backlog()), (1, 0));
    let mut aggregation = Aggregation::default();
    publisher.tick(&mut aggregation, Timestamp::now());
    while publisher.queue.len() > 0 {
        let event = publisher.event().await;
        publisher.handle(event, &mut aggregation);
        assert_eq!(metrics.spool_datapoints.get(), 1);
    }
    assert_eq!(publisher.spool.backlog(), 1);
}

#[tokio::test]
async fn datapoints_that_shutdown_can_neither_send_nor_save_are_counted_as_dropped() {
    let directory = tempfile::tempdir().unwrap();
    for (with_state, expected) in [(true, 0), (false, 1)] {
        let metrics = DaemonMetrics::new().unwrap();
        let store = if with_state {
            let opened = Store::open(directory.path(), metrics.store_metrics()).await;
            opened.0
        } else {
            Store::disabled(metrics.store_metrics())
        };
        let mut publisher = publisher(store, &metrics);
        publisher.push(datapoint(1));
        publisher.end().await;
        assert_eq!(dropped(&metrics), expected, "state directory: {with_state}");
    }
}
