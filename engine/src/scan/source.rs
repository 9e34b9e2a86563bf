//! What a scan reads: the seam to whoever holds events.
//!
//! A [`Source`] is one immutable set of events: a snapshot of a repository, or the batches of a file. It is made
//! of [`Part`]s (a segment, a head batch), and a part of blocks. A scan asks for facts first, prunes, and opens
//! only the blocks that are left. Nothing here can write.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;
use weir_query::compile::Required;
use weir_query::record::{Rows, RowsError, Summary};

/// Rows of one granule, the unit of pruning inside a block.
pub const GRANULE_ROWS: usize = crate::store::block::GRANULE_ROWS;

/// One immutable set of events.
pub trait Source: Send + Sync {
    /// The cut: every event up to this sequence is in the source, none beyond it counts.
    fn up_to_sequence(&self) -> u64;

    /// Segments and head batches, in any order.
    fn parts(&self) -> Vec<Arc<dyn Part>>;

    /// What should be in the source over this time range and cannot be read, a sentence each.
    fn missing(&self, range: Range<i64>) -> Vec<String> {
        let _ = range;
        Vec::new()
    }
}

/// A segment, or a head batch, which is a part of one block.
pub trait Part: Send + Sync {
    /// It is a sealed segment and not a batch of the head.
    fn is_segment(&self) -> bool;

    /// The facts of each block, by its number.
    fn blocks(&self) -> Vec<BlockFacts>;

    /// Which granules may hold events that `required` and the time range let through; `None`: nothing tells.
    ///
    /// # Errors
    /// When the index is damaged or unreadable; the scan then reads everything.
    fn prune(&self, required: &Required, range: Range<i64>) -> Result<Option<Candidates>, RowsError>;

    /// What is known of all rows of block `block` without opening it; `None`: no more than its facts.
    fn summary(&self, block: usize) -> Option<&dyn Summary> {
        let _ = block;
        None
    }

    /// A number that no other part of this process has or will have, of parts that last; `None`: what is learnt of it
    /// is not worth keeping.
    fn serial(&self) -> Option<u64> {
        None
    }

    /// Drops `companion` when the part goes, not before. Only asked of parts with a number.
    fn attach(&self, companion: Box<dyn Any + Send + Sync>) {
        drop(companion);
    }

    /// The rows of block `block`.
    ///
    /// # Errors
    /// When the bytes behind it are damaged or unreadable.
    fn open(&self, block: usize) -> Result<Arc<dyn Rows + Send + Sync>, RowsError>;
}

/// What is known of a block without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockFacts {
    /// How many rows.
    pub rows: usize,
    /// Raw bytes of its rows.
    pub raw_bytes: u64,
    /// Earliest event time, nanoseconds.
    pub min_nanos: i64,
    /// Latest event time, nanoseconds, inclusive.
    pub max_nanos: i64,
    /// Least sequence.
    pub min_sequence: u64,
    /// Greatest sequence.
    pub max_sequence: u64,
    /// Earliest arrival, nanoseconds.
    pub min_ingest_nanos: i64,
    /// Latest arrival, nanoseconds, inclusive.
    pub max_ingest_nanos: i64,
    /// The number of its first granule among the granules of its part.
    pub first_granule: u32,
    /// Its rows are in the order of events.
    pub ordered: bool,
}

/// What pruning leaves of a part, step by step: each set is a part of the one before. Granules are numbered through the
/// part.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Granules in the time range.
    pub in_time: RoaringBitmap,
    /// Those of them that facts leave.
    pub past_facts: RoaringBitmap,
    /// Those of them that the index leaves: they may hold something.
    pub granules: RoaringBitmap,
}
