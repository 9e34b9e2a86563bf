//! Reading the values of a column one after the other.
//!
//! A cursor is opened for a range of values, unpacks what that range needs, and then hands out or skips one value
//! at a time. It never looks back.

use std::ops::Range;
use std::sync::Arc;

use super::hex::Pattern;
use super::moment::LastSecond;
use super::node::{Chunk, Kind, Node, Ranks, Skeleton, Skeletons, Texts, load_bytes};
use super::number::Form;
use super::section::Source;
use super::wire::Corrupt;
use crate::equal::is_same;

/// A place in a column.
#[derive(Debug)]
pub(crate) enum Cursor<'a> {
    /// The same again and again.
    Constant(&'a [u8]),
    /// Codes of distinct values.
    Dictionary {
        /// The codes that are left.
        codes: std::vec::IntoIter<i64>,
        /// The distinct values.
        texts: Arc<Texts>,
    },
    /// Numbers.
    Number {
        /// The numbers that are left.
        values: std::vec::IntoIter<i64>,
        /// Their form.
        form: &'a Form,
        /// The second that was written last.
        last: LastSecond,
    },
    /// Digits in a pattern.
    Hex {
        /// The pattern.
        pattern: &'a Pattern,
        /// All digits of the column.
        digits: &'a [u8],
        /// The next value.
        at: usize,
    },
    /// Text.
    Text(TextCursor<'a>),
    /// Skeletons.
    Skeletons(Box<SkeletonCursor<'a>>),
}

/// A place in a column of text.
#[derive(Debug)]
pub(crate) struct TextCursor<'a> {
    lengths: std::vec::IntoIter<i64>,
    body: Source<'a>,
    chunks: &'a [Chunk],
    /// Values until the chunk ends.
    left: usize,
    bytes: &'a [u8],
    at: usize,
    count: usize,
}

/// A place in a column of skeletons.
#[derive(Debug)]
pub(crate) struct SkeletonCursor<'a> {
    skeletons: &'a [Skeleton],
    ranks: Arc<Ranks>,
    at: usize,
    end: usize,
    columns: Vec<Option<Cursor<'a>>>,
}

impl<'a> Cursor<'a> {
    /// Opens `node` for the values of `range`; `times` are the times of their rows, where it is a column of rows.
    pub(crate) fn open(
        node: &'a Node,
        body: Source<'a>,
        range: Range<usize>,
        times: Option<&[i64]>,
    ) -> Result<Cursor<'a>, Corrupt> {
        let range = range.start.min(node.count)..range.end.min(node.count);
        Ok(match &node.kind {
            Kind::Constant(value) => Cursor::Constant(value),
            Kind::Dictionary { codes, .. } => Cursor::Dictionary {
                codes: codes.values(body, range)?.into_iter(),
                texts: node.dictionary(body)?,
            },
            Kind::Number { form, .. } => {
                let values = node.numbers(body, range, times)?.into_iter();
                Cursor::Number { values, form, last: LastSecond::default() }
            }
            Kind::Hex { pattern, digits, bytes } => {
                Cursor::Hex { pattern, digits: load_bytes(bytes, digits, body)?, at: range.start }
            }
            Kind::Text { lengths, chunks, .. } => {
                let index = chunks.partition_point(|chunk| chunk.first <= range.start).saturating_sub(1);
                let first = chunks.get(index).map_or(0, |chunk| chunk.first);
                let mut cursor = TextCursor {
                    lengths: lengths.values(body, first..range.end)?.into_iter(),
                    body,
                    chunks: chunks.get(index..).unwrap_or_default(),
                    left: 0,
                    bytes: &[],
                    at: 0,
                    count: node.count,
                };
                for _ in first..range.start {
                    cursor.next_text()?;
                }
                Cursor::Text(cursor)
            }
            Kind::Skeletons(skeletons) => {
                Cursor::Skeletons(Box::new(SkeletonCursor::open(skeletons, body, range, times)?))
            }
        })
    }

    /// Appends the next value.
    #[inline]
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        const END: Corrupt = Corrupt("column ends early");
        match self {
            Cursor::Constant(value) => out.extend_from_slice(value),
            Cursor::Dictionary { codes, texts } => {
                let code = codes.next().ok_or(END)?;
                out.extend_from_slice(texts.get(code as usize).ok_or(Corrupt("unknown code"))?);
            }
            Cursor::Number { values, form, last } => form.append_next(values.next().ok_or(END)?, last, out),
            Cursor::Hex { pattern, digits, at } => {
                let width = pattern.width();
                let value = digits.get(*at * width..(*at + 1) * width).ok_or(END)?;
                pattern.append(value, out);
                *at += 1;
            }
            Cursor::Text(text) => {
                let (start, end) = text.next_text()?;
                out.extend_from_slice(text.bytes.get(start..end).ok_or(END)?);
            }
            Cursor::Skeletons(skeletons) => skeletons.next(out)?,
        }
        Ok(())
    }

    /// Whether the next value is `expected`. What has to be made to be compared is made in `scratch`.
    #[inline]
    pub(crate) fn next_is(&mut self, expected: &[u8], scratch: &mut Vec<u8>) -> Result<bool, Corrupt> {
        const END: Corrupt = Corrupt("column ends early");
        match self {
            Cursor::Constant(value) => Ok(is_same(value, expected)),
            Cursor::Dictionary { codes, texts } => {
                let code = codes.next().ok_or(END)?;
                Ok(is_same(texts.get(code as usize).ok_or(Corrupt("unknown code"))?, expected))
            }
            Cursor::Text(text) => {
                let (start, end) = text.next_text()?;
                Ok(is_same(text.bytes.get(start..end).ok_or(END)?, expected))
            }
            Cursor::Number { .. } | Cursor::Hex { .. } | Cursor::Skeletons(_) => {
                scratch.clear();
                self.next(scratch)?;
                Ok(is_same(scratch, expected))
            }
        }
    }

    /// Passes over the next value.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<(), Corrupt> {
        match self {
            Cursor::Constant(_) => {}
            Cursor::Dictionary { codes: values, .. } | Cursor::Number { values, .. } => {
                values.next();
            }
            Cursor::Hex { at, .. } => *at += 1,
            Cursor::Text(text) => {
                text.next_text()?;
            }
            Cursor::Skeletons(skeletons) => skeletons.skip()?,
        }
        Ok(())
    }
}

impl TextCursor<'_> {
    /// Where the next value lies in the chunk.
    fn next_text(&mut self) -> Result<(usize, usize), Corrupt> {
        while self.left == 0 {
            let (chunk, rest) = self.chunks.split_first().ok_or(Corrupt("text without a chunk"))?;
            self.left = rest.first().map_or(self.count, |next| next.first).saturating_sub(chunk.first);
            (self.bytes, self.at, self.chunks) = (chunk.load(self.body)?, 0, rest);
        }
        let len = self.lengths.next().ok_or(Corrupt("column ends early"))?;
        let start = self.at;
        let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len));
        self.at = end.filter(|end| *end <= self.bytes.len()).ok_or(Corrupt("text outside its chunk"))?;
        self.left -= 1;
        Ok((start, self.at))
    }
}

impl<'a> SkeletonCursor<'a> {
    fn open(
        node: &'a Skeletons,
        body: Source<'a>,
        range: Range<usize>,
        times: Option<&[i64]>,
    ) -> Result<SkeletonCursor<'a>, Corrupt> {
        let ranks = node.ranks(body)?;
        let before = ranks.before(range.start);
        let mut within = vec![0u32; node.skeletons.len()];
        for code in ranks.codes(range.clone()) {
            if let Some(count) = within.get_mut(*code as usize) {
                *count += 1;
            }
        }
        let mut bounds = vec![(0usize, 0usize); node.columns.len()];
        for ((skeleton, before), within) in node.skeletons.iter().zip(&before).zip(&within) {
            for column in &skeleton.columns {
                if let Some((start, count)) = bounds.get_mut(*column as usize) {
                    *start += *before as usize;
                    *count += *within as usize;
                }
            }
        }
        let mut columns = Vec::with_capacity(bounds.len());
        for (index, (column, (start, count))) in node.columns.iter().zip(bounds).enumerate() {
            if count == 0 {
                columns.push(None);
                continue;
            }
            let own = match times {
                Some(times) if column.is_relative() => {
                    Some(node.times_of(index as u32, ranks.codes(range.clone()), times))
                }
                _ => None,
            };
            columns.push(Some(Cursor::open(column, body, start..start + count, own.as_deref())?));
        }
        Ok(SkeletonCursor { skeletons: &node.skeletons, ranks, at: range.start, end: range.end, columns })
    }

    fn skeleton(&mut self) -> Result<&'a Skeleton, Corrupt> {
        let code = self.ranks.codes.get(self.at).filter(|_| self.at < self.end);
        self.at += 1;
        let code = *code.ok_or(Corrupt("column ends early"))?;
        self.skeletons.get(code as usize).ok_or(Corrupt("unknown skeleton"))
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let skeleton = self.skeleton()?;
        let mut start = 0;
        for (end, column) in skeleton.ends.iter().zip(&skeleton.columns) {
            let end = *end as usize;
            out.extend_from_slice(skeleton.literal.get(start..end).unwrap_or_default());
            start = end;
            let column = self.columns.get_mut(*column as usize).and_then(Option::as_mut);
            column.ok_or(Corrupt("hole without a column"))?.next(out)?;
        }
        out.extend_from_slice(skeleton.literal.get(start..).unwrap_or_default());
        Ok(())
    }

    /// Appends the next value, and where in `out` its holes lie.
    pub(crate) fn next_parts(
        &mut self,
        out: &mut Vec<u8>,
        holes: &mut Vec<(u32, u32)>,
    ) -> Result<(), Corrupt> {
        let skeleton = self.skeleton()?;
        let mut start = 0;
        for (end, column) in skeleton.ends.iter().zip(&skeleton.columns) {
            let end = *end as usize;
            out.extend_from_slice(skeleton.literal.get(start..end).unwrap_or_default());
            start = end;
            let column = self.columns.get_mut(*column as usize).and_then(Option::as_mut);
            let from = out.len() as u32;
            column.ok_or(Corrupt("hole without a column"))?.next(out)?;
            holes.push((from, out.len() as u32));
        }
        out.extend_from_slice(skeleton.literal.get(start..).unwrap_or_default());
        Ok(())
    }

    fn skip(&mut self) -> Result<(), Corrupt> {
        for column in &self.skeleton()?.columns {
            let column = self.columns.get_mut(*column as usize).and_then(Option::as_mut);
            column.ok_or(Corrupt("hole without a column"))?.skip()?;
        }
        Ok(())
    }
}

impl Skeletons {
    /// Of the rows with skeletons `codes`, the times of those that have `column`.
    pub(crate) fn times_of(&self, column: u32, codes: &[u32], times: &[i64]) -> Vec<i64> {
        let uses: Vec<usize> = self
            .skeletons
            .iter()
            .map(|skeleton| skeleton.columns.iter().filter(|own| **own == column).count())
            .collect();
        let mut own = Vec::with_capacity(codes.len());
        for (code, time) in codes.iter().zip(times) {
            for _ in 0..uses.get(*code as usize).copied().unwrap_or(0) {
                own.push(*time);
            }
        }
        own
    }
}

impl Node {
    /// Its values are kept relative to the times of their rows.
    pub(crate) fn is_relative(&self) -> bool {
        matches!(self.kind, Kind::Number { unit: 1.., .. })
    }

    /// The distinct values of a dictionary; none when it is something else.
    pub(crate) fn dictionary(&self, body: Source<'_>) -> Result<Arc<Texts>, Corrupt> {
        let Kind::Dictionary { values, texts, .. } = &self.kind else { return Ok(Arc::default()) };
        if let Some(texts) = texts.get() {
            return Ok(Arc::clone(texts));
        }
        let mut decoded = Texts::default();
        let mut cursor = Cursor::open(values, body, 0..values.count, None)?;
        for _ in 0..values.count {
            cursor.next(&mut decoded.bytes)?;
            decoded.ends.push(decoded.bytes.len() as u32);
        }
        Ok(Arc::clone(texts.get_or_init(|| {
            body.count_held(decoded.bytes.len() + decoded.ends.len() * size_of::<u32>());
            Arc::new(decoded)
        })))
    }

    /// The numbers of `range`, absolute; none when it is something else.
    pub(crate) fn numbers(
        &self,
        body: Source<'_>,
        range: Range<usize>,
        times: Option<&[i64]>,
    ) -> Result<Vec<i64>, Corrupt> {
        let Kind::Number { unit, values, .. } = &self.kind else { return Ok(Vec::new()) };
        let mut numbers = values.values(body, range)?;
        if *unit > 0 {
            let times = times.filter(|times| times.len() >= numbers.len());
            let times = times.ok_or(Corrupt("relative column without times"))?;
            for (number, time) in numbers.iter_mut().zip(times) {
                *number = number.wrapping_add(time.div_euclid(*unit));
            }
        }
        Ok(numbers)
    }
}
