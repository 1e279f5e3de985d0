//! Reads from the message of a fault whether the server aborted an HTTP/2 or HTTP/3 exchange.
//!
//! Clients use similar words for a frame of the server, such as `RST_STREAM`, and for an error that
//! the client itself found. An error that the client found means that the response is invalid; a
//! frame of the server does not. The messages are those of the prober, curl, Go, Node.js, Python
//! (h2), Java, .NET, gRPC, Chrome and Rust (h2).

use crate::domain::diagnosis::fact::Facts;
use crate::model::observation::{Fault, FaultKind};

/// An error code of HTTP/2, and how clients describe and use it.
struct Code {
    /// The name in RFC 9113.
    name: &'static str,
    /// The description in the messages of Rust's h2, in lowercase.
    h2: &'static str,
    /// The description in the messages of Java's HTTP client, in lowercase.
    java: &'static str,
    /// Whether clients also send the code when they reject a frame of the server.
    is_ambiguous: bool,
}

/// Creates an entry of [`CODES`].
const fn code(
    name: &'static str,
    h2: &'static str,
    java: &'static str,
    is_ambiguous: bool,
) -> Code {
    Code {
        name,
        h2,
        java,
        is_ambiguous,
    }
}

/// The error codes of HTTP/2 (RFC 9113, section 7) by number, from 0.
const CODES: [Code; 14] = [
    code(
        "NO_ERROR",
        "not a result of an error",
        "not an error",
        false,
    ),
    code(
        "PROTOCOL_ERROR",
        "unspecific protocol error detected",
        "protocol error detected",
        true,
    ),
    code(
        "INTERNAL_ERROR",
        "unexpected internal error encountered",
        "implementation fault",
        false,
    ),
    code(
        "FLOW_CONTROL_ERROR",
        "flow-control protocol violated",
        "flow-control limits exceeded",
        true,
    ),
    code(
        "SETTINGS_TIMEOUT",
        "settings ack not received in timely manner",
        "settings not acknowledged",
        true,
    ),
    code(
        "STREAM_CLOSED",
        "received frame when stream half-closed",
        "frame received for closed stream",
        true,
    ),
    code(
        "FRAME_SIZE_ERROR",
        "frame with invalid size",
        "frame size incorrect",
        true,
    ),
    code(
        "REFUSED_STREAM",
        "refused stream before processing",
        "stream not processed",
        false,
    ),
    code(
        "CANCEL",
        "stream no longer needed",
        "stream cancelled",
        false,
    ),
    code(
        "COMPRESSION_ERROR",
        "unable to maintain the header compression context",
        "compression state not updated",
        true,
    ),
    code(
        "CONNECT_ERROR",
        "in response to a connect request was reset",
        "tcp connection error for connect",
        false,
    ),
    code(
        "ENHANCE_YOUR_CALM",
        "detected excessive load generating behavior",
        "processing capacity exceeded",
        false,
    ),
    code(
        "INADEQUATE_SECURITY",
        "security properties do not meet minimum requirements",
        "negotiated tls parameters not acceptable",
        false,
    ),
    code(
        "HTTP_1_1_REQUIRED",
        "endpoint requires http/1.1",
        "use http/1.1 for the request",
        false,
    ),
];

/// Words of messages about an error that the client found or sent itself, in lowercase.
const OF_CLIENT: &[&str] = &[
    "stream error detected",
    "connection error detected",
    "sent by user",
    "sent invalid data",
    "remote_reset:false",
];

/// Words of messages about a frame that ended the stream of the request, in lowercase.
const OF_STREAM: &[&str] = &[
    "rst_stream",
    "stream error received",
    "streamreset",
    "stream was reset",
    "reset the stream",
    "stream closed with error code",
    "was not closed cleanly",
    "stream error: stream id",
    "err_http2_server_refused_stream",
];

/// Words of messages about a frame that ended the connection, in lowercase.
const OF_CONNECTION: &[&str] = &[
    "goaway",
    "connection error received",
    "connectionterminated",
    "server closed the connection. http/2 error code",
    "session closed with error code",
];

/// Words that show that the error code is from the server, in lowercase.
const OF_SERVER: &[&str] = &["received", "server", "by peer", "remote_reset:true"];

/// Words before the number of an error code, in lowercase.
const BEFORE_NUMBER: &[&str] = &["(err ", "error code ", "error code: ", "error_code:"];

/// Prefixes of the names of error codes in the messages of Node.js and of Chrome.
const PREFIXES: &[&str] = &["NGHTTP2_", "ERR_HTTP2_SERVER_"];

/// Maximum length in bytes of the part of a message that is examined.
const MAX_MESSAGE: usize = 4_000;

impl Facts {
    /// Adds the frame with which the server aborted the exchange, and its error code. If it is
    /// unclear whether the server or the client found the error, only the error code is added.
    pub(super) fn add_stream_error(&mut self, fault: &Fault) {
        let may_be_aborted = matches!(
            fault.kind,
            FaultKind::Protocol
                | FaultKind::ConnectionReset
                | FaultKind::ConnectionClosed
                | FaultKind::Truncated
        );
        if !may_be_aborted {
            return;
        }
        let (frame, error) = find_abort(&fault.detail);
        for (fact, value) in [("stream.frame", frame), ("stream.error", error)] {
            if let Some(value) = value {
                self.set_text(fact, value);
            }
        }
    }
}

/// Returns the frame with which the server aborted the exchange, and the name of the error code.
/// Both are `None` if the message is not about a frame of the server. The frame is `None` also if
/// the client may have found the error itself. The error code is `None` also for HTTP/3, or if the
/// message contains no known code.
fn find_abort(message: &str) -> (Option<&'static str>, Option<&'static str>) {
    let message = &message[..message.floor_char_boundary(MAX_MESSAGE)];
    let lower = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    if has(OF_CLIENT) {
        return (None, None);
    }
    if lower.contains("http/3 stream") && lower.contains("reset by server") {
        return (Some("RESET_STREAM"), None);
    }
    let frame = if has(OF_CONNECTION) {
        "GOAWAY"
    } else if has(OF_STREAM) {
        "RST_STREAM"
    } else {
        return (None, None);
    };
    let code = code_in(message, &lower);
    let is_unclear = code.is_some_and(|code| code.is_ambiguous) && !has(OF_SERVER);
    (
        Some(frame).filter(|_| !is_unclear),
        code.map(|code| code.name),
    )
}

/// Returns the error code that a message contains as a name, a number, or a description; `None` if
/// the message contains no known code. `lower` is the message in lowercase.
fn code_in(message: &str, lower: &str) -> Option<&'static Code> {
    let is_separator = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let by_name = message.split(is_separator).find_map(|word| {
        let prefix = PREFIXES.iter().find_map(|start| word.strip_prefix(*start));
        let name = prefix.unwrap_or(word);
        CODES.iter().find(|code| code.name == name)
    });
    let by_number = || {
        BEFORE_NUMBER.iter().find_map(|words| {
            let number = lower.split_once(words)?.1;
            let end = number.find(|c: char| !c.is_ascii_digit());
            let number: usize = number[..end.unwrap_or(number.len())].parse().ok()?;
            CODES.get(number)
        })
    };
    let by_description = || {
        let mut codes = CODES.iter();
        codes.find(|code| lower.contains(code.h2) || lower.contains(code.java))
    };
    by_name.or_else(by_number).or_else(by_description)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame and the error code that a message names, if any.
    type Found = (Option<&'static str>, Option<&'static str>);

    #[track_caller]
    fn check(message: &str, expected: Found) {
        assert_eq!(find_abort(message), expected, "{message}");
    }

    /// Messages about a frame of the server, each with the frame and the error code.
    const OF_SERVER: &[(&str, Found)] = &[
        (
            "curl (92): HTTP/2 stream 1 was not closed cleanly: INTERNAL_ERROR (err 2)",
            (Some("RST_STREAM"), Some("INTERNAL_ERROR")),
        ),
        (
            "HTTP/2 stream 5 was not closed cleanly before end of the stream (err 11)",
            (Some("RST_STREAM"), Some("ENHANCE_YOUR_CALM")),
        ),
        (
            "stream error: stream ID 3; PROTOCOL_ERROR; received from peer",
            (Some("RST_STREAM"), Some("PROTOCOL_ERROR")),
        ),
        (
            "http2: server sent GOAWAY and closed the connection; LastStreamID=1, \
             ErrCode=ENHANCE_YOUR_CALM, debug=\"too_many_pings\"",
            (Some("GOAWAY"), Some("ENHANCE_YOUR_CALM")),
        ),
        (
            "Stream closed with error code NGHTTP2_REFUSED_STREAM",
            (Some("RST_STREAM"), Some("REFUSED_STREAM")),
        ),
        (
            "Session closed with error code 2",
            (Some("GOAWAY"), Some("INTERNAL_ERROR")),
        ),
        (
            "<StreamReset stream_id:1, error_code:ErrorCodes.CANCEL, remote_reset:True>",
            (Some("RST_STREAM"), Some("CANCEL")),
        ),
        (
            "<ConnectionTerminated error_code:0, last_stream_id:3, additional_data:None>",
            (Some("GOAWAY"), Some("NO_ERROR")),
        ),
        (
            "stream was reset: REFUSED_STREAM",
            (Some("RST_STREAM"), Some("REFUSED_STREAM")),
        ),
        (
            "Received RST_STREAM: Stream cancelled",
            (Some("RST_STREAM"), Some("CANCEL")),
        ),
        (
            "The HTTP/2 server reset the stream. HTTP/2 error code 'PROTOCOL_ERROR' (0x1).",
            (Some("RST_STREAM"), Some("PROTOCOL_ERROR")),
        ),
        (
            "The HTTP/2 server closed the connection. HTTP/2 error code 'NO_ERROR' (0x0).",
            (Some("GOAWAY"), Some("NO_ERROR")),
        ),
        (
            "http2 error: stream error received: unspecific protocol error detected",
            (Some("RST_STREAM"), Some("PROTOCOL_ERROR")),
        ),
        (
            "connection error received: detected excessive load generating behavior",
            (Some("GOAWAY"), Some("ENHANCE_YOUR_CALM")),
        ),
        (
            "net::ERR_HTTP2_SERVER_REFUSED_STREAM",
            (Some("RST_STREAM"), Some("REFUSED_STREAM")),
        ),
        (
            "stream terminated by RST_STREAM with error code: INTERNAL_ERROR",
            (Some("RST_STREAM"), Some("INTERNAL_ERROR")),
        ),
        (
            "New streams cannot be created after receiving a GOAWAY",
            (Some("GOAWAY"), None),
        ),
        (
            "HTTP/3 stream 0 reset by server",
            (Some("RESET_STREAM"), None),
        ),
    ];

    #[test]
    fn a_frame_of_the_server_and_its_code_are_found() {
        for (message, expected) in OF_SERVER {
            check(message, *expected);
        }
    }

    #[test]
    fn a_code_that_the_client_may_have_sent_names_no_frame() {
        // These clients send the same code when they reject a frame of the server.
        for (message, code) in [
            (
                "curl (92): HTTP/2 stream 1 was not closed cleanly: PROTOCOL_ERROR (err 1)",
                "PROTOCOL_ERROR",
            ),
            (
                "stream error: stream ID 1; PROTOCOL_ERROR; invalid header field name",
                "PROTOCOL_ERROR",
            ),
            ("stream was reset: FLOW_CONTROL_ERROR", "FLOW_CONTROL_ERROR"),
            (
                "Stream closed with error code NGHTTP2_FRAME_SIZE_ERROR",
                "FRAME_SIZE_ERROR",
            ),
        ] {
            check(message, (None, Some(code)));
        }
    }

    #[test]
    fn an_error_of_the_client_and_other_messages_name_nothing() {
        for message in [
            "http2 error: connection error detected: frame with invalid size",
            "http2 error: stream error sent by user: stream no longer needed",
            "The HTTP/2 server sent invalid data on the connection. \
             HTTP/2 error code 'PROTOCOL_ERROR' (0x1).",
            "curl (16): Error in the HTTP2 framing layer",
            "malformed HTTP response \"x\"",
            "the database reports INTERNAL_ERROR",
            "connection reset by peer",
            "",
        ] {
            check(message, (None, None));
        }
    }

    #[test]
    fn only_a_fault_of_the_exchange_has_these_facts() {
        let facts = |kind| {
            let mut facts = Facts::default();
            facts.add_stream_error(&Fault {
                phase: crate::model::observation::Phase::Processing,
                kind,
                detail: "stream was reset: CANCEL".to_owned(),
            });
            let frame = facts.text("stream.frame").map(str::to_owned);
            (frame, facts.text("stream.error").map(str::to_owned))
        };
        let (frame, error) = facts(FaultKind::Protocol);
        assert_eq!(frame.as_deref(), Some("RST_STREAM"));
        assert_eq!(error.as_deref(), Some("CANCEL"));
        assert_eq!(facts(FaultKind::Timeout), (None, None));
    }
}
