//! The byte streams below HTTP: they remember what the libraries above them forget.
//!
//! HTTP/2 keeps only the kind of a transport's error, and a failed handshake keeps none of the
//! bytes that the peer sent instead of TLS. Both are needed to name what went wrong.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::io::probe::classify::Received;

/// A stream of bytes to the peer or the proxy.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A stream that notes what it receives.
pub(super) struct RecordedStream {
    inner: Box<dyn ByteStream>,
    record: Arc<StreamRecord>,
}

/// What a stream has received since the record was last cleared.
#[derive(Debug, Default)]
pub(super) struct StreamRecord(Mutex<Received>);

/// Number of first bytes that are kept: enough to recognize a protocol.
const FIRST: usize = 32;

impl StreamRecord {
    /// Forgets what was received, before another request is sent.
    pub(super) fn clear(&self) {
        self.with(|received| *received = Received::default());
    }

    /// What was received since.
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
    /// Wraps a stream.
    pub(super) fn new(inner: Box<dyn ByteStream>) -> Self {
        Self {
            inner,
            record: Arc::default(),
        }
    }

    /// The record, which outlives the stream.
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
