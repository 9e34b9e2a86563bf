//! Where the values of a field are in a block, and reading them row by row.

use std::sync::Arc;

use super::cursor::Cursor;
use super::node::{Node, Ranks, Skeleton};
use super::part::{Part, TextKind};
use super::read::Block;
use super::wire::Corrupt;
use weir_query::record::Selection;

/// Where a field is in one part of a block.
pub(super) struct FieldSource<'a> {
    part: &'a Part,
    /// The column of the field, a skeleton.
    columns: Vec<Option<u32>>,
    ranks: Option<Arc<Ranks>>,
}

impl<'a> FieldSource<'a> {
    pub(super) fn of(block: &Block, part: &'a Part, name: &str) -> Result<Option<FieldSource<'a>>, Corrupt> {
        let Some(columns) = part.columns_of(name) else { return Ok(None) };
        let mut source = FieldSource { part, columns, ranks: None };
        if !source.everywhere() || source.single().is_none() {
            source.ranks = Some(part.skeletons()?.ranks(block.body())?);
        }
        Ok(Some(source))
    }

    /// Every row has the field.
    pub(super) fn everywhere(&self) -> bool {
        // Skeleton 0 is no text, which every row of the raw part has and which only the attributes may lack.
        let count = self.part.node.count;
        let mut kinds = self.columns.iter().zip(&self.part.kinds);
        kinds.all(|(column, kind)| column.is_some() || *kind == TextKind::None)
            && self.nodes().next().is_some_and(|(node, _)| node.count == count)
    }

    /// The one column that has the field, whether it has escapes, and its number.
    pub(super) fn single(&self) -> Option<(&'a Node, bool, u32)> {
        let mut used = self.columns.iter().flatten();
        let first = *used.next()?;
        if used.any(|column| *column != first) {
            return None;
        }
        let node = self.part.skeletons().ok()?.columns.get(first as usize)?;
        Some((node, self.part.escaped.get(first as usize) == Some(&true), first))
    }

    /// The columns that have the field, and whether they have escapes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&'a Node, bool)> {
        let mut used: Vec<u32> = self.columns.iter().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        let part = self.part;
        used.into_iter().filter_map(move |column| {
            let node = part.skeletons().ok()?.columns.get(column as usize)?;
            Some((node, part.escaped.get(column as usize) == Some(&true)))
        })
    }

    /// Calls `each` with the values of column `column` and the rows they belong to, for the granules of `within`.
    pub(super) fn scatter(
        &self,
        block: &Block,
        column: u32,
        within: &Selection,
        mut each: impl FnMut(std::ops::Range<usize>, &mut dyn Iterator<Item = usize>) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        // With one column for the field, a skeleton holds it exactly where it counts.
        let has: Vec<bool> = self.columns.iter().map(|own| *own == Some(column)).collect();
        for range in block.granules(within) {
            let Some(ranks) = &self.ranks else {
                each(range.clone(), &mut range.clone())?;
                continue;
            };
            let start = self.first(ranks, column, range.start)?;
            let codes = ranks.codes(range.clone());
            let mut rows: Vec<usize> = Vec::with_capacity(codes.len());
            rows.extend(
                range
                    .zip(codes)
                    .filter(|(_, code)| has.get(**code as usize) == Some(&true))
                    .map(|(row, _)| row),
            );
            each(start..start + rows.len(), &mut rows.into_iter())?;
        }
        Ok(())
    }

    /// The first value of `column` at or behind `row`.
    fn first(&self, ranks: &Ranks, column: u32, row: usize) -> Result<usize, Corrupt> {
        let before = ranks.before(row);
        let skeletons = &self.part.skeletons()?.skeletons;
        let having = skeletons.iter().zip(&before).filter(|(skeleton, _)| skeleton.columns.contains(&column));
        Ok(having.map(|(_, count)| *count as usize).sum())
    }

    /// Opens all columns that have the field, for the rows of `range`.
    pub(super) fn open(
        &self,
        block: &'a Block,
        range: std::ops::Range<usize>,
    ) -> Result<FieldReader<'a>, Corrupt> {
        let skeletons = self.part.skeletons()?;
        let ranks = skeletons.ranks(block.body())?;
        let codes = ranks.codes(range.clone());
        let mut used: Vec<u32> = self.columns.iter().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        let mut cursors = Vec::with_capacity(used.len());
        for column in &used {
            let node = skeletons.columns.get(*column as usize).ok_or(Corrupt("unknown column"))?;
            let start = self.first(&ranks, *column, range.start)?;
            let holds: Vec<bool> =
                skeletons.skeletons.iter().map(|skeleton| skeleton.columns.contains(column)).collect();
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
