//! Tells the service manager that started us how we are: systemd's notification protocol
//! (`sd_notify(3)`).
//!
//! A message is one datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET`
//! names; without that variable nothing is told. Our own few lines instead of a crate:
//! the small ones block while the manager is busy, which must never hold back the loop
//! that proves itself alive here, and do not know abstract sockets, which container
//! managers use. What cannot be told is lost: the manager's watchdog draws its own
//! conclusion.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The service manager, if there is one. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SdNotify {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

/// Why a service manager cannot be told anything.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the service manager at {socket} (NOTIFY_SOCKET): {source}")]
pub struct SupervisorError {
    socket: String,
    source: std::io::Error,
}

/// Signs of life in the time after which a watchdog bites: one may be late or lost.
const BEATS: u32 = 3;

/// `systemctl status` shows one line; longer words would be cut there anyway.
const MAX_STATUS: usize = 200;

impl SdNotify {
    /// The manager that the environment names; nobody, if it names none.
    ///
    /// `variable` looks up an environment variable; `process` is our own id, since a
    /// child inherits the watchdog's variables but is not meant by them.
    ///
    /// # Errors
    /// A socket that is named but cannot be reached: the manager would wait for us in vain.
    pub fn of_environment(
        variable: impl Fn(&str) -> Option<OsString>,
        process: u32,
    ) -> Result<Self, SupervisorError> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = connect(&name).map_err(|source| SupervisorError {
            socket: name.to_string_lossy().into_owned(),
            source,
        })?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let meant = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(process));
        let watchdog = number("WATCHDOG_USEC").filter(|&limit| meant && limit > 0);
        Ok(Self {
            socket: Some(Arc::new(socket)),
            watchdog: watchdog.map(Duration::from_micros),
        })
    }

    /// How often [`SdNotify::alive`] is to be called; `None`: nobody waits for it.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / BEATS)
    }

    /// The daemon does its work, with its status: at the start, and again after
    /// [`SdNotify::reloading`].
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\n{}", status_line(status)));
    }

    /// A new configuration is being read. The time is for `Type=notify-reload`, which
    /// tells this reload from an earlier one by it.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// The daemon ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The loop that everything depends on has just come round.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// What `systemctl status` shows: one line, cut where it is too long.
    pub fn status(&self, text: &str) {
        self.tell(&status_line(text));
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::warn!(message, %error, "the service manager was not told");
        }
    }
}

fn status_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let end = line.floor_char_boundary(MAX_STATUS);
    format!("STATUS={}", &line[..end])
}

fn connect(name: &OsStr) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address(name)?)?;
    Ok(socket)
}

/// A path, or with `@` the name of an abstract socket.
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

    const US: u32 = 42;

    /// A manager's socket, and a supervisor that was told of it and more.
    fn managed(more: &[(&str, &str)]) -> (UnixDatagram, SdNotify, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let supervisor = supervisor(path.as_os_str(), more).unwrap();
        (manager, supervisor, folder)
    }

    fn supervisor(socket: &OsStr, more: &[(&str, &str)]) -> Result<SdNotify, SupervisorError> {
        let variable = |name: &str| {
            let found = more.iter().find(|(known, _)| *known == name);
            let found = found.map(|(_, value)| OsString::from(value));
            found.or_else(|| (name == "NOTIFY_SOCKET").then(|| socket.to_owned()))
        };
        SdNotify::of_environment(variable, US)
    }

    fn heard(manager: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    #[test]
    fn each_message_is_one_datagram_in_the_managers_words() {
        let (manager, supervisor, _folder) = managed(&[]);
        let check = |told: fn(&SdNotify), expected: &str| {
            told(&supervisor);
            assert_eq!(heard(&manager).as_deref(), Some(expected));
            assert_eq!(heard(&manager), None, "{expected} came twice");
        };
        check(|it| it.ready("2 targets"), "READY=1\nSTATUS=2 targets");
        check(SdNotify::stopping, "STOPPING=1");
        check(SdNotify::alive, "WATCHDOG=1");
        check(|it| it.status("3 targets\nREADY=1"), "STATUS=3 targets");
        let cut = format!("STATUS={}", "é".repeat(MAX_STATUS / 2));
        check(|it| it.status(&"é".repeat(MAX_STATUS)), &cut);
    }

    #[test]
    fn a_reload_carries_a_monotonic_time_that_grows() {
        let (manager, supervisor, _folder) = managed(&[]);
        let mut times = Vec::new();
        for _ in 0..2 {
            supervisor.reloading();
            let told = heard(&manager).unwrap();
            let time = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            times.push(time.parse::<u64>().unwrap());
        }
        assert!(0 < times[0] && times[0] <= times[1], "{times:?}");
    }

    #[test]
    fn a_heartbeat_is_a_third_of_the_limit_and_only_for_the_process_that_is_meant() {
        let check = |more: &[(&str, &str)], expected: Option<u64>| {
            let (_manager, supervisor, _folder) = managed(more);
            let found = supervisor.heartbeat();
            assert_eq!(found, expected.map(Duration::from_secs), "{more:?}");
        };
        check(&[], None);
        check(&[("WATCHDOG_USEC", "30000000")], Some(10));
        let limit = ("WATCHDOG_USEC", "30000000");
        check(&[limit, ("WATCHDOG_PID", "42")], Some(10));
        check(&[limit, ("WATCHDOG_PID", "43")], None);
        check(&[("WATCHDOG_USEC", "0")], None);
        check(&[("WATCHDOG_USEC", "soon")], None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_socket_is_a_manager_too() {
        let name = format!("probecause-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&address(OsStr::new(&format!("@{name}"))).unwrap());
        let manager = manager.unwrap();
        let supervisor = supervisor(OsStr::new(&format!("@{name}")), &[]).unwrap();
        supervisor.alive();
        assert_eq!(heard(&manager).as_deref(), Some("WATCHDOG=1"));
    }

    #[test]
    fn nobody_is_told_where_there_is_no_manager() {
        let supervisor = SdNotify::of_environment(|_| None, US).unwrap();
        supervisor.alive();
        assert_eq!(supervisor.heartbeat(), None);
    }

    #[test]
    fn a_manager_that_is_named_but_gone_keeps_us_from_starting() {
        let error = supervisor(OsStr::new("/nowhere/notify"), &[]).unwrap_err();
        let expected = "cannot reach the service manager at /nowhere/notify (NOTIFY_SOCKET): \
                        No such file or directory (os error 2)";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_manager_that_does_not_listen_holds_nobody_back() {
        let (manager, supervisor, _folder) = managed(&[]);
        // Far more than any socket's queue takes.
        for _ in 0..10_000 {
            supervisor.alive();
        }
        assert_eq!(heard(&manager).as_deref(), Some("WATCHDOG=1"));
    }
}
