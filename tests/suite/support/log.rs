//! Captures the log of a test.
//!
//! One subscriber serves all tests of the process. Subscribers of single tests would race:
//! `tracing` caches for the whole process which log statements have a subscriber.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

thread_local! {
    /// The log of the test that runs on this thread, if it captures one.
    static CURRENT: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// A captured log.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

/// Captures until it is dropped.
pub(crate) struct Capture;

/// Writes to the log of the current thread.
struct Writer;

impl Log {
    /// Captures the log of this thread, from the level INFO on, until the guard is dropped.
    pub(crate) fn capture() -> (Self, Capture) {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::INFO)
                .with_writer(|| Writer)
                .with_ansi(false)
                .without_time()
                .init();
        });
        let log = Self::default();
        CURRENT.set(Some(log.clone()));
        (log, Capture)
    }

    /// The lines so far that contain a text.
    pub(crate) fn lines_with(&self, text: &str) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = log.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        CURRENT.with_borrow(|log| {
            if let Some(Log(log)) = log {
                log.lock().unwrap().extend(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
