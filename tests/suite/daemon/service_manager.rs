//! The `sd_notify` protocol on a real datagram socket: readiness, watchdog, reload, stop.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::daemon::process::{config, endpoint};

/// A daemon that notifies this test as its service manager. Reading the socket blocks the
/// thread of the test, so the runtime needs another thread for the endpoint.
struct NotifyingDaemon {
    child: Child,
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

/// How long to wait for a message. Only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

impl NotifyingDaemon {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config_file = directory.path().join("probecause.toml");
        let text = config(endpoint().await, &["ok", "throttled"]);
        std::fs::write(&config_file, text).unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .args(["run", "--config"])
            .arg(&config_file)
            .arg("--state")
            .arg(directory.path().join("state"))
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "1500000")
            .env_remove("WATCHDOG_PID")
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            socket,
            directory,
        }
    }

    /// Receives the next message and returns its lines.
    fn next(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let length = loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => break length,
                // SIGCHLD of another test's child interrupts the call, and a call with a
                // timeout is not restarted (signal(7)).
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("received no message: {error}"),
            }
        };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Receives messages up to the first with a line that starts with `wanted`.
    fn until(&self, wanted: &str) -> Vec<Vec<String>> {
        let started = Instant::now();
        let mut received = Vec::new();
        loop {
            let message = self.next();
            let found = message.iter().any(|line| line.starts_with(wanted));
            received.push(message);
            if found {
                return received;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "no message with {wanted}: {received:?}"
            );
        }
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().await;
        assert!(sent.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_notified_of_start_watchdog_reload_and_stop() {
    let mut daemon = NotifyingDaemon::start().await;
    let first = daemon.until("READY=1");
    // READY=1 is the first message: a watchdog ping before it would start the watchdog early.
    let expected = ["READY=1", "STATUS=watching 2 targets: 2 not known yet"];
    assert_eq!(first, [expected]);
    for _ in 0..3 {
        daemon.until("WATCHDOG=1");
    }
    daemon.until("STATUS=watching 2 targets: 1 down");

    daemon.signal("-HUP").await;
    let reloading = daemon.until("RELOADING=1").pop().unwrap();
    assert!(reloading[1].starts_with("MONOTONIC_USEC="), "{reloading:?}");
    daemon.until("READY=1");
    // After a failed reload the daemon is ready again with the previous configuration.
    std::fs::write(daemon.directory.path().join("probecause.toml"), "nonsense").unwrap();
    daemon.signal("-HUP").await;
    daemon.until("RELOADING=1");
    let rejected = daemon.until("READY=1").pop().unwrap();
    assert_eq!(rejected[1], "STATUS=watching 2 targets: 1 down");
    daemon.until("WATCHDOG=1");

    daemon.signal("-TERM").await;
    daemon.until("STOPPING=1");
    let ended = tokio::time::timeout(PATIENCE, daemon.child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_sends_no_watchdog_ping() {
    let daemon = NotifyingDaemon::start().await;
    daemon.until("WATCHDOG=1");
    daemon.signal("-STOP").await;
    // A ping may still be in the socket. After it none may arrive for longer than the
    // watchdog timeout of 1.5 s.
    tokio::time::sleep(Duration::from_millis(200)).await;
    daemon.socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    while daemon.socket.recv(&mut buffer).is_ok() {}
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        daemon.socket.recv(&mut buffer).is_err(),
        "a stopped daemon sent a message"
    );
    daemon.signal("-CONT").await;
    daemon.socket.set_nonblocking(false).unwrap();
    daemon.until("WATCHDOG=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_service_manager_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("probecause.toml");
    std::fs::write(&file, config(endpoint().await, &["ok"])).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["run", "--config"])
        .arg(&file)
        .env("NOTIFY_SOCKET", directory.path().join("no-socket"))
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("cannot reach the service manager at"),
        "{stderr}"
    );
}
