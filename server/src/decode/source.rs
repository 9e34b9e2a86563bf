//! The bytes of a body behind its content encoding, with every limit inside the decompressor.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use super::error::DecodeError;
use super::limits::DecodeLimits;

/// The most encodings applied one over the other.
const MAX_ENCODINGS: usize = 1;

/// How much is decompressed at a time when all of it is wanted.
const READ_CHUNK_BYTES: usize = 256 << 10;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    #[default]
    Identity,
    /// gzip, of one member or several.
    Gzip,
    /// zlib or bare deflate: senders disagree what the word means.
    Deflate,
    /// Zstandard, of one frame or several.
    Zstd,
}

impl Encoding {
    /// The encoding that a `Content-Encoding` header names.
    ///
    /// # Errors
    /// When it is not known, or several are applied.
    pub fn of(header: Option<&str>) -> Result<Encoding, DecodeError> {
        let unknown = || DecodeError::UnknownEncoding(header.unwrap_or_default().trim().to_owned());
        let mut found = Encoding::Identity;
        let mut applied = 0;
        for name in header.unwrap_or_default().split(',') {
            let encoding = match &*name.trim().to_ascii_lowercase() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Encoding::Gzip,
                "deflate" => Encoding::Deflate,
                "zstd" => Encoding::Zstd,
                _ => return Err(unknown()),
            };
            applied += 1;
            if applied > MAX_ENCODINGS {
                return Err(unknown());
            }
            found = encoding;
        }
        Ok(found)
    }

    /// The encoding that the first bytes of a file show.
    #[must_use]
    pub fn of_magic(front: &[u8]) -> Encoding {
        match front {
            [0x1F, 0x8B, ..] => Encoding::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Encoding::Zstd,
            _ => Encoding::Identity,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Encoding::Identity => "",
            Encoding::Gzip => "gzip",
            Encoding::Deflate => "deflate",
            Encoding::Zstd => "zstd",
        }
    }
}

/// Decoded bytes, all there already or still to be read.
pub(super) enum Source<'a> {
    /// All there.
    Plain(&'a [u8]),
    /// To be read.
    Stream(Stream<'a>),
}

/// Bytes that are still to be read and perhaps decompressed.
pub(super) struct Stream<'a> {
    reader: Box<dyn Read + 'a>,
    encoding: Encoding,
    limit: Limit,
    /// Bytes read so far.
    read: usize,
    /// Bytes read and not yet handed out.
    peeked: Vec<u8>,
}

/// Where a stream ends at the latest, and what is then wrong.
struct Limit {
    bytes: usize,
    error: DecodeError,
}

impl<'a> Source<'a> {
    /// The bytes of a body that is in memory.
    pub(super) fn of_body(
        body: &'a [u8],
        encoding: Encoding,
        limits: &DecodeLimits,
    ) -> Result<Source<'a>, DecodeError> {
        let (wire_bytes, limit) = (body.len(), limits.max_wire_bytes);
        if wire_bytes > limit {
            return Err(DecodeError::WireTooLarge { bytes: wire_bytes, limit });
        }
        if encoding == Encoding::Identity {
            let limit = limits.max_decoded_bytes;
            return if wire_bytes > limit {
                Err(DecodeError::DecodedTooLarge { limit })
            } else {
                Ok(Source::Plain(body))
            };
        }
        let by_ratio = wire_bytes.saturating_mul(limits.max_ratio).max(limits.ratio_free_bytes);
        let limit = if by_ratio < limits.max_decoded_bytes {
            let error = DecodeError::RatioTooHigh { ratio: limits.max_ratio, wire_bytes };
            Limit { bytes: by_ratio, error }
        } else {
            let limit = limits.max_decoded_bytes;
            Limit { bytes: limit, error: DecodeError::DecodedTooLarge { limit } }
        };
        Ok(Source::Stream(Stream::new(body, encoding, limit, limits)?))
    }

    /// The bytes of a stream of unknown length.
    pub(super) fn of_stream(
        reader: Box<dyn Read + 'a>,
        encoding: Encoding,
        limits: &DecodeLimits,
    ) -> Result<Source<'a>, DecodeError> {
        let bytes = limits.max_decoded_bytes;
        let limit = Limit { bytes, error: DecodeError::DecodedTooLarge { limit: bytes } };
        let reader = io::BufReader::with_capacity(READ_CHUNK_BYTES, reader);
        Ok(Source::Stream(Stream::new(reader, encoding, limit, limits)?))
    }

    /// The first bytes, up to `most`: less only where there are no more.
    pub(super) fn peek(&mut self, most: usize) -> Result<&[u8], DecodeError> {
        match self {
            Source::Plain(bytes) => Ok(bytes.get(..most).unwrap_or(bytes)),
            Source::Stream(stream) => {
                let mut peeked = Vec::new();
                while peeked.len() < most {
                    let before = peeked.len();
                    peeked.resize(most, 0);
                    let read = stream.read(peeked.get_mut(before..).unwrap_or_default())?;
                    peeked.truncate(before + read);
                    if read == 0 {
                        break;
                    }
                }
                stream.peeked = peeked;
                Ok(&stream.peeked)
            }
        }
    }

    /// All decoded bytes.
    pub(super) fn read_all(self) -> Result<Cow<'a, [u8]>, DecodeError> {
        let mut stream = match self {
            Source::Plain(bytes) => return Ok(Cow::Borrowed(bytes)),
            Source::Stream(stream) => stream,
        };
        let mut all = Vec::new();
        loop {
            let before = all.len();
            all.resize(before + READ_CHUNK_BYTES, 0);
            let read = stream.read(all.get_mut(before..).unwrap_or_default())?;
            all.truncate(before + read);
            if read == 0 {
                return Ok(Cow::Owned(all));
            }
        }
    }
}

impl<'a> Stream<'a> {
    fn new(
        mut wire: impl BufRead + 'a,
        encoding: Encoding,
        limit: Limit,
        limits: &DecodeLimits,
    ) -> Result<Stream<'a>, DecodeError> {
        let failed = |error| DecodeError::of_read(error, encoding.name());
        let reader: Box<dyn Read + 'a> = match encoding {
            Encoding::Identity => Box::new(wire),
            Encoding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(wire)),
            Encoding::Deflate => {
                let zlib = matches!(wire.fill_buf().map_err(failed)?, [first, second, ..]
                    if first & 0x0F == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0);
                if zlib {
                    Box::new(flate2::bufread::ZlibDecoder::new(wire))
                } else {
                    Box::new(flate2::bufread::DeflateDecoder::new(wire))
                }
            }
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(wire).map_err(failed)?;
                decoder.window_log_max(limits.max_zstd_window_log).map_err(failed)?;
                Box::new(decoder)
            }
        };
        Ok(Stream { reader, encoding, limit, read: 0, peeked: Vec::new() })
    }

    /// Reads into `buffer`: how many bytes, 0 at the end. One byte past the limit is an error.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, DecodeError> {
        if !self.peeked.is_empty() {
            let read = buffer.len().min(self.peeked.len());
            for (to, from) in buffer.iter_mut().zip(self.peeked.drain(..read)) {
                *to = from;
            }
            return Ok(read);
        }
        loop {
            match self.reader.read(buffer) {
                Ok(read) => {
                    self.read = self.read.saturating_add(read);
                    return if self.read > self.limit.bytes {
                        Err(self.limit.error.clone())
                    } else {
                        Ok(read)
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(DecodeError::of_read(error, self.encoding.name())),
            }
        }
    }
}
