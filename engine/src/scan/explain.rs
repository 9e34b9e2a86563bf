//! What a search would read, and what it is spared, found out without reading it.

use std::ops::Range;
use std::time::{Duration, Instant};

use weir_query::compile::Required;
use weir_query::program::Program;

use crate::store::snapshot::Snapshot;

/// What pruning leaves of the sealed events of a snapshot. Granules are counted once each, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Segments there are.
    pub segments: u64,
    /// Segments not looked at because the time was up; nothing else here counts them.
    pub segments_left_out: u64,
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
    /// What `program` would read of `snapshot` in `range` of event time, ns; as far as it is found out within `budget`
    /// (`None`: whatever it takes) and the time that one segment takes.
    #[must_use]
    pub fn of(
        snapshot: &Snapshot,
        program: &Program,
        range: Range<i64>,
        budget: Option<Duration>,
    ) -> Explanation {
        let begun = Instant::now();
        let mut sum = Explanation {
            segments: snapshot.segments.len() as u64,
            head_events: snapshot.batches.iter().map(|batch| batch.len() as u64).sum(),
            ..Explanation::default()
        };
        let required = if program.creates_events() { &Required::Nothing } else { program.required() };
        for (done, segment) in snapshot.segments.iter().enumerate() {
            if budget.is_some_and(|budget| begun.elapsed() >= budget) {
                sum.segments_left_out = (snapshot.segments.len() - done) as u64;
                break;
            }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_query::compile::Options;

    use super::*;
    use crate::event::{EventBatchBuilder, EventLimits, TagSet};
    use crate::store::block::encode_blocks;
    use crate::store::segment::{Segment, SegmentWriter};

    fn segment(id: u64) -> Arc<Segment> {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        builder.push_text(b"one line", Some(1), &TagSet::none(), None).unwrap();
        let batch = Arc::new(builder.finish(1).with_sequence(id));
        let mut writer = SegmentWriter::new(Vec::new(), id).unwrap();
        encode_blocks(&[batch], |block| writer.push(block)).unwrap();
        Arc::new(Segment::from_bytes(writer.finish().unwrap().0.into(), id).unwrap())
    }

    #[test]
    fn what_the_time_does_not_suffice_for_is_told() {
        let snapshot = Snapshot { segments: (1..4).map(segment).collect(), ..Snapshot::default() };
        let program = Program::compile("line | count()", &Options::default()).unwrap();
        let explain = |budget| Explanation::of(&snapshot, &program, 0..10, budget);
        for (budget, left_out) in [(None, 0), (Some(Duration::from_secs(60)), 0), (Some(Duration::ZERO), 3)] {
            let found = explain(budget);
            assert_eq!((found.segments, found.segments_left_out), (3, left_out), "{budget:?}");
            assert_eq!((found.blocks, found.granules_left), (3 - left_out, 3 - left_out), "{budget:?}");
        }
    }
}
