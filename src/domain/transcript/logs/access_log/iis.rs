//! Reads the lines in which IIS logs requests that one of its modules forwards: those of the W3C
//! log, and those of the trace of failed requests.
//!
//! Both state an error code of WinHTTP. The codes are defined in `winhttp.h`; the trace states them
//! as an `HRESULT`.

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::pattern::pattern;

/// Captures the method, the path, the status, the substatus and the Win32 error code in a line of
/// the W3C log.
static W3C: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\W*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:\S+ ){0,4}([A-Z]{3,7}) (/\S*) \S+ \d{1,5} \S+ (?:\S+ ){1,8}?([1-5]\d\d) (\d{1,3}) (\d{1,10})(?: \d+){0,4}\W*$",
    )
});

/// Captures the status and the error code in a trace of a failed request.
static TRACE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"HttpStatus="([45]\d\d)".{0,200}?ErrorCode="(\d{1,10})"#));

/// The severity and facility bits of an `HRESULT` that contains a Win32 error code.
const HRESULT: u32 = 0x8007_0000;

/// Reads a line of the W3C log or of a trace of a failed request; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if line.contains("HttpStatus=\"") {
        let found = TRACE.as_ref()?.captures(line)?;
        return entry(&found[1], &found[2], None);
    }
    if !line.contains(" - ") {
        return None;
    }
    let found = W3C.as_ref()?.captures(line)?;
    entry(&found[3], &found[5], Some(found[1].to_owned()))
}

fn entry(status: &str, error: &str, method: Option<String>) -> Option<Logged> {
    let status: u16 = status.parse().ok()?;
    if status < 500 {
        return Some(Logged::Passed);
    }
    let error: u32 = error.parse().ok()?;
    Some(
        Entry {
            status,
            method,
            error: of_number(error).filter(|_| status == 502),
            ..Entry::default()
        }
        .failed(),
    )
}

/// Returns the value of the fact `proxy_log.error` for a Win32 error code or for an `HRESULT` that
/// contains one; `None` if the code has no such value.
fn of_number(error: u32) -> Option<&'static str> {
    let code = if error & 0xffff_0000 == HRESULT {
        error & 0xffff
    } else {
        error
    };
    Some(match code {
        12002 => "timeout",
        12007 => "name-not-found",
        12029 => "unreachable",
        12030 | 12031 => "reset",
        12152 => "malformed",
        12175 => "tls-failed",
        _ => return None,
    })
}
