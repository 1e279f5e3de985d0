//! Several accounts and regions: who gets what, and what becomes of one that leaves.
//!
//! Each account is an in-process server that takes everything and remembers it. What an
//! emulator of CloudWatch makes of two regions is shown in `cloudwatch_emulator`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use probecause::domain::alarm::annotation::Annotation;
use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::settings::{DestinationSettings, Settings};
use probecause::model::target::Target;
use tokio::time::{Instant, sleep};

use crate::support::cloudwatch::answers;
use crate::support::cloudwatch::reports;
mod roles;
use crate::support::cloudwatch::sdk;
use crate::support::loopback;

use reports::{Again as _, failed, passed, settings, target};
use sdk::config;

/// A call and what it carried.
type Call = (String, String);

/// An account.
#[derive(Clone, Default)]
struct Account {
    calls: Arc<Mutex<Vec<Call>>>,
    /// Never answers.
    hangs: bool,
}

async fn answer(State(account): State<Account>, uri: Uri, body: Bytes) -> Response {
    let operation = uri.path().rsplit('/').next().unwrap_or_default();
    if let Ok(mut calls) = account.calls.lock() {
        // The texts in CBOR stand as they are.
        let text = String::from_utf8_lossy(&body).into_owned();
        calls.push((operation.to_owned(), text));
    }
    if account.hangs {
        return std::future::pending().await;
    }
    answers::answer(&serde_json::json!({}))
}

/// Long enough for a slow machine; each is over in a second.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
impl Account {
    async fn start(&self) -> String {
        let app = Router::new().fallback(answer).with_state(self.clone());
        format!("http://{}", loopback::serve(app).await)
    }

    fn count(&self, operation: &str, text: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        let such = calls
            .iter()
            .filter(|(name, body)| name == operation && body.contains(text));
        such.count()
    }

    /// Where in the row of calls the last of these is.
    fn last(&self, operation: &str, text: &str) -> Option<usize> {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .rposition(|(name, body)| name == operation && body.contains(text))
    }

    /// Waits for a call that carries the text.
    async fn until(&self, operation: &str, text: &str) {
        let begun = Instant::now();
        while self.count(operation, text) == 0 {
            assert!(begun.elapsed() < PATIENCE, "no {operation} with {text}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Two accounts, a target in each, and the daemon's way there.
struct Stage {
    main: Account,
    payments: Account,
    orders: Arc<Target>,
    refunds: Arc<Target>,
    settings: Settings,
    metrics: DaemonMetrics,
    sink: CloudWatchSink,
}

#[cfg(test)]
impl Stage {
    async fn set(payments: Account) -> Self {
        let main = Account::default();
        let mut refunds = target("refunds");
        refunds.cloudwatch.destination = Some("payments".to_owned());
        let (orders, refunds) = (Arc::new(target("orders")), Arc::new(refunds));
        let targets = vec![Arc::clone(&orders), Arc::clone(&refunds)];
        let mut settings = settings("here", &main.start().await, targets);
        let destination = DestinationSettings {
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(payments.start().await),
            actions_enabled: true,
            ..DestinationSettings::default()
        };
        let destinations = &mut settings.cloudwatch.destinations;
        destinations.insert("payments".to_owned(), destination);
        let metrics = DaemonMetrics::new().unwrap();
        let with = Arc::new(settings.clone());
        let sink = CloudWatchSink::start_with(with, metrics.clone(), Some(config()));
        Self {
            main,
            payments,
            orders,
            refunds,
            settings,
            metrics,
            sink,
        }
    }

    /// Both targets go down.
    fn fail(&self) {
        for target in [&self.orders, &self.refunds] {
            self.sink.publish(&passed(target, "here"));
            let failed = failed(target, "here", 2, "lambda-throttled");
            self.sink.publish(&failed.again());
        }
    }

    fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.clone();
        change(&mut settings);
        self.sink.configure(Arc::new(settings));
    }
}

#[tokio::test]
async fn each_account_gets_its_own_targets_and_a_heartbeat() {
    let stage = Stage::set(Account::default()).await;
    stage.fail();
    for (account, own, other) in [
        (&stage.main, "orders", "refunds"),
        (&stage.payments, "refunds", "orders"),
    ] {
        account.until("PutMetricData", own).await;
        account.until("PutMetricData", "Heartbeat").await;
        let (heartbeat, alarm) = ("here (heartbeat)", format!("here {own}"));
        account.until("PutMetricAlarm", heartbeat).await;
        account.until("PutMetricAlarm", &alarm).await;
        account.until("PutMetricAlarm", "lambda-throttled").await;
        for operation in ["PutMetricData", "PutMetricAlarm"] {
            assert_eq!(account.count(operation, other), 0, "{operation} {other}");
        }
    }
    stage.sink.shutdown(Duration::from_secs(3)).await;
    assert_eq!(stage.metrics.spool_datapoints.get(), 0);
}

#[tokio::test]
async fn an_account_that_does_not_answer_holds_back_no_other() {
    let hangs = Account {
        hangs: true,
        ..Account::default()
    };
    let stage = Stage::set(hangs).await;
    stage.fail();
    stage.main.until("PutMetricData", "orders").await;
    stage.main.until("PutMetricAlarm", "here orders").await;
    // The other account's calls still hang: none has reached its time limit.
    for operation in ["PutMetricData", "DescribeAlarms"] {
        let requests = &stage.metrics.cloudwatch_requests;
        let failed = requests.with_label_values(&[operation, "failed"]).get();
        assert_eq!(failed, 0, "{operation}");
    }
    assert!(stage.metrics.spool_datapoints.get() > 0, "of the other");
}

#[tokio::test]
async fn a_target_that_moves_is_silenced_where_it_was_and_so_is_an_account_without_targets() {
    let stage = Stage::set(Account::default()).await;
    stage.fail();
    stage.payments.until("PutMetricAlarm", "here refunds").await;
    let mut moved = Target::clone(&stage.refunds);
    moved.cloudwatch.destination = None;
    let moved = Arc::new(moved);
    stage.configure(|settings| settings.targets[1] = Arc::clone(&moved));
    let silent = "DisableAlarmActions";
    stage.payments.until(silent, "here refunds").await;
    stage.payments.until(silent, "here (heartbeat)").await;
    stage.main.until("PutMetricAlarm", "here refunds").await;
    assert_eq!(stage.main.count(silent, "here"), 0);

    // Its last words went where it was; from now on it is told in the other account.
    stage.payments.until("PutMetricData", "refunds").await;
    stage
        .sink
        .publish(&failed(&moved, "here", 2, "forbidden").again());
    stage.main.until("PutMetricData", "refunds").await;
    stage.main.until("PutMetricAlarm", "forbidden").await;
    assert_eq!(stage.payments.count("PutMetricAlarm", "forbidden"), 0);
    // A report of before the change finds its account gone.
    stage
        .sink
        .publish(&failed(&stage.refunds, "here", 3, "forbidden"));
    let dropped = &stage.metrics.sink_dropped;
    assert_eq!(dropped.with_label_values(&["cloudwatch"]).get(), 1);
}

#[tokio::test]
async fn a_destination_in_another_region_ends_there_and_begins_here() {
    let stage = Stage::set(Account::default()).await;
    stage.payments.until("PutMetricAlarm", "here refunds").await;
    let elsewhere = Account::default();
    let url = elsewhere.start().await;
    stage.configure(|settings| {
        let destinations = &mut settings.cloudwatch.destinations;
        if let Some(payments) = destinations.get_mut("payments") {
            payments.region = Some("us-west-2".to_owned());
            payments.endpoint_url = Some(url);
        }
    });
    let silent = "DisableAlarmActions";
    stage.payments.until(silent, "here refunds").await;
    elsewhere.until("PutMetricAlarm", "here refunds").await;
    elsewhere.until("PutMetricData", "Heartbeat").await;
    assert_eq!(elsewhere.count(silent, "here"), 0);
}

#[tokio::test]
async fn a_changed_endpoint_is_the_same_place_and_silences_nothing() {
    let stage = Stage::set(Account::default()).await;
    stage.payments.until("PutMetricAlarm", "here refunds").await;
    let through = Account::default();
    let url = through.start().await;
    stage.configure(|settings| {
        let destinations = &mut settings.cloudwatch.destinations;
        if let Some(payments) = destinations.get_mut("payments") {
            payments.endpoint_url = Some(url);
        }
    });
    through.until("DescribeAlarms", "here").await;
    assert_eq!(stage.payments.count("DisableAlarmActions", ""), 0);
}

#[tokio::test]
async fn a_destination_that_is_added_hears_of_the_trouble_there_is() {
    let stage = Stage::set(Account::default()).await;
    stage.main.until("PutMetricData", "Heartbeat").await;
    let words = Annotation {
        cause: "prober-local".to_owned(),
        certainty: "likely".to_owned(),
        owner: "prober".to_owned(),
        description: "the prober cannot see its targets".to_owned(),
    };
    stage.sink.trouble(true);
    stage.sink.group(Some(words));
    stage
        .main
        .until("PutMetricAlarm", "prober cannot see")
        .await;
    stage
        .payments
        .until("PutMetricAlarm", "prober cannot see")
        .await;

    let added = Account::default();
    let url = added.start().await;
    stage.configure(|settings| {
        let mut refunds = Target::clone(&settings.targets[1]);
        refunds.cloudwatch.destination = Some("added".to_owned());
        settings.targets[1] = Arc::new(refunds);
        let destination = DestinationSettings {
            region: Some("us-west-2".to_owned()),
            endpoint_url: Some(url),
            ..DestinationSettings::default()
        };
        let destinations = &mut settings.cloudwatch.destinations;
        destinations.insert("added".to_owned(), destination);
    });
    added.until("PutMetricAlarm", "prober cannot see").await;
    added.until("PutMetricAlarm", "here refunds").await;
    assert_eq!(added.count("PutMetricData", "Heartbeat"), 0);
}

#[tokio::test]
async fn a_destination_that_comes_back_waits_for_the_one_that_leaves() {
    let stage = Stage::set(Account::default()).await;
    stage.payments.until("PutMetricAlarm", "here refunds").await;
    stage.configure(|settings| drop(settings.targets.pop()));
    stage.configure(|_| {});
    let silent = "DisableAlarmActions";
    stage.payments.until(silent, "here refunds").await;
    let begun = Instant::now();
    while stage.payments.last("PutMetricAlarm", "here refunds")
        < stage.payments.last(silent, "here refunds")
    {
        assert!(begun.elapsed() < PATIENCE, "it stays silent");
        sleep(Duration::from_millis(20)).await;
    }
}
