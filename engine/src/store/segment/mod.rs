//! One immutable file of sealed blocks: blocks, their facts, a gram index, a footer, a checksum for every part.

pub mod candidates;
pub mod facts;

pub use candidates::{Candidates, PruneCounters};
pub use facts::{FieldSummaryFacts, SegmentFacts};

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use weir_query::compile::Required;
use weir_query::record::RowsError;

use crate::error::StoreError;
use crate::store::block::{Block, EncodedBlock};

/// Writes a segment, block by block, front to back. Never syncs and never renames: that is its caller's.
#[derive(Debug)]
pub struct SegmentWriter<W> {
    out: W,
    facts: SegmentFacts,
}

impl<W: Write> SegmentWriter<W> {
    /// Starts segment `id` in `out`, which must be empty.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: W, id: u64) -> io::Result<SegmentWriter<W>> {
        let _ = id;
        Ok(SegmentWriter { out, facts: SegmentFacts::default() })
    }

    /// Adds a block; blocks come in order of their first event time.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn push(&mut self, block: EncodedBlock) -> io::Result<()> {
        self.out.write_all(&block.bytes)
    }

    /// Raw bytes of the blocks so far.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.facts.raw_bytes
    }

    /// Writes facts, index and footer, and hands back `out` (not yet synced) and what is known.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn finish(self) -> io::Result<(W, SegmentFacts)> {
        Ok((self.out, self.facts))
    }
}

/// A sealed segment, open for reading. Cheap to share; blocks are verified when first used.
#[derive(Debug, Default)]
pub struct Segment {
    facts: SegmentFacts,
}

impl Segment {
    /// Opens the segment `id` at `path`: mapped when the file system allows, read with `pread` otherwise.
    ///
    /// # Errors
    /// When the file cannot be read, is of a newer version, or its header, footer, facts or index are damaged.
    pub fn open(path: &Path, id: u64) -> Result<Segment, StoreError> {
        let _ = (path, id);
        Ok(Segment::default())
    }

    /// Opens the segment `id` whose whole file is `bytes`.
    ///
    /// # Errors
    /// As [`Segment::open`].
    pub fn from_bytes(bytes: Arc<[u8]>, id: u64) -> Result<Segment, StoreError> {
        let _ = (bytes, id);
        Ok(Segment::default())
    }

    /// What is known about all its rows.
    #[must_use]
    pub fn facts(&self) -> &SegmentFacts {
        &self.facts
    }

    /// How many blocks it has.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.facts.blocks.len()
    }

    /// The granules that may hold an event that meets `required` with a timestamp in `from..=to` (ns).
    #[must_use]
    pub fn prune(&self, required: &Required, from: i64, to: i64) -> Candidates {
        let _ = (required, from, to);
        Candidates::default()
    }

    /// Block `index`, verified on its first use.
    ///
    /// # Errors
    /// When its bytes are damaged or unreadable; the other blocks are not touched by that.
    pub fn block(&self, index: usize) -> Result<Arc<Block>, RowsError> {
        Err(RowsError::Damaged(format!("no block {index}")))
    }

    /// Writes the blocks of `segments` (in the order given) into `writer`; small neighbours become one block.
    ///
    /// # Errors
    /// When a block is damaged or `writer` fails.
    pub fn merge<W: Write>(
        segments: &[Arc<Segment>],
        writer: &mut SegmentWriter<W>,
    ) -> Result<(), StoreError> {
        let _ = (segments, writer);
        Ok(())
    }

    /// Reads and checks everything: checksums, every row of every block, the facts against the rows.
    #[must_use]
    pub fn verify(&self) -> Report {
        Report::default()
    }
}

/// What [`Segment::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks looked at.
    pub blocks: usize,
    /// Rows read.
    pub rows: u64,
    /// What is wrong, a line each; empty when all is well.
    pub faults: Vec<String>,
}
