//! Servers that abort an HTTP/2 exchange with a frame: the verdict names the frame and its code,
//! and not an invalid response.

use crate::support::certified::{ca, raw_http2, serve, trusting, valid};
use crate::support::probe::prober;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;

/// `RST_STREAM` for stream 1 with this code.
macro_rules! reset {
    ($code:literal) => {
        &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, $code]
    };
}

/// `GOAWAY` without a processed stream, with this code.
macro_rules! goaway {
    ($code:literal) => {
        &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, $code]
    };
}

/// `HEADERS` with `:status: 200`, two bytes of `DATA`, and `RST_STREAM` with `INTERNAL_ERROR`.
const ABORTED: &[u8] = &[
    0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88, 0, 0, 2, 0, 0, 0, 0, 0, 1, 65, 65, 0, 0, 4, 3, 0, 0, 0, 0, 1,
    0, 0, 0, 2,
];

/// The frames of a server, each with its error code, the cause and the title of the verdict.
const FRAMES: [(&[u8], &str, &str, &str); 8] = [
    (
        reset!(1),
        "PROTOCOL_ERROR",
        "connection-reset",
        "The server aborted the stream of the request before it responded",
    ),
    (
        reset!(2),
        "INTERNAL_ERROR",
        "connection-reset",
        "The server aborted the stream of the request before it responded",
    ),
    (
        reset!(7),
        "REFUSED_STREAM",
        "connection-reset",
        "The server refused the stream before it processed the request",
    ),
    (
        reset!(11),
        "ENHANCE_YOUR_CALM",
        "connection-reset",
        "The server ended the exchange because of excessive load by the client",
    ),
    (
        reset!(13),
        "HTTP_1_1_REQUIRED",
        "connection-reset",
        "The server requires HTTP/1.1 for this request",
    ),
    (
        goaway!(0),
        "NO_ERROR",
        "connection-reset",
        "The server closed the HTTP/2 connection (GOAWAY) before it responded",
    ),
    (
        goaway!(11),
        "ENHANCE_YOUR_CALM",
        "connection-reset",
        "The server ended the exchange because of excessive load by the client",
    ),
    (
        ABORTED,
        "INTERNAL_ERROR",
        "response-truncated",
        "The server aborted the response before it was complete",
    ),
];

#[tokio::test]
async fn an_aborted_exchange_is_named_with_the_code_of_the_server() {
    let rulebook = Rulebook::embedded().unwrap();
    let ca = ca();
    for (frame, code, cause, title) in FRAMES {
        let server = serve(Some(&ca), valid(), None, move |stream| {
            raw_http2(stream, frame)
        })
        .await;
        let target = trusting(&server, &ca);
        let seen = Box::pin(prober().probe(&target)).await;
        let detail = seen.fault.as_ref().map(|fault| fault.detail.clone());
        let detail = detail.unwrap_or_default();
        assert!(detail.ends_with(code), "{code}: {detail}");
        let facts = Facts::gather(&target, &seen, &Context::at(seen.started));
        let verdict = rulebook.diagnose(&facts).verdict.unwrap();
        assert_eq!(verdict.cause.as_str(), cause, "{detail}");
        assert_eq!(verdict.title, title, "{detail}");
        let mut candidates = verdict.candidates.iter();
        assert!(
            candidates.all(|one| one.cause.as_str() != "response-malformed"),
            "{detail}"
        );
    }
}
