//! Opens the connections of probes, sends requests on them, and keeps idle connections.
//!
//! Reading order: `client` (settings and clients that targets share), this file (one connection and
//! one request on it), `connect_to`, `resolve`, `resolver_check` and `address`, `race` (Happy
//! Eyeballs), `proxy` and `socks`, `server_name`, `tls`, `verify` and `ocsp`, `stream` (a record of
//! what a peer sent) and `pool`.

pub(super) mod address;
mod client;
mod connect_to;
mod ocsp;
mod pool;
pub(super) mod proxy;
mod race;
pub(super) mod resolve;
mod resolver_check;
mod server_name;
mod socks;
mod stream;
mod tls;
mod verify;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use self::stream::{RecordedStream, StreamRecord};
use super::classify::Received;
use super::stopwatch::Handshake;

pub(super) use self::client::{Client, Clients};

/// Maximum number of headers of an HTTP/1 response, to limit memory. A response with more headers
/// is rejected.
const MAX_HEADERS: usize = 1000;
/// Maximum size of the header list of an HTTP/2 response in bytes, to limit memory.
const MAX_HEADER_LIST: u32 = 256 * 1024;

/// The body of a request.
pub(super) type RequestBody = Full<Bytes>;

/// An open connection to an origin or, for plain HTTP, to a proxy.
pub(super) struct Connection {
    sender: Sender,
    /// The address of the TCP peer, which is the origin, or the proxy if there is one.
    pub(super) remote: SocketAddr,
    /// The facts of the TLS handshake; `None` without TLS. They are kept so that each probe on a
    /// reused connection can check the expiry of the certificate.
    pub(super) handshake: Option<Handshake>,
    /// The first bytes and the TLS error that the connection has received.
    record: Arc<StreamRecord>,
}

enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

impl Connection {
    /// Starts HTTP/1.1 or HTTP/2 on a stream, and returns the connection.
    ///
    /// # Errors
    /// Returns an error if the HTTP/2 connection preface cannot be written to the stream.
    async fn begin(
        mut stream: RecordedStream,
        is_http2: bool,
        remote: SocketAddr,
        handshake: Option<Handshake>,
    ) -> Result<Self, hyper::Error> {
        let record = stream.record();
        if is_http2 {
            stream.end_with_reads();
        }
        let io = TokioIo::new(stream);
        let sender = if is_http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.max_header_list_size(MAX_HEADER_LIST);
            let (sender, driver) = builder.handshake(io).await?;
            // Ignore the error here: the request on the connection also fails and reports the
            // error.
            tokio::spawn(async move { driver.await.ok() });
            Sender::Http2(sender)
        } else {
            let (sender, driver) = http1::Builder::new()
                .max_headers(MAX_HEADERS)
                // Accept these malformed headers, as curl and browsers do.
                .allow_obsolete_multiline_headers_in_responses(true)
                .allow_spaces_after_header_name_in_responses(true)
                .ignore_invalid_headers_in_responses(true)
                .handshake(io)
                .await?;
            tokio::spawn(async move { driver.await.ok() });
            Sender::Http1(sender)
        };
        Ok(Self {
            sender,
            remote,
            handshake,
            record,
        })
    }

    /// Returns whether the connection uses HTTP/2.
    pub(super) const fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Returns the facts about the data received since the connection was opened or taken from the
    /// pool. `classify` uses these facts to classify an error. The data may have arrived before the
    /// request was sent. For example, in TLS 1.3, a server's alert about a missing client
    /// certificate may arrive between the handshake and the request.
    pub(super) fn received(&self) -> Received {
        let handshake = self.handshake.as_ref();
        Received {
            client_certificate_requested: handshake
                .is_some_and(|handshake| handshake.client_certificate_requested),
            ..self.record.evidence()
        }
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// Returns an error if the connection failed before the head was complete.
    pub(super) async fn send(
        &mut self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<Incoming>, hyper::Error> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        }
    }

    /// Waits until the connection can send another request. Returns `false` if the connection is
    /// closed.
    async fn ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }
}
