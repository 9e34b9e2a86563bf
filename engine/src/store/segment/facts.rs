//! What is known about a whole segment: the sum of its blocks' facts.

use std::collections::BTreeMap;

use crate::store::block::BlockFacts;

/// Facts about a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentFacts {
    /// Oldest event time, ns.
    pub min_timestamp: i64,
    /// Newest event time, ns.
    pub max_timestamp: i64,
    /// Least sequence.
    pub min_sequence: u64,
    /// Greatest sequence.
    pub max_sequence: u64,
    /// How many rows.
    pub rows: u64,
    /// Bytes of raw text.
    pub raw_bytes: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the gram index in it.
    pub index_bytes: u64,
    /// The facts of every block.
    pub blocks: Vec<BlockFacts>,
}

impl Default for SegmentFacts {
    fn default() -> SegmentFacts {
        SegmentFacts {
            min_timestamp: i64::MAX,
            max_timestamp: i64::MIN,
            min_sequence: u64::MAX,
            max_sequence: 0,
            rows: 0,
            raw_bytes: 0,
            file_bytes: 0,
            index_bytes: 0,
            blocks: Vec::new(),
        }
    }
}

/// One field over a whole segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldSummaryFacts {
    /// How many rows have it.
    pub rows: u64,
    /// In every block with the field, all its values are numbers (and there is at least one).
    pub numeric: bool,
}

impl SegmentFacts {
    /// Adds a block's facts.
    pub(crate) fn push(&mut self, block: BlockFacts) {
        let (first, last) = block.times();
        self.min_timestamp = self.min_timestamp.min(first);
        self.max_timestamp = self.max_timestamp.max(last);
        self.min_sequence = self.min_sequence.min(block.sequences.0);
        self.max_sequence = self.max_sequence.max(block.sequences.1);
        self.rows += u64::from(block.rows);
        self.raw_bytes += block.raw_bytes;
        self.blocks.push(block);
    }

    /// Every field, with its rows, over all blocks.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<&str, FieldSummaryFacts> {
        let mut fields: BTreeMap<&str, FieldSummaryFacts> = BTreeMap::new();
        for field in self.blocks.iter().flat_map(|block| &block.fields) {
            let numeric = field.range.is_some_and(|(least, greatest)| least <= greatest);
            let sum = fields.entry(&field.name).or_insert(FieldSummaryFacts { rows: 0, numeric: true });
            sum.rows += u64::from(field.rows);
            sum.numeric &= numeric;
        }
        fields
    }

    /// Every tag and its values, with their rows, over all blocks; names without `#`.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<&str, BTreeMap<&str, u64>> {
        let mut tags: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for set in self.blocks.iter().flat_map(|block| &block.tags) {
            for (name, value) in &set.tags {
                *tags.entry(name).or_default().entry(value).or_default() += u64::from(set.rows);
            }
        }
        tags
    }
}
