//! Writing a segment, front to back.

use std::io::{self, Write};
use std::sync::Arc;

use super::facts::SegmentFacts;
use super::footer::{self, Footer, Place};
use super::{FORMAT_VERSION, footer::BLOCKS_MAX};
use crate::index::keys;
use crate::index::source::GramSource;
use crate::index::table::{self, GRANULES_MAX, GramTable};
use crate::store::block::{BlockFacts, EncodedBlock};

/// The index may take this share of the compressed data, in percent,
const INDEX_OF_STORED_PERCENT: usize = 12;
/// or this share of the raw text, whichever is more.
const INDEX_OF_RAW_PERCENT: usize = 1;
/// A segment with less raw text than this, in bytes, keeps its whole index: it will be merged, and a row that is
/// dropped here is missing in every segment it goes into. Eight of them, each without other rows, would leave none.
const WHOLE_INDEX_RAW_BYTES: usize = 96 << 20;

/// Writes a segment, block by block, front to back. Never syncs and never renames: that is its caller's.
#[derive(Debug)]
pub struct SegmentWriter<W> {
    out: W,
    id: u64,
    written: u64,
    places: Vec<Place>,
    facts: SegmentFacts,
    grams: GramSource,
}

impl<W: Write> SegmentWriter<W> {
    /// Starts segment `id` in `out`, which must be empty.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(mut out: W, id: u64) -> io::Result<SegmentWriter<W>> {
        let header = footer::header(id, FORMAT_VERSION);
        out.write_all(&header)?;
        let written = header.len() as u64;
        Ok(SegmentWriter {
            out,
            id,
            written,
            places: Vec::new(),
            facts: SegmentFacts::default(),
            grams: GramSource::default(),
        })
    }

    /// Adds a block; blocks come in order of their first event time.
    ///
    /// # Errors
    /// When `out` cannot be written, or the segment has as many blocks or granules as it can have.
    pub fn push(&mut self, block: EncodedBlock) -> io::Result<()> {
        self.push_part(&block.bytes, block.facts)?;
        self.grams.push_maps(block.grams);
        Ok(())
    }

    /// Adds a block as it stands in another segment, whose index has its grams from granule `first` on.
    pub(super) fn push_copy(
        &mut self,
        bytes: &[u8],
        facts: BlockFacts,
        index: &Arc<GramTable>,
        first: usize,
    ) -> io::Result<()> {
        let granules = first..first + facts.granules();
        self.push_part(bytes, facts)?;
        self.grams.push_table(index, granules);
        Ok(())
    }

    fn push_part(&mut self, bytes: &[u8], mut facts: BlockFacts) -> io::Result<()> {
        if self.places.len() >= BLOCKS_MAX || self.grams.granules() + facts.granules() > GRANULES_MAX {
            return Err(io::Error::other("segment is full"));
        }
        let part = self.places.len() as u32 + 1;
        let place = self.write_part(bytes, part)?;
        let list = bytes.len().checked_sub(facts.key_bytes as usize).and_then(|start| bytes.get(start..));
        facts.key_checksum = list.and_then(keys::checksum_of);
        self.places.push(place);
        self.facts.push(facts);
        Ok(())
    }

    fn write_part(&mut self, bytes: &[u8], part: u32) -> io::Result<Place> {
        self.out.write_all(bytes)?;
        let place = Place::of(bytes, self.written, self.id, part);
        self.written += place.len;
        Ok(place)
    }

    /// Raw bytes of the blocks so far.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.facts.raw_bytes
    }

    /// Writes facts, index and footer, and hands back `out` (not yet synced) and what is known.
    ///
    /// # Errors
    /// When `out` cannot be written, or of kind `InvalidData` when an index that granules are taken from is damaged.
    pub fn finish(mut self) -> io::Result<(W, SegmentFacts)> {
        let part = self.places.len() as u32;
        let stored = self.written as usize;
        let facts = self.facts.write();
        let facts = self.write_part(&facts, part + 1)?;
        let raw = usize::try_from(self.facts.raw_bytes).unwrap_or(usize::MAX);
        let budget = match raw < WHOLE_INDEX_RAW_BYTES {
            true => usize::MAX,
            false => (stored / 100 * INDEX_OF_STORED_PERCENT).max(raw / 100 * INDEX_OF_RAW_PERCENT),
        };
        let index = table::encode(&self.grams, budget)
            .map_err(|corrupt| io::Error::new(io::ErrorKind::InvalidData, corrupt.0))?;
        let index = self.write_part(&index, part + 2)?;
        self.facts.index_bytes = index.len;
        let footer = Footer { blocks: std::mem::take(&mut self.places), facts, index };
        let end = footer.write(self.written, self.id);
        self.out.write_all(&end)?;
        self.facts.file_bytes = self.written + end.len() as u64;
        Ok((self.out, self.facts))
    }
}
