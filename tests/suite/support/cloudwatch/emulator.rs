//! The CloudWatch emulator: the running one at `PROBECAUSE_EMULATOR` (`host:port`), or else a
//! new process from the virtual environment of `tests/cloudwatch/setup`, killed on drop.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{ComparisonOperator, MetricAlarm, StateValue, Statistic};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::support::cloudwatch::sdk;

pub(crate) use sdk::config;

/// A running emulator, with a client of its own: a connection that is shared among tests ends
/// with the runtime of the test that opened it.
pub(crate) struct Emulator {
    pub(crate) address: SocketAddr,
    client: Client,
    process: Arc<Process>,
}

/// The process of an emulator.
struct Process {
    address: SocketAddr,
    /// The process, killed on drop; `None` for the one at `PROBECAUSE_EMULATOR`.
    child: Mutex<Option<Child>>,
    /// The directory of its state, deleted on drop.
    _state: Option<tempfile::TempDir>,
}

/// Time limit for a cold start on a loaded machine.
const START: Duration = Duration::from_secs(300);

/// Attempts to start: another process may take the port before the emulator binds it.
const ATTEMPTS: usize = 3;

impl Emulator {
    /// The emulator that concurrent tests share, because it starts slowly. It stops when the
    /// last of them drops it.
    pub(crate) async fn shared() -> Self {
        static SHARED: Mutex<Weak<Process>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(process) = shared.upgrade() {
            return Self::new(process);
        }
        let emulator = Self::get().await;
        *shared = Arc::downgrade(&emulator.process);
        emulator
    }

    /// Connects to the emulator of `PROBECAUSE_EMULATOR`, or starts one of the caller's own.
    pub(crate) async fn get() -> Self {
        if let Ok(address) = std::env::var("PROBECAUSE_EMULATOR") {
            let address = address.parse().expect("PROBECAUSE_EMULATOR is host:port");
            let emulator = Self::new(Arc::new(Process::new(address, None, None)));
            assert!(emulator.answers().await);
            return emulator;
        }
        for _ in 0..ATTEMPTS {
            let (address, child, state) = start();
            let process = Process::new(address, Some(child), Some(state));
            let emulator = Self::new(Arc::new(process));
            if emulator.answers().await {
                return emulator;
            }
        }
        panic!("the emulator did not start in {ATTEMPTS} attempts");
    }

    fn new(process: Arc<Process>) -> Self {
        let address = process.address;
        let settings = aws_sdk_cloudwatch::config::Builder::from(&config())
            .endpoint_url(format!("http://{address}"))
            .build();
        Self {
            address,
            client: Client::from_conf(settings),
            process,
        }
    }

    /// Waits until the emulator answers; returns false if its process has ended.
    async fn answers(&self) -> bool {
        let started = Instant::now();
        while self.client.describe_alarms().send().await.is_err() {
            if let Some(child) = &mut *self.process.child.lock().await
                && child.try_wait().unwrap().is_some()
            {
                return false;
            }
            assert!(
                started.elapsed() < START,
                "the emulator does not answer at {}",
                self.address
            );
            sleep(Duration::from_millis(500)).await;
        }
        true
    }

    /// The definition and state of an alarm; panics if there is none.
    pub(crate) async fn describe(&self, alarm: &str) -> MetricAlarm {
        let response = self
            .client
            .describe_alarms()
            .alarm_names(alarm)
            .send()
            .await
            .unwrap();
        response
            .metric_alarms()
            .first()
            .cloned()
            .unwrap_or_else(|| panic!("no alarm `{alarm}`"))
    }

    /// The tags of an alarm.
    pub(crate) async fn tags(&self, alarm: &str) -> HashMap<String, String> {
        let arn = self.describe(alarm).await.alarm_arn.unwrap();
        let response = self
            .client
            .list_tags_for_resource()
            .resource_arn(arn)
            .send()
            .await
            .unwrap();
        let tags = response.tags().iter();
        tags.map(|tag| {
            (
                tag.key().unwrap().to_owned(),
                tag.value().unwrap().to_owned(),
            )
        })
        .collect()
    }

    /// Waits until an alarm is in a state; calls `each_second` once a second.
    pub(crate) async fn until(
        &self,
        alarm: &str,
        state: StateValue,
        patience: Duration,
        each_second: impl Fn(),
    ) {
        let started = Instant::now();
        loop {
            let response = self
                .client
                .describe_alarms()
                .alarm_names(alarm)
                .send()
                .await
                .unwrap();
            let now = response
                .metric_alarms()
                .first()
                .and_then(|alarm| alarm.state_value.clone());
            if now.as_ref() == Some(&state) {
                return;
            }
            assert!(
                started.elapsed() < patience,
                "state of `{alarm}`: {now:?}, expected {state:?}"
            );
            each_second();
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until an alarm exists with its actions enabled or disabled.
    pub(crate) async fn until_actions(&self, alarm: &str, enabled: bool, patience: Duration) {
        let started = Instant::now();
        loop {
            let request = self.client.describe_alarms().alarm_names(alarm);
            let response = request.send().await.unwrap();
            let now = response
                .metric_alarms()
                .first()
                .and_then(|alarm| alarm.actions_enabled);
            if now == Some(enabled) {
                return;
            }
            assert!(
                started.elapsed() < patience,
                "actions of `{alarm}` enabled: {now:?}, expected {enabled}"
            );
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Disables the actions of an alarm, like an operator in the console.
    pub(crate) async fn disable_actions(&self, alarm: &str) {
        let request = self.client.disable_alarm_actions().alarm_names(alarm);
        request.send().await.unwrap();
    }

    /// Deletes an alarm, like an operator in the console.
    pub(crate) async fn delete(&self, alarm: &str) {
        let request = self.client.delete_alarms().alarm_names(alarm);
        request.send().await.unwrap();
    }

    /// Whether an alarm exists.
    pub(crate) async fn exists(&self, alarm: &str) -> bool {
        let request = self.client.describe_alarms().alarm_names(alarm);
        !request.send().await.unwrap().metric_alarms().is_empty()
    }

    /// Creates an alarm without the tag `probecause:managed`.
    pub(crate) async fn put_foreign(&self, alarm: &str) {
        self.client
            .put_metric_alarm()
            .alarm_name(alarm)
            .namespace("Theirs")
            .metric_name("Theirs")
            .statistic(Statistic::Sum)
            .comparison_operator(ComparisonOperator::GreaterThanThreshold)
            .threshold(5.0)
            .period(60)
            .evaluation_periods(1)
            .send()
            .await
            .unwrap();
    }
}

impl Process {
    fn new(address: SocketAddr, child: Option<Child>, state: Option<tempfile::TempDir>) -> Self {
        Self {
            address,
            child: Mutex::new(child),
            _state: state,
        }
    }
}

/// Creates a directory for the state of an emulator, in memory where the system has such a file
/// system: on a busy disk, the emulator needs longer for a thousand datapoints than the daemon
/// waits for a response.
fn state_directory() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("probecause-emulator-");
    let in_memory = builder.tempdir_in("/dev/shm");
    in_memory.unwrap_or_else(|_| builder.tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
}

fn start() -> (SocketAddr, Child, tempfile::TempDir) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let setup = std::process::Command::new(root.join("tests/cloudwatch/setup"))
        .output()
        .unwrap();
    assert!(
        setup.status.success(),
        "{}",
        String::from_utf8_lossy(&setup.stderr)
    );
    let python = String::from_utf8(setup.stdout).unwrap();
    // The emulator cannot bind port 0 and report the port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let state = state_directory();
    let log = format!("emulator-{}.log", address.port());
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(log);
    let log = std::fs::File::create(log).unwrap();
    let child = Command::new(python.trim())
        .args(["-m", "localstack.runtime.main"])
        .env("GATEWAY_LISTEN", address.to_string())
        .env("SERVICES", "cloudwatch,logs,sts")
        .env("EAGER_SERVICE_LOADING", "1")
        .env("DISABLE_EVENTS", "1")
        .env("DNS_ADDRESS", "0")
        .env("SKIP_SSL_CERT_DOWNLOAD", "1")
        // Its state. Emulators that share a directory overwrite each other's tables.
        .env("FILESYSTEM_ROOT", state.path())
        .env("LOCALSTACK_VOLUME_DIR", state.path())
        .env("TMPDIR", state.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    (address, child, state)
}
