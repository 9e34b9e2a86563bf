//! Several segments into one: full blocks are copied as they are, runs of small ones are written anew together.
//!
//! A block is copied with its part of the index. Where that is damaged the block is written anew by itself: its grams are
//! then made from its rows, and the merged segment is whole again.

use std::io::{self, Write};
use std::sync::Arc;

use weir_query::record::{OrderKey, RowsError};

use super::{Segment, SegmentWriter};
use crate::error::StoreError;
use crate::store::block::builder::{cut, encode_rows};
use crate::store::block::gather::Gather;
use crate::store::block::stored::Stored;
use crate::store::block::{BLOCK_RAW_BYTES_MAX, BLOCK_ROWS_MAX, BlockFacts};

/// A block with at least this share of the most rows or bytes is copied, in percent.
const FULL_PERCENT: u64 = 50;

/// One block of a source.
struct Piece<'s> {
    segment: &'s Segment,
    index: usize,
    rows: u64,
    raw_bytes: u64,
    first_time: i64,
}

impl Piece<'_> {
    fn is_full(&self) -> bool {
        self.rows * 100 >= BLOCK_ROWS_MAX as u64 * FULL_PERCENT
            || self.raw_bytes * 100 >= BLOCK_RAW_BYTES_MAX as u64 * FULL_PERCENT
    }
}

impl Segment {
    /// Writes the rows of `segments` into `writer`, blocks in order of their first event time; full blocks as they
    /// are, small neighbours together. Either every row is written or an error says why not.
    ///
    /// # Errors
    /// When a block is damaged or `writer` fails.
    pub fn merge<W: Write>(
        segments: &[Arc<Segment>],
        writer: &mut SegmentWriter<W>,
    ) -> Result<(), StoreError> {
        let mut pieces: Vec<Piece<'_>> = segments.iter().flat_map(|segment| segment.pieces()).collect();
        pieces.sort_by_key(|piece| piece.first_time);
        let mut run: Vec<&Piece<'_>> = Vec::new();
        for piece in &pieces {
            let rows: u64 = run.iter().map(|piece| piece.rows).sum();
            let bytes: u64 = run.iter().map(|piece| piece.raw_bytes).sum();
            let over = rows + piece.rows > BLOCK_ROWS_MAX as u64
                || bytes + piece.raw_bytes > BLOCK_RAW_BYTES_MAX as u64;
            if piece.is_full() || over {
                write_run(&run, writer)?;
                run.clear();
            }
            if piece.is_full() {
                copy(piece, writer)?;
            } else {
                run.push(piece);
            }
        }
        write_run(&run, writer)
    }

    fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.facts.blocks.iter().enumerate().map(|(index, facts)| Piece {
            segment: self,
            index,
            rows: u64::from(facts.rows),
            raw_bytes: facts.raw_bytes,
            first_time: facts.times().0,
        })
    }
}

fn damaged(piece: &Piece<'_>, reason: String) -> StoreError {
    let path = format!("segment {:016x}", piece.segment.id);
    let offset = piece.segment.footer.blocks.get(piece.index).map_or(0, |place| place.offset);
    StoreError::Damaged { path, offset, reason }
}

fn failed(source: io::Error) -> StoreError {
    StoreError::Io { action: "write", path: "merged segment".to_owned(), source }
}

/// Writes a block as it stands, if its part of the index can be read.
fn copy<W: Write>(piece: &Piece<'_>, writer: &mut SegmentWriter<W>) -> Result<(), StoreError> {
    let index = match piece.segment.index() {
        Ok(index) => index,
        Err(corrupt) => {
            tracing::warn!(segment = piece.segment.id, %corrupt, "a gram index is made anew from its blocks");
            return rewrite(&[piece], writer);
        }
    };
    let bytes = piece.segment.block_bytes(piece.index);
    let bytes = bytes.ok_or_else(|| damaged(piece, "checksum does not fit".to_owned()))?;
    let facts = piece.segment.facts.blocks.get(piece.index).cloned().unwrap_or_default();
    let granules = |block: &BlockFacts| block.granules();
    let first: usize = piece.segment.facts.blocks.iter().take(piece.index).map(granules).sum();
    writer.push_copy(&bytes, facts, index, first).map_err(failed)
}

/// Writes neighbours that are not full: one alone as it stands, several together.
fn write_run<W: Write>(run: &[&Piece<'_>], writer: &mut SegmentWriter<W>) -> Result<(), StoreError> {
    match run {
        [piece] => copy(piece, writer),
        run => rewrite(run, writer),
    }
}

/// Writes the rows of blocks anew, together and in order.
fn rewrite<W: Write>(run: &[&Piece<'_>], writer: &mut SegmentWriter<W>) -> Result<(), StoreError> {
    let mut sources = Vec::with_capacity(run.len());
    for piece in run {
        let unreadable = |error: RowsError| damaged(piece, error.to_string());
        let block = piece.segment.block(piece.index).map_err(unreadable)?;
        sources.push(Stored::read(block).map_err(|corrupt| damaged(piece, corrupt.0.to_owned()))?);
    }
    let mut rows: Vec<_> = Vec::new();
    for (source, stored) in sources.iter().enumerate() {
        rows.extend((0..stored.rows()).map(|row| (stored.key(row), source, row)));
    }
    rows.sort();
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let lengths = rest
            .iter()
            .map(|(_, source, row)| sources.get(*source).map_or(0, |stored| stored.raw(*row).len()));
        let (own, others) = rest.split_at_checked(cut(lengths)).unwrap_or((rest, &[]));
        rest = others;
        let push = |row: &Row, gather: &mut _| push_row(&sources, row, gather);
        encode_rows(own, &push, &mut |block| writer.push(block)).map_err(failed)?;
    }
    Ok(())
}

/// The place of a row in the order of events, its source, and its number there.
type Row = (OrderKey, usize, usize);

fn push_row<'a>(sources: &'a [Stored], (_, source, row): &Row, gather: &mut Gather<'a>) {
    if let Some(stored) = sources.get(*source) {
        stored.push(*row, *source, gather);
    }
}
