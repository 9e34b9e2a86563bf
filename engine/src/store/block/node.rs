//! The columns of a block that is being read: a tree, as its directory says.
//!
//! ```text
//! node := kind, count, then
//!   0 constant    the value
//!   1 dictionary  node of distinct values; section of codes
//!   2 number      form; unit (0 = absolute, else relative to the rows' times); section of integers
//!   3 hex         pattern; section of digits
//!   4 text        section of lengths; chunks: how many values, section
//!   5 skeletons   columns: count, nodes; skeletons: count, (pieces, columns); section of codes
//! ```
//!
//! What is decoded is kept as long as the block is.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use weir_query::record::Selection;

use super::bits::Lane;
use super::column::Coded;
use super::hex::Pattern;
use super::ints::Ints;
use super::lists::Lists;
use super::number::Form;
use super::pick::{Places, TextStarts};
use super::reach::Reach;
use super::section::{Directory, Section, Source};
use super::wire::Corrupt;
use super::{BLOCK_ROWS_MAX, GRANULE_ROWS};
use crate::equal::begins_with;

/// How deep nodes lie in one another at most: skeletons of templates of quoted strings, and their dictionaries.
const DEPTH_MAX: usize = 8;
/// Most columns of one node, and most skeletons.
pub(crate) const COLUMNS_MAX: usize = 1 << 20;

/// One column.
#[derive(Debug)]
pub(crate) struct Node {
    /// How many values.
    pub(crate) count: usize,
    /// How they are kept.
    pub(crate) kind: Kind,
    /// Which bytes they have, once somebody asked.
    pub(crate) reach: OnceLock<Box<Reach>>,
}

/// How the values of a column are kept.
#[derive(Debug)]
pub(crate) enum Kind {
    /// All are this.
    Constant(Box<[u8]>),
    /// Codes of distinct values.
    Dictionary {
        /// The distinct values.
        values: Box<Node>,
        /// A code a value.
        codes: Packed,
        /// The distinct values, decoded.
        texts: OnceLock<Arc<Texts>>,
        /// The distinct values as the machine has them.
        column: OnceLock<Arc<Coded>>,
    },
    /// Numbers in one form.
    Number {
        /// The form.
        form: Form,
        /// Nanoseconds a unit, where values are relative to the times of their rows; else 0.
        unit: i64,
        /// The numbers.
        values: Packed,
    },
    /// Digits in a pattern.
    Hex {
        /// The pattern.
        pattern: Pattern,
        /// The digits.
        digits: Section,
        /// The digits, loaded.
        bytes: OnceLock<Vec<u8>>,
    },
    /// Text as it is.
    Text {
        /// Bytes a value.
        lengths: Packed,
        /// The values, end to end.
        chunks: Vec<Chunk>,
        /// Where they lie, for whoever wants single ones.
        starts: OnceLock<Box<TextStarts>>,
    },
    /// Literal pieces with columns between them.
    Skeletons(Box<Skeletons>),
}

/// A section of integers.
#[derive(Debug)]
pub(crate) struct Packed {
    count: usize,
    section: Section,
    ints: OnceLock<Arc<Ints>>,
}

/// Consecutive texts, compressed together.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The first value in it.
    pub(crate) first: usize,
    section: Section,
    bytes: OnceLock<Vec<u8>>,
}

/// Texts end to end.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Where each ends.
    pub(crate) ends: Vec<u32>,
}

impl Texts {
    /// Text `index`.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// Appends a text.
    #[inline]
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len() as u32);
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// One skeleton: pieces with columns between them; there is one piece more than columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Skeleton {
    /// The pieces, end to end.
    pub(crate) literal: Vec<u8>,
    /// Where the piece before each hole ends.
    pub(crate) ends: Vec<u32>,
    /// The column of each hole.
    pub(crate) columns: Vec<u32>,
}

/// Which of `skeletons` have column `column`; each has it at most once.
pub(crate) fn holders(skeletons: &[Skeleton], column: u32) -> Vec<bool> {
    skeletons.iter().map(|skeleton| skeleton.columns.contains(&column)).collect()
}

impl Skeleton {
    /// Whether `text` is this with `tokens` in the holes.
    pub(crate) fn makes(&self, text: &[u8], tokens: &[&[u8]]) -> bool {
        let (mut rest, mut start) = (text, 0);
        for (end, token) in self.ends.iter().zip(tokens) {
            let end = *end as usize;
            let Some(piece) = self.literal.get(start..end).filter(|piece| begins_with(rest, piece)) else {
                return false;
            };
            let behind = rest.get(piece.len()..).unwrap_or_default();
            // A token is mostly a part of the text, and then need not be looked at.
            let is_here = behind.as_ptr() == token.as_ptr() && token.len() <= behind.len();
            let after = if is_here { behind.get(token.len()..) } else { behind.strip_prefix(*token) };
            let Some(after) = after else { return false };
            (rest, start) = (after, end);
        }
        self.ends.len() == tokens.len() && self.literal.get(start..) == Some(rest)
    }

    /// The pieces in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(|end| *end as usize).chain([self.literal.len()]).map(move |end| {
            let piece = self.literal.get(start..end).unwrap_or_default();
            start = end;
            piece
        })
    }
}

/// A column whose values are skeletons with values in their holes.
#[derive(Debug)]
pub(crate) struct Skeletons {
    /// The skeletons.
    pub(crate) skeletons: Vec<Skeleton>,
    /// The columns their holes are filled from, each in order of the values.
    pub(crate) columns: Vec<Node>,
    codes: Packed,
    ranks: OnceLock<Arc<Ranks>>,
    /// Where single values lie in the columns, for whoever wants single ones.
    pub(super) places: OnceLock<Box<Places>>,
    lists: OnceLock<Box<Lists>>,
}

/// Which skeleton each value has, and how many values had it before each granule of values.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// A skeleton a value.
    pub(crate) codes: Vec<u32>,
    /// `skeletons` counts a granule of values.
    before: Vec<u32>,
    skeletons: usize,
}

impl Node {
    /// Reads the next node of a directory.
    pub(crate) fn read(directory: &mut Directory<'_>) -> Result<Node, Corrupt> {
        Node::read_at(directory, 0)
    }

    fn read_at(directory: &mut Directory<'_>, depth: usize) -> Result<Node, Corrupt> {
        if depth > DEPTH_MAX {
            return Err(Corrupt("columns too deep in one another"));
        }
        let kind = directory.reader.byte()?;
        let count = directory.reader.count(BLOCK_ROWS_MAX)?;
        let kind = match kind {
            0 => Kind::Constant(directory.reader.bytes()?.into()),
            1 => Kind::Dictionary {
                values: Box::new(Node::read_at(directory, depth + 1)?),
                codes: Packed::read(directory, count)?,
                texts: OnceLock::new(),
                column: OnceLock::new(),
            },
            2 => Kind::Number {
                form: Form::read(&mut directory.reader)?,
                unit: directory.reader.signed()?,
                values: Packed::read(directory, count)?,
            },
            3 => {
                let pattern = Pattern::read(&mut directory.reader)?;
                let digits = directory.section()?;
                if digits.len() != count * pattern.width() {
                    return Err(Corrupt("digits of another length"));
                }
                Kind::Hex { pattern, digits, bytes: OnceLock::new() }
            }
            4 => {
                let lengths = Packed::read(directory, count)?;
                let mut chunks = Vec::new();
                let mut first = 0;
                for _ in 0..directory.reader.count_here()? {
                    let values = directory.reader.count(count - first)?;
                    chunks.push(Chunk { first, section: directory.section()?, bytes: OnceLock::new() });
                    first += values;
                }
                Kind::Text { lengths, chunks, starts: OnceLock::new() }
            }
            5 => Kind::Skeletons(Box::new(Skeletons::read(directory, count, depth)?)),
            _ => return Err(Corrupt("unknown kind of column")),
        };
        Ok(Node { count, kind, reach: OnceLock::new() })
    }
}

impl Skeletons {
    fn read(directory: &mut Directory<'_>, count: usize, depth: usize) -> Result<Skeletons, Corrupt> {
        let columns = directory.reader.count(COLUMNS_MAX)?;
        let columns: Vec<Node> =
            (0..columns).map(|_| Node::read_at(directory, depth + 1)).collect::<Result<_, _>>()?;
        let mut skeletons = Vec::new();
        for _ in 0..directory.reader.count(COLUMNS_MAX.min(directory.reader.left()))? {
            let mut skeleton =
                Skeleton { literal: directory.reader.bytes()?.to_vec(), ..Skeleton::default() };
            let mut end = 0;
            for _ in 0..directory.reader.count_here()? {
                end += directory.reader.count(skeleton.literal.len() - end)?;
                skeleton.ends.push(end as u32);
                let column = directory.reader.count(columns.len().saturating_sub(1))?;
                if columns.is_empty() {
                    return Err(Corrupt("hole without a column"));
                }
                skeleton.columns.push(column as u32);
            }
            skeletons.push(skeleton);
        }
        let codes = Packed::read(directory, count)?;
        let (ranks, places, lists) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Skeletons { skeletons, columns, codes, ranks, places, lists })
    }

    /// The values of each skeleton.
    pub(crate) fn lists(&self, body: Source<'_>) -> Result<&Lists, Corrupt> {
        if let Some(lists) = self.lists.get() {
            return Ok(lists);
        }
        let ints = self.codes.load(body)?;
        let mut codes = vec![0u32; ints.len()];
        ints.decode(0..ints.len(), &mut codes);
        let lists = Box::new(Lists::of(&codes, self.skeletons.len())?);
        Ok(self.lists.get_or_init(|| {
            body.count_held(lists.memory_bytes());
            lists
        }))
    }

    /// The values that have `column`.
    pub(super) fn holders(&self, column: u32, body: Source<'_>) -> Result<Selection, Corrupt> {
        let codes = (0..).zip(&self.skeletons).filter(|(_, skeleton)| skeleton.columns.contains(&column));
        Ok(self.lists(body)?.select(codes.map(|(code, _)| code)))
    }

    /// Which skeleton each value has.
    pub(crate) fn ranks(&self, body: Source<'_>) -> Result<Arc<Ranks>, Corrupt> {
        if let Some(ranks) = self.ranks.get() {
            return Ok(Arc::clone(ranks));
        }
        let ints = self.codes.load(body)?;
        let mut codes = vec![0u32; ints.len()];
        ints.decode(0..ints.len(), &mut codes);
        let known = self.skeletons.len();
        let mut counts = vec![0u32; known];
        let mut before = Vec::with_capacity(codes.len().div_ceil(GRANULE_ROWS) * known);
        for granule in codes.chunks(GRANULE_ROWS) {
            before.extend_from_slice(&counts);
            for code in granule {
                *counts.get_mut(*code as usize).ok_or(Corrupt("unknown skeleton"))? += 1;
            }
        }
        Ok(Arc::clone(self.ranks.get_or_init(|| {
            body.count_held((codes.len() + before.len()) * size_of::<u32>());
            Arc::new(Ranks { codes, before, skeletons: known })
        })))
    }
}

impl Ranks {
    /// How many values before `value` have each skeleton.
    pub(crate) fn before(&self, value: usize) -> Vec<u32> {
        // Behind the last value no granule begins where the last one is full.
        let granules = self.codes.len().div_ceil(GRANULE_ROWS);
        let granule = (value / GRANULE_ROWS).min(granules.saturating_sub(1));
        let mut counts = self.before_granule(granule).to_vec();
        counts.resize(self.skeletons, 0);
        for code in self.codes.get(granule * GRANULE_ROWS..value).unwrap_or_default() {
            if let Some(count) = counts.get_mut(*code as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// How many values before granule `granule` have each skeleton.
    pub(crate) fn before_granule(&self, granule: usize) -> &[u32] {
        let from = granule * self.skeletons;
        self.before.get(from..from + self.skeletons).unwrap_or_default()
    }

    /// The skeletons of the values of `range`.
    pub(crate) fn codes(&self, range: Range<usize>) -> &[u32] {
        self.codes.get(range).unwrap_or_default()
    }
}

impl Packed {
    /// Reads the next section of a directory.
    pub(crate) fn read(directory: &mut Directory<'_>, count: usize) -> Result<Packed, Corrupt> {
        Ok(Packed { count, section: directory.section()?, ints: OnceLock::new() })
    }

    /// The integers.
    pub(crate) fn load(&self, body: Source<'_>) -> Result<Arc<Ints>, Corrupt> {
        if let Some(ints) = self.ints.get() {
            return Ok(Arc::clone(ints));
        }
        let ints = Arc::new(Ints::parse(&self.section.read(body)?, self.count)?);
        Ok(Arc::clone(self.ints.get_or_init(|| {
            body.count_held(ints.memory_bytes());
            ints
        })))
    }

    /// Puts the integers of `range` at the start of `out`.
    pub(crate) fn decode<T: Lane>(
        &self,
        body: Source<'_>,
        range: Range<usize>,
        out: &mut [T],
    ) -> Result<(), Corrupt> {
        self.load(body)?.decode(range, out);
        Ok(())
    }

    /// The integers of `range`.
    pub(crate) fn values(&self, body: Source<'_>, range: Range<usize>) -> Result<Vec<i64>, Corrupt> {
        let mut values = Vec::new();
        self.load(body)?.read(range, &mut values);
        Ok(values)
    }

    /// The integers at `places`.
    pub(crate) fn pick(&self, body: Source<'_>, places: &[u32]) -> Result<Vec<i64>, Corrupt> {
        let mut values = Vec::with_capacity(places.len());
        self.load(body)?.pick(places, &mut values)?;
        Ok(values)
    }
}

impl Chunk {
    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.section.len()
    }

    /// Its bytes.
    pub(crate) fn load<'a>(&'a self, body: Source<'a>) -> Result<&'a [u8], Corrupt> {
        load_bytes(&self.bytes, &self.section, body)
    }
}

/// The bytes of `section`; kept in `cell` when they are compressed, else where they are stored.
pub(crate) fn load_bytes<'a>(
    cell: &'a OnceLock<Vec<u8>>,
    section: &'a Section,
    body: Source<'a>,
) -> Result<&'a [u8], Corrupt> {
    if let Some(bytes) = cell.get() {
        return Ok(bytes);
    }
    Ok(match section.read(body)? {
        Cow::Borrowed(bytes) => bytes,
        Cow::Owned(bytes) => cell.get_or_init(|| {
            body.count_held(bytes.len());
            bytes
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_are_before_the_end_of_a_full_granule() {
        for values in [0, 1, GRANULE_ROWS, GRANULE_ROWS + 1, 2 * GRANULE_ROWS] {
            let before = (0..values.div_ceil(GRANULE_ROWS) as u32).map(|granule| granule * 1_024).collect();
            let ranks = Ranks { codes: vec![0; values], before, skeletons: 1 };
            assert_eq!(ranks.before(values), [values as u32]);
        }
    }
}
