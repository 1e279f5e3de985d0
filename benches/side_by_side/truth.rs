//! A server that logs its exact response times, to compare with those that a prober reports.
//!
//! It responds to `GET /d/MICROSECONDS/ANYTHING?id=ANYTHING` exactly that long after it has
//! read the request. It spins before the response is due, because a sleeping thread wakes
//! up late. One thread per connection and no runtime keep the remaining delay small; it is
//! in the log.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Outcome;

/// How long the thread spins before a response is due; more than the usual delay of waking
/// up.
const SPIN: Duration = Duration::from_micros(150);

/// The read timeout, after which a connection is closed.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

type Log = Arc<Mutex<BufWriter<File>>>;

/// Serves until it is killed.
pub(crate) fn serve(port: u16, log: &str) -> Outcome {
    let mut file = BufWriter::new(File::create(log)?);
    writeln!(file, "path,accepted_unix_ns,total_ns,processing_ns,late_ns")?;
    let log: Log = Arc::new(Mutex::new(file));
    for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let accepted = (Instant::now(), SystemTime::now());
        let log = Arc::clone(&log);
        if let Ok(stream) = stream {
            thread::spawn(move || answer(stream, accepted, &log));
        }
    }
    Ok(())
}

/// Answers one request: all measured probers open a new connection for each.
fn answer(mut stream: TcpStream, accepted: (Instant, SystemTime), log: &Log) -> Outcome {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            n => head.extend_from_slice(&piece[..n]),
        }
    }
    let read = Instant::now();
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or("/");
    if path == "/flush" {
        log.lock().unwrap_or_else(PoisonError::into_inner).flush()?;
    }
    let delay = path
        .split(['/', '?'])
        .nth(2)
        .and_then(|text| text.parse().ok());
    let due = read + Duration::from_micros(delay.unwrap_or(0));
    if let Some(rest) = due.checked_duration_since(Instant::now() + SPIN) {
        #[expect(
            clippy::disallowed_methods,
            reason = "there is no runtime on this thread"
        )]
        thread::sleep(rest);
    }
    while Instant::now() < due {
        std::hint::spin_loop();
    }
    let written = Instant::now();
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\
          connection: close\r\n\r\n{\"status\":\"ok\"}",
    )?;
    if delay.is_some() {
        let unix = accepted.1.duration_since(UNIX_EPOCH)?.as_nanos();
        let total = written.duration_since(accepted.0).as_nanos();
        let processing = written.duration_since(read).as_nanos();
        let late = written.duration_since(due).as_nanos();
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(log, "{path},{unix},{total},{processing},{late}")?;
    }
    Ok(())
}
