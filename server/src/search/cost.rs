//! What a query cost, as its sender is told.

use serde::Serialize;
use weir_engine::scan::{ScanEnd, ScanProgress, ScanResult, ScanStats};

/// What a query cost: exact counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Events the program was run over.
    pub events_scanned: u64,
    /// Raw bytes of those events.
    pub bytes_scanned: u64,
    /// Events that passed the filters.
    pub events_matched: u64,
    /// Blocks there are.
    pub blocks: u64,
    /// Blocks that were read.
    pub blocks_scanned: u64,
    /// Blocks never opened: outside the time range.
    pub blocks_pruned_by_time: u64,
    /// Blocks never opened: their facts rule them out.
    pub blocks_pruned_by_facts: u64,
    /// Blocks never opened: the index rules them out.
    pub blocks_pruned_by_index: u64,
    /// Blocks never opened: their facts say all that was asked.
    pub blocks_answered_by_facts: u64,
    /// Blocks never opened: what the query learns from them was kept.
    pub blocks_answered_by_states: u64,
    /// Blocks that could not change the result any more.
    pub blocks_skipped_early: u64,
    /// Blocks that could not be read.
    pub blocks_damaged: u64,
    /// Granules there are in blocks of the time range.
    pub granules: u64,
    /// Granules that were read.
    pub granules_scanned: u64,
    /// Waited for a turn, ms.
    pub queued_millis: u64,
    /// From start to end, ms.
    pub elapsed_millis: u64,
    /// Something that may have mattered was not read.
    pub partial: bool,
    /// How it ended: `complete`, `cancelled`, `time-budget`, `memory-budget`, or `running`.
    pub end: &'static str,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

impl Cost {
    /// Of a scan so far.
    #[must_use]
    pub fn of_progress(progress: &ScanProgress) -> Cost {
        let ScanStats { events_scanned, bytes_scanned, events_matched, .. } = progress.stats;
        let stats = &progress.stats;
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Cost {
            events_scanned,
            bytes_scanned,
            events_matched,
            blocks: stats.blocks,
            blocks_scanned: stats.blocks_scanned,
            blocks_pruned_by_time: stats.blocks_pruned_by_time,
            blocks_pruned_by_facts: stats.blocks_pruned_by_facts,
            blocks_pruned_by_index: stats.blocks_pruned_by_index,
            blocks_answered_by_facts: stats.blocks_answered_by_facts,
            blocks_answered_by_states: stats.blocks_answered_by_states,
            blocks_skipped_early: stats.blocks_skipped_early,
            blocks_damaged: stats.blocks_damaged,
            granules: stats.granules,
            granules_scanned: stats.granules_scanned,
            queued_millis: millis(progress.queued),
            elapsed_millis: millis(progress.elapsed),
            partial: false,
            end: "running",
            warnings: Vec::new(),
        }
    }

    /// Of a scan that has ended.
    #[must_use]
    pub fn of_result(progress: &ScanProgress, result: &ScanResult) -> Cost {
        Cost {
            partial: result.partial,
            end: end_word(result.end),
            warnings: result.table.warnings.clone(),
            ..Cost::of_progress(&ScanProgress { stats: result.stats, elapsed: result.elapsed, ..*progress })
        }
    }

    /// As one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn end_word(end: ScanEnd) -> &'static str {
    match end {
        ScanEnd::Complete => "complete",
        ScanEnd::Cancelled => "cancelled",
        ScanEnd::TimeBudget => "time-budget",
        ScanEnd::MemoryBudget => "memory-budget",
        ScanEnd::Failed => "failed",
    }
}
