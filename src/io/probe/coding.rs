//! Decodes the content codings of a response body, within limits.
//!
//! A body with several codings passes through one decoder per coding. Decoded bytes are counted
//! while they are produced, but only the first bytes are kept, so a decompression bomb cannot
//! exhaust the memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use zstd::stream::raw::{Decoder as ZstdFrames, InBuffer, Operation as _, OutBuffer};

/// Decodes the body of one response.
pub(super) struct BodyDecoder {
    /// The chain of decoders; `None` if the body is not encoded or cannot be decoded.
    stages: Option<Box<dyn Stage>>,
    kept: Arc<Mutex<Kept>>,
    codings: String,
    is_empty: bool,
}

/// The decoded bytes that have not been taken yet, the number of decoded bytes, and the limits for
/// further bytes.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The decoded bytes that were kept and have not been taken yet.
    pub(super) bytes: Vec<u8>,
    /// Number of bytes decoded since the last call to [`BodyDecoder::take`], kept or not.
    pub(super) count: u64,
    /// Number of further decoded bytes that may be kept.
    room: usize,
    /// Number of further decoded bytes that may be produced, kept or not.
    left: u64,
}

/// The error for a body that is not valid data in the codings that its `Content-Encoding` names.
#[derive(Debug, thiserror::Error)]
#[error(
    "`content-encoding` names `{codings}`, but the body is not valid `{codings}` data: {cause}"
)]
pub(super) struct DecodeError {
    codings: String,
    cause: io::Error,
}

/// An element in a chain of decoders: a decoder or, as the last element, a [`Sink`].
trait Stage: Write + Send {
    /// Checks that the input of this element and of all later elements was complete.
    fn finish(&mut self) -> io::Result<()>;
}

/// Maximum number of codings of one body. A body with more codings is not decoded.
const MAX_STAGES: usize = 4;

/// Base-2 logarithm of the maximum window size of a zstd frame in bytes: 8 MiB (RFC 9659).
const MAX_ZSTD_WINDOW_LOG: u32 = 23;

/// Size of the output buffer of a Brotli or zstd decoder, in bytes.
const BUFFER: usize = 8 * 1024;

impl BodyDecoder {
    /// Creates a decoder for a response with these headers. The decoder keeps the first `room`
    /// decoded bytes, and stops after `limit` decoded bytes.
    pub(super) fn new(headers: &HeaderMap, room: usize, limit: u64) -> Self {
        let kept = Arc::new(Mutex::new(Kept {
            room,
            left: limit,
            ..Kept::default()
        }));
        let names = coding_names(headers);
        let known = names.len() <= MAX_STAGES && names.iter().all(|name| is_known(name));
        let mut stages: Option<Box<dyn Stage>> = None;
        if known {
            for name in &names {
                let behind = stages.unwrap_or_else(|| Box::new(Sink(Arc::clone(&kept))));
                stages = Some(stage(name, behind));
            }
        }
        Self {
            stages,
            kept,
            codings: names.join(", "),
            is_empty: true,
        }
    }

    /// Returns the codings of the body if the body cannot be decoded, because a coding is unknown
    /// or there are too many codings. Returns `None` if the body can be decoded or is not encoded.
    pub(super) fn unsupported_codings(&self) -> Option<&str> {
        (self.stages.is_none() && !self.codings.is_empty()).then_some(self.codings.as_str())
    }

    /// Decodes a part of the body. Returns `false` if the limit of decoded bytes is reached.
    ///
    /// # Errors
    /// Returns an error if the body is not valid in its coding.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<bool, DecodeError> {
        self.is_empty &= bytes.is_empty();
        let written = match &mut self.stages {
            None => Sink(Arc::clone(&self.kept)).write_all(bytes),
            Some(stages) => stages.write_all(bytes).and_then(|()| stages.flush()),
        };
        match written {
            Ok(()) => Ok(true),
            Err(_) if self.with(|kept| kept.left == 0) => Ok(false),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Checks that the encoded body was complete.
    ///
    /// # Errors
    /// Returns an error if the body ended before its encoded data was complete, unless the limit of
    /// decoded bytes was reached.
    pub(super) fn finish(&mut self) -> Result<(), DecodeError> {
        let finished = match &mut self.stages {
            // A response without a body, such as a response to HEAD, may have a `Content-Encoding`,
            // so an empty body is complete.
            Some(stages) if !self.is_empty => stages.finish(),
            _ => Ok(()),
        };
        match finished {
            Err(error) if self.with(|kept| kept.left > 0) => Err(self.error(error)),
            _ => Ok(()),
        }
    }

    /// Removes and returns the bytes that were kept since the last call, and the number of bytes
    /// that were decoded since the last call.
    pub(super) fn take(&self) -> (Vec<u8>, u64) {
        self.with(|kept| {
            let bytes = std::mem::take(&mut kept.bytes);
            (bytes, std::mem::take(&mut kept.count))
        })
    }

    fn error(&self, cause: io::Error) -> DecodeError {
        DecodeError {
            codings: self.codings.clone(),
            cause,
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the codings of a body in the order in which they were applied, without `identity` and
/// `none`.
fn coding_names(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let texts: Vec<String> = texts.collect();
    let names = texts.iter().flat_map(|text| text.split(','));
    let names = names.map(|name| name.trim().to_ascii_lowercase());
    names
        .filter(|name| !matches!(name.as_str(), "" | "identity" | "none"))
        .collect()
}

fn is_known(name: &str) -> bool {
    matches!(name, "gzip" | "x-gzip" | "deflate" | "br" | "zstd")
}

fn stage(name: &str, behind: Box<dyn Stage>) -> Box<dyn Stage> {
    match name {
        "deflate" => Box::new(Deflate::Undecided(Vec::new(), Some(behind))),
        "br" => Box::new(DecompressorWriter::new(behind, BUFFER)),
        "zstd" => Box::new(Zstd::new(behind)),
        _ => Box::new(MultiGzDecoder::new(behind)),
    }
}

/// The last element of a chain of decoders. Counts the decoded bytes and keeps the first of them.
struct Sink(Arc<Mutex<Kept>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = bytes.len() as u64;
        let counted = length.min(kept.left);
        kept.count += counted;
        kept.left -= counted;
        let part = &bytes[..bytes.len().min(kept.room)];
        kept.room -= part.len();
        kept.bytes.extend_from_slice(part);
        if kept.left == 0 {
            return Err(io::Error::other("the limit of decoded bytes is reached"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stage for Sink {
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stage for MultiGzDecoder<Box<dyn Stage>> {
    fn finish(&mut self) -> io::Result<()> {
        self.try_finish()?;
        self.get_mut().finish()
    }
}

impl Stage for DecompressorWriter<Box<dyn Stage>> {
    fn finish(&mut self) -> io::Result<()> {
        self.close()?;
        self.get_mut().finish()
    }
}

/// A decoder for the coding `deflate`. RFC 9110 defines the data as a zlib stream, but some servers
/// send raw deflate data. The decoder accepts both formats.
enum Deflate {
    /// The first two bytes, which decide the format, have not arrived yet. Contains the bytes
    /// received so far, and the next stage, which is taken when the format is known.
    Undecided(Vec<u8>, Option<Box<dyn Stage>>),
    Zlib(ZlibDecoder<Box<dyn Stage>>),
    Raw(DeflateDecoder<Box<dyn Stage>>),
}

impl Write for Deflate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (start, behind) = match self {
            Self::Undecided(start, behind) => (start, behind),
            Self::Zlib(decoder) => return decoder.write(bytes),
            Self::Raw(decoder) => return decoder.write(bytes),
        };
        start.extend_from_slice(bytes);
        if let [first, second, ..] = start[..] {
            let start = std::mem::take(start);
            let Some(behind) = behind.take() else {
                return Err(io::Error::other("write after a failed write"));
            };
            // The two bytes of a zlib header (RFC 1950) specify compression method 8, and together
            // form a multiple of 31.
            let is_zlib =
                first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)) % 31 == 0;
            *self = match is_zlib {
                true => Self::Zlib(ZlibDecoder::new(behind)),
                false => Self::Raw(DeflateDecoder::new(behind)),
            };
            self.write_all(&start)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Undecided(..) => Ok(()),
            Self::Zlib(decoder) => decoder.flush(),
            Self::Raw(decoder) => decoder.flush(),
        }
    }
}

impl Stage for Deflate {
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Undecided(..) => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Zlib(decoder) => {
                decoder.try_finish()?;
                decoder.get_mut().finish()
            }
            Self::Raw(decoder) => {
                decoder.try_finish()?;
                decoder.get_mut().finish()
            }
        }
    }
}

/// A decoder for the coding `zstd`, whose data is a sequence of frames.
struct Zstd {
    frames: io::Result<ZstdFrames<'static>>,
    behind: Box<dyn Stage>,
    buffer: Vec<u8>,
    in_frame: bool,
}

impl Zstd {
    fn new(behind: Box<dyn Stage>) -> Self {
        let frames = ZstdFrames::new().and_then(|mut frames| {
            let limit = zstd::zstd_safe::DParameter::WindowLogMax(MAX_ZSTD_WINDOW_LOG);
            frames.set_parameter(limit)?;
            Ok(frames)
        });
        Self {
            frames,
            behind,
            buffer: vec![0; BUFFER],
            in_frame: true,
        }
    }
}

impl Write for Zstd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let frames = self.frames.as_mut();
        let frames = frames.map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
        let mut input = InBuffer::around(bytes);
        loop {
            let mut output = OutBuffer::around(&mut self.buffer[..]);
            let hint = frames.run(&mut input, &mut output)?;
            self.in_frame = hint != 0;
            let decoded = output.pos();
            self.behind.write_all(&self.buffer[..decoded])?;
            if input.pos() == bytes.len() && decoded < self.buffer.len() {
                return Ok(bytes.len());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.behind.flush()
    }
}

impl Stage for Zstd {
    fn finish(&mut self) -> io::Result<()> {
        if self.in_frame {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.behind.finish()
    }
}
