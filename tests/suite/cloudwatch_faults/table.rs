//! Fault → what the user sees → what is lost: each row was written before it was run.
//!
//! Three targets have something to say at once. The fault comes first; then CloudWatch is
//! well. Told is what the log says, once, however often it failed; lost is what never
//! arrived, and it must be what the daemon itself counts.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use probecause::io::sink::cloudwatch::{CloudWatchSink, REVIEW_EVERY};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::store::Store;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Instant, sleep};

use crate::cloudwatch_faults::denied::PATIENCE;
use crate::cloudwatch_faults::server::{Answer, Server};
use crate::support::cloudwatch::reports::{passed, settings, target};

/// A fault and what is expected of it.
#[derive(Default)]
struct Row {
    answers: Vec<Answer>,
    poison: Option<&'static str>,
    /// CloudWatch cannot be connected to for so long at first.
    away: Duration,
    /// Its name cannot be resolved meanwhile.
    unresolved: bool,
    /// The beginning of what the log says.
    told: &'static str,
    /// Requests that failed, by the outcome that `/metrics` shows; at least.
    outcome: &'static str,
    failed: u64,
    /// Datapoints that never arrive.
    lost: u64,
    /// Whether all others arrive twice.
    twice: bool,
    /// Whether the daemon has to count them as such: it cannot know what was taken.
    doubt: bool,
}

const TARGETS: [&str; 3] = ["orders", "payments", "search"];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Keeps what this thread logs, as long as the guard lives.
    fn kept() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines of errors so far.
    fn errors(&self) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let errors = log.lines().filter(|line| line.starts_with("ERROR"));
        errors.map(str::to_owned).collect()
    }
}

/// A port where nobody listens yet.
fn reserve() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn check(row: Row) {
    let (log, _guard) = Log::kept();
    let server = Server {
        data: Arc::new(Mutex::new(row.answers.clone().into())),
        poison: row.poison,
        ..Server::default()
    };
    let (socket, address) = reserve();
    let targets: Vec<_> = TARGETS.map(|name| Arc::new(target(name))).into();
    let good = Arc::new(settings(
        "here",
        &format!("http://{address}"),
        targets.clone(),
    ));
    let mut first = (*good).clone();
    if row.unresolved {
        // A name that never resolves (RFC 6761).
        first.cloudwatch.endpoint_url = Some("http://monitoring.invalid".to_owned());
    }
    let listening = server.clone();
    let listen = move || {
        let listener: TcpListener = socket.listen(64).unwrap();
        listening.start_on(listener);
    };
    if row.away.is_zero() {
        // Before the sink connects, which would otherwise be refused now and then.
        listen();
    } else {
        tokio::spawn(async move {
            sleep(row.away).await;
            listen();
        });
    }
    let directory = tempfile::tempdir().unwrap();
    let metrics = DaemonMetrics::new().unwrap();
    let (store, _) = Store::open(directory.path(), metrics.store_metrics()).await;
    let base = Some(crate::cloudwatch_faults::config());
    let sink = CloudWatchSink::start_on(
        Arc::new(first),
        metrics.clone(),
        base,
        store.clone(),
        REVIEW_EVERY,
    );
    for target in &targets {
        sink.publish(&passed(target, "here"));
    }
    sleep(row.away).await;
    sink.configure(good);
    let begun = Instant::now();
    let settled = || {
        let faults_left = server.data.lock().unwrap().len();
        let arrived = TARGETS.iter().filter(|name| times(&server, name) > 0);
        let arrived = arrived.count() as u64;
        faults_left == 0 && arrived == 3 - row.lost && metrics.spool_datapoints.get() == 0
    };
    while !settled() {
        let taken = server.taken.lock().unwrap().clone();
        assert!(begun.elapsed() < PATIENCE, "{taken:#?}");
        sleep(Duration::from_millis(20)).await;
    }
    sink.shutdown(PATIENCE).await;
    store.close().await;

    compare(&row, &log.errors(), &server, &metrics);
}

/// Holds what was told, counted and taken against the row.
fn compare(row: &Row, errors: &[String], server: &Server, metrics: &DaemonMetrics) {
    let told = |line: &&String| line.contains(row.told) && line.contains("PutMetricData");
    let told = errors.iter().filter(told).count();
    assert!(row.told.is_empty() || told == 1, "{errors:#?}");
    let calls = &metrics.cloudwatch_requests;
    let failed = calls.with_label_values(&["PutMetricData", row.outcome]);
    assert!(row.failed == 0 || failed.get() >= row.failed, "{errors:#?}");
    let dropped = &metrics.sink_dropped;
    let dropped = dropped.with_label_values(&["cloudwatch"]).get();
    assert_eq!(dropped, row.lost, "counted as lost");
    let twice = TARGETS.iter().filter(|name| times(server, name) > 1);
    let twice = twice.count() as u64;
    assert_eq!(twice, if row.twice { 3 } else { 0 }, "arrived twice");
    let counted = metrics.cloudwatch_maybe_duplicates.get();
    assert_eq!(counted > 0, row.doubt, "counted as duplicates: {counted}");
    assert!(counted >= twice);
}

/// How often the first datapoint of a target arrived.
fn times(server: &Server, target: &str) -> usize {
    let taken = server.taken.lock().unwrap();
    let mut points = taken.iter().filter(|((name, _), _)| name == target);
    points.next().map_or(0, |(_, times)| *times)
}

#[tokio::test]
async fn throttled_it_waits_and_loses_nothing() {
    check(Row {
        answers: vec![Answer::fault(400, "Throttling", "Rate exceeded"); 3],
        told: "Throttling: Rate exceeded; the daemon continues and retries",
        outcome: "throttled",
        failed: 3,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn faults_of_cloudwatch_are_waited_for_and_lose_nothing() {
    check(Row {
        answers: vec![Answer::fault(500, "InternalServiceError", "oops"); 3],
        told: "InternalServiceError: oops; the daemon continues and retries",
        outcome: "failed",
        failed: 3,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn expired_credentials_are_named_and_lose_nothing() {
    let message = "The security token included in the request is expired";
    check(Row {
        answers: vec![Answer::fault(403, "ExpiredTokenException", message); 2],
        told: "the AWS credentials have expired: renew them, or give the daemon a role",
        outcome: "denied",
        failed: 2,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn a_missing_permission_is_named_and_loses_nothing() {
    let message = "User: arn:aws:sts::123456789012:assumed-role/probecause/i-1 is not authorized \
                   to perform: cloudwatch:PutMetricData because no identity-based policy allows \
                   the cloudwatch:PutMetricData action";
    check(Row {
        answers: vec![Answer::fault(403, "AccessDeniedException", message); 2],
        told: "access denied: grant `cloudwatch:PutMetricData` to \
               arn:aws:sts::123456789012:assumed-role/probecause/i-1",
        outcome: "denied",
        failed: 2,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn a_wrong_clock_is_named_and_loses_nothing() {
    let message = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z \
                   (20260101T001500Z - 5 min.)";
    check(Row {
        answers: vec![Answer::fault(403, "SignatureDoesNotMatch", message); 2],
        told: "this host's clock is 15 min 0 s behind AWS's: synchronize it (NTP)",
        outcome: "denied",
        failed: 2,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn slow_answers_are_waited_for_and_told_to_nobody() {
    check(Row {
        answers: vec![Answer::Slow(Duration::from_secs(3)); 2],
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn a_silent_cloudwatch_is_given_ten_seconds_and_counts_as_doubt() {
    check(Row {
        answers: vec![Answer::Hang],
        told: "PutMetricData",
        outcome: "failed",
        failed: 1,
        doubt: true,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_makes_duplicates_which_are_counted() {
    check(Row {
        answers: vec![Answer::Broken],
        told: "PutMetricData",
        outcome: "failed",
        failed: 1,
        twice: true,
        doubt: true,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn of_a_batch_that_is_refused_only_the_culprit_is_lost() {
    check(Row {
        poison: Some("payments"),
        told: "InvalidParameterValue: The value NaN is not supported.",
        outcome: "failed",
        failed: 2,
        lost: 1,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_nobody_serves_is_waited_for_and_loses_nothing() {
    check(Row {
        away: Duration::from_secs(3),
        told: "Connection refused",
        outcome: "failed",
        failed: 2,
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_waited_for_and_loses_nothing() {
    check(Row {
        unresolved: true,
        away: Duration::from_secs(3),
        told: "dns error",
        outcome: "failed",
        failed: 1,
        ..Row::default()
    })
    .await;
}
