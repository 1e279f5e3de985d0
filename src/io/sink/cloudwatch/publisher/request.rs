//! Sends one `PutMetricData` request, and defines the request's outcome. `finish` handles outcomes.

use std::pin::Pin;

use crate::domain::alarm::destination::DestinationView;
use crate::io::aws::CallError;
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::datapoint::Datapoint;
use crate::io::sink::cloudwatch::publisher::queue::Lane;

/// The outcome of a request, with the request's datapoints.
pub(in crate::io::sink::cloudwatch) struct Outcome {
    pub(super) lane: Lane,
    pub(super) batch: Vec<Datapoint>,
    /// The ids of the rows that were read from the spool but that this release cannot decode.
    pub(super) unreadable: Vec<u64>,
    /// Whether the batch was read from the spool (true) or taken from the queue (false).
    pub(super) from_spool: bool,
    pub(super) result: Result<(), CallError>,
}

/// A request to CloudWatch, or an operation of the store, that is in progress.
pub(super) type InProgress<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Sends a batch of datapoints in one `PutMetricData` request.
pub(super) async fn put(
    connection: &Connection,
    settings: &DestinationView,
    batch: &[Datapoint],
) -> Result<(), CallError> {
    let cloudwatch = &settings.cloudwatch;
    let api = connection.api(settings).await?;
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

/// Waits for `operation` to complete, sets it to `None` and returns the result. Waits forever if
/// `operation` is already `None`.
pub(super) async fn wait_for<T>(operation: &mut Option<InProgress<T>>) -> T {
    match operation {
        Some(future) => {
            let result = future.await;
            *operation = None;
            result
        }
        None => std::future::pending().await,
    }
}
