//! A snapshot of a repository as the source of a scan.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;
use weir_query::compile::Required;
use weir_query::record::{Rows, RowsError, Summary};

use super::source::GRANULE_ROWS;
use super::{BlockFacts, Candidates, Part, Source};
use crate::event::EventBatch;
use crate::store::segment::Segment;
use crate::store::snapshot::Snapshot;

impl Source for Snapshot {
    fn up_to_sequence(&self) -> u64 {
        self.up_to_sequence
    }

    fn parts(&self) -> Vec<Arc<dyn Part>> {
        let segments =
            self.segments.iter().map(|segment| Arc::new(Sealed(Arc::clone(segment))) as Arc<dyn Part>);
        let head = self.batches.iter().filter(|batch| !batch.is_empty());
        segments.chain(head.map(|batch| Arc::new(Arrived(Arc::clone(batch))) as Arc<dyn Part>)).collect()
    }

    fn missing(&self, range: Range<i64>) -> Vec<String> {
        let overlaps = |min: i64, max: i64| min < range.end && max >= range.start;
        let missing = self.missing.iter().filter(|gone| overlaps(gone.min_timestamp, gone.max_timestamp));
        missing
            .map(|gone| {
                format!("segment {} with {} events is missing: {}", gone.segment, gone.rows, gone.reason)
            })
            .collect()
    }
}

/// A sealed segment as a part.
struct Sealed(Arc<Segment>);

impl Part for Sealed {
    fn is_segment(&self) -> bool {
        true
    }

    fn blocks(&self) -> Vec<BlockFacts> {
        let mut first_granule = 0;
        let mut blocks = Vec::with_capacity(self.0.facts().blocks.len());
        for facts in &self.0.facts().blocks {
            let (min_nanos, max_nanos) = facts.times();
            blocks.push(BlockFacts {
                rows: facts.rows as usize,
                raw_bytes: facts.raw_bytes,
                min_nanos,
                max_nanos,
                min_sequence: facts.sequences.0,
                max_sequence: facts.sequences.1,
                min_ingest_nanos: facts.ingest.0,
                max_ingest_nanos: facts.ingest.1,
                first_granule,
                ordered: true,
            });
            first_granule += facts.rows.div_ceil(GRANULE_ROWS as u32);
        }
        blocks
    }

    fn prune(&self, required: &Required, range: Range<i64>) -> Result<Option<Candidates>, RowsError> {
        let left = self.0.prune(required, range.start, range.end.saturating_sub(1));
        if let Some(fault) = left.index_fault {
            return Err(RowsError::Damaged(fault));
        }
        Ok(Some(Candidates { in_time: left.in_time, past_facts: left.past_facts, granules: left.granules }))
    }

    fn summary(&self, block: usize) -> Option<&dyn Summary> {
        self.0.facts().blocks.get(block).map(|facts| facts as &dyn Summary)
    }

    fn serial(&self) -> Option<u64> {
        Some(self.0.serial())
    }

    fn attach(&self, companion: Box<dyn Any + Send + Sync>) {
        self.0.attach(companion);
    }

    fn open(&self, block: usize) -> Result<Arc<dyn Rows + Send + Sync>, RowsError> {
        self.0.block(block).map(|block| block as Arc<dyn Rows + Send + Sync>)
    }
}

/// A batch of the head as a part of one block.
struct Arrived(Arc<EventBatch>);

impl Part for Arrived {
    fn is_segment(&self) -> bool {
        false
    }

    fn blocks(&self) -> Vec<BlockFacts> {
        let (batch, rows) = (&self.0, self.0.len());
        let (min_nanos, max_nanos, ordered) = batch.times();
        let (min_ingest_nanos, max_ingest_nanos) = batch.ingest_range();
        vec![BlockFacts {
            rows,
            raw_bytes: batch.raw_bytes() as u64,
            min_nanos,
            max_nanos,
            min_sequence: batch.base_sequence(),
            max_sequence: batch.last_sequence(),
            min_ingest_nanos,
            max_ingest_nanos,
            first_granule: 0,
            ordered,
        }]
    }

    fn prune(&self, required: &Required, _range: Range<i64>) -> Result<Option<Candidates>, RowsError> {
        let Some(left) = self.0.candidates(required) else { return Ok(None) };
        let all: RoaringBitmap = (0..left.rows() as u32).collect();
        let granules = left.iter().map(|granule| granule as u32).collect();
        Ok(Some(Candidates { in_time: all.clone(), past_facts: all, granules }))
    }

    fn open(&self, _block: usize) -> Result<Arc<dyn Rows + Send + Sync>, RowsError> {
        Ok(Arc::clone(&self.0) as Arc<dyn Rows + Send + Sync>)
    }
}
