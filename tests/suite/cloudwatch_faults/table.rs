//! The log message, the lost datapoints and the duplicates of each fault of `PutMetricData`.
//!
//! In each case three targets publish one datapoint each. The fault occurs first, then CloudWatch
//! works. The error must be logged once, no matter how many requests fail, and the daemon's count
//! of lost datapoints must match those that did not arrive.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use probecause::io::sink::cloudwatch::{CloudWatchSink, Timing};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::store::Store;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Instant, sleep};

use crate::cloudwatch_faults::denied::PATIENCE;
use crate::cloudwatch_faults::server::{Reply, Server};
use crate::support::cloudwatch::reports::{passed, settings, target};
use crate::support::log::Log;

/// A fault and its expected effects.
#[derive(Default)]
struct FaultCase {
    /// The first replies to `PutMetricData`.
    replies: Vec<Reply>,
    /// The server rejects every batch that contains a datapoint of this target.
    rejected_target: Option<&'static str>,
    /// How long the server refuses connections at first.
    unreachable_for: Duration,
    /// Whether the endpoint's host name does not resolve during that time.
    unresolved: bool,
    /// A text in the logged error; empty if the log is not checked.
    logged: &'static str,
    /// The outcome of the failed requests in `/metrics`.
    outcome: &'static str,
    /// Minimum number of requests with that outcome.
    failed: u64,
    /// Number of datapoints that never arrive.
    lost: u64,
    /// Whether all datapoints arrive twice.
    duplicated: bool,
    /// Whether the daemon counts possible duplicates, since it does not know whether CloudWatch
    /// accepted a request.
    maybe_duplicates: bool,
}

const TARGETS: [&str; 3] = ["orders", "payments", "search"];

/// Binds a free port that does not accept connections yet.
fn reserve() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Accepts connections after a delay; without one before this returns, so that the sink's
/// first connection is not refused.
fn listen(server: Server, socket: TcpSocket, delay: Duration) {
    let listen = move || {
        let listener: TcpListener = socket.listen(64).unwrap();
        server.start_on(listener);
    };
    if delay.is_zero() {
        listen();
    } else {
        tokio::spawn(async move {
            sleep(delay).await;
            listen();
        });
    }
}

/// Runs a case and compares its effects with the expected ones.
async fn check(case: FaultCase) {
    let (log, _guard) = Log::capture();
    let server = Server {
        data_replies: Arc::new(Mutex::new(case.replies.clone().into())),
        rejected_target: case.rejected_target,
        ..Server::default()
    };
    let (socket, address) = reserve();
    let targets: Vec<_> = TARGETS.map(|name| Arc::new(target(name))).into();
    let working = Arc::new(settings(
        "here",
        &format!("http://{address}"),
        targets.clone(),
    ));
    let mut first = (*working).clone();
    if case.unresolved {
        // A name that never resolves (RFC 6761).
        first.cloudwatch.endpoint_url = Some("http://monitoring.invalid".to_owned());
    }
    listen(server.clone(), socket, case.unreachable_for);
    let directory = tempfile::tempdir().unwrap();
    let metrics = DaemonMetrics::new().unwrap();
    let (store, _) = Store::open(directory.path(), metrics.store_metrics()).await;
    let base = Some(crate::cloudwatch_faults::config());
    let sink = CloudWatchSink::start_on(
        Arc::new(first),
        metrics.clone(),
        base,
        store.clone(),
        Timing::default(),
    );
    for target in &targets {
        sink.publish(&passed(target, "here"));
    }
    sleep(case.unreachable_for).await;
    sink.configure(working);
    let started = Instant::now();
    let settled = || {
        let faults_left = server.data_replies.lock().unwrap().len();
        let arrived = TARGETS.iter().filter(|name| arrivals(&server, name) > 0);
        let arrived = arrived.count() as u64;
        faults_left == 0 && arrived == 3 - case.lost && metrics.spool_datapoints.get() == 0
    };
    while !settled() {
        let datapoints = server.datapoints.lock().unwrap().clone();
        assert!(started.elapsed() < PATIENCE, "timed out: {datapoints:#?}");
        sleep(Duration::from_millis(20)).await;
    }
    sink.shutdown(PATIENCE).await;
    store.close().await;

    compare(&case, &log.lines_with("ERROR"), &server, &metrics);
}

/// Compares the logged errors, the metrics and the received datapoints with the case.
fn compare(case: &FaultCase, errors: &[String], server: &Server, metrics: &DaemonMetrics) {
    let matches = |line: &&String| line.contains(case.logged) && line.contains("PutMetricData");
    let logged = errors.iter().filter(matches).count();
    assert!(case.logged.is_empty() || logged == 1, "{errors:#?}");
    let calls = &metrics.cloudwatch_requests;
    let failed = calls.with_label_values(&["PutMetricData", case.outcome]);
    assert!(
        case.failed == 0 || failed.get() >= case.failed,
        "{errors:#?}"
    );
    let dropped = &metrics.sink_dropped;
    let dropped = dropped.with_label_values(&["cloudwatch"]).get();
    assert_eq!(dropped, case.lost, "number of datapoints counted as lost");
    let duplicated = TARGETS.iter().filter(|name| arrivals(server, name) > 1);
    let duplicated = duplicated.count() as u64;
    assert_eq!(
        duplicated,
        if case.duplicated { 3 } else { 0 },
        "number of datapoints that arrived twice"
    );
    let counted = metrics.cloudwatch_maybe_duplicates.get();
    assert_eq!(
        counted > 0,
        case.maybe_duplicates,
        "{counted} datapoints counted as possible duplicates"
    );
    assert!(counted >= duplicated);
}

/// Number of arrivals of the first datapoint of a target.
fn arrivals(server: &Server, target: &str) -> usize {
    let datapoints = server.datapoints.lock().unwrap();
    let mut of_target = datapoints.iter().filter(|((name, _), _)| name == target);
    of_target.next().map_or(0, |(_, count)| *count)
}

#[tokio::test]
async fn throttling_delays_datapoints_without_loss() {
    check(FaultCase {
        replies: vec![Reply::fault(400, "Throttling", "Rate exceeded"); 3],
        logged: "Throttling: Rate exceeded; the daemon continues and retries",
        outcome: "throttled",
        failed: 3,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn server_errors_of_cloudwatch_delay_datapoints_without_loss() {
    check(FaultCase {
        replies: vec![Reply::fault(500, "InternalServiceError", "oops"); 3],
        logged: "InternalServiceError: oops; the daemon continues and retries",
        outcome: "failed",
        failed: 3,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn expired_credentials_are_logged_without_loss() {
    let message = "The security token included in the request is expired";
    check(FaultCase {
        replies: vec![Reply::fault(403, "ExpiredTokenException", message); 2],
        logged: "the AWS credentials have expired: renew them, or give the daemon a role",
        outcome: "denied",
        failed: 2,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn a_missing_permission_is_logged_without_loss() {
    let message = "User: arn:aws:sts::123456789012:assumed-role/probecause/i-1 is not authorized \
                   to perform: cloudwatch:PutMetricData because no identity-based policy allows \
                   the cloudwatch:PutMetricData action";
    check(FaultCase {
        replies: vec![Reply::fault(403, "AccessDeniedException", message); 2],
        logged: "access denied: grant `cloudwatch:PutMetricData` to \
               arn:aws:sts::123456789012:assumed-role/probecause/i-1",
        outcome: "denied",
        failed: 2,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn a_wrong_clock_is_logged_without_loss() {
    let message = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z \
                   (20260101T001500Z - 5 min.)";
    check(FaultCase {
        replies: vec![Reply::fault(403, "SignatureDoesNotMatch", message); 2],
        logged: "this host's clock is 15 min 0 s behind AWS's; synchronize it with NTP",
        outcome: "denied",
        failed: 2,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn slow_responses_cause_no_loss_and_no_duplicates() {
    check(FaultCase {
        replies: vec![Reply::Slow(Duration::from_secs(3)); 2],
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn a_request_that_times_out_counts_as_a_possible_duplicate() {
    check(FaultCase {
        replies: vec![Reply::Hang],
        logged: "PutMetricData",
        outcome: "failed",
        failed: 1,
        maybe_duplicates: true,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn a_lost_response_causes_duplicates_that_are_counted() {
    check(FaultCase {
        replies: vec![Reply::Broken],
        logged: "PutMetricData",
        outcome: "failed",
        failed: 1,
        duplicated: true,
        maybe_duplicates: true,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn a_rejected_batch_loses_only_the_invalid_datapoint() {
    check(FaultCase {
        rejected_target: Some("payments"),
        logged: "InvalidParameterValue: The value NaN is not supported.",
        outcome: "failed",
        failed: 2,
        lost: 1,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn refused_connections_delay_datapoints_without_loss() {
    check(FaultCase {
        unreachable_for: Duration::from_secs(3),
        logged: "Connection refused",
        outcome: "failed",
        failed: 2,
        ..FaultCase::default()
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_name_that_does_not_resolve_delays_datapoints_without_loss() {
    check(FaultCase {
        unresolved: true,
        unreachable_for: Duration::from_secs(3),
        logged: "dns error",
        outcome: "failed",
        failed: 1,
        ..FaultCase::default()
    })
    .await;
}
