//! Two regions and two accounts in one emulator. Each gets the alarms and datapoints of its own
//! targets only.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::Credentials;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use probecause::cli::Exit;
use probecause::cli::alarms::{Action, run_action};
use probecause::domain::alarm;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::settings::{DestinationSettings, Role, Settings};
use probecause::model::target::Target;
use tokio::time::{Instant, sleep};

use crate::cloudwatch_emulator::{PATIENCE, REVIEW_EVERY, common};
use crate::support::cloudwatch::emulator::Emulator;
use crate::support::cloudwatch::reports::{Again as _, failed, passed, settings, target};
use crate::support::cloudwatch::sink;

/// The id of another account. The emulator takes an access key of twelve digits as account id.
const OTHER_ACCOUNT: &str = "222222222222";

/// The SDK configuration of the default chain, with test credentials. A role can be assumed only
/// with a configuration that has the chain's time source.
async fn sdk_config() -> SdkConfig {
    config_for("test", "eu-west-1").await
}

/// The SDK configuration of an access key in a region.
async fn config_for(key: &str, region: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(key, "test", None, None, "test"))
        .load()
        .await
}

/// A CloudWatch client of an access key in a region.
async fn client_for(emulator: &Emulator, key: &str, region: &str) -> Client {
    let config = aws_sdk_cloudwatch::config::Builder::from(&config_for(key, region).await)
        .endpoint_url(format!("http://{}", emulator.address))
        .retry_config(RetryConfig::standard())
        .build();
    Client::from_conf(config)
}

/// The names of the alarms of a location, and the targets that have datapoints.
async fn alarms_and_series(
    client: &Client,
    location: &str,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let prefix = alarm::name_prefix(location);
    let request = client.describe_alarms().alarm_name_prefix(prefix);
    let alarms = request.send().await.unwrap();
    let alarms = alarms.metric_alarms().iter();
    let names = alarms.map(|alarm| alarm.alarm_name().unwrap().to_owned());
    let request = client.list_metrics().namespace("Probecause");
    let metrics = request.send().await.unwrap();
    let series = metrics.metrics().iter().filter_map(|metric| {
        let value = |name: &str| {
            let mut dimensions = metric.dimensions().iter();
            let found = dimensions.find(|dimension| dimension.name() == Some(name));
            found.and_then(|dimension| dimension.value())
        };
        (value("Location") == Some(location)).then(|| {
            let target = value("Target").unwrap_or("(heartbeat)");
            target.to_owned()
        })
    });
    (names.collect(), series.collect())
}

fn in_destination(name: &str, destination: &str) -> Arc<Target> {
    let mut target = target(name);
    target.cloudwatch.destination = Some(destination.to_owned());
    Arc::new(target)
}

fn three_destinations(location: &str, endpoint: &str) -> Settings {
    let targets = vec![
        Arc::new(target("orders")),
        in_destination("returns", "far"),
        in_destination("refunds", "payments"),
    ];
    let mut settings = settings(location, endpoint, targets);
    let destination = DestinationSettings {
        endpoint_url: Some(endpoint.to_owned()),
        actions_enabled: true,
        ..DestinationSettings::default()
    };
    let us_east = DestinationSettings {
        region: Some("us-east-1".to_owned()),
        ..destination.clone()
    };
    let payments = DestinationSettings {
        region: Some("eu-west-1".to_owned()),
        role: Some(Role {
            arn: format!("arn:aws:iam::{OTHER_ACCOUNT}:role/probecause"),
            external_id: Some("orders".to_owned()),
        }),
        ..destination
    };
    let destinations = &mut settings.cloudwatch.destinations;
    destinations.insert("far".to_owned(), us_east);
    destinations.insert("payments".to_owned(), payments);
    settings
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn each_region_and_account_has_its_own_alarms_datapoints_and_heartbeat() {
    let emulator = Emulator::shared().await;
    let location = &format!("regions-{}", std::process::id());
    let settings = Arc::new(three_destinations(
        location,
        &format!("http://{}", emulator.address),
    ));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = sink::patient(&settings, &metrics, sdk_config().await, REVIEW_EVERY);
    for target in &settings.targets {
        sink.publish(&passed(target, location));
        sink.publish(&failed(target, location, 2, "lambda-throttled").again());
    }
    for (key, region, target) in [
        ("test", "eu-west-1", "orders"),
        ("test", "us-east-1", "returns"),
        (OTHER_ACCOUNT, "eu-west-1", "refunds"),
    ] {
        let client = client_for(&emulator, key, region).await;
        let alarms = [
            alarm::heartbeat_name(location, 0),
            alarm::target_alarm_name(location, target),
        ];
        let expected = (
            BTreeSet::from(alarms),
            BTreeSet::from(["(heartbeat)".to_owned(), target.to_owned()]),
        );
        let started = Instant::now();
        loop {
            let found = alarms_and_series(&client, location).await;
            if found == expected {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{key} {region}: {found:?}");
            sleep(Duration::from_millis(500)).await;
        }
    }

    check_plan(&settings).await;
    assert_eq!(metrics.alarm_updates_late.get(), 0);

    // The last target of `far` moves to the main account. The alarms in `far` must not page.
    let mut moved = Settings::clone(&settings);
    moved.targets[1] = Arc::new(target("returns"));
    sink.configure(Arc::new(moved));
    wait_for_disabled_actions(&client_for(&emulator, "test", "us-east-1").await, location).await;
    let main_alarm = alarm::target_alarm_name(location, "returns");
    emulator.until_actions(&main_alarm, true, PATIENCE).await;
    sink.shutdown(Duration::from_secs(5)).await;
    assert_eq!(metrics.spool_datapoints.get(), 0);
}

/// Checks that `alarms plan` finds nothing to change in the three destinations.
async fn check_plan(settings: &Settings) {
    let plan = Action::Plan {
        common: common(),
        detailed_exitcode: true,
    };
    let mut out = Vec::new();
    let exit = run_action(&plan, settings, Some(&sdk_config().await), &mut out).await;
    let text = String::from_utf8(out).unwrap();
    assert_eq!(exit, Ok(Exit::Fine), "{text}");
    assert_eq!(text.matches("2 as desired").count(), 3, "{text}");
}

/// Waits until the actions of both alarms in an account are disabled.
async fn wait_for_disabled_actions(client: &Client, location: &str) {
    let started = Instant::now();
    loop {
        let prefix = alarm::name_prefix(location);
        let request = client.describe_alarms().alarm_name_prefix(prefix);
        let response = request.send().await.unwrap();
        let alarms = response.metric_alarms();
        assert_eq!(alarms.len(), 2);
        if alarms
            .iter()
            .all(|alarm| alarm.actions_enabled == Some(false))
        {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{alarms:?}");
        sleep(Duration::from_millis(500)).await;
    }
}
