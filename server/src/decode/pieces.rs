//! Splits decoded bytes into lines or records, without copying what is in memory already and without ever holding
//! more of a stream than one event may have.

use super::error::DecodeError;
use super::source::{Source, Stream};

/// How much is read at a time.
const READ_CHUNK_BYTES: usize = 256 << 10;

/// How much of an event that is too large is kept to show.
const EXCERPT_BYTES: usize = 80;

/// Where pieces end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Boundary {
    /// At a newline; a carriage return before it belongs to the piece.
    Newline,
    /// At a newline, or a carriage return and a newline.
    Line,
    /// As a line, outside of double quotes.
    Record,
}

/// One piece, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'p> {
    /// A line or record.
    Whole(&'p [u8]),
    /// A line whose quotes do not close: in the rest, or within what one event may have.
    Unclosed(&'p [u8]),
    /// Too large; it has been skipped to its end.
    TooLarge {
        /// How it starts.
        front: &'p [u8],
        /// Bytes it has.
        bytes: usize,
    },
}

/// The pieces of a source.
pub(super) struct Pieces<'a> {
    input: Input<'a>,
    boundary: Boundary,
    max_bytes: usize,
    /// Where the next piece starts.
    start: usize,
    front: Vec<u8>,
}

enum Input<'a> {
    Plain(&'a [u8]),
    Stream { stream: Stream<'a>, buffer: Vec<u8>, filled: usize, ended: bool },
}

impl<'a> Pieces<'a> {
    pub(super) fn new(source: Source<'a>, boundary: Boundary, max_bytes: usize) -> Pieces<'a> {
        let input = match source {
            Source::Plain(bytes) => Input::Plain(bytes),
            Source::Stream(stream) => Input::Stream { stream, buffer: Vec::new(), filled: 0, ended: false },
        };
        Pieces { input, boundary, max_bytes, start: 0, front: Vec::new() }
    }

    /// Bytes that are there from the next piece on, so that room can be made for them.
    pub(super) fn at_hand(&self) -> usize {
        self.rest().len()
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>, DecodeError> {
        let mut search = Search::default();
        loop {
            if let Some(end) = search.find(self.rest(), self.boundary) {
                // Quotes that close too late are taken for a stray one: that costs a line, not all up to there.
                if end > self.max_bytes
                    && let Some(line) = memchr::memchr(b'\n', self.rest()).filter(|line| *line < end)
                {
                    return Ok(Some(self.take(line, line + 1, true)));
                }
                return Ok(Some(self.take(end, end + 1, false)));
            }
            let len = self.rest().len();
            // Two bytes for a line end that is not part of the piece.
            let too_large = len > self.max_bytes.saturating_add(2);
            if too_large && search.in_quotes() {
                let line = memchr::memchr(b'\n', self.rest());
                if let Some(end) = line {
                    return Ok(Some(self.take(end, end + 1, true)));
                }
            }
            if too_large && self.is_stream() {
                return self.skip_line().map(Some);
            }
            if self.fill()? {
                continue;
            }
            if len == 0 {
                return Ok(None);
            }
            let line = search.in_quotes().then(|| memchr::memchr(b'\n', self.rest())).flatten();
            let unclosed = search.in_quotes();
            let end = line.unwrap_or(len);
            return Ok(Some(self.take(end, (end + 1).min(len), unclosed)));
        }
    }

    fn rest(&self) -> &[u8] {
        match &self.input {
            Input::Plain(bytes) => bytes.get(self.start..).unwrap_or_default(),
            Input::Stream { buffer, filled, .. } => buffer.get(self.start..*filled).unwrap_or_default(),
        }
    }

    fn is_stream(&self) -> bool {
        matches!(self.input, Input::Stream { .. })
    }

    /// Takes the piece up to `end` of the rest; the next starts at `next`.
    fn take(&mut self, end: usize, next: usize, unclosed: bool) -> Piece<'_> {
        let from = self.start;
        self.start += next;
        let bytes: &[u8] = match &self.input {
            Input::Plain(bytes) => bytes,
            Input::Stream { buffer, .. } => buffer,
        };
        let piece = bytes.get(from..from + end).unwrap_or_default();
        let ended = next > end && !matches!(self.boundary, Boundary::Newline);
        let piece = if ended { piece.strip_suffix(b"\r").unwrap_or(piece) } else { piece };
        if piece.len() > self.max_bytes {
            let front = piece.get(..EXCERPT_BYTES).unwrap_or(piece);
            return Piece::TooLarge { front, bytes: piece.len() };
        }
        if unclosed { Piece::Unclosed(piece) } else { Piece::Whole(piece) }
    }

    /// Drops the line at hand to its end, wherever that is.
    fn skip_line(&mut self) -> Result<Piece<'_>, DecodeError> {
        self.front.clear();
        let front = self.rest().get(..EXCERPT_BYTES).unwrap_or_default().to_vec();
        self.front = front;
        let mut bytes = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', self.rest()) {
                let before = end.checked_sub(1).and_then(|last| self.rest().get(last));
                let carriage = before == Some(&b'\r') && !matches!(self.boundary, Boundary::Newline);
                self.start += end + 1;
                bytes += end - usize::from(carriage);
                break;
            }
            // The last byte stays, as it may be the first half of a line end.
            let drop = self.rest().len().saturating_sub(1);
            self.start += drop;
            bytes += drop;
            if !self.fill()? {
                let rest = self.rest().len();
                self.start += rest;
                bytes += rest;
                break;
            }
        }
        Ok(Piece::TooLarge { front: &self.front, bytes })
    }

    /// Reads more; `false` at the end.
    fn fill(&mut self) -> Result<bool, DecodeError> {
        let Input::Stream { stream, buffer, filled, ended } = &mut self.input else { return Ok(false) };
        if *ended {
            return Ok(false);
        }
        if self.start > 0 {
            buffer.copy_within(self.start..*filled, 0);
            *filled -= self.start;
            self.start = 0;
        }
        if buffer.len() < *filled + READ_CHUNK_BYTES {
            buffer.resize(*filled + READ_CHUNK_BYTES, 0);
        }
        let read = stream.read(buffer.get_mut(*filled..).unwrap_or_default())?;
        *filled += read;
        *ended = read == 0;
        Ok(!*ended)
    }
}

/// How far a piece has been searched for its end, so that no byte is looked at twice.
#[derive(Default)]
struct Search {
    scanned: usize,
    quotes: usize,
}

impl Search {
    /// Where the piece at the front of `rest` ends: the place of its newline.
    fn find(&mut self, rest: &[u8], boundary: Boundary) -> Option<usize> {
        loop {
            let fresh = rest.get(self.scanned..)?;
            let found = match boundary {
                Boundary::Newline | Boundary::Line => memchr::memchr(b'\n', fresh),
                Boundary::Record => memchr::memchr2(b'\n', b'"', fresh),
            };
            let Some(found) = found else {
                self.scanned = rest.len();
                return None;
            };
            self.scanned += found + 1;
            if fresh.get(found) == Some(&b'"') {
                // A doubled quote inside of quotes counts twice, which comes to the same.
                self.quotes += 1;
            } else if !self.in_quotes() {
                return Some(self.scanned - 1);
            }
        }
    }

    fn in_quotes(&self) -> bool {
        self.quotes % 2 == 1
    }
}
