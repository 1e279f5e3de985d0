//! One PutMetricData request: how it is made and how it went.

use std::pin::Pin;

use jiff::Timestamp;

use crate::domain::alarm::destination::DestinationView;
use crate::io::aws::CallError;
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::datapoint::Datapoint;

/// How a request went.
pub(super) struct Outcome {
    pub(super) batch: Vec<Datapoint>,
    /// Rows of the disk that nobody can read.
    pub(super) unreadable: Vec<u64>,
    /// Whether the batch came from the disk.
    pub(super) from_disk: bool,
    pub(super) result: Result<(), CallError>,
}

/// Something that was begun and will be answered.
pub(super) type UnderWay<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A request under way.
pub(super) type Request = UnderWay<Outcome>;

/// Sends a batch.
pub(super) async fn put(
    link: &Connection,
    settings: &DestinationView,
    batch: &[Datapoint],
) -> Result<(), CallError> {
    let cloudwatch = &settings.cloudwatch;
    let api = link.api(settings).await?;
    let data = batch
        .iter()
        .map(|datapoint| datapoint.datum(settings))
        .collect();
    let request = api.writes.put_metric_data();
    let request = request
        .namespace(&cloudwatch.namespace)
        .set_metric_data(Some(data));
    api.settle("PutMetricData", request.send().await).map(drop)
}

/// The answer to what is under way; never, if nothing is.
pub(super) async fn answer<T>(under_way: &mut Option<UnderWay<T>>) -> T {
    match under_way {
        Some(begun) => {
            let answer = begun.await;
            *under_way = None;
            answer
        }
        None => std::future::pending().await,
    }
}

/// Notes where the answer was lost.
pub(super) fn mark(batch: &mut [Datapoint], failure: &CallError) {
    if failure.answer_lost() {
        for datapoint in batch {
            datapoint.maybe_arrived = true;
        }
    }
}

/// Between 0 and 1, so that daemons that failed together do not come back together. The
/// clock's fraction is random enough, and needs no generator.
pub(super) fn jitter() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond() % 1000) / 1000.0
}
