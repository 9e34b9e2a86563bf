//! What a search would read, and what it is spared, found out without reading it.

use std::ops::Range;

use weir_query::compile::Required;
use weir_query::program::Program;

use crate::store::snapshot::Snapshot;

/// What pruning leaves of the sealed events of a snapshot. Granules are counted once each, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Segments there are.
    pub segments: u64,
    /// Blocks there are.
    pub blocks: u64,
    /// Blocks of which something is left.
    pub blocks_left: u64,
    /// Granules there are, of 1,024 events each.
    pub granules: u64,
    /// Granules outside the time range.
    pub granules_by_time: u64,
    /// Granules ruled out by facts: values, ranges and presence of fields, tags.
    pub granules_by_facts: u64,
    /// Granules ruled out by the gram index.
    pub granules_by_index: u64,
    /// Granules that are left; they are read unless facts or kept states say all that is asked.
    pub granules_left: u64,
    /// Indexes that are damaged: nothing was ruled out by them.
    pub indexes_damaged: u64,
    /// Events not sealed yet, which no index knows.
    pub head_events: u64,
    /// Raw bytes of the sealed events.
    pub raw_bytes: u64,
    /// Bytes of all segment files, indexes included.
    pub stored_bytes: u64,
    /// Bytes of their gram indexes.
    pub index_bytes: u64,
}

impl Explanation {
    /// What `program` would read of `snapshot` in `range` of event time, ns.
    #[must_use]
    pub fn of(snapshot: &Snapshot, program: &Program, range: Range<i64>) -> Explanation {
        let mut sum = Explanation {
            segments: snapshot.segments.len() as u64,
            head_events: snapshot.batches.iter().map(|batch| batch.len() as u64).sum(),
            ..Explanation::default()
        };
        let required = if program.creates_events() { &Required::Nothing } else { program.required() };
        for segment in &snapshot.segments {
            let facts = segment.facts();
            let left = segment.prune(required, range.start, range.end.saturating_sub(1));
            sum.blocks += left.counters.blocks;
            sum.blocks_left += left.counters.blocks - left.counters.blocks_pruned;
            sum.granules += left.counters.granules;
            sum.granules_by_time += left.counters.granules_by_time;
            sum.granules_by_facts += left.counters.granules_by_facts;
            sum.granules_by_index += left.counters.granules_by_index;
            sum.granules_left += left.granules.len();
            sum.indexes_damaged += u64::from(left.index_fault.is_some());
            sum.raw_bytes += facts.raw_bytes;
            sum.stored_bytes += facts.file_bytes;
            sum.index_bytes += facts.index_bytes;
        }
        sum
    }
}
