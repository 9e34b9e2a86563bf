//! What a scan cost and what it was spared: exact counters.

use std::time::Duration;

/// What was read, and what was not and why. Every block in range is counted once: pruned by facts, by index,
/// skipped by an early exit, answered from facts or kept states, damaged, or scanned; head batches count as blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanStats {
    /// Segments the snapshot has.
    pub segments: u64,
    /// Segments that end before the time range or start after it.
    pub segments_pruned_by_time: u64,
    /// Segments whose facts say that nothing in them passes.
    pub segments_pruned_by_facts: u64,
    /// Blocks the snapshot has.
    pub blocks: u64,
    /// Blocks outside the time range.
    pub blocks_pruned_by_time: u64,
    /// Blocks of which facts leave nothing.
    pub blocks_pruned_by_facts: u64,
    /// Blocks of which facts leave something and the index nothing.
    pub blocks_pruned_by_index: u64,
    /// Blocks that could not change the result any more.
    pub blocks_skipped_early: u64,
    /// Blocks whose facts said all that the program asked for.
    pub blocks_answered_by_facts: u64,
    /// Blocks of which another scan had kept what the program learns from them.
    pub blocks_answered_by_states: u64,
    /// Blocks that were looked for among kept states and not found.
    pub blocks_missed_by_states: u64,
    /// Blocks read.
    pub blocks_scanned: u64,
    /// Blocks that could not be read.
    pub blocks_damaged: u64,
    /// Granules the snapshot has.
    pub granules: u64,
    /// Granules outside the time range. Each granule counts once, if at all: those of blocks that were skipped or damaged
    /// do not.
    pub granules_pruned_by_time: u64,
    /// Granules that facts rule out.
    pub granules_pruned_by_facts: u64,
    /// Granules that the index rules out.
    pub granules_pruned_by_index: u64,
    /// Granules of blocks answered from facts.
    pub granules_answered_by_facts: u64,
    /// Granules of blocks answered from kept states, but for those that were ruled out before.
    pub granules_answered_by_states: u64,
    /// Granules read.
    pub granules_scanned: u64,
    /// Events of blocks answered from facts.
    pub events_answered_by_facts: u64,
    /// Events of blocks answered from kept states.
    pub events_answered_by_states: u64,
    /// Events the program was run over.
    pub events_scanned: u64,
    /// Raw bytes of the events the program was run over, estimated from their block's mean.
    pub bytes_scanned: u64,
    /// Events that passed the filters.
    pub events_matched: u64,
    /// Matches handed out of order because too many would have had to be held back.
    pub rows_unordered: u64,
}

impl ScanStats {
    /// Adds `other` to it.
    pub fn add(&mut self, other: &ScanStats) {
        self.segments += other.segments;
        self.segments_pruned_by_time += other.segments_pruned_by_time;
        self.segments_pruned_by_facts += other.segments_pruned_by_facts;
        self.blocks += other.blocks;
        self.blocks_pruned_by_time += other.blocks_pruned_by_time;
        self.blocks_pruned_by_facts += other.blocks_pruned_by_facts;
        self.blocks_pruned_by_index += other.blocks_pruned_by_index;
        self.blocks_skipped_early += other.blocks_skipped_early;
        self.blocks_answered_by_facts += other.blocks_answered_by_facts;
        self.blocks_answered_by_states += other.blocks_answered_by_states;
        self.blocks_missed_by_states += other.blocks_missed_by_states;
        self.blocks_scanned += other.blocks_scanned;
        self.blocks_damaged += other.blocks_damaged;
        self.granules += other.granules;
        self.granules_pruned_by_time += other.granules_pruned_by_time;
        self.granules_pruned_by_facts += other.granules_pruned_by_facts;
        self.granules_pruned_by_index += other.granules_pruned_by_index;
        self.granules_answered_by_facts += other.granules_answered_by_facts;
        self.granules_answered_by_states += other.granules_answered_by_states;
        self.granules_scanned += other.granules_scanned;
        self.events_answered_by_facts += other.events_answered_by_facts;
        self.events_answered_by_states += other.events_answered_by_states;
        self.events_scanned += other.events_scanned;
        self.bytes_scanned += other.bytes_scanned;
        self.events_matched += other.events_matched;
        self.rows_unordered += other.rows_unordered;
    }
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanProgress {
    /// Blocks done, whether read or spared.
    pub work_done: u64,
    /// Blocks in the time range.
    pub work_total: u64,
    /// The scan has ended, whichever way.
    pub done: bool,
    /// Since the start, until now or the end.
    pub elapsed: Duration,
    /// Waited for the first turn on a thread.
    pub queued: Duration,
    /// Counters so far.
    pub stats: ScanStats,
}
