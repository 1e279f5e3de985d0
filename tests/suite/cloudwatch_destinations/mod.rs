//! Several CloudWatch destinations: which account gets which datapoints and alarms, and what
//! happens to the alarms when targets or destinations move.
//!
//! Each account is an in-process server that accepts and records every call.
//! `cloudwatch_emulator` tests two regions against an emulator.

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

/// A call: operation and body.
type Call = (String, String);

/// A CloudWatch account that records its calls.
#[derive(Clone, Default)]
struct Account {
    calls: Arc<Mutex<Vec<Call>>>,
    /// Whether the server never responds.
    hangs: bool,
}

async fn answer(State(account): State<Account>, uri: Uri, body: Bytes) -> Response {
    let operation = uri.path().rsplit('/').next().unwrap_or_default();
    if let Ok(mut calls) = account.calls.lock() {
        // CBOR contains strings as plain UTF-8.
        let text = String::from_utf8_lossy(&body).into_owned();
        calls.push((operation.to_owned(), text));
    }
    if account.hangs {
        return std::future::pending().await;
    }
    answers::answer(&serde_json::json!({}))
}

/// Time limit of a wait. On an idle machine each takes less than a second.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
impl Account {
    async fn start(&self) -> String {
        let app = Router::new().fallback(answer).with_state(self.clone());
        format!("http://{}", loopback::serve(app).await)
    }

    /// Number of calls of an operation whose body contains a text.
    fn count(&self, operation: &str, text: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        let matching = calls
            .iter()
            .filter(|(name, body)| name == operation && body.contains(text));
        matching.count()
    }

    /// Position among all calls of the last such call.
    fn last_position(&self, operation: &str, text: &str) -> Option<usize> {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .rposition(|(name, body)| name == operation && body.contains(text))
    }

    /// Waits for a call of an operation whose body contains a text.
    async fn wait_for(&self, operation: &str, text: &str) {
        let started = Instant::now();
        while self.count(operation, text) == 0 {
            assert!(
                started.elapsed() < PATIENCE,
                "timed out waiting for {operation} with {text}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A sink with two destinations, each with one target: `orders` in the main account and
/// `refunds` in the destination `payments`.
struct TwoAccounts {
    main: Account,
    payments: Account,
    orders: Arc<Target>,
    refunds: Arc<Target>,
    settings: Settings,
    metrics: DaemonMetrics,
    sink: CloudWatchSink,
}

#[cfg(test)]
impl TwoAccounts {
    async fn start(payments: Account) -> Self {
        let main = Account::default();
        let mut refunds = target("refunds");
        refunds.cloudwatch.destination = Some("payments".to_owned());
        let (orders, refunds) = (Arc::new(target("orders")), Arc::new(refunds));
        let targets = vec![Arc::clone(&orders), Arc::clone(&refunds)];
        let mut settings = settings("site-a", &main.start().await, targets);
        let destination = DestinationSettings {
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(payments.start().await),
            actions_enabled: true,
            ..DestinationSettings::default()
        };
        let destinations = &mut settings.cloudwatch.destinations;
        destinations.insert("payments".to_owned(), destination);
        let metrics = DaemonMetrics::new().unwrap();
        let initial = Arc::new(settings.clone());
        let sink = CloudWatchSink::start_with(initial, metrics.clone(), Some(config()));
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

    /// Publishes a failure of both targets.
    fn fail(&self) {
        for target in [&self.orders, &self.refunds] {
            self.sink.publish(&passed(target, "site-a"));
            let failed = failed(target, "site-a", 2, "lambda-throttled");
            self.sink.publish(&failed.again());
        }
    }

    /// Reloads the sink with changed settings.
    fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.clone();
        change(&mut settings);
        self.sink.configure(Arc::new(settings));
    }
}

#[tokio::test]
async fn each_account_gets_only_its_own_targets_and_a_heartbeat() {
    let accounts = TwoAccounts::start(Account::default()).await;
    accounts.fail();
    for (account, own, other) in [
        (&accounts.main, "orders", "refunds"),
        (&accounts.payments, "refunds", "orders"),
    ] {
        account.wait_for("PutMetricData", own).await;
        account.wait_for("PutMetricData", "Heartbeat").await;
        let (heartbeat, alarm) = ("site-a (heartbeat)", format!("site-a {own}"));
        account.wait_for("PutMetricAlarm", heartbeat).await;
        account.wait_for("PutMetricAlarm", &alarm).await;
        account.wait_for("PutMetricAlarm", "lambda-throttled").await;
        for operation in ["PutMetricData", "PutMetricAlarm"] {
            assert_eq!(account.count(operation, other), 0, "{operation} {other}");
        }
    }
    accounts.sink.shutdown(PATIENCE).await;
    assert_eq!(accounts.metrics.spool_datapoints.get(), 0);
}

#[tokio::test]
async fn an_account_that_does_not_respond_delays_no_other_account() {
    let hanging = Account {
        hangs: true,
        ..Account::default()
    };
    let accounts = TwoAccounts::start(hanging).await;
    accounts.fail();
    accounts.main.wait_for("PutMetricData", "orders").await;
    accounts
        .main
        .wait_for("PutMetricAlarm", "site-a orders")
        .await;
    // The calls of the other account still hang: none has reached its timeout.
    for operation in ["PutMetricData", "DescribeAlarms"] {
        let requests = &accounts.metrics.cloudwatch_requests;
        let failed = requests.with_label_values(&[operation, "failed"]).get();
        assert_eq!(failed, 0, "{operation}");
    }
    assert!(
        accounts.metrics.spool_datapoints.get() > 0,
        "no datapoint of the hanging account is queued"
    );
}

#[tokio::test]
async fn when_a_target_moves_its_old_alarm_and_the_heartbeat_of_the_empty_account_are_disabled() {
    let accounts = TwoAccounts::start(Account::default()).await;
    accounts.fail();
    accounts
        .payments
        .wait_for("PutMetricAlarm", "site-a refunds")
        .await;
    // The failure is urgent, so the target's alarm may be created before the heartbeat's.
    accounts
        .payments
        .wait_for("PutMetricAlarm", "site-a (heartbeat)")
        .await;
    let mut moved = Target::clone(&accounts.refunds);
    moved.cloudwatch.destination = None;
    let moved = Arc::new(moved);
    accounts.configure(|settings| settings.targets[1] = Arc::clone(&moved));
    let disable = "DisableAlarmActions";
    accounts.payments.wait_for(disable, "site-a refunds").await;
    accounts
        .payments
        .wait_for(disable, "site-a (heartbeat)")
        .await;
    accounts
        .main
        .wait_for("PutMetricAlarm", "site-a refunds")
        .await;
    assert_eq!(accounts.main.count(disable, "site-a"), 0);

    // The failure before the move went to the old account. The next one goes to the new account.
    accounts.payments.wait_for("PutMetricData", "refunds").await;
    accounts
        .sink
        .publish(&failed(&moved, "site-a", 2, "forbidden").again());
    accounts.main.wait_for("PutMetricData", "refunds").await;
    accounts.main.wait_for("PutMetricAlarm", "forbidden").await;
    assert_eq!(accounts.payments.count("PutMetricAlarm", "forbidden"), 0);
    // A report with the old configuration is dropped, since its destination no longer exists.
    accounts
        .sink
        .publish(&failed(&accounts.refunds, "site-a", 3, "forbidden"));
    let dropped = &accounts.metrics.sink_dropped;
    assert_eq!(dropped.with_label_values(&["cloudwatch"]).get(), 1);
}

#[tokio::test]
async fn a_destination_that_changes_its_region_disables_its_old_alarms_and_creates_new_ones() {
    let accounts = TwoAccounts::start(Account::default()).await;
    accounts
        .payments
        .wait_for("PutMetricAlarm", "site-a refunds")
        .await;
    let new_region = Account::default();
    let url = new_region.start().await;
    accounts.configure(|settings| {
        let destinations = &mut settings.cloudwatch.destinations;
        if let Some(payments) = destinations.get_mut("payments") {
            payments.region = Some("us-west-2".to_owned());
            payments.endpoint_url = Some(url);
        }
    });
    let disable = "DisableAlarmActions";
    accounts.payments.wait_for(disable, "site-a refunds").await;
    new_region
        .wait_for("PutMetricAlarm", "site-a refunds")
        .await;
    new_region.wait_for("PutMetricData", "Heartbeat").await;
    assert_eq!(new_region.count(disable, "site-a"), 0);
}

#[tokio::test]
async fn a_changed_endpoint_url_disables_no_alarm() {
    let accounts = TwoAccounts::start(Account::default()).await;
    accounts
        .payments
        .wait_for("PutMetricAlarm", "site-a refunds")
        .await;
    let proxy = Account::default();
    let url = proxy.start().await;
    accounts.configure(|settings| {
        let destinations = &mut settings.cloudwatch.destinations;
        if let Some(payments) = destinations.get_mut("payments") {
            payments.endpoint_url = Some(url);
        }
    });
    proxy.wait_for("DescribeAlarms", "site-a").await;
    assert_eq!(accounts.payments.count("DisableAlarmActions", ""), 0);
}

#[tokio::test]
async fn an_added_destination_gets_the_current_trouble_of_the_prober() {
    let accounts = TwoAccounts::start(Account::default()).await;
    accounts.main.wait_for("PutMetricData", "Heartbeat").await;
    let annotation = Annotation {
        cause: "prober-local".to_owned(),
        certainty: "likely".to_owned(),
        owner: "prober".to_owned(),
        description: "the prober cannot see its targets".to_owned(),
    };
    accounts.sink.set_prober_impaired(true);
    accounts.sink.group(Some(annotation));
    accounts
        .main
        .wait_for("PutMetricAlarm", "prober cannot see")
        .await;
    accounts
        .payments
        .wait_for("PutMetricAlarm", "prober cannot see")
        .await;

    let added = Account::default();
    let url = added.start().await;
    accounts.configure(|settings| {
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
    added.wait_for("PutMetricAlarm", "prober cannot see").await;
    added.wait_for("PutMetricAlarm", "site-a refunds").await;
    assert_eq!(added.count("PutMetricData", "Heartbeat"), 0);
}

#[tokio::test]
async fn a_destination_that_is_removed_and_added_again_ends_with_its_alarm_enabled() {
    let accounts = TwoAccounts::start(Account::default()).await;
    accounts
        .payments
        .wait_for("PutMetricAlarm", "site-a refunds")
        .await;
    accounts.configure(|settings| drop(settings.targets.pop()));
    accounts.configure(|_| {});
    let disable = "DisableAlarmActions";
    accounts.payments.wait_for(disable, "site-a refunds").await;
    let started = Instant::now();
    while accounts
        .payments
        .last_position("PutMetricAlarm", "site-a refunds")
        < accounts.payments.last_position(disable, "site-a refunds")
    {
        assert!(
            started.elapsed() < PATIENCE,
            "timed out: the alarm stays disabled"
        );
        sleep(Duration::from_millis(20)).await;
    }
}
