//! Wraps the byte streams below HTTP, to record the first bytes and the TLS error that a connection
//! receives.
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

/// A bidirectional byte stream between this host and the origin or a proxy.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A stream that records the first bytes that it receives, and the TLS error that ends it.
pub(super) struct RecordedStream {
    inner: Box<dyn ByteStream>,
    record: Arc<StreamRecord>,
    /// Whether a failed write returns its error only after all received bytes were read.
    ends_with_reads: bool,
    /// The error of a failed write, until it is returned after the remaining reads.
    failed: Option<io::Error>,
}

/// The first bytes and the TLS error that a stream has received since the record was last cleared.
#[derive(Debug, Default)]
pub(super) struct StreamRecord(Mutex<Received>);

/// Maximum number of first bytes that are recorded, enough to recognize a protocol.
const MAX_FIRST_BYTES: usize = 32;

/// Size in bytes of the buffer for one read after a failed write.
const LAST_BYTES: usize = 1024;
/// Maximum number of reads in one poll after a failed write. After these reads, the poll returns
/// the error of the write.
const MAX_LAST_READS: usize = 16;

impl StreamRecord {
    /// Clears the record. `Pool::take` calls this method before a connection is used again.
    pub(super) fn clear(&self) {
        self.with(|received| *received = Received::default());
    }

    /// Returns a copy of the recorded data.
    pub(super) fn evidence(&self) -> Received {
        self.with(|received| received.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Received) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn note(received: &mut Received, bytes: &[u8]) {
    let room = MAX_FIRST_BYTES.saturating_sub(received.first.len());
    let bytes = &bytes[..bytes.len().min(room)];
    received.first.extend_from_slice(bytes);
}

impl RecordedStream {
    /// Wraps a stream, with an empty record.
    pub(super) fn new(inner: Box<dyn ByteStream>) -> Self {
        Self {
            inner,
            record: Arc::default(),
            ends_with_reads: false,
            failed: None,
        }
    }

    /// Makes a failed write return its error only after all received bytes were read. A server that
    /// rejects a client certificate sends an alert and closes the connection, often while the
    /// client writes its first request. The HTTP/2 client does not read after a failed write, so it
    /// would miss the alert.
    pub(super) const fn end_with_reads(&mut self) {
        self.ends_with_reads = true;
    }

    /// Returns the result of a write. If the write failed and `ends_with_reads` is set, first reads
    /// the bytes that the peer sent, to record its alert. Returns `Pending` while such a read is
    /// pending.
    fn after_reads<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let error = match polled {
            Poll::Ready(Err(error)) if self.ends_with_reads => error,
            polled => return polled,
        };
        let mut bytes = [0; LAST_BYTES];
        // The peer may have sent HTTP/2 frames before the alert, so one read may not be enough.
        for _ in 0..MAX_LAST_READS {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *self).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => break,
                Poll::Pending => {
                    self.failed = Some(error);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Err(error))
    }

    /// Polls `write`. If the error of an earlier write has not been returned yet, continues with
    /// that error instead.
    fn poll_writing<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut dyn ByteStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let polled = match self.failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => write(Pin::new(&mut *self.inner), context),
        };
        self.after_reads(context, polled)
    }

    /// Returns the record, which remains available after the stream is dropped.
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
        self.get_mut()
            .poll_writing(context, |inner, context| inner.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .poll_writing(context, |inner, context| inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_writing(context, |inner, context| {
            inner.poll_write_vectored(context, parts)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    /// A connection on which reading returns the peer's alert and writing fails.
    struct Ended;

    impl AsyncRead for Ended {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
            Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, alert)))
        }
    }

    impl AsyncWrite for Ended {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn an_alert_that_arrives_before_a_failed_write_is_read_for_http2() {
        for is_http2 in [false, true] {
            let mut stream = RecordedStream::new(Box::new(Ended));
            if is_http2 {
                stream.end_with_reads();
            }
            let record = stream.record();
            let error = stream.write_all(b"PRI").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(record.evidence().tls_error.is_some(), is_http2);
        }
    }
}
