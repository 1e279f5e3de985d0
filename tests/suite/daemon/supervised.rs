//! What a service manager is told, on a real datagram socket.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::daemon::process::{config, endpoint};

/// A daemon whose service manager is this test. The socket blocks the thread of a test, so
/// its runtime needs another one for the endpoint.
struct Supervised {
    child: Child,
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

/// How long a message may take: they are waited for, not timed.
const PATIENCE: Duration = Duration::from_secs(30);

impl Supervised {
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

    /// The next message, as its lines.
    fn next(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let length = loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => break length,
                // The end of another test's child interrupts it: a call with a time limit
                // is not begun again by the system (signal(7)).
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Err(problem) => panic!("no message: {problem}"),
            }
        };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Messages up to the first that has this line.
    fn until(&self, wanted: &str) -> Vec<Vec<String>> {
        let begun = Instant::now();
        let mut seen = Vec::new();
        loop {
            let message = self.next();
            let found = message.iter().any(|line| line.starts_with(wanted));
            seen.push(message);
            if found {
                return seen;
            }
            assert!(begun.elapsed() < PATIENCE, "no {wanted}: {seen:?}");
        }
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().await;
        assert!(sent.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_hears_of_start_life_reload_and_end() {
    let mut daemon = Supervised::start().await;
    let first = daemon.until("READY=1");
    // Nothing goes before it: a manager that hears of life before would not wait for it.
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
    // A bad file: the old configuration goes on, and so does the service.
    std::fs::write(daemon.directory.path().join("probecause.toml"), "nonsense").unwrap();
    daemon.signal("-HUP").await;
    daemon.until("RELOADING=1");
    let refused = daemon.until("READY=1").pop().unwrap();
    assert_eq!(refused[1], "STATUS=watching 2 targets: 1 down");
    daemon.until("WATCHDOG=1");

    daemon.signal("-TERM").await;
    daemon.until("STOPPING=1");
    let ended = tokio::time::timeout(PATIENCE, daemon.child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hangs_does_not_say_that_it_lives() {
    let daemon = Supervised::start().await;
    daemon.until("WATCHDOG=1");
    daemon.signal("-STOP").await;
    // What was under way may still come; then nothing, for longer than is granted.
    tokio::time::sleep(Duration::from_millis(200)).await;
    daemon.socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    while daemon.socket.recv(&mut buffer).is_ok() {}
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(daemon.socket.recv(&mut buffer).is_err(), "it spoke");
    daemon.signal("-CONT").await;
    daemon.socket.set_nonblocking(false).unwrap();
    daemon.until("WATCHDOG=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_cannot_be_reached_is_said_clearly() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("probecause.toml");
    std::fs::write(&file, config(endpoint().await, &["ok"])).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["run", "--config"])
        .arg(&file)
        .env("NOTIFY_SOCKET", directory.path().join("nobody"))
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("cannot reach the service manager at"),
        "{told}"
    );
}
