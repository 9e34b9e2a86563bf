//! The bytes of a body behind its content encoding, with every limit inside the decompressor.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

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
    limits: DecodeLimits,
    /// Bytes taken from the wire so far.
    wire_bytes: Rc<Cell<usize>>,
    /// Decoded bytes so far.
    decoded_bytes: usize,
    /// Bytes read and not yet handed out.
    peeked: Vec<u8>,
}

/// Counts what a decompressor takes, so that its ratio is known while it runs: a bomb is found out as soon as it has
/// grown past what any body may, not at the end of what it would be allowed as a whole.
struct Metered<R> {
    wire: R,
    taken: Rc<Cell<usize>>,
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.wire.read(buffer)?;
        self.taken.set(self.taken.get().saturating_add(read));
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.wire.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.taken.set(self.taken.get().saturating_add(amount));
        self.wire.consume(amount);
    }
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
        Ok(Source::Stream(Stream::new(body, encoding, limits)?))
    }

    /// The bytes of a stream of unknown length.
    pub(super) fn of_stream(
        reader: Box<dyn Read + 'a>,
        encoding: Encoding,
        limits: &DecodeLimits,
    ) -> Result<Source<'a>, DecodeError> {
        let reader = io::BufReader::with_capacity(READ_CHUNK_BYTES, reader);
        Ok(Source::Stream(Stream::new(reader, encoding, limits)?))
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
        wire: impl BufRead + 'a,
        encoding: Encoding,
        limits: &DecodeLimits,
    ) -> Result<Stream<'a>, DecodeError> {
        let taken = Rc::new(Cell::new(0));
        let mut wire = Metered { wire, taken: Rc::clone(&taken) };
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
        Ok(Stream {
            reader,
            encoding,
            limits: *limits,
            wire_bytes: taken,
            decoded_bytes: 0,
            peeked: Vec::new(),
        })
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
                    self.decoded_bytes = self.decoded_bytes.saturating_add(read);
                    return self.check().map(|()| read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(DecodeError::of_read(error, self.encoding.name())),
            }
        }
    }

    fn check(&self) -> Result<(), DecodeError> {
        let limit = self.limits.max_decoded_bytes;
        if self.decoded_bytes > limit {
            return Err(DecodeError::DecodedTooLarge { limit });
        }
        let ratio = self.limits.max_ratio;
        let by_ratio = self.wire_bytes.get().saturating_mul(ratio).max(self.limits.ratio_free_bytes);
        if self.encoding != Encoding::Identity && self.decoded_bytes > by_ratio {
            return Err(DecodeError::RatioTooHigh { ratio });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_found_out_while_it_is_small() {
        let bomb = zstd::encode_all(io::repeat(b'0').take(64 << 20), 1).unwrap();
        let limits = DecodeLimits { max_decoded_bytes: 1 << 30, ..DecodeLimits::default() };
        let source = Source::of_body(&bomb, Encoding::Zstd, &limits).unwrap();
        let Source::Stream(mut stream) = source else { panic!("a stream") };
        let mut buffer = vec![0; READ_CHUNK_BYTES];
        let error = loop {
            match stream.read(&mut buffer) {
                Ok(read) => assert!(read > 0),
                Err(error) => break error,
            }
        };
        assert_eq!(error, DecodeError::RatioTooHigh { ratio: 200 });
        assert!(stream.decoded_bytes <= limits.ratio_free_bytes + READ_CHUNK_BYTES);
    }
}
