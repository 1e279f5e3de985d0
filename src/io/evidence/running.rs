//! Makes the AWS calls of the evidence task: metric reads, log searches and configuration reads.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::io::aws::CallError;
use crate::io::evidence::backoff::BlockedOperations;
use crate::io::evidence::call::{AwsCall, CallOutput, Query};
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::configuration::{self, ApiCache, Source};
use crate::io::evidence::log_finding::log_finding;
use crate::io::evidence::{logs, metrics};

/// A finished AWS call, the time when it started, and its result.
pub(super) type FinishedCall = (AwsCall, Timestamp, Result<CallOutput, CallError>);
pub(super) type RunningCall = Pin<Box<dyn Future<Output = FinishedCall> + Send>>;

/// Makes an AWS call. Returns the call, its start time `started`, and its result. A configuration
/// is read without the operations in `blocked`. `interval` is the delay before each page of a log
/// search after the first.
pub(super) async fn run(
    (clients, apis, blocked): (Arc<ClientCache>, Arc<ApiCache>, BlockedOperations),
    call: AwsCall,
    started: Timestamp,
    interval: Duration,
) -> FinishedCall {
    let scope = &call.scope;
    let result = match &call.query {
        Query::Metrics { series, from, to } => metrics::read(&clients, scope, series, *from, *to)
            .await
            .map(CallOutput::Metrics),
        Query::Log(source, query) => logs::search(&clients, scope, query, interval)
            .await
            .map(|lines| CallOutput::Log(*source, log_finding(*source, &lines, &query.id))),
        Query::Configuration(query) => {
            let source = Source {
                clients: &clients,
                cache: &apis,
                scope,
            };
            Box::pin(configuration::read(source, query, blocked))
                .await
                .map(CallOutput::Configuration)
        }
    };
    (call, started, result)
}
