//! What a query would read, as its sender is told.

use serde::Serialize;
use weir_engine::live::Sharing;
use weir_engine::scan::Explanation;

/// Answer to `POST …/explain`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The steps of the query, the fields it reads, what every event must have: lines for people.
    pub plan: Vec<String>,
    /// Sealed segments.
    pub segments: u64,
    /// Those of them that were not looked at because the time of a query was up; nothing else here counts them.
    pub segments_left_out: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Blocks of which something is left.
    pub blocks_left: u64,
    /// Granules of 1,024 events in them.
    pub granules: u64,
    /// Granules outside the time range.
    pub granules_pruned_by_time: u64,
    /// Granules that facts rule out.
    pub granules_pruned_by_facts: u64,
    /// Granules that the gram index rules out.
    pub granules_pruned_by_index: u64,
    /// Granules that are left; they are read unless facts or kept states say all that is asked.
    pub granules_left: u64,
    /// Indexes that are damaged: nothing was ruled out by them.
    pub indexes_damaged: u64,
    /// Events not sealed yet, which no index knows.
    pub head_events: u64,
    /// Raw bytes of the sealed events.
    pub raw_bytes: u64,
    /// Bytes of the segment files.
    pub stored_bytes: u64,
    /// Bytes of the gram indexes in them.
    pub index_bytes: u64,
    /// What it would share as a live query over a window as long as its range; absent: it cannot be live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Shared>,
    /// Working this out took so long, microseconds.
    pub took_micros: u64,
}

/// What a live query shares with those that are there.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shared {
    /// Metrics and live jobs whose states would be its own too.
    pub shared_by: usize,
    /// Bytes that these states hold, and it would not hold again.
    pub state_bytes: usize,
    /// How events would come to it: `level = "ERROR" by hash`, `always a candidate`.
    pub access: String,
    /// What these states cost, ns of the live thread for each event that comes to the repository; absent: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nanos_per_event: Option<f64>,
}

impl Explained {
    /// Of a query with this plan.
    #[must_use]
    pub fn new(plan: &str, found: &Explanation, live: Option<Sharing>, took_micros: u64) -> Explained {
        Explained {
            plan: plan.lines().map(str::to_owned).collect(),
            segments: found.segments,
            segments_left_out: found.segments_left_out,
            blocks: found.blocks,
            blocks_left: found.blocks_left,
            granules: found.granules,
            granules_pruned_by_time: found.granules_by_time,
            granules_pruned_by_facts: found.granules_by_facts,
            granules_pruned_by_index: found.granules_by_index,
            granules_left: found.granules_left,
            indexes_damaged: found.indexes_damaged,
            head_events: found.head_events,
            raw_bytes: found.raw_bytes,
            stored_bytes: found.stored_bytes,
            index_bytes: found.index_bytes,
            live: live.map(|live| Shared {
                shared_by: live.metrics,
                state_bytes: live.state_bytes,
                access: live.access,
                nanos_per_event: live.nanos_per_event.map(super::metric::tenths),
            }),
            took_micros,
        }
    }
}
