//! All a repository holds at one moment, as one immutable value.

use std::sync::Arc;

use crate::event::EventBatch;
use crate::store::segment::Segment;

/// All a repository holds at one moment: every event up to a sequence exactly once, either in a segment or in a
/// batch of the head. Whoever holds it keeps its segments readable.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Sealed segments, ordered by their first event time.
    pub segments: Vec<Arc<Segment>>,
    /// Batches not yet sealed, in order of arrival.
    pub batches: Vec<Arc<EventBatch>>,
    /// Every event up to this sequence is here; 0 when there is none.
    pub up_to_sequence: u64,
    /// Segments that should be here and cannot be read: an answer over their time is partial.
    pub missing: Vec<Arc<MissingSegment>>,
}

/// A segment the catalog knows of whose file is missing or damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSegment {
    /// Its id.
    pub segment: u64,
    /// Oldest event time in it, ns.
    pub min_timestamp: i64,
    /// Newest event time in it, ns.
    pub max_timestamp: i64,
    /// Events in it.
    pub rows: u64,
    /// Why it cannot be read.
    pub reason: String,
}
