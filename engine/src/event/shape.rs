//! The skeleton of a JSON object: what stays the same from event to event.
//!
//! ```text
//! {"level":"warn","took":12}   =   {"level":"  ----  ","took":  --  }     pieces
//!                                             warn            12          tokens, one a hole
//! ```
//!
//! Interleaving the pieces with the tokens gives the text back byte for byte: nothing is normalised. A text has a
//! shape when the pieces match and every hole holds a valid token, which is much faster to find out than to walk
//! the text anew. Token texts stay as they are written (escaped, `-0`, `1e3`); what a string means is found by
//! [`super::json::unescape_into`].

use super::error::{JsonError, JsonErrorKind};
use super::json::scan::{StringEnd, bare_end, string_end};
use super::json::walk::{Found, Token};
use super::limits::EventLimits;
use crate::equal::begins_with;

/// A skeleton: literal pieces with holes between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape {
    /// All pieces, end to end.
    literal: String,
    holes: Vec<Hole>,
    /// All paths, end to end.
    paths: String,
    /// Holes by path, then place: for [`Shape::position`].
    by_path: Vec<u32>,
}

/// A place for a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Hole {
    /// Where in the literal the piece before it ends.
    piece_end: u32,
    /// Where in the paths its path ends; it starts where the one before ends.
    path_end: u32,
    /// Between quotes.
    quoted: bool,
}

impl Shape {
    /// The shape of a JSON object, by a full walk.
    ///
    /// # Errors
    /// When `text` is not a JSON object or over a limit.
    pub fn of(text: &str, limits: &EventLimits) -> Result<Shape, JsonError> {
        let mut found = Found::default();
        found.walk(text, limits)?;
        Ok(Shape::from_found(text, &found))
    }

    /// The shape of `text`, in which a walk found `found`.
    pub(super) fn from_found(text: &str, found: &Found) -> Shape {
        let mut literal = String::with_capacity(literal_bytes(text, found));
        let mut holes = Vec::with_capacity(found.tokens.len());
        let mut at = 0;
        for (token, path_end) in found.tokens.iter().zip(&found.path_ends) {
            literal.push_str(text.get(at..token.start as usize).unwrap_or_default());
            holes.push(Hole { piece_end: literal.len() as u32, path_end: *path_end, quoted: token.quoted });
            at = (token.start + token.len) as usize;
        }
        literal.push_str(text.get(at..).unwrap_or_default());
        let mut shape = Shape { literal, holes, paths: found.paths.clone(), by_path: Vec::new() };
        let mut by_path: Vec<u32> = (0..shape.holes.len() as u32).collect();
        by_path.sort_by_key(|hole| (shape.path(*hole as usize), *hole));
        shape.by_path = by_path;
        shape
    }

    /// Reads back what [`Shape::encode`] wrote at the front of `bytes`: the shape and the bytes behind it. The
    /// skeleton is walked again, so that no bytes make a shape that no text has.
    ///
    /// # Errors
    /// When the bytes are not the encoding of a shape.
    pub fn decode(bytes: &[u8]) -> Result<(Shape, &[u8]), ShapeError> {
        let (count, mut rest) = take_u32(bytes)?;
        // Each hole takes four bytes: a larger count is a lie, found before anything is allocated for it.
        let table = rest.get(..count as usize * 4).ok_or(ShapeError)?;
        rest = rest.get(count as usize * 4..).ok_or(ShapeError)?;
        let (len, tail) = take_u32(rest)?;
        let literal = tail.get(..len as usize).ok_or(ShapeError)?;
        let literal = std::str::from_utf8(literal).map_err(|_| ShapeError)?;
        let mut sample = String::with_capacity(literal.len() + count as usize);
        let mut at = 0;
        for entry in table.chunks_exact(4) {
            let (piece, _) = take_u32(entry)?;
            let end = at + (piece >> 1) as usize;
            sample.push_str(literal.get(at..end).ok_or(ShapeError)?);
            if piece & 1 == 0 {
                sample.push('0');
            }
            at = end;
        }
        sample.push_str(literal.get(at..).ok_or(ShapeError)?);
        let shape = Shape::of(&sample, &EventLimits::REPLAY).map_err(|_| ShapeError)?;
        let mut again = Vec::with_capacity(bytes.len().min(table.len() + literal.len() + 8));
        shape.encode(&mut again);
        if bytes.get(..again.len()) != Some(&*again) {
            return Err(ShapeError);
        }
        Ok((shape, tail.get(len as usize..).ok_or(ShapeError)?))
    }

    /// Appends the shape as bytes, all little-endian: hole count (u32); for each hole the length of the piece
    /// before it, times two, plus one when quoted (u32); length of the literal (u32); the literal.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.holes.len() as u32).to_le_bytes());
        let mut start = 0;
        for hole in &self.holes {
            let entry = (hole.piece_end - start) << 1 | u32::from(hole.quoted);
            out.extend_from_slice(&entry.to_le_bytes());
            start = hole.piece_end;
        }
        out.extend_from_slice(&(self.literal.len() as u32).to_le_bytes());
        out.extend_from_slice(self.literal.as_bytes());
    }

    /// How many holes there are; there is one piece more.
    #[must_use]
    pub fn holes(&self) -> usize {
        self.holes.len()
    }

    /// The pieces in order: one before each hole, one behind the last.
    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        let ends = self.holes.iter().map(|hole| hole.piece_end as usize);
        ends.chain([self.literal.len()]).map(move |end| {
            let piece = self.literal.get(start..end).unwrap_or_default();
            start = end;
            piece
        })
    }

    /// The flattened path of `hole`: `a.b`, `a[0].c`; empty when there is no such hole.
    #[must_use]
    pub fn path(&self, hole: usize) -> &str {
        let Some(end) = self.holes.get(hole) else { return "" };
        let start =
            hole.checked_sub(1).and_then(|before| self.holes.get(before)).map_or(0, |hole| hole.path_end);
        self.paths.get(start as usize..end.path_end as usize).unwrap_or_default()
    }

    /// Whether `hole` stands between quotes: its token is the content of a string, still escaped.
    #[must_use]
    pub fn is_quoted(&self, hole: usize) -> bool {
        self.holes.get(hole).is_some_and(|hole| hole.quoted)
    }

    /// The hole whose value the field `path` has: the last of that path.
    #[must_use]
    pub fn position(&self, path: &str) -> Option<usize> {
        let behind = self.by_path.partition_point(|hole| self.path(*hole as usize) <= path);
        let last = *self.by_path.get(behind.checked_sub(1)?)? as usize;
        (self.path(last) == path).then_some(last)
    }

    /// Appends the text with these tokens in the holes. Missing tokens are taken as empty.
    pub fn rebuild<'t>(&self, tokens: impl IntoIterator<Item = &'t str>, out: &mut Vec<u8>) {
        let mut tokens = tokens.into_iter();
        for piece in self.pieces() {
            out.extend_from_slice(piece.as_bytes());
            out.extend_from_slice(tokens.next().unwrap_or_default().as_bytes());
        }
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Shape>()
            + self.literal.capacity()
            + self.paths.capacity()
            + self.holes.capacity() * size_of::<Hole>()
            + self.by_path.capacity() * size_of::<u32>()
    }

    /// Bytes of memory the shape of `text` would hold, in which a walk found `found`.
    pub(super) fn memory_of(text: &str, found: &Found) -> usize {
        size_of::<Shape>()
            + literal_bytes(text, found)
            + found.paths.len()
            + found.tokens.len() * (size_of::<Hole>() + size_of::<u32>())
    }

    /// Whether `text` has this shape; its tokens are then in `tokens`. Escapes are found but not checked.
    pub(super) fn fit(&self, text: &[u8], tokens: &mut Vec<Token>) -> bool {
        tokens.clear();
        let literal = self.literal.as_bytes();
        let (mut at, mut piece_start) = (0, 0);
        for hole in &self.holes {
            let piece = literal.get(piece_start..hole.piece_end as usize).unwrap_or_default();
            piece_start = hole.piece_end as usize;
            if !text.get(at..).is_some_and(|rest| begins_with(rest, piece)) {
                return false;
            }
            at += piece.len();
            let (end, escaped) = if hole.quoted {
                match string_end(text, at) {
                    StringEnd::Plain(end) => (end, false),
                    StringEnd::Escaped(end) => (end, true),
                    StringEnd::Control(_) | StringEnd::Open => return false,
                }
            } else {
                let Some(end) = bare_end(text, at) else { return false };
                (end, false)
            };
            tokens.push(Token { start: at as u32, len: (end - at) as u32, quoted: hole.quoted, escaped });
            at = end;
        }
        text.get(at..) == literal.get(piece_start..)
    }

    /// Whether `text`, in which a walk found `tokens`, has this shape.
    pub(super) fn is_of(&self, text: &[u8], tokens: &[Token]) -> bool {
        if self.holes.len() != tokens.len() {
            return false;
        }
        let literal = self.literal.as_bytes();
        let (mut at, mut piece_start) = (0, 0);
        for (hole, token) in self.holes.iter().zip(tokens) {
            let piece = literal.get(piece_start..hole.piece_end as usize);
            if hole.quoted != token.quoted || text.get(at..token.start as usize) != piece {
                return false;
            }
            at = (token.start + token.len) as usize;
            piece_start = hole.piece_end as usize;
        }
        text.get(at..) == literal.get(piece_start..)
    }
}

/// Bytes of `text` outside of its tokens.
fn literal_bytes(text: &str, found: &Found) -> usize {
    let tokens: usize = found.tokens.iter().map(|token| token.len as usize).sum();
    text.len().saturating_sub(tokens)
}

/// Bytes that are not the encoding of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed shape")]
pub struct ShapeError;

fn take_u32(bytes: &[u8]) -> Result<(u32, &[u8]), ShapeError> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(ShapeError)?;
    Ok((u32::from_le_bytes(*head), rest))
}

impl JsonError {
    /// An escape that does not mean anything.
    pub(super) fn escape(at: usize) -> JsonError {
        JsonError { kind: JsonErrorKind::Escape, at }
    }
}
