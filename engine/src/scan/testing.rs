//! A source for tests: rows that are made up, blocks that are slow or damaged on demand.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use weir_query::compile::{Required, TextMatcher};
use weir_query::record::{Column, OrderKey, Rows, RowsError, Selection};

use super::{BlockFacts, Candidates, GRANULE_ROWS, Part, Source};

/// Rows with nothing but a place.
pub(crate) struct Places {
    pub(crate) order: Arc<[OrderKey]>,
}

impl Rows for Places {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        Ok(Arc::clone(&self.order))
    }

    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn column(&self, _name: &str, _within: &Selection) -> Result<Column, RowsError> {
        Ok(Column::Missing { rows: self.order.len() })
    }

    fn search(&self, _matcher: &TextMatcher, _within: &Selection) -> Result<Selection, RowsError> {
        Ok(Selection::none(self.order.len()))
    }
}

/// A part of blocks of [`Places`].
#[derive(Clone, Default)]
pub(crate) struct TestPart {
    pub(crate) blocks: Vec<Vec<OrderKey>>,
    pub(crate) damaged: Vec<usize>,
    pub(crate) delay: Duration,
    pub(crate) candidates: Option<Candidates>,
    pub(crate) damaged_index: bool,
}

impl Part for TestPart {
    fn is_segment(&self) -> bool {
        true
    }

    fn blocks(&self) -> Vec<BlockFacts> {
        let mut first_granule = 0;
        let facts = self.blocks.iter().map(|rows| {
            let facts = BlockFacts {
                rows: rows.len(),
                raw_bytes: rows.len() as u64 * 100,
                min_nanos: rows.iter().map(|key| key.nanos).min().unwrap_or(0),
                max_nanos: rows.iter().map(|key| key.nanos).max().unwrap_or(0),
                min_sequence: rows.iter().map(|key| key.sequence).min().unwrap_or(0),
                max_sequence: rows.iter().map(|key| key.sequence).max().unwrap_or(0),
                min_ingest_nanos: 0,
                max_ingest_nanos: 0,
                first_granule,
                ordered: rows.is_sorted(),
            };
            first_granule += rows.len().div_ceil(GRANULE_ROWS) as u32;
            facts
        });
        facts.collect()
    }

    fn prune(&self, _required: &Required, _range: Range<i64>) -> Result<Option<Candidates>, RowsError> {
        match self.damaged_index {
            true => Err(RowsError::Damaged("index".to_owned())),
            false => Ok(self.candidates.clone()),
        }
    }

    /// For tests of what is kept: as if all were one part that never goes.
    fn attach(&self, companion: Box<dyn Any + Send + Sync>) {
        Box::leak(companion);
    }

    fn open(&self, block: usize) -> Result<Arc<dyn Rows + Send + Sync>, RowsError> {
        if self.damaged.contains(&block) {
            return Err(RowsError::Damaged("checksum".to_owned()));
        }
        std::thread::sleep(self.delay);
        Ok(Arc::new(Places { order: Arc::from(self.blocks[block].as_slice()) }))
    }
}

impl Source for TestPart {
    fn up_to_sequence(&self) -> u64 {
        u64::MAX
    }

    fn parts(&self) -> Vec<Arc<dyn Part>> {
        vec![Arc::new(self.clone())]
    }
}

/// Rows at the times of `nanos`, numbered in that order.
pub(crate) fn places(nanos: Range<i64>) -> Vec<OrderKey> {
    nanos.map(|nanos| OrderKey { nanos, sequence: nanos as u64 }).collect()
}
