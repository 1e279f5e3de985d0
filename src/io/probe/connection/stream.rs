//! Byte streams below HTTP that record what a peer sent.
//!
//! The TLS and HTTP libraries discard information that is needed to classify a fault: an HTTP/2
//! error contains only the kind of a transport error, and the error of a failed TLS handshake does
//! not contain the bytes that the peer sent.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::io::probe::classify::Received;

/// A stream of bytes to the peer or the proxy.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A stream that records the first bytes that it receives, and the TLS error that ends it.
pub(super) struct RecordedStream {
    inner: Box<dyn ByteStream>,
    record: Arc<StreamRecord>,
}

/// The record of what a stream has received since the record was last cleared.
#[derive(Debug, Default)]
pub(super) struct StreamRecord(Mutex<Received>);

/// Maximum number of first bytes that are recorded, enough to recognize a protocol.
const FIRST: usize = 32;

impl StreamRecord {
    /// Clears the record. `Connection::send` calls this method before each request.
    pub(super) fn clear(&self) {
        self.with(|received| *received = Received::default());
    }

    /// Returns what was received since the record was last cleared.
    pub(super) fn evidence(&self) -> Received {
        self.with(|received| received.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Received) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn note(received: &mut Received, bytes: &[u8]) {
    let room = FIRST.saturating_sub(received.first.len());
    let bytes = &bytes[..bytes.len().min(room)];
    received.first.extend_from_slice(bytes);
}

impl RecordedStream {
    /// Wraps a stream, with an empty record.
    pub(super) fn new(inner: Box<dyn ByteStream>) -> Self {
        Self {
            inner,
            record: Arc::default(),
        }
    }

    /// Returns the record, which outlives the stream.
    pub(super) fn record(&self) -> Arc<StreamRecord> {
        Arc::clone(&self.record)
    }
}

impl AsyncRead for RecordedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(context, buffer);
        match &polled {
            Poll::Ready(Ok(())) => {
                let bytes = buffer.filled().get(before..).unwrap_or_default();
                this.record.with(|received| note(received, bytes));
            }
            Poll::Ready(Err(error)) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
                if let Some(tls) = tls.cloned() {
                    this.record.with(|received| received.tls_error = Some(tls));
                }
            }
            Poll::Pending => {}
        }
        polled
    }
}

impl AsyncWrite for RecordedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
