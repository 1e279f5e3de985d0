//! Reports the daemon's state to systemd with its notification protocol (`sd_notify(3)`).
//!
//! A message is one datagram of `NAME=value` lines to the socket in `NOTIFY_SOCKET`. Without this
//! variable, nothing is sent. A message that cannot be sent is dropped. Existing crates are not
//! used, because they do not support the abstract sockets of container managers, and because they
//! block while the service manager is busy. Blocking would delay the loop that the watchdog
//! monitors.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The connection to the service manager, with the watchdog timeout, if any. The default value has
/// no connection and sends nothing. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct SdNotify {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

/// The error for a notification socket that cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot reach the service manager at {socket} (`NOTIFY_SOCKET`): {source}; \
     unset `NOTIFY_SOCKET` to start without a service manager"
)]
pub struct SdNotifyError {
    socket: String,
    source: std::io::Error,
}

/// Number of keep-alive messages per watchdog timeout. With three, one late or lost message does
/// not trip the watchdog.
const HEARTBEATS_PER_TIMEOUT: u32 = 3;

/// Maximum length of a status in bytes, which keeps the output of `systemctl status` short.
const MAX_STATUS_LENGTH: usize = 200;

impl SdNotify {
    /// Connects to the service manager that the environment names, if any.
    ///
    /// `variable` looks up an environment variable. `process` is the daemon's process id. If
    /// `WATCHDOG_PID` names another process, the daemon inherited the watchdog variables and
    /// ignores them.
    ///
    /// # Errors
    /// Returns an error if the named socket cannot be reached, because otherwise the service
    /// manager would wait for a message that never arrives.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<OsString>,
        process: u32,
    ) -> Result<Self, SdNotifyError> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = connect(&name).map_err(|source| SdNotifyError {
            socket: name.to_string_lossy().into_owned(),
            source,
        })?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let for_this_process = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(process));
        let watchdog = number("WATCHDOG_USEC").filter(|&timeout| for_this_process && timeout > 0);
        Ok(Self {
            socket: Some(Arc::new(socket)),
            watchdog: watchdog.map(Duration::from_micros),
        })
    }

    /// Returns the interval at which to call [`SdNotify::alive`], or `None` without a watchdog.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Duration> {
        self.watchdog
            .map(|timeout| timeout / HEARTBEATS_PER_TIMEOUT)
    }

    /// Reports that the daemon is ready after startup or a reload, and sets the status that
    /// `systemctl status` shows.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\n{}", status_line(status)));
    }

    /// Reports that a reload has begun. With `Type=notify-reload`, systemd uses the time in the
    /// message to distinguish this reload from an earlier one.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// Reports that the daemon is stopping.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Sends the keep-alive, which resets the watchdog timeout of the service manager.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// Sets the status that `systemctl status` shows: the first line of `text`, truncated to
    /// 200 bytes.
    pub fn status(&self, text: &str) {
        self.send(&status_line(text));
    }

    fn send(&self, notification: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(notification.as_bytes()) {
            tracing::warn!(notification, %error, "service manager could not be notified");
        }
    }
}

fn status_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let end = line.floor_char_boundary(MAX_STATUS_LENGTH);
    format!("STATUS={}", &line[..end])
}

fn connect(name: &OsStr) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address(name)?)?;
    Ok(socket)
}

/// Parses the path of a socket, or the name of an abstract socket after a leading `@`.
fn address(name: &OsStr) -> std::io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(abstract_name) = name.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(abstract_name);
    }
    SocketAddr::from_pathname(Path::new(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: u32 = 42;

    /// Creates a service manager's socket, and a notifier that is connected to it.
    fn with_manager(variables: &[(&str, &str)]) -> (UnixDatagram, SdNotify, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let sd_notify = connect_to(path.as_os_str(), variables).unwrap();
        (manager, sd_notify, folder)
    }

    fn connect_to(socket: &OsStr, variables: &[(&str, &str)]) -> Result<SdNotify, SdNotifyError> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            let found = found.map(|(_, value)| OsString::from(value));
            found.or_else(|| (name == "NOTIFY_SOCKET").then(|| socket.to_owned()))
        };
        SdNotify::from_environment(variable, PROCESS)
    }

    fn receive(manager: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    #[test]
    fn each_notification_is_one_datagram_of_the_protocol() {
        let (manager, sd_notify, _folder) = with_manager(&[]);
        let check = |notify: fn(&SdNotify), expected: &str| {
            notify(&sd_notify);
            assert_eq!(receive(&manager).as_deref(), Some(expected));
            assert_eq!(receive(&manager), None, "{expected} was sent twice");
        };
        check(
            |sd_notify| sd_notify.ready("2 targets"),
            "READY=1\nSTATUS=2 targets",
        );
        check(SdNotify::stopping, "STOPPING=1");
        check(SdNotify::alive, "WATCHDOG=1");
        check(
            |sd_notify| sd_notify.status("3 targets\nREADY=1"),
            "STATUS=3 targets",
        );
        let cut = format!("STATUS={}", "é".repeat(MAX_STATUS_LENGTH / 2));
        check(
            |sd_notify| sd_notify.status(&"é".repeat(MAX_STATUS_LENGTH)),
            &cut,
        );
    }

    #[test]
    fn a_reload_carries_an_increasing_monotonic_time() {
        let (manager, sd_notify, _folder) = with_manager(&[]);
        let mut times = Vec::new();
        for _ in 0..2 {
            sd_notify.reloading();
            let message = receive(&manager).unwrap();
            let time = message
                .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
                .unwrap();
            times.push(time.parse::<u64>().unwrap());
        }
        assert!(0 < times[0] && times[0] <= times[1], "{times:?}");
    }

    #[test]
    fn the_heartbeat_is_a_third_of_the_watchdog_timeout_of_this_process() {
        let check = |variables: &[(&str, &str)], expected: Option<u64>| {
            let (_manager, sd_notify, _folder) = with_manager(variables);
            let found = sd_notify.heartbeat();
            assert_eq!(found, expected.map(Duration::from_secs), "{variables:?}");
        };
        check(&[], None);
        check(&[("WATCHDOG_USEC", "30000000")], Some(10));
        let timeout = ("WATCHDOG_USEC", "30000000");
        check(&[timeout, ("WATCHDOG_PID", "42")], Some(10));
        check(&[timeout, ("WATCHDOG_PID", "43")], None);
        check(&[("WATCHDOG_USEC", "0")], None);
        check(&[("WATCHDOG_USEC", "soon")], None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_socket_is_supported() {
        let name = format!("probecause-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&address(OsStr::new(&format!("@{name}"))).unwrap());
        let manager = manager.unwrap();
        let sd_notify = connect_to(OsStr::new(&format!("@{name}")), &[]).unwrap();
        sd_notify.alive();
        assert_eq!(receive(&manager).as_deref(), Some("WATCHDOG=1"));
    }

    #[test]
    fn without_a_service_manager_nothing_is_sent() {
        let sd_notify = SdNotify::from_environment(|_| None, PROCESS).unwrap();
        sd_notify.alive();
        assert_eq!(sd_notify.heartbeat(), None);
    }

    #[test]
    fn an_unreachable_service_manager_is_an_error() {
        let error = connect_to(OsStr::new("/nowhere/notify"), &[]).unwrap_err();
        let expected = "cannot reach the service manager at /nowhere/notify (`NOTIFY_SOCKET`): \
                        No such file or directory (os error 2); \
                        unset `NOTIFY_SOCKET` to start without a service manager";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_full_socket_does_not_block() {
        let (manager, sd_notify, _folder) = with_manager(&[]);
        // The test sends more messages than the queue of a socket holds.
        for _ in 0..10_000 {
            sd_notify.alive();
        }
        assert_eq!(receive(&manager).as_deref(), Some("WATCHDOG=1"));
    }
}
