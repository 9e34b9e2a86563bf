//! Where the values of a field are in a block, and reading them: a column at a time, or row by row.

use std::ops::Range;
use std::sync::Arc;

use super::cursor::Cursor;
use super::node::{Node, Ranks, Skeleton, holders};
use super::part::{Part, TextKind};
use super::read::Block;
use super::wire::Corrupt;
use weir_query::record::Selection;

/// Where a field is in one part of a block.
pub(super) struct FieldSource<'a> {
    part: &'a Part,
    /// The column of the field, a skeleton.
    columns: Vec<Option<u32>>,
}

/// One column that holds values of a field.
pub(super) struct Piece<'a> {
    pub(super) node: &'a Node,
    /// Its values may have escapes.
    pub(super) escaped: bool,
    /// Which rows its values belong to; none: to all rows in turn.
    places: Option<Places<'a>>,
}

/// The rows that have a value of a column.
struct Places<'a> {
    skeletons: &'a [Skeleton],
    ranks: Arc<Ranks>,
    column: u32,
    /// For each skeleton [`HELD`] and [`CHOSEN`] or nothing.
    uses: Vec<u8>,
}

/// The skeleton has a value of the column.
const HELD: u8 = 1;
/// That value is the one that counts: keys may be repeated.
const CHOSEN: u8 = 2;

impl<'a> FieldSource<'a> {
    pub(super) fn of(part: &'a Part, name: &str) -> Option<FieldSource<'a>> {
        part.columns_of(name).map(|columns| FieldSource { part, columns })
    }

    /// The columns that have the field.
    pub(super) fn pieces(&self, block: &Block) -> Result<Vec<Piece<'a>>, Corrupt> {
        let skeletons = self.part.skeletons()?;
        let mut used: Vec<u32> = self.columns.iter().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        let mut pieces = Vec::with_capacity(used.len());
        for column in used {
            let node = skeletons.columns.get(column as usize).ok_or(Corrupt("unknown column"))?;
            let places = match self.is_everywhere(column, node) {
                true => None,
                false => {
                    let use_of = |(skeleton, chosen): (&Skeleton, &Option<u32>)| {
                        u8::from(skeleton.columns.contains(&column)) * HELD
                            + u8::from(*chosen == Some(column)) * CHOSEN
                    };
                    Some(Places {
                        skeletons: &skeletons.skeletons,
                        ranks: skeletons.ranks(block.body())?,
                        column,
                        uses: skeletons.skeletons.iter().zip(&self.columns).map(use_of).collect(),
                    })
                }
            };
            let escaped = self.part.escaped.get(column as usize) == Some(&true);
            pieces.push(Piece { node, escaped, places });
        }
        Ok(pieces)
    }

    /// Every row has the field, in this column.
    fn is_everywhere(&self, column: u32, node: &Node) -> bool {
        // Skeleton 0 is no text, which every row of the raw part has and which only the attributes may lack.
        let mut kinds = self.columns.iter().zip(&self.part.kinds);
        kinds.all(|(own, kind)| *own == Some(column) || *kind == TextKind::None)
            && node.count == self.part.node.count
    }

    /// Opens all columns that have the field, for the rows of `range`.
    pub(super) fn open(&self, block: &'a Block, range: Range<usize>) -> Result<FieldReader<'a>, Corrupt> {
        let skeletons = self.part.skeletons()?;
        let ranks = skeletons.ranks(block.body())?;
        let codes = ranks.codes(range.clone());
        let mut used: Vec<u32> = self.columns.iter().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        let mut cursors = Vec::with_capacity(used.len());
        for column in &used {
            let node = skeletons.columns.get(*column as usize).ok_or(Corrupt("unknown column"))?;
            let start = first(&skeletons.skeletons, &ranks, *column, range.start);
            let holds = holders(&skeletons.skeletons, *column);
            let count = codes.iter().filter(|code| holds.get(**code as usize) == Some(&true)).count();
            let times = if node.is_relative() { Some(block.times()?) } else { None };
            let times = times.as_ref().and_then(|times| times.get(range.clone()));
            let own = times.map(|times| skeletons.times_of(*column, codes, times));
            cursors.push(Cursor::open(node, block.body(), start..start + count, own.as_deref())?);
        }
        // A skeleton with a repeated key holds columns besides the one that counts; their values are passed over.
        let held = |skeleton: &Skeleton| {
            let places = used.iter().enumerate().filter(|(_, column)| skeleton.columns.contains(column));
            places.map(|(place, _)| place).collect()
        };
        let chosen = |column: &Option<u32>| {
            let column = (*column)?;
            let escaped = self.part.escaped.get(column as usize) == Some(&true);
            used.binary_search(&column).ok().map(|place| (place, escaped))
        };
        Ok(FieldReader {
            held: skeletons.skeletons.iter().map(held).collect(),
            chosen: self.columns.iter().map(chosen).collect(),
            codes: codes.to_vec(),
            cursors,
        })
    }
}

impl Piece<'_> {
    /// Every row has a value.
    pub(super) fn is_everywhere(&self) -> bool {
        self.places.is_none()
    }

    /// Which of `rows` have a value, numbered from the first of them; none: all.
    pub(super) fn present(&self, rows: &Range<usize>) -> Option<Selection> {
        let places = self.places.as_ref()?;
        let chosen: Vec<bool> = places.uses.iter().map(|uses| uses & CHOSEN != 0).collect();
        let codes = places.ranks.codes(rows.clone());
        let has = |row: usize| codes.get(row).is_some_and(|code| chosen.get(*code as usize) == Some(&true));
        Some(Selection::from_fn(rows.len(), has))
    }

    /// The values of the rows of `run`.
    pub(super) fn values(&self, run: &Range<usize>) -> Range<usize> {
        let Some(places) = &self.places else { return run.clone() };
        let first = |row: usize| match row < places.ranks.codes.len() {
            true => first(places.skeletons, &places.ranks, places.column, row),
            false => self.node.count,
        };
        let start = first(run.start);
        start..first(run.end).max(start)
    }

    /// The times of the rows of `run` that have a value.
    pub(super) fn times(&self, run: &Range<usize>, times: &[i64]) -> Vec<i64> {
        let times = times.get(run.clone()).unwrap_or_default();
        let Some(places) = &self.places else { return times.to_vec() };
        let held = |code: &u32| places.uses.get(*code as usize).is_some_and(|uses| uses & HELD != 0);
        let rows = places.ranks.codes(run.clone()).iter().zip(times);
        rows.filter(|(code, _)| held(code)).map(|(_, time)| *time).collect()
    }

    /// Decodes the values of the rows of `run`, and puts each where its row is in `out`, whose first slot is of row
    /// `first`. `decode` puts the values of a range into a list.
    pub(super) fn spread<T: Copy + Default>(
        &self,
        run: Range<usize>,
        out: &mut [T],
        first: usize,
        decode: impl FnOnce(Range<usize>, &mut [T]) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        let Some(out) = out.get_mut(run.start - first..run.end - first) else { return Ok(()) };
        let values = self.values(&run);
        let Some(places) = &self.places else { return decode(values, out) };
        let mut dense = vec![T::default(); values.len()];
        decode(values, &mut dense)?;
        // No branch hangs on a row's skeleton: they come as they like.
        let mut at = 0;
        for (slot, code) in out.iter_mut().zip(places.ranks.codes(run)) {
            let uses = places.uses.get(*code as usize).copied().unwrap_or(0);
            let value = dense.get(at).copied().unwrap_or_default();
            *slot = if uses & CHOSEN != 0 { value } else { *slot };
            at += usize::from(uses & HELD);
        }
        Ok(())
    }
}

/// The first value of `column` at or behind `row`.
fn first(skeletons: &[Skeleton], ranks: &Ranks, column: u32, row: usize) -> usize {
    let before = ranks.before(row);
    let having = skeletons.iter().zip(&before).filter(|(skeleton, _)| skeleton.columns.contains(&column));
    having.map(|(_, count)| *count as usize).sum()
}

/// The values of a field, row by row.
pub(super) struct FieldReader<'a> {
    codes: Vec<u32>,
    /// For each skeleton the cursors whose values it holds.
    held: Vec<Vec<usize>>,
    /// For each skeleton the cursor whose value counts, and whether it may have escapes.
    chosen: Vec<Option<(usize, bool)>>,
    cursors: Vec<Cursor<'a>>,
}

impl FieldReader<'_> {
    /// Appends the value of the row at `place`, if it has one, and tells whether it may have escapes.
    pub(super) fn next(&mut self, place: usize, out: &mut Vec<u8>) -> Result<Option<bool>, Corrupt> {
        let code = self.codes.get(place).copied().unwrap_or(u32::MAX) as usize;
        let chosen = self.chosen.get(code).copied().flatten();
        for held in self.held.get(code).map_or(&[][..], Vec::as_slice) {
            let Some(cursor) = self.cursors.get_mut(*held) else { continue };
            if chosen.is_some_and(|(own, _)| own == *held) { cursor.next(out)? } else { cursor.skip()? }
        }
        Ok(chosen.map(|(_, escaped)| escaped))
    }

    /// Passes over the row at `place`.
    pub(super) fn skip(&mut self, place: usize) -> Result<(), Corrupt> {
        let code = self.codes.get(place).copied().unwrap_or(u32::MAX) as usize;
        for held in self.held.get(code).map_or(&[][..], Vec::as_slice) {
            if let Some(cursor) = self.cursors.get_mut(*held) {
                cursor.skip()?;
            }
        }
        Ok(())
    }
}
