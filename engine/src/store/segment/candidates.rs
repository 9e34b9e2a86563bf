//! What pruning leaves of a segment, and why the rest went.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::store::block::GRANULE_ROWS;
use weir_query::record::Selection;

/// The granules of a segment that may hold a match. Granules are numbered through the segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidates {
    /// Their ordinals.
    pub granules: RoaringBitmap,
    /// All granules in the time range.
    pub in_time: RoaringBitmap,
    /// Those of them that facts leave.
    pub past_facts: RoaringBitmap,
    /// What was pruned, and by what.
    pub counters: PruneCounters,
    /// Why the gram index could not be used, where it was wanted: nothing was ruled out by it then.
    pub index_fault: Option<String>,
    /// For every block its granules: first ordinal, and its rows.
    pub(crate) blocks: Vec<(u32, u32)>,
}

/// How much was pruned, each granule counted once, by the first thing that ruled it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneCounters {
    /// Blocks of the segment.
    pub blocks: u64,
    /// Granules of the segment.
    pub granules: u64,
    /// Granules outside the time range.
    pub granules_by_time: u64,
    /// Granules ruled out by tags, field presence, values or ranges.
    pub granules_by_facts: u64,
    /// Granules ruled out by the gram index.
    pub granules_by_index: u64,
    /// Blocks of which no granule is left.
    pub blocks_pruned: u64,
}

impl Candidates {
    /// Nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.granules.is_empty()
    }

    /// The blocks with a granule left, ascending.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.blocks.len()).filter(|block| {
            self.ordinals(*block).is_some_and(|range| self.granules.range_cardinality(range) > 0)
        })
    }

    /// The rows of block `block` that lie in granules that are left.
    #[must_use]
    pub fn rows(&self, block: usize) -> Selection {
        let rows = self.blocks.get(block).map_or(0, |block| block.1 as usize);
        let mut selection = Selection::none(rows);
        if let Some(range) = self.ordinals(block) {
            for ordinal in self.granules.range(range.clone()) {
                let start = (ordinal - range.start) as usize * GRANULE_ROWS;
                selection.insert_range(start..start + GRANULE_ROWS);
            }
        }
        selection
    }

    fn ordinals(&self, block: usize) -> Option<Range<u32>> {
        let (first, rows) = *self.blocks.get(block)?;
        Some(first..first + rows.div_ceil(GRANULE_ROWS as u32))
    }
}
