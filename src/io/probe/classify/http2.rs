//! Classifies errors of HTTP/2, and reads the error code that the server sent.
//!
//! The server aborts a stream with `RST_STREAM` and a connection with `GOAWAY`. Such a frame does
//! not violate the protocol, in contrast to a frame that this client rejects.

use std::error::Error;

use crate::model::observation::{FaultKind, Phase};

/// Returns the kind of the fault of an HTTP/2 error. If the server aborts the response in the
/// transfer phase, the body of the response is truncated.
pub(super) fn fault_kind(error: &h2::Error, phase: Phase) -> FaultKind {
    match (phase, error.is_remote()) {
        (Phase::Transfer, true) => FaultKind::Truncated,
        (_, true) if error.is_go_away() => FaultKind::ConnectionClosed,
        (_, true) if error.is_reset() => FaultKind::ConnectionReset,
        _ => FaultKind::Protocol,
    }
}

/// Returns a sentence with the error code that the server sent, by its name in RFC 9113. Returns
/// `None` if the source chain contains no error code of the server. The diagnosis reads this
/// sentence.
pub(super) fn sent_code(chain: &[&(dyn Error + 'static)]) -> Option<String> {
    let mut errors = chain
        .iter()
        .filter_map(|link| link.downcast_ref::<h2::Error>());
    let code = errors.find(|error| error.is_remote())?.reason()?;
    Some(format!("the server sent the HTTP/2 error code {code:?}"))
}
