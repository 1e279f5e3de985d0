//! Reads the numbers of the errors that OpenSSL prints, such as `error:8000006F:system library:`.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::pattern::pattern;
use crate::model::observation::{FaultKind, Phase};

/// Captures the number of the library (`80` or `02`) and the error number of a failed system call,
/// in a message in lower case.
static SYSTEM: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\berror:(80|02)00([0-9a-f]{4}):system library:"));

/// Matches an error of the functions that look up an address, in a message in lower case.
static LOOKUP: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\berror:[0-9a-f]{8}:bio routines:bio_(?:lookup|get_host_ip)\w*:"));

/// Returns the fault that an error of OpenSSL stands for: a failed call of the operating system, or
/// a failed lookup of an address. Returns `None` for other messages and other errors.
///
/// OpenSSL 3 adds the number of the error to 0x8000_0000 (`ERR_SYSTEM_FLAG`). Earlier versions pack
/// the library (2), the function (2 is `connect`) and the 12 lowest bits of the number (`ERR_PACK`
/// in `err.h`).
pub(super) fn of(lower: &str) -> Option<(Phase, FaultKind)> {
    if !lower.contains("error:") {
        return None;
    }
    if let Some(found) = SYSTEM.as_ref()?.captures(lower) {
        let number = u32::from_str_radix(&found[2], 16).ok()?;
        let is_packed = &found[1] == "02";
        return of_number(if is_packed { unpacked(number) } else { number });
    }
    // If the message contains the system's text for the failed lookup, `phrase` reads this text.
    let has_text = ["not known", "no such host", "nodename", "temporary failure"]
        .iter()
        .any(|text| lower.contains(text));
    let is_lookup = LOOKUP.as_ref()?.is_match(lower) && !has_text;
    is_lookup.then_some((Phase::Resolve, FaultKind::ResolverFailure))
}

/// Returns the error code of the operating system whose 12 lowest bits are `packed`: an errno value
/// or a Winsock error code. Winsock error codes start at 10000 (0x2710), so that 0x2000, the value
/// of their missing bits, must be added. Errno values are below 0x100.
const fn unpacked(packed: u32) -> u32 {
    let low = packed & 0xFFF;
    if low < 0x700 { low } else { low + 0x2000 }
}

/// Returns the fault for an error number of Linux, macOS, BSD or Windows; `None` for other numbers.
fn of_number(number: u32) -> Option<(Phase, FaultKind)> {
    Some(match number {
        110 | 60 | 10060 => (Phase::Connect, FaultKind::Timeout),
        111 | 61 | 10061 => (Phase::Connect, FaultKind::ConnectionRefused),
        113 | 101 | 65 | 51 | 10065 | 10051 => (Phase::Connect, FaultKind::Unreachable),
        104 | 54 | 32 | 10054 | 10053 => (Phase::Processing, FaultKind::ConnectionReset),
        11001 => (Phase::Resolve, FaultKind::NameNotFound),
        11002..=11004 => (Phase::Resolve, FaultKind::ResolverFailure),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_openssl_name_a_fault() {
        for (line, expected) in [
            (
                "error:8000274c:system library:bio_connect:unknown error:",
                Some(FaultKind::Timeout),
            ),
            (
                "error:8000006f:system library::connection refused:",
                Some(FaultKind::ConnectionRefused),
            ),
            (
                "8:error:0200274d:system library:connect:reason(1869):",
                Some(FaultKind::ConnectionRefused),
            ),
            (
                "8:error:02002071:system library:connect:no route to host:",
                Some(FaultKind::Unreachable),
            ),
            (
                "error:10080002:bio routines:bio_lookup_ex:system lib:x:738:the class was not found.",
                Some(FaultKind::ResolverFailure),
            ),
            (
                "error:2008f002:bio routines:bio_lookup_ex:system lib:x:726:name or service not known",
                None,
            ),
            (
                "error:02001002:system library:fopen:no such file or directory:",
                None,
            ),
            ("error:0a000126:ssl routines::unexpected eof:", None),
        ] {
            assert_eq!(of(line).map(|(_, kind)| kind), expected, "{line}");
        }
    }
}
